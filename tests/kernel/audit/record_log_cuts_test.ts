/** What a process that died left at the end of the log, told by the first command after it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import {
  type HandlerContext,
  type Handlers,
  openImage,
  recordLogCuts,
  WorkspaceLock,
} from "../../../kernel/mod.ts";

const MODULE = new URL("../../../kernel/mod.ts", import.meta.url).href;
const CONFIG = new URL("../../../deno.json", import.meta.url).pathname;

/** A workspace in which a process was killed after its third commit, whose end was then torn. */
class Workspace implements Disposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "batos_cuts_" });
  readonly notes: string[] = [];
  readonly trail = join(this.folder, "metacognition.jsonl");
  #wal = join(this.folder, "image.db-wal");

  static async make(cut = 100): Promise<Workspace> {
    const made = new Workspace();
    const code = `import { openImage } from "${MODULE}";
      const path = ${JSON.stringify(join(made.folder, "image.db"))};
      const image = await openImage(path, { mode: "shared" });
      for (let n = 0; n < 2; n++) await image.transact((unit) => unit.create({ slots: { n } }));
      Deno.kill(Deno.pid, "SIGKILL");`;
    const { signal } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--quiet", "--no-lock", "--config", CONFIG, code],
      stdin: "null",
    }).output();
    assert.equal(signal, "SIGKILL");
    Deno.truncateSync(made.#wal, Deno.statSync(made.#wal).size - cut);
    return made;
  }

  /** Runs a command of a new process, as it were. */
  async run(name: "image_log" | "doctor", input = {}): Promise<void> {
    const handler = async () => {
      using image = await openImage(join(this.folder, "image.db"), { mode: "read" });
      return image.newest;
    };
    const wrapped = recordLogCuts(
      { [name]: handler } as unknown as Handlers,
      () => this.folder,
      () => Promise.reject(new Error("nothing here needs it")),
    );
    const context = {
      progress: ({ detail }: { detail?: string }) => void this.notes.push(detail!),
    } as unknown as HandlerContext;
    const outcome = (wrapped as unknown as Record<string, (...given: unknown[]) => unknown>)[name]!(
      input,
      context,
    );
    const results = [];
    if (outcome instanceof Promise) results.push(await outcome);
    else for await (const one of outcome as AsyncIterable<unknown>) results.push(one);
    assert.deepEqual(results, [2]);
  }

  events(): Record<string, unknown>[] {
    try {
      return Deno.readTextFileSync(this.trail).trim().split("\n").map((line) => JSON.parse(line));
    } catch {
      return [];
    }
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.folder, { recursive: true });
  }
}

Deno.test("a torn end is told once, to whoever runs a command and in the trail, with the last transaction that is whole", async () => {
  using workspace = await Workspace.make();
  for (let n = 0; n < 3; n++) await workspace.run("image_log");
  assert.equal(workspace.notes.length, 1);
  assert.match(
    workspace.notes[0]!,
    /never finished are ignored behind transaction 2; nothing that was/,
  );
  assert.deepEqual(
    workspace.events().map(({ event_type, event_data }) => [event_type, event_data]),
    [
      ["IMAGE_LOG_CUT", { frames: 1, bytes: 4_096 + 24 - 100, transaction: 2 }],
    ],
  );
});

Deno.test("a process that was killed between commits leaves nothing to tell", async () => {
  using workspace = await Workspace.make(4_096 + 24);
  await workspace.run("image_log");
  assert.deepEqual([workspace.notes, workspace.events()], [[], []]);
});

Deno.test("who only looks, and who comes while somebody writes, leaves the log alone", async () => {
  using workspace = await Workspace.make();
  await workspace.run("doctor");
  {
    using _lock = await WorkspaceLock.acquire(join(workspace.folder, "lock"), { command: "test" });
    await workspace.run("image_log");
  }
  assert.deepEqual([workspace.notes, workspace.events()], [[], []]);
  await workspace.run("image_log", { audit: false });
  assert.deepEqual([workspace.notes.length, workspace.events()], [1, []]);
});
