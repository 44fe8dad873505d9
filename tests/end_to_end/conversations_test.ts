/** Conversations through every door: whoever asks goes on with its own questions, whatever others ask meanwhile. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { briefOf, KernelClient } from "../../kernel/doors/kernel_client.ts";
import { CAN_TYPE } from "../support/at_terminal.ts";
import { McpClient } from "../support/mcp_client.ts";
import { ServedPage } from "../support/served_page.ts";
import { TerminalShell } from "../support/terminal_shell.ts";
import { assertDone, assertRefused, PROJECT, Repository, ROOT } from "./harness.ts";

const AND_THEN = "and where is it tested?";

/** What a follow-up was taken to mean. */
interface Meant {
  readonly meant?: string;
}

Deno.test("command lines go on with the last question of the workspace, or with a conversation by name", async () => {
  using repository = new Repository(PROJECT);
  await repository.ingest();
  const ask = async (...words: string[]) => {
    const done = await repository.run(["ask", "--json", "--quiet", ...words]);
    assertDone(done);
    return (done.json[0] as Meant).meant;
  };
  await ask("Where is `retryDelay` defined?");
  await ask("--conversation", "price of parcels", "Where is `postage` defined?");
  assert.equal(await ask("--continue", AND_THEN), "where is retryDelay tested?");
  assert.equal(
    await ask("--conversation", "price of parcels", AND_THEN),
    "where is `postage` tested?",
  );
  // One that is begun has nothing to go on with, and says nothing of it.
  assert.equal(await ask("--conversation", "another", AND_THEN), undefined);
  for (const name of ["", " blank", "line\nend", "x".repeat(81)]) {
    assertRefused(
      await repository.run(["ask", "--conversation", name, AND_THEN]),
      /--conversation.* expected 1 to 80 characters/,
    );
  }
});

Deno.test({
  name:
    "each terminal goes on with its own, a new one with the last of the workspace, and a line says with which",
  ignore: !CAN_TYPE,
  async fn() {
    for (const withKernel of [false, true]) {
      using repository = new Repository(PROJECT);
      await repository.ingest();
      await using _served = withKernel
        ? await ServedPage.start(repository.path, "--no-watch")
        : undefined;
      await using one = new TerminalShell();
      await using other = new TerminalShell();
      const ask = (shell: TerminalShell, ...words: string[]) =>
        shell.run("ask", "--repo", repository.path, ...words);
      await ask(one, "Where is `retryDelay` defined?");
      await ask(other, "Where is `postage` defined?");
      const again = await ask(one, "--continue", AND_THEN);
      assert.match(again, /going on with "Where is `retryDelay` defined\?"/);
      assert.match(again, /where is retryDelay tested\?/);
      assert.match(await ask(other, "--continue", AND_THEN), /where is `postage` tested\?/);

      // One that is opened later, and who is at none, mean the last question; from there on each has its own.
      await using later = new TerminalShell();
      assert.match(
        await ask(later, "--continue", "and who calls it?"),
        /nothing was asked here yet: going on with "where is `postage` tested\?", the last question of this workspace/,
      );
      const atNone = await repository.run(["ask", "--continue", AND_THEN]);
      assert.match(atNone.err, /nothing was asked here yet: going on with "who calls `postage`\?"/);
      assert.match(await ask(one, "--continue", "and who calls it?"), /who calls retryDelay\?/);
      assert.doesNotMatch(await ask(later, "--continue", AND_THEN), /nothing was asked here yet/);

      // Each forgets its own; the others stay.
      const list = await one.run("conversation", "list", "--repo", repository.path);
      assert.equal(list.match(/^terminal /gm)?.length, 3, list);
      assert.equal(list.match(/, yours/g)?.length, 1, list);
      assert.match(
        await one.run("conversation", "forget", "--repo", repository.path),
        /forgot the conversation "terminal [^"]+", 3 questions/,
      );
      const left = await repository.run(["conversation", "list", "--json"]);
      assertDone(left);
      const { conversations } = left.json[0];
      assert.equal(conversations.length, 3);
      assert.doesNotMatch(JSON.stringify(conversations), /retryDelay/);
      assert.deepEqual(
        conversations.map(({ own }: { own: boolean }) => own).toSorted(),
        [false, false, true],
      );
    }
  },
});

