/**
 * A process that embeds the index of a folder, slowly, and says after each batch how far it is: to be killed, or to meet another.
 *
 * Arguments: the folder, the id of the embedder, milliseconds a batch. What must hold: a line on stdout follows the commit it tells of;
 * an error is a line on stderr and exit code 1.
 */
import { openMemory } from "../../rag/mod.ts";
import { HashedWords } from "./hashed_words.ts";

const [folder, id, ms] = Deno.args;
const embedder = new HashedWords({
  id,
  before: () => new Promise((resolve) => setTimeout(resolve, Number(ms))),
});
try {
  using memory = openMemory(folder!);
  await memory.embedPending(embedder, {
    batch: 2,
    onProgress: (done, total) => console.log(`${done} of ${total}`),
  });
} catch (error) {
  console.error((error as Error).message);
  Deno.exit(1);
}
