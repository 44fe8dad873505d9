/** An image among processes: who may write, who is refused by name, and what each sees of the others. */
import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { openMemoryImage } from "../../../kernel/image/open_image.ts";
import type { UnitOfWork } from "../../../kernel/image/unit_of_work.ts";
import {
  ConflictError,
  type Image,
  type ImageMode,
  openImage,
  ReadOnlyError,
  WorkspaceLock,
  WorkspaceLockedError,
} from "../../../kernel/mod.ts";

const MODULE = new URL("../../../kernel/mod.ts", import.meta.url).href;

function imageTest(name: string, run: (path: string) => Promise<void>): void {
  Deno.test(name, async () => {
    const folder = Deno.makeTempDirSync({ prefix: "batos_image_" });
    try {
      await run(join(folder, "image.db"));
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  });
}

/** Another process that has the image open; each line that it is given, as source, is run and its result printed as JSON. */
class OtherProcess implements AsyncDisposable {
  readonly child: Deno.ChildProcess;
  readonly #output: ReadableStreamDefaultReader<string>;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  #text = "";

  private constructor(path: string, mode: ImageMode) {
    const code = `import { openImage } from "${MODULE}";
      const image = await openImage(${
      JSON.stringify(path)
    }, { mode: "${mode}", command: "batos other" });
      console.log("open");
      const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream());
      for await (const line of lines) {
        const run = new (async () => {}).constructor("image", line);
        console.log(JSON.stringify(await run(image) ?? null));
      }
      image[Symbol.dispose]();`;
    this.child = new Deno.Command(Deno.execPath(), {
      args: ["eval", "--quiet", "--no-lock", "--config", CONFIG, code],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#output = this.child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    this.#input = this.child.stdin.getWriter();
  }

  static async start(path: string, mode: ImageMode): Promise<OtherProcess> {
    const other = new OtherProcess(path, mode);
    assert.equal(await other.#line(), "open");
    return other;
  }

  async run(code: string): Promise<unknown> {
    await this.#input.write(new TextEncoder().encode(code));
    return JSON.parse(await this.#line());
  }

  async #line(): Promise<string> {
    while (!this.#text.includes("\n")) {
      const { done, value } = await this.#output.read();
      assert.ok(!done, "the other process ended");
      this.#text += value;
    }
    const [line, ...rest] = this.#text.split("\n");
    this.#text = rest.join("\n");
    return line!;
  }

  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.#input.abort().catch(() => {}); // the pipe is broken by the kill
    await this[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {}); // closed by a kill
    await this.child.status;
    await this.#output.cancel();
  }
}

const CONFIG = new URL("../../../deno.json", import.meta.url).pathname;

async function create(image: Image, slots: Record<string, unknown>): Promise<number> {
  return await image.transact((unit) => unit.create({ slots }));
}

function read(image: Image, oid: number, name: string): unknown {
  using unit = image.begin();
  return unit.get(oid, name);
}

imageTest(
  "a second writing process is refused with the holder's name, and a dead one blocks nobody",
  async (path) => {
    const other = await OtherProcess.start(path, "exclusive");
    await assert.rejects(
      openImage(path, { mode: "exclusive", command: "batos test" }),
      (error) =>
        error instanceof WorkspaceLockedError && error.holder?.pid === other.child.pid &&
        error.message.includes("batos other"),
    );
    // Readers need no lock.
    using reader = await openImage(path, { mode: "read" });
    assert.equal(reader.newest, 1);
    const oid = await other.run(
      "return await image.transact((unit) => unit.create({ slots: { x: 'theirs' } }));",
    ) as number;
    assert.equal(read(reader, oid, "x"), "theirs");
    using sharing = await openImage(path, { mode: "shared", waitMs: 100 });
    using unit = sharing.begin();
    unit.set(oid, "x", "mine");
    await assert.rejects(unit.commit(), WorkspaceLockedError);
    await assert.rejects(unit.commit(), /abort it first/);
    unit.abort();
    assert.equal(unit.get(oid, "x"), "theirs");
    await other.kill();
    unit.set(oid, "x", "mine");
    await unit.commit();
    assert.equal(read(reader, oid, "x"), "mine");
    using next = await openImage(path, { mode: "exclusive" });
    assert.equal(read(next, oid, "x"), "mine");
  },
);

imageTest(
  "two processes share an image: each sees what the other committed, and conflicts are found",
  async (path) => {
    using image = await openImage(path, { mode: "shared" });
    await using other = await OtherProcess.start(path, "shared");
    const oid = await create(image, { x: 1 });
    using unit = image.begin();
    assert.equal(unit.get(oid, "x"), 1);
    const look =
      `const unit = image.begin(); const x = unit.get(${oid}, "x"); unit.abort(); return x;`;
    assert.equal(await other.run(look), 1);
    assert.equal(
      await other.run(`await image.transact((u) => u.set(${oid}, "x", 2)); return image.newest;`),
      image.newest,
    );
    assert.equal(unit.get(oid, "x"), 1, "a snapshot stays");
    unit.set(oid, "x", 3);
    await assert.rejects(unit.commit(), ConflictError);
    unit.abort();
    assert.equal(unit.get(oid, "x"), 2);
    // Parents assigned there change lookups here.
    const parents = await other.run(`return await image.transact((u) => {
    const a = u.create({ slots: { y: "a" } });
    const b = u.create({ slots: { y: "b" } });
    const child = u.create({ parent: a });
    return { a, b, child };
  });`.replaceAll("\n", " ")) as { a: number; b: number; child: number };
    assert.equal(read(image, parents.child, "y"), "a");
    await other.run(
      `const Ref = (await import("${MODULE}")).Ref; await image.transact((u) => u.set(${parents.child}, "parent*", new Ref(${parents.b})));`,
    );
    assert.equal(read(image, parents.child, "y"), "b");
    // Both at once, on one counter: nothing is lost.
    const counter = await image.transact((unit) =>
      unit.create({ kind: "counter", slots: { n: 0 } })
    );
    const add = async (image: Image) => {
      for (let at = 0; at < 10; at++) {
        await image.transact((unit) =>
          unit.set(counter, "n", (unit.get(counter, "n") as number) + 1)
        );
      }
    };
    await Promise.all([
      add(image),
      other.run(
        `for (let at = 0; at < 10; at++) await image.transact((u) => u.set(${counter}, "n", u.get(${counter}, "n") + 1));`,
      ),
    ]);
    assert.equal(read(image, counter, "n"), 20);
    const [mine, theirs] = [
      await create(image, {}),
      await other.run("return await image.transact((u) => u.create());"),
    ];
    assert.notEqual(mine, theirs);
  },
);

/** What one side does with its unit; gives what can be seen of it. Runs here and, as source, in another process. */
async function act(unit: UnitOfWork, action: string, oid: number, n: number): Promise<unknown> {
  try {
    switch (action) {
      case "set":
        return unit.set(oid, "n", n) ?? null;
      case "add":
        return unit.set(oid, "n", (unit.get(oid, "n") as number) + n) ?? null;
      case "depend":
        return unit.dependsOn(oid) ?? null;
      case "commit":
        return await unit.commit();
      case "abort":
        return unit.abort() ?? null;
    }
    return unit.get(oid, "n") ?? null;
  } catch (error) {
    return (error as Error).message;
  }
}

imageTest(
  "two processes in any order of steps do what two units of one image in memory do",
  async (path) => {
    using image = await openImage(path, { mode: "shared" });
    await using other = await OtherProcess.start(path, "shared");
    using model = await openMemoryImage();
    const make = (unit: UnitOfWork) =>
      ["counter", "counter", "", ""].map((kind) => unit.create({ kind, slots: { n: 0 } }));
    const oids = await image.transact(make);
    assert.deepEqual(await model.transact(make), oids);
    using mine = image.begin();
    await other.run(`globalThis.unit = image.begin(); globalThis.act = ${act}; return 1;`
      .replaceAll("\n", " "));
    using modelled = new DisposableStack();
    const units = [0, 1].map(() => modelled.use(model.begin()));
    const step = fc.record({
      by: fc.nat(1),
      action: fc.constantFrom("set", "add", "add", "depend", "commit", "commit", "abort", "get"),
      oid: fc.constantFrom(...oids),
      n: fc.integer({ min: 1, max: 99 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async (steps) => {
        for (const { by, action, oid, n } of steps) {
          const done = by === 0
            ? await act(mine, action, oid, n)
            : await other.run(`return await act(unit, "${action}", ${oid}, ${n});`);
          assert.deepEqual(done, await act(units[by]!, action, oid, n));
        }
      }),
      { numRuns: 10, endOnFailure: true },
    );
    assert.equal(image.newest, model.newest);
    for (const oid of oids) {
      const slots = (one: Image) =>
        one.history(oid).map(({ tid, slots }) => [tid, slots?.get("n")]);
      assert.deepEqual(slots(image), slots(model));
    }
  },
);

imageTest(
  "two processes that commit at once, as fast as they can, lose nothing of each other",
  async (path) => {
    using image = await openImage(path, { mode: "shared" });
    await using other = await OtherProcess.start(path, "shared");
    const oids = await image.transact((unit) =>
      Array.from({ length: 3 }, () => unit.create({ slots: { n: 0, text: "" } }))
    );
    // Without a resolver: each addition is done again until it rests on what is there.
    const add = async (image: Image, oids: number[], picks: number[], size: number) => {
      for (const pick of picks) {
        await image.transact((unit) => {
          for (const oid of [oids[pick]!, oids[(pick + 1) % oids.length]!]) {
            unit.set(oid, "n", (unit.get(oid, "n") as number) + 1);
            unit.set(oid, "text", "x".repeat(size * (pick + 1)));
          }
        }, { retries: Infinity });
      }
    };
    const picks = fc.array(fc.nat(2), { minLength: 10, maxLength: 150 });
    let expected = 0;
    await fc.assert(
      // Small ones stand among the newest, large ones push all of them to their places.
      fc.asyncProperty(picks, picks, fc.constantFrom(1, 1_000), async (ours, theirs, size) => {
        await Promise.all([
          add(image, oids, ours, size),
          other.run(
            `await (${add})(image, ${JSON.stringify(oids)}, ${JSON.stringify(theirs)}, ${size});`
              .replaceAll("\n", " "),
          ),
        ]);
        expected += 2 * (ours.length + theirs.length);
        const sum = oids.reduce((sum, oid) => sum + (read(image, oid, "n") as number), 0);
        assert.equal(sum, expected);
      }),
      { numRuns: 6, endOnFailure: true },
    );
    const tids = image.log({ limit: Infinity }).map(({ tid }) => tid);
    assert.deepEqual(tids, Array.from(tids, (_, at) => tids.length - at));
    assert.deepEqual((await image.check()).problems, []);
  },
);

imageTest(
  "the lock of a long commit in line is taken once a commit, and not kept",
  async (path) => {
    using image = await openImage(path, { mode: "shared" });
    const lockPath = join(path, "..", "lock");
    const oid = await create(image, { x: 0 });
    using unit = image.begin();
    unit.set(oid, "x", 1);
    assert.equal(WorkspaceLock.holder(lockPath), undefined, "thinking holds no lock");
    await Promise.all(Array.from({ length: 5 }, () => create(image, {})));
    assert.equal(WorkspaceLock.holder(lockPath), undefined);
    await unit.commit();
  },
);

imageTest(
  "a unit that is disposed of while its commit waits still commits, and ends",
  async (path) => {
    using image = await openImage(path, { mode: "shared" });
    const oid = await create(image, { x: 0 });
    const lock = await WorkspaceLock.acquire(join(path, "..", "lock"), { command: "batos ingest" });
    const unit = image.begin();
    unit.set(oid, "x", 1);
    const committing = unit.commit();
    assert.equal(unit.status, "committing");
    assert.throws(() => unit.set(oid, "x", 2), /a commit is on its way/);
    assert.throws(() => unit.abort(), /a commit is on its way/);
    unit[Symbol.dispose]();
    lock[Symbol.dispose]();
    assert.equal(await committing, image.newest);
    assert.equal(unit.status, "ended");
    assert.equal(read(image, oid, "x"), 1);
  },
);

imageTest("a process that holds the lock already says so, and commits under it", async (path) => {
  using lock = await WorkspaceLock.acquire(join(path, "..", "lock"), { command: "batos ingest" });
  assert.ok(lock);
  using image = await openImage(path, { mode: "shared", waitMs: 0, isLocked: () => true });
  await create(image, { x: 1 });
  await assert.rejects(openImage(path, { mode: "exclusive" }), WorkspaceLockedError);
  using exclusive = await openImage(path, { mode: "exclusive", isLocked: () => true });
  assert.equal(exclusive.newest, image.newest);
});

imageTest("an image that is not there cannot be read, and nothing is made", async (path) => {
  await assert.rejects(openImage(path, { mode: "read" }), /unable to open|holds none/);
  assert.equal([...Deno.readDirSync(join(path, ".."))].length, 0);
});

imageTest("a reader sees an image in a folder that cannot be written", async (path) => {
  const oid = await (async () => {
    using image = await openImage(path, { mode: "exclusive" });
    return await create(image, { x: 1 });
  })();
  const names = [...Deno.readDirSync(join(path, ".."))].map(({ name }) => name).sort();
  assert.deepEqual(names, [".gitignore", "image.db", "lock"], "no log is left beside it");
  Deno.chmodSync(join(path, ".."), 0o500);
  try {
    using image = await openImage(path, { mode: "read" });
    assert.equal(read(image, oid, "x"), 1);
    assert.throws(() => image.begin().create(), ReadOnlyError);
  } finally {
    Deno.chmodSync(join(path, ".."), 0o700);
  }
});
