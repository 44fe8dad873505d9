/** Commands that a kernel had in hand when it went: what only reads is done here, what changes the image is not done twice. */
import assert from "node:assert/strict";
import type { Handlers } from "../../../kernel/commands.ts";
import { CommandError } from "../../../kernel/commands.ts";
import { kernelLockPath, writeConnection } from "../../../kernel/connection_file.ts";
import { delegateToKernel } from "../../../kernel/doors/delegate.ts";
import { WRITING } from "../../../kernel/doors/image_changes.ts";
import { mailFolder } from "../../../kernel/doors/mail_desk.ts";
import { allOf } from "../../../kernel/doors/results.ts";
import { Workspace } from "../../../kernel/workspace.ts";
import { WorkspaceLock } from "../../../kernel/workspace_lock.ts";
import { until } from "./kernel_fixture.ts";

/**
 * Gives a command to a kernel that runs and does not answer, and then does something to that kernel.
 * @param then done when the request is there
 * @returns what came of it, and how often it was done here
 */
async function given(
  command: "refs" | "image_new",
  then: (kernel: { folder: string; names(): string[]; die(): void }) => void,
): Promise<{ outcome: unknown; doneHere: number }> {
  const folder = Deno.makeTempDirSync({ prefix: "batos_delegate_" });
  let lock: WorkspaceLock | undefined = await WorkspaceLock.acquire(kernelLockPath(folder), {
    command: "batos serve",
  });
  const die = () => {
    lock?.[Symbol.dispose]();
    lock = undefined;
  };
  const mail = mailFolder(folder);
  const names = () => [...Deno.readDirSync(mail)].map(({ name }) => name);
  try {
    Deno.mkdirSync(mail);
    writeConnection(folder, {
      transport: "tcp",
      ip: "127.0.0.1",
      port: 1,
      key: "ab".repeat(32),
      signature_scheme: "hmac-sha256",
      version: "1.2.3",
      pid: Deno.pid,
    });
    let doneHere = 0;
    const alone = { [command]: () => Promise.resolve(`done here, time ${++doneHere}`) };
    const workspace = new Workspace(folder, folder);
    const place = { locate: () => workspace, version: "1.2.3" };
    const { [command]: run } = delegateToKernel(alone as unknown as Handlers, place);
    const context = { signal: AbortSignal.timeout(20_000), progress: () => {} };
    const outcome = allOf((run as (...given: unknown[]) => Promise<unknown>)({}, context))
      .catch((error) => error);
    await until(() => names().some((name) => name.endsWith(".request")));
    then({ folder, names, die });
    return { outcome: await outcome, doneHere };
  } finally {
    die();
    Deno.removeSync(folder, { recursive: true });
  }
}

/** Takes the request as a kernel does. */
function take({ folder, names }: { folder: string; names(): string[] }): void {
  for (const name of names()) {
    if (name.endsWith(".request")) Deno.removeSync(`${mailFolder(folder)}/${name}`);
  }
}

Deno.test("a kernel that dies before it took the request, or while it only reads, is made up for", async () => {
  for (
    const [command, taken] of [["image_new", false], ["refs", false], ["refs", true]] as const
  ) {
    const { outcome, doneHere } = await given(command, (kernel) => {
      if (taken) take(kernel);
      kernel.die();
    });
    assert.deepEqual([outcome, doneHere], [["done here, time 1"], 1]);
  }
});

Deno.test("a change of the image that a kernel had taken when it died is not made a second time", async () => {
  const { outcome, doneHere } = await given("image_new", (kernel) => {
    take(kernel);
    kernel.die();
  });
  assert.ok(outcome instanceof CommandError, String(outcome));
  assert.match(outcome.message, /"batos image log" shows whether it was/);
  assert.equal(doneHere, 0);
});

Deno.test("whoever waits for a kernel notices the next one, which clears away what the last one left", async () => {
  const { outcome, doneHere } = await given("refs", ({ folder }) => {
    Deno.removeSync(mailFolder(folder), { recursive: true });
    Deno.mkdirSync(mailFolder(folder));
  });
  assert.deepEqual([outcome, doneHere], [["done here, time 1"], 1]);
});

Deno.test("whatever changes the image is left to a kernel, which tells those who watch", () => {
  const names = [...WRITING, "status"] as const;
  const alone = Object.fromEntries(names.map((name) => [name, () => Promise.resolve(name)]));
  const place = { locate: () => new Workspace("/", "/"), version: "1.2.3" };
  const wrapped: Record<string, unknown> = {
    ...delegateToKernel(alone as unknown as Handlers, place),
  };
  assert.deepEqual(names.filter((name) => wrapped[name] === alone[name]), ["status"]);
});
