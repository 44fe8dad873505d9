/**
 * The text of an answer at every door while a model writes it: a kernel as a process of its own, a model's server that holds back what comes
 * next until the test has seen what came before.
 */
import assert from "node:assert/strict";
import config from "../../deno.json" with { type: "json" };
import {
  commands,
  type HandlerContext,
  type Handlers,
  type Progress,
} from "../../kernel/commands.ts";
import { delegateToKernel } from "../../kernel/doors/delegate.ts";
import { briefOf, KernelClient, KernelError } from "../../kernel/doors/kernel_client.ts";
import { each } from "../../kernel/doors/results.ts";
import { Workspace } from "../../kernel/workspace.ts";
import { AtTerminal, CAN_TYPE, until } from "../support/at_terminal.ts";
import { ChatServer } from "../support/chat_server.ts";
import { Chromium, NO_BROWSER } from "../support/chromium.ts";
import { HeldAnswers } from "../support/held_answers.ts";
import { ServedPage } from "../support/served_page.ts";
import { PROJECT, Repository } from "./harness.ts";

const QUESTION = "How is the retry delay computed?";

/** What the model writes; the second citation and the third resolve to nothing, and fall apart on the way. */
const PARTS = [
  "It doubles, see src/backoff.ts:4-7. It is not in src/back",
  "off.ts:900-901, and not in src/magic",
  ".ts:1-2. That is all.",
];
const FIRST = "It doubles, see src/backoff.ts:4-7. It is not in";
const SECOND = `${FIRST} [citation removed], and not in`;
const ANSWER =
  `${SECOND} [citation removed]. That is all.\n\nRemoved: 2 citations that do not resolve.`;

/** What a test works with. */
interface Parts {
  readonly repository: Repository;
  readonly served: ServedPage;
  readonly held: HeldAnswers;
  readonly server: ChatServer;
}

const steps: { name: string; ignore: boolean; body: (parts: Parts) => Promise<void> }[] = [];

/** One door. All of them share a kernel. */
function atDoor(name: string, body: (parts: Parts) => Promise<void>, ignore = false): void {
  steps.push({ name, ignore, body });
}

/** Text that is put together as the contract says. */
class Reader {
  text = "";
  readonly take = ({ text, restart }: Readonly<Record<string, unknown>>) => {
    if (typeof text === "string") this.text = (restart === true ? "" : this.text) + text;
  };
}

/** Sees each part before the next is written. */
async function readAlong(held: HeldAnswers, shown: () => string): Promise<void> {
  await until(() => shown().includes(FIRST), shown);
  assert.ok(!shown().includes("src/back\n") && !shown().includes("[citation"), shown());
  held.next();
  await until(() => shown().includes(SECOND), shown);
  assert.doesNotMatch(shown(), /:90|magic/);
  held.next();
}

atDoor("events over ZeroMQ carry it; put together they are the answer", async (parts) => {
  const { repository, served, held } = parts;
  await using client = new KernelClient({ folder: repository.at(".batos") });
  await client.connect();
  const reader = new Reader();
  const asked = client.call(
    "initiate_cognitive_cycle",
    { mission_brief: { type: "question", selector: "", args: [QUESTION], kwargs: {} } },
    { onEvent: (event) => reader.take({ ...event }) },
  );
  await readAlong(held, () => reader.text);
  const { result } = await asked;
  assert.equal((result as { answer: string }).answer, ANSWER);
  assert.equal(reader.text, ANSWER);

  // Who gives up in the middle is told no more, and the model is left alone.
  const leaving = new AbortController();
  const before = held.given_up;
  const cancelled = new Reader();
  const call = client.call("ask", briefOf("ask", [QUESTION]), {
    onEvent: (event) => cancelled.take({ ...event }),
    signal: leaving.signal,
  });
  await until(() => cancelled.text === FIRST, () => cancelled.text);
  // Whoever looks at what runs sees that it does, and not what is written.
  const authorization = `Bearer ${served.token}`;
  const running = await (await fetch(`${served.base}/runs`, { headers: { authorization } })).text();
  assert.ok(running.includes(QUESTION) && !running.includes("It doubles"), running);
  leaving.abort();
  await assert.rejects(call, (error) => error instanceof KernelError && error.code === "cancelled");
  await until(() => held.given_up === before + 1, () => `${held.given_up}`);
  assert.equal(cancelled.text, FIRST);
});

