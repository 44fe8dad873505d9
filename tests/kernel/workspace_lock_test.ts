/** The workspace lock between real processes: one holder, waiting, naming, and nothing stale after a kill. */
import assert from "node:assert/strict";
import { join } from "node:path";
import {
  type LockHolder,
  RepeatedLock,
  WorkspaceLock,
  WorkspaceLockedError,
} from "../../kernel/workspace_lock.ts";

const MODULE = new URL("../../kernel/workspace_lock.ts", import.meta.url).href;

/** A process that takes the lock, says so, and keeps it until it is killed or its input ends. */
async function holderProcess(
  path: string,
): Promise<{ pid: number; kill(): Promise<void>; end(): Promise<void> }> {
  const code = `import { WorkspaceLock } from "${MODULE}";
    using _lock = await WorkspaceLock.acquire(${JSON.stringify(path)}, { command: "batos ingest" });
    console.log("held");
    for await (const _ of Deno.stdin.readable);`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-config", "--no-lock", code],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.getReader();
  const first = await reader.read();
  assert.match(new TextDecoder().decode(first.value), /held/);
  const done = async () => {
    await child.status;
    await reader.cancel();
  };
  return {
    pid: child.pid,
    async kill() {
      child.kill("SIGKILL");
      await child.stdin.close().catch(() => {}); // the pipe is broken by the kill
      await done();
    },
    async end() {
      await child.stdin.close();
      await done();
    },
  };
}

function temporaryLock(): { path: string } & Disposable {
  const folder = Deno.makeTempDirSync({ prefix: "batos_lock_" });
  return {
    path: join(folder, ".batos", "lock"),
    [Symbol.dispose]: () => Deno.removeSync(folder, { recursive: true }),
  };
}

Deno.test("acquire() refuses a second writer when the time is up, and names the first", async () => {
  using temporary = temporaryLock();
  using _first = await WorkspaceLock.acquire(temporary.path, { command: "batos ingest" });
  let told: LockHolder | undefined;
  await assert.rejects(
    WorkspaceLock.acquire(temporary.path, {
      command: "batos ask",
      timeoutMs: 120,
      onWait: (holder) => told = holder,
    }),
    (error) =>
      error instanceof WorkspaceLockedError && error.message.includes(`process ${Deno.pid}`) &&
      error.message.includes("batos ingest") && !error.message.includes("\n"),
  );
  assert.equal(told?.pid, Deno.pid);
});

Deno.test("acquire() waits until the holder lets go", async () => {
  using temporary = temporaryLock();
  const first = await WorkspaceLock.acquire(temporary.path, { command: "first" });
  const order: string[] = [];
  const second = WorkspaceLock.acquire(temporary.path, {
    command: "second",
    onWait: () => {
      order.push("waiting");
      first[Symbol.dispose]();
    },
  });
  using _lock = await second;
  order.push("held");
  assert.deepEqual(order, ["waiting", "held"]);
  const holder = WorkspaceLock.holder(temporary.path);
  assert.equal(typeof holder === "object" && holder.command, "second");
});

Deno.test("a killed holder leaves no lock behind", async () => {
  using temporary = temporaryLock();
  const other = await holderProcess(temporary.path);
  const holder = WorkspaceLock.holder(temporary.path);
  assert.equal(typeof holder === "object" && holder.pid, other.pid);
  await other.kill();
  assert.equal(WorkspaceLock.holder(temporary.path), undefined);
  using _mine = await WorkspaceLock.acquire(temporary.path, {
    command: "batos ingest",
    timeoutMs: 0,
  });
});

Deno.test("the lock is released when its process ends, and the file stays", async () => {
  using temporary = temporaryLock();
  const other = await holderProcess(temporary.path);
  await other.end();
  assert.equal(WorkspaceLock.holder(temporary.path), undefined);
  assert.equal(Deno.readTextFileSync(temporary.path), "");
});

Deno.test("acquire() ends with the reason of an aborted signal", async () => {
  using temporary = temporaryLock();
  using _first = await WorkspaceLock.acquire(temporary.path, { command: "first" });
  const controller = new AbortController();
  await assert.rejects(
    WorkspaceLock.acquire(temporary.path, {
      command: "second",
      signal: controller.signal,
      onWait: () => controller.abort(new DOMException("interrupted", "AbortError")),
    }),
    { name: "AbortError" },
  );
});

Deno.test("holder() finds nobody where there is no lock file", () => {
  assert.equal(WorkspaceLock.holder("/nonexistent-folder/.batos/lock"), undefined);
});

Deno.test("a lock that is taken again and again names its holder while it is held, and nobody in between", async () => {
  using temporary = temporaryLock();
  const { path } = temporary;
  using repeated = new RepeatedLock(path, "batos image");
  const nameOf = () => {
    const holder = WorkspaceLock.holder(path);
    return typeof holder === "object" ? holder.command : holder;
  };
  for (let time = 0; time < 3; time++) {
    assert.equal(await repeated.hold(0, nameOf), "batos image");
    assert.equal(nameOf(), undefined);
  }
  {
    using _other = await WorkspaceLock.acquire(path, { command: "batos ingest" });
    await assert.rejects(
      repeated.hold(0, () => assert.fail("somebody else holds it")),
      (error) => error instanceof WorkspaceLockedError && /batos ingest/.test(error.message),
    );
  }
  assert.equal(await repeated.hold(0, nameOf), "batos image", "the other's name is gone");
  using second = new RepeatedLock(path, "batos serve");
  assert.equal(await second.hold(0, nameOf), "batos serve");
  assert.equal(await repeated.hold(0, nameOf), "batos image");
  await assert.rejects(
    repeated.hold(0, () => {
      throw new TypeError("in the midst of it");
    }),
    TypeError,
  );
  assert.equal(nameOf(), undefined, "work that throws lets go");
  repeated[Symbol.dispose]();
  assert.equal(await repeated.hold(0, nameOf), "batos image", "and is closed once more");
});

Deno.test("acquire() that does not wait is not refused because somebody only looks who holds the lock", async () => {
  using temporary = temporaryLock();
  {
    using _made = await WorkspaceLock.acquire(temporary.path, { command: "batos" });
  }
  const code = `import { WorkspaceLock } from "${MODULE}";
    console.log("looking");
    for (;;) {
      for (let n = 0; n < 500; n++) WorkspaceLock.holder(${JSON.stringify(temporary.path)});
      await new Promise((done) => setTimeout(done, 1));
    }`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-config", "--no-lock", code],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  try {
    const reader = child.stdout.getReader();
    await reader.read();
    for (let n = 0; n < 3_000; n++) {
      using _lock = await WorkspaceLock.acquire(temporary.path, {
        command: "batos serve",
        timeoutMs: 0,
      });
    }
    await reader.cancel();
  } finally {
    child.kill("SIGKILL");
    await child.status;
  }
});