Deno.test("conversations are listed and forgotten by name, by all, and through a kernel as without one", async () => {
  using repository = new Repository(PROJECT);
  await repository.ingest();
  const nothing = await repository.run(["conversation", "list"]);
  assert.deepEqual([nothing.code, nothing.out], [1, "no conversation to go on with\n"]);
  assert.equal((await repository.run(["conversation", "forget", "--all"])).code, 1);
  const ask = async (...words: string[]) =>
    assertDone(await repository.run(["ask", "--quiet", ...words]));
  for (const withKernel of [false, true]) {
    await using _served = withKernel
      ? await ServedPage.start(repository.path, "--no-watch")
      : undefined;
    await ask("Where is `retryDelay` defined?");
    await ask("--conversation", "price of parcels", "Where is `postage` defined?");
    await ask("--conversation", "third", "Where is `Tracker` defined?");
    const names = async () =>
      (await repository.run(["conversation", "list", "--json"])).json[0].conversations
        .map(({ name }: { name: string }) => name);
    assert.deepEqual(await names(), ["third", "price of parcels", "-"]);
    const one = await repository.run(["conversation", "forget", "price of parcels"]);
    assertDone(one);
    assert.match(one.out, /^forgot the conversation "price of parcels", 1 question\n/);
    assert.equal((await repository.run(["conversation", "forget", "price of parcels"])).code, 1);
    assert.deepEqual(await names(), ["third", "-"]);
    const [, tid = ""] = /batos image undo (\d+)/.exec(one.out) ?? [];
    assertDone(await repository.run(["image", "undo", tid]));
    assert.deepEqual((await names()).length, 3);
    const unnamed = await repository.run(["conversation", "forget", "-"]);
    assert.match(unnamed.out, /^forgot the conversation without a name, 1 question\n/);
    assert.match(
      (await repository.run(["conversation", "forget", "--all"])).out,
      /^forgot 2 conversations, 2 questions\n/,
    );
    assert.deepEqual((await repository.run(["conversation", "list"])).code, 1);
    assertRefused(
      await repository.run(["conversation", "forget", "x", "--all"]),
      /conversation forget: .*give either a NAME or --all/,
    );
  }
  assertDone(await repository.run(["image", "pack", "--yes"]));
  const check = await repository.run(["image", "check", "--json"]);
  assert.deepEqual(check.json[0].problems, []);
});

Deno.test("with a kernel: command line, two clients, windows and a console each have their own", async () => {
  using repository = new Repository(PROJECT);
  await repository.ingest();
  await using served = await ServedPage.start(repository.path, "--no-watch");
  const folder = repository.at(".batos");
  await using one = new KernelClient({ folder, identity: "architect-console-one" });
  await using other = new KernelClient({ folder, identity: "architect-console-other" });
  await one.connect();
  await other.connect();
  const byClient = async (client: KernelClient, question: string, fields = {}) =>
    (await client.call("ask", briefOf("ask", [question], fields))).result as Meant;
  const byWindow = async (conversation: string, question: string) => {
    const response = await fetch(`${served.base}/api/ask`, {
      method: "POST",
      headers: { authorization: `Bearer ${served.token}`, "content-type": "application/json" },
      body: JSON.stringify({ question, conversation }),
    });
    return (await response.json()).results[0] as Meant;
  };
  const byLine = async (...words: string[]) =>
    (await repository.run(["ask", "--json", "--quiet", ...words])).json[0] as Meant;

  await byLine("Where is `retryDelay` defined?");
  await byClient(one, "Where is `postage` defined?");
  await byClient(other, "Where is `Tracker` defined?");
  await byWindow("window 1", "Where is `MAX_DELAY` defined?");
  await byWindow("window 2", "Where is `Parcel` defined?");
  assert.equal((await byLine("--continue", AND_THEN)).meant, "where is retryDelay tested?");
  const goesOn = { continue: true };
  assert.equal((await byClient(one, AND_THEN, goesOn)).meant, "where is `postage` tested?");
  assert.equal((await byClient(other, AND_THEN, goesOn)).meant, "where is Tracker tested?");
  assert.equal((await byWindow("window 1", AND_THEN)).meant, "where is MAX_DELAY tested?");
  assert.equal((await byWindow("window 2", AND_THEN)).meant, "where is Parcel tested?");

  // A client that comes back under its name finds its conversation.
  await one[Symbol.asyncDispose]();
  await using again = new KernelClient({ folder, identity: "architect-console-one" });
  await again.connect();
  assert.equal(
    (await byClient(again, "and who calls it?", goesOn)).meant,
    "who calls `postage`?",
  );
});

Deno.test("a console goes on by itself, and begins anew when it is told to", async () => {
  using repository = new Repository(PROJECT);
  await repository.ingest();
  await using _served = await ServedPage.start(repository.path, "--no-watch");
  const config = JSON.parse(Deno.readTextFileSync(join(ROOT, "deno.json")));
  const words = [
    ...(config.tasks.console.command as string).split(" ").slice(1),
    "--repo",
    repository.path,
  ];
  const lines = ["Where is `retryDelay` defined?", AND_THEN, "new", AND_THEN];
  const child = new Deno.Command(Deno.execPath(), {
    args: words,
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(lines.map((line) => `${line}\n`).join("")));
  await writer.close();
  const { stdout, stderr } = await child.output();
  const out = new TextDecoder().decode(stdout);
  assert.equal(out.split("where is retryDelay tested?").length - 1, 1, out);
  assert.match(new TextDecoder().decode(stderr), /the next question begins another conversation/);
});

Deno.test({
  name: "an agent goes on with its own last question, and with no other agent's",
  // The client keeps its process and timers for a moment.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    using repository = new Repository(PROJECT);
    await repository.ingest();
    await using one = await McpClient.start(repository.path);
    await using other = await McpClient.start(repository.path);
    await one.call("ask", { question: "Where is `retryDelay` defined?" });
    await other.call("ask", { question: "Where is `postage` defined?" });
    const { text } = await one.call("ask", { question: AND_THEN, continue: true });
    assert.match(text, /retryDelay/);
    assert.doesNotMatch(text, /postage/);
  },
});
