/**
 * Processes that commit to one image as fast as they can, and are killed in the midst of it: what did the disk keep?
 *
 * Owns the run and the process that is killed (this same file, started as a program). What must hold: a commit counts as acknowledged
 * when its number was read from the pipe of its process, which wrote it after `commit` came back; each commit writes two objects
 * the same number, so a torn one shows; between the kills the image is opened as anybody would, and nothing is repaired.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Image } from "../kernel/image/image.ts";
import { openImage } from "../kernel/image/open_image.ts";
import { Ref } from "../kernel/image/values.ts";

/** What was counted over all rounds. */
export interface KillReport {
  /** Processes that were killed. */
  readonly kills: number;
  /** Commits that were acknowledged. */
  readonly commits: number;
  /** Acknowledged commits that were not there afterwards. */
  readonly lost: number;
  /** Commits of which a part was there. */
  readonly torn: number;
  /** Problems that `check` found. */
  readonly problems: number;
}

/** Longest time that a process lives: long enough to be deep in commits, short enough for a hundred of them. */
const LONGEST_LIFE_MS = 150;
/** How long a process may take to its first commit; a slow machine is no failure. */
const FIRST_COMMIT_MS = 30_000;

/**
 * Runs rounds of `processes` processes each, all on one image, and kills them.
 * @param folder an empty folder; the image is left in it
 */
export async function killRounds(
  folder: string,
  { rounds, processes, log }: { rounds: number; processes: number; log?: (text: string) => void },
): Promise<KillReport> {
  const path = join(folder, "image.db");
  const report = { kills: 0, commits: 0, lost: 0, torn: 0, problems: 0 };
  const names = Array.from({ length: processes }, (_, at) => `writer ${at}`);
  {
    using image = await openImage(path, { mode: "exclusive" });
    await image.transact((unit) => {
      for (const name of names) {
        unit.define(0, `${name}, left`, new Ref(unit.create({ slots: { n: 0 } })));
        unit.define(0, `${name}, right`, new Ref(unit.create({ slots: { n: 0 } })));
      }
    });
  }
  for (let round = 0; round < rounds; round++) {
    const acknowledged = await Promise.all(names.map((name) => liveAndDie(path, name)));
    report.kills += processes;
    // A dead holder of the lock keeps nobody out.
    using image = await openImage(path, { mode: "exclusive" });
    for (const [at, name] of names.entries()) {
      const { left, right } = numbersOf(image, name);
      report.commits += acknowledged[at]!.count;
      if (left !== right) report.torn++;
      if (left < acknowledged[at]!.last) report.lost += acknowledged[at]!.last - left;
    }
    report.problems += (await image.check()).problems.length;
    log?.(`${report.kills} killed, ${report.commits} commits`);
  }
  return report;
}

/** Starts a process, lets it commit for a while, kills it; gives what it acknowledged. */
async function liveAndDie(path: string, name: string): Promise<{ count: number; last: number }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-config",
      "--no-lock",
      "-A",
      fileURLToPath(import.meta.url),
      path,
      name,
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const deadline = setTimeout(() => child.kill("SIGKILL"), FIRST_COMMIT_MS);
  let killer: ReturnType<typeof setTimeout> | undefined;
  let text = "";
  for await (const piece of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += piece;
    // From the first commit on: any moment may be the last.
    killer ??= setTimeout(() => child.kill("SIGKILL"), Math.random() * LONGEST_LIFE_MS);
  }
  // Whatever ends by itself is no longer there to be killed.
  clearTimeout(deadline);
  clearTimeout(killer);
  const { code, signal } = await child.status;
  if (signal !== "SIGKILL") {
    throw new Error(`kill "${name}" in the midst of a commit: it ended before, with code ${code}`);
  }
  // Its last line may be cut: what was not read whole was not acknowledged.
  const numbers = text.split("\n").slice(0, -1).map(Number);
  return { count: numbers.length, last: numbers.at(-1) ?? 0 };
}

function numbersOf(image: Image, name: string): { left: number; right: number } {
  using unit = image.view();
  const of = (side: string) => unit.get(unit.get(0, `${name}, ${side}`) as Ref, "n") as number;
  return { left: of("left"), right: of("right") };
}

/** The process that is killed: commits, and says so, until it dies. */
async function commitForever(path: string, name: string): Promise<never> {
  const image = await openImage(path, { mode: "shared", command: name });
  using unit = image.begin();
  const [left, right] = ["left", "right"].map((side) => unit.get(0, `${name}, ${side}`) as Ref);
  const encoder = new TextEncoder();
  for (let n = unit.get(left!, "n") as number + 1;; n++) {
    unit.set(left!, "n", n);
    unit.set(right!, "n", n);
    await unit.commit();
    Deno.stdout.writeSync(encoder.encode(`${n}\n`));
  }
}

if (import.meta.main) {
  const [path, name] = Deno.args;
  await commitForever(path!, name!);
}
