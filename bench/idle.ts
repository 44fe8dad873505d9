/**
 * `bench idle`: what a kernel costs when nobody asks, after it has worked.
 *
 * Owns the order: a kernel makes its index, answers a question and says who uses a name, which loads the compiler and its type checker; then
 * nobody asks, and what it has let go shows. What must hold: figures are the operating system's; the kernel has nothing left to do when it
 * is called quiet.
 */
import { join } from "node:path";
import { briefOf, KernelClient } from "../kernel/doors/kernel_client.ts";
import { CorpusCopy, type Log } from "./corpora.ts";
import { KernelProcess, newRepository } from "./kernel_process.ts";

/** After which the thread of the compiler has ended, and the engine has given its pages back, in seconds: 15 and 10. */
const QUIET_SECONDS = 30;
/** How long an idle kernel is watched, in seconds. */
const IDLE_SECONDS = 20;
/** Ticks of a second in `/proc/PID/stat`. */
const TICKS = 100;
/** Looks at a kernel at work, so many milliseconds apart: the largest is what it takes. */
const LOOK_MS = 50;

/** Runs it on a repository of one file, and on the pinned corpus of a thousand. */
export async function benchIdle({ log }: { readonly log: Log }): Promise<object> {
  const one = newRepository();
  using thousand = await CorpusCopy.ofPinned("thousand", log);
  Deno.mkdirSync(join(thousand.folder, ".git"));
  return {
    "a repository of one file": await measure(one, "a", log),
    "a thousand files": await measure(thousand.folder, "createClient", log),
  };
}

async function measure(folder: string, name: string, log: Log): Promise<object> {
  log(`a kernel at work, ${folder}`);
  await using kernel = await KernelProcess.start(folder);
  let atWork = 0;
  const looking = setInterval(() => atWork = Math.max(atWork, kernel.state().megabytes), LOOK_MS);
  try {
    await using client = new KernelClient({ folder: join(folder, ".batos") });
    await client.connect();
    await client.call("ask", briefOf("ask", [`where is ${name} defined?`]));
    const { result } = await client.call("refs", briefOf("refs", [name]));
    if (!(result as { definitions: unknown[] }).definitions.length) {
      throw new Error(`measure a kernel at work: "${name}" is not defined in "${folder}"`);
    }
  } finally {
    clearInterval(looking);
  }
  log("quiet");
  await sleep(QUIET_SECONDS);
  const before = kernel.state();
  await sleep(IDLE_SECONDS);
  const after = kernel.state();
  await kernel.stop();
  // As it is before it has parsed anything: its index is up to date.
  await using fresh = await KernelProcess.start(folder);
  await sleep(3);
  return {
    megabytes_when_started: fresh.state().megabytes,
    most_megabytes_at_work: atWork,
    megabytes_when_quiet: after.megabytes,
    percent_of_a_core: Math.round((after.ticks - before.ticks) / TICKS / IDLE_SECONDS * 1e4) / 100,
  };
}

function sleep(seconds: number): Promise<void> {
  return new Promise((done) => setTimeout(done, seconds * 1_000));
}