atDoor("the JSON API carries it, as lines and as events", async ({ served, held }) => {
  for (const accept of ["application/x-ndjson", "text/event-stream"]) {
    const reader = new Reader();
    const results: { answer: string }[] = [];
    const response = await fetch(`${served.base}/api/ask`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${served.token}`,
        "content-type": "application/json",
        accept,
      },
      body: JSON.stringify({ question: QUESTION }),
    });
    const reading = (async () => {
      let rest = "";
      for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
        const lines = (rest + chunk).split("\n");
        rest = lines.pop()!;
        for (const line of lines) {
          const json = line.replace(/^data: /, "");
          if (!json.startsWith("{")) continue;
          const message = JSON.parse(json);
          if ("progress" in message) reader.take(message.progress);
          if ("result" in message) results.push(message.result);
        }
      }
    })();
    await readAlong(held, () => reader.text);
    await reading;
    assert.equal(results[0]!.answer, ANSWER);
    assert.equal(reader.text, ANSWER);
  }
});

atDoor("who goes away over HTTP while it is written ends the writing", async ({ served, held }) => {
  const headers = { authorization: `Bearer ${served.token}`, "content-type": "application/json" };
  const messages = [{ role: "user", content: QUESTION }];
  for (
    const [path, accept, body] of [
      ["/api/ask", "application/x-ndjson", { question: QUESTION }],
      ["/api/ask", "application/json", { question: QUESTION }],
      ["/v1/chat/completions", "*/*", { model: "batos", stream: true, messages }],
    ] as const
  ) {
    const { begun, given_up } = held;
    const leaving = new AbortController();
    const response = fetch(served.base + path, {
      method: "POST",
      headers: { ...headers, accept },
      body: JSON.stringify(body),
      signal: leaving.signal,
    }).then((response) => response.text());
    response.catch(() => {}); // It is looked at below.
    await until(() => held.begun === begun + 1, () => path);
    leaving.abort();
    await assert.rejects(response);
    await until(() => held.given_up === given_up + 1, () => path);
  }
});

atDoor("chat completions stream it, and the whole is what is said at once", async (parts) => {
  const { served, held } = parts;
  const post = (stream: boolean) =>
    fetch(`${served.base}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${served.token}`, "content-type": "application/json" },
      body: JSON.stringify({
        model: "batos",
        stream,
        messages: [{ role: "user", content: QUESTION }],
      }),
    });
  const response = await post(true);
  let said = "";
  const reading = (async () => {
    let rest = "";
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      const blocks = (rest + chunk).split("\n\n");
      rest = blocks.pop()!;
      for (const block of blocks) {
        if (!block.startsWith("data: {")) continue;
        said += JSON.parse(block.slice("data: ".length)).choices[0].delta.content ?? "";
      }
    }
  })();
  await readAlong(held, () => said);
  await reading;
  assert.ok(said.startsWith(ANSWER), said);
  held.next();
  held.next();
  const whole = await (await post(false)).json();
  assert.equal(said, whole.choices[0].message.content);
});

atDoor(
  `a command line at a terminal shows it and puts the answer in its place${
    CAN_TYPE ? "" : " (skipped: no script(1))"
  }`,
  async ({ repository, held }) => {
    await using terminal = new AtTerminal("ask", "--repo", repository.path, QUESTION);
    const { screen } = terminal;
    await readAlong(held, () => screen.text.replaceAll("\n", " "));
    assert.equal(await terminal.end(), 0);
    // The answer once, and nothing of what was shown before.
    assert.equal(screen.text.split("It doubles").length, 2, screen.text);
    assert.match(
      screen.text.replaceAll("\n", " "),
      /^It doubles.* That is all\. {2}Removed: 2 citations that do not resolve\. {2}Sources .*such lines\)$/,
    );

    // Ctrl-C takes away what was shown, and says what happened.
    const before = held.given_up;
    await using other = new AtTerminal("ask", "--repo", repository.path, QUESTION);
    await until(() => other.screen.text.includes("It doubles"), () => other.screen.text);
    await other.type("\x03");
    assert.equal(await other.end(), 130);
    assert.match(other.screen.text, /^(\^C)?\n?batos: ask: interrupted$/);
    await until(() => held.given_up === before + 1, () => `${held.given_up}`);
  },
  !CAN_TYPE,
);

atDoor(
  "a kernel that dies while it is written: who asked begins anew, without what was shown",
  async ({ server }) => {
    using repository = new Repository(PROJECT);
    await repository.ingest();
    // The kernel's model alone: where one is chosen for the workspace, a process with every right asks it itself.
    Deno.env.set("BATOS_MODEL", `openai:${server.url}#held`);
    await using served = await ServedPage.start(repository.path)
      .finally(() => Deno.env.delete("BATOS_MODEL"));
    const reader = new Reader();
    // What this process answers by itself does not matter.
    const alone = {
      async *ask(_input: unknown, { progress }: HandlerContext) {
        progress({ phase: "", text: "By rules." });
        yield "by rules";
      },
    } as unknown as Handlers;
    const { ask } = delegateToKernel(alone, {
      locate: () => new Workspace(repository.path, repository.at(".batos")),
      version: config.version,
    });
    const results: unknown[] = [];
    const asking = (async () => {
      const context = {
        signal: new AbortController().signal,
        progress: (progress: Progress) => reader.take({ ...progress }),
      };
      const input = commands.ask.input.parse({ question: QUESTION, repo: repository.path });
      for await (const result of each(ask(input, context))) results.push(result);
    })();
    await until(() => reader.text === FIRST, () => reader.text);
    await served[Symbol.asyncDispose]();
    await asking;
    assert.deepEqual(results, ["by rules"]);
    assert.equal(reader.text, "By rules.");
  },
);

atDoor(
  `the console shows it above what is being typed, and the answer in its place${
    CAN_TYPE ? "" : " (skipped: no script(1))"
  }`,
  async ({ repository, held }) => {
    await using terminal = new AtTerminal("console", "--repo", repository.path);
    const { screen } = terminal;
    await terminal.shows("batos>");
    await terminal.type(`${QUESTION}\r`);
    await terminal.shows("It doubles");
    // Longer than the row has room for.
    const typed = "a half of the next question that is so long that it needs another row";
    await terminal.type(typed);
    const flat = () => screen.text.replaceAll("\n", " ");
    await until(() => screen.text.replaceAll("\n", "").includes(typed), () => screen.text);
    assert.match(screen.text, /It doubles[^]*batos> a half/);
    await readAlong(held, flat);
    await terminal.shows("Removed: 2 citations");
    assert.equal(screen.text.split("It doubles").length, 2, screen.text);
    await until(
      () => screen.text.replaceAll("\n", "").endsWith(`batos> ${typed}`),
      () => screen.text,
    );

    // A line that is ended while an answer is being written stays one line; Ctrl-C ends the answer and not the console.
    await terminal.type("\x15"); // away with what was typed
    await terminal.type(`${QUESTION}\r`);
    await until(() => screen.text.split("It doubles").length === 3, () => screen.text);
    await terminal.type("outline src/backoff.ts\r");
    await terminal.shows("retryDelay");
    await until(() => screen.text.split("It doubles").length === 3, () => screen.text);
    assert.equal(screen.text.split("outline src/backoff.ts").length, 2, screen.text);
    await terminal.type("\x03");
    await terminal.shows("batos: ask: interrupted");
    await until(() => screen.text.split("It doubles").length === 2, () => screen.text);
    await terminal.type("\x04");
    assert.equal(await terminal.end(), 0);
  },
  !CAN_TYPE,
);

atDoor(
  `the page shows it, without a word to a screen reader for each piece, then the answer${
    NO_BROWSER === undefined ? "" : ` (skipped: ${NO_BROWSER})`
  }`,
  async ({ served, held }) => {
    await using chromium = await Chromium.start();
    const page = await chromium.open();
    await page.goto(served.url);
    await page.locator(".examples li").first().waitFor();
    const shown = async (text: string) => {
      for (let turn = 0;; turn++) {
        const draft = await page.locator(".turn").first().textContent() ?? "";
        if (draft.includes(text)) return draft;
        assert.ok(turn < 300, draft);
        await new Promise((done) => setTimeout(done, 50));
      }
    };
    await page.locator("#question").fill(QUESTION);
    await page.keyboard.press("Enter");
    await page.locator(".draft").waitFor();
    await shown(FIRST);
    // Every word that is announced.
    await page.evaluate(`{
      globalThis.announced = [];
      new MutationObserver((changes) => {
        for (const { target } of changes) {
          const live = (target.nodeType === 1 ? target : target.parentElement)?.closest("[role=status], [role=alert], [aria-live]");
          if (live) announced.push(live.textContent);
        }
      }).observe(document.body, { subtree: true, childList: true, characterData: true });
    }`);
    assert.equal(await page.locator(".draft a").count(), 0, "no place is a link yet");
    held.next();
    assert.doesNotMatch(await shown(SECOND), /:90|magic/);
    assert.deepEqual(await page.evaluate("announced"), []);
    held.next();
    await page.locator(".foundation").waitFor();
    assert.equal(await page.locator(".draft").count(), 0);
    assert.match(await shown("That is all."), /Removed: 2 citations/);

    // Stopped in the middle: what was written stays, and is said to be no whole answer.
    await page.locator("#question").fill(QUESTION);
    await page.keyboard.press("Enter");
    await page.locator(".draft").waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await page.locator("[role=alert]").waitFor();
    assert.match(
      await page.locator(".turn").nth(1).textContent() ?? "",
      /Stopped while the answer was written\. This much was there:It doubles, see src/,
    );
    await page.reload();
    await page.locator(".draft").waitFor();
    chromium.assertClean();
  },
  NO_BROWSER !== undefined,
);

Deno.test("the text of an answer while it is written", async (t) => {
  using repository = new Repository(PROJECT);
  await repository.ingest();
  await using server = new ChatServer({ models: [{ id: "held", max_model_len: 8192 }] });
  const used = await repository.run(["model", "use", `openai:${server.url}#held`]);
  assert.equal(used.code, 0, used.err);
  await using served = await ServedPage.start(repository.path);
  for (const { name, ignore, body } of steps) {
    await t.step({
      name,
      ignore,
      fn: () => body({ repository, served, server, held: new HeldAnswers(server, PARTS) }),
    });
  }
});
