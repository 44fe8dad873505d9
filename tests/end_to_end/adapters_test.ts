/** Adapters on the command line: imported, listed, forgotten, refused; with the permissions of the task and no others. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "../support/models.ts";
import { adapterMatrices, ggufOf, referenceModel, writePeft } from "../support/tiny_peft.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const config = JSON.parse(Deno.readTextFileSync(join(ROOT, "deno.json"))) as {
  tasks: { adapter: { command: string } };
};

async function batos(cwd: string, ...args: string[]) {
  const [, ...words] = config.tasks.adapter.command
    .replace("main.ts", `--config=${join(ROOT, "deno.json")} ${join(ROOT, "main.ts")}`).split(" ");
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...words, ...args],
    cwd,
    env: { NO_COLOR: "1" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

Deno.test("an adapter is imported, listed and forgotten, and what is none is refused in one line", async () => {
  using folder = temporaryFolder();
  const repo = join(folder.path, "repo");
  Deno.mkdirSync(join(repo, ".git"), { recursive: true });
  Deno.writeFileSync(join(repo, "llama.gguf"), ggufOf(referenceModel()));
  writePeft(
    join(repo, "out", "brick_1"),
    adapterMatrices({ modules: ["layers.0.self_attn.q_proj"] }),
    {},
  );
  const none = await batos(repo, "list");
  assert.equal(none.code, 2);
  assert.match(none.err, /^batos: adapter list: ".*": it has no image yet; "batos adapter import/);
  const imported = await batos(repo, "import", "out/brick_1", "--model", "llama.gguf", "--json");
  assert.equal(imported.code, 0, imported.err);
  const shown = JSON.parse(imported.out);
  assert.deepEqual([shown.name, shown.base, shown.forms], [
    "brick_1",
    "acme/tiny",
    ["gguf", "peft"],
  ]);
  const listed = await batos(repo, "list");
  assert.equal(listed.code, 0);
  assert.match(listed.out, /^\S+ kB {2}@\d+ {2}brick_1 {2}gguf and peft, trained on acme\/tiny\n$/);
  const wrong = await batos(repo, "import", "llama.gguf");
  assert.equal(wrong.code, 2);
  assert.match(wrong.err, /^batos: adapter import: .*expected "adapter" and "lora"\n$/);
  assert.equal((await batos(repo, "rm", "brick_1")).code, 0);
  const gone = await batos(repo, "rm", "brick_1");
  assert.deepEqual([gone.code, gone.out], [1, 'no adapter "brick_1"\n']);
  assert.equal((await batos(repo, "list")).code, 1);
});
