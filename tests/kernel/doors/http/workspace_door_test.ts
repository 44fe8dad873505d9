/** The door of a kernel: key and port outlive it, commands run where it serves. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { Handlers } from "../../../../kernel/commands.ts";
import { openWorkspaceDoor } from "../../../../kernel/doors/http/workspace_door.ts";
import { Runs } from "../../../../kernel/doors/runs.ts";
import type { ServiceContext } from "../../../../kernel/doors/service.ts";

/** A kernel's context whose handlers say what they were given. */
function context(): ServiceContext {
  const handlers = {
    read: (input: unknown, { folder }: { folder?: string }) => Promise.resolve({ input, folder }),
  } as unknown as Handlers;
  return {
    root: "/srv/sample",
    version: "1",
    handlers,
    signal: new AbortController().signal,
    report: (line) => assert.fail(line),
    listen: () => () => {},
    refusals: { note: () => {} },
    runs: new Runs(),
  };
}

Deno.test("key and port are those of the last time, and only the owner can read them", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    const first = await openWorkspaceDoor(context(), { folder, port: undefined, runs: new Runs() });
    await first.close();
    const path = join(folder, "page.json");
    assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
    const second = await openWorkspaceDoor(context(), {
      folder,
      port: undefined,
      runs: new Runs(),
    });
    assert.equal(second.address, first.address);
    // Another kernel meanwhile, with a copy of the file: the port is taken, the key stays.
    const third = await openWorkspaceDoor(context(), { folder, port: undefined, runs: new Runs() });
    const [a, b] = [new URL(second.address), new URL(third.address)];
    assert.notEqual(a.port, b.port);
    assert.equal(a.search, b.search);
    // One that was named does not give way.
    await assert.rejects(
      openWorkspaceDoor(context(), { folder, port: Number(a.port), runs: new Runs() }),
      new RegExp(`^CommandError: --page-port ${a.port}: in use; name another one`),
    );
    await second.close();
    await third.close();
    Deno.writeTextFileSync(path, '{"port": 99999999, "token": "guess"}');
    const fresh = await openWorkspaceDoor(context(), { folder, port: undefined, runs: new Runs() });
    assert.match(new URL(fresh.address).search, /^\?token=[0-9a-f]{64}$/);
    assert.notEqual(new URL(fresh.address).search, a.search);
    await fresh.close();
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["page.json"]);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("a command runs in the workspace that is served, with paths meant from its root", async () => {
  const folder = Deno.makeTempDirSync();
  const door = await openWorkspaceDoor(context(), { folder, port: undefined, runs: new Runs() });
  try {
    const { origin, searchParams } = new URL(door.address);
    const response = await fetch(`${origin}/api/read`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${searchParams.get("token")}`,
        "content-type": "application/json",
      },
      body: '{"place":"a.ts"}',
    });
    assert.deepEqual((await response.json()).results, [{
      input: { place: "a.ts", repo: "/srv/sample" },
      folder: "/srv/sample",
    }]);
  } finally {
    await door.close();
    Deno.removeSync(folder, { recursive: true });
  }
});
