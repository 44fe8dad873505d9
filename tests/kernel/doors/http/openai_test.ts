/** The codebase as a chat model: behind the door that a kernel has for it, over a real index, asked as chat front ends ask. */
import assert from "node:assert/strict";
import { askInCycle, openCyclePlace } from "../../../../agent/mod.ts";
import { questionOf } from "../../../../kernel/doors/http/openai.ts";
import { type Handlers, openChatApi } from "../../../../kernel/mod.ts";
import { openMemory } from "../../../../rag/mod.ts";
import { PROJECT, Repository } from "../../../end_to_end/harness.ts";
import { bearer, openDoor } from "./door.ts";

const TOKEN = "0123456789abcdef".repeat(4);

const repository = new Repository(PROJECT);
await repository.ingest();
globalThis.addEventListener("unload", () => repository[Symbol.dispose]());

/** The agent over the index, as the program has it; what it was asked, and how often it was stopped. */
const asked: string[] = [];
let stopped = 0;
const ask: Handlers["ask"] = async ({ question }, { progress, signal }) => {
  asked.push(question);
  if (question.startsWith("WAIT")) {
    progress({ phase: "", detail: "waiting", note: true });
    await new Promise<never>((_, reject) =>
      signal.addEventListener("abort", () => {
        stopped++;
        reject(signal.reason);
      })
    );
  }
  if (question.startsWith("BREAK")) throw new Error("the disk is gone");
  using memory = openMemory(repository.path, { readOnly: true });
  using place = await openCyclePlace(undefined);
  const isOfParts = question.startsWith("PARTS");
  if (isOfParts) {
    progress({ phase: "writing", text: "## One?\n\nIt dou", part: true });
    progress({ phase: "writing", text: "## One?\n\nIt grows.", part: true, restart: true });
  }
  const answer = await askInCycle(question, memory, place.image, place.cycles, {
    root: repository.path,
    signal,
    onStep: ({ step, action }) => progress({ phase: "thinking, step", done: step, detail: action }),
  });
  if (isOfParts) progress({ phase: "writing", text: answer.answer.slice(0, 20), restart: true });
  return answer;
};

const get = (url: string, method = "GET") =>
  fetch(url, { method, headers: { authorization: `Bearer ${TOKEN}` } });

type Post = (body: unknown, signal?: AbortSignal) => Promise<Response>;

async function withServer(work: (url: string, post: Post) => Promise<void>): Promise<void> {
  const v1 = await openChatApi({ handlers: { ask }, repo: repository.path });
  const door = await openDoor({}, { token: TOKEN, mounts: { v1 } });
  const url = door.base;
  const post: Post = (body, signal) =>
    fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: bearer(door, { "content-type": "application/json" }),
      body: typeof body === "string" || body instanceof ReadableStream
        ? body
        : JSON.stringify(body),
      signal,
    });
  try {
    await work(url, post);
  } finally {
    await door.stop();
  }
}

const user = (content: unknown) => ({ role: "user", content });
const QUESTION = "How long is the pause between two attempts?";

/** Payloads of a stream of server-sent events. */
async function events(response: Response): Promise<string[]> {
  const text = await response.text();
  assert.ok(text.endsWith("\n\n"));
  return text.split("\n\n").filter((block) => block.startsWith("data: ")).map((block) =>
    block.slice("data: ".length)
  );
}

Deno.test("the list of models has one, which requests have to name", async () => {
  await withServer(async (url, post) => {
    const { data } = await (await get(`${url}/v1/models`)).json();
    assert.deepEqual(data.map(({ id }: { id: string }) => id), ["batos"]);
    assert.equal((await (await get(`${url}/v1/models/batos`)).json()).object, "model");
    const refused = await post({ model: "gpt-9", messages: [user(QUESTION)] });
    assert.equal(refused.status, 404);
    const { error } = await refused.json();
    assert.equal(error.code, "model_not_found");
    assert.match(error.message, /"gpt-9": there is none of that name; use "batos"/);
  });
});

Deno.test("a question is answered with citations, steps as reasoning, and what it cost", async () => {
  await withServer(async (_url, post) => {
    const response = await post({ model: "batos", messages: [user(QUESTION)], temperature: 0.2 });
    assert.equal(response.status, 200);
    const { object, choices, usage } = await response.json();
    assert.equal(object, "chat.completion");
    const [{ message, finish_reason }] = choices;
    assert.equal(finish_reason, "stop");
    assert.match(message.content, /src\/backoff\.ts:\d+-\d+/);
    assert.match(message.reasoning_content, /thinking, step 1 search\n/);
    assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
    assert.ok(usage.completion_tokens > 0);
  });
});

Deno.test("a stream carries the same answer, ends with a reason, the usage where it is wanted, and [DONE]", async () => {
  await withServer(async (_url, post) => {
    const body = { model: "batos", messages: [user(QUESTION)] };
    const whole = (await (await post(body)).json()).choices[0].message;
    const response = await post({ ...body, stream: true, stream_options: { include_usage: true } });
    assert.match(response.headers.get("content-type") ?? "", /^text\/event-stream/);
    const found = await events(response);
    assert.equal(found.pop(), "[DONE]");
    const chunks = found.map((data) => JSON.parse(data));
    assert.ok(
      chunks.every(({ object, id }) => object === "chat.completion.chunk" && id === chunks[0].id),
    );
    assert.ok(chunks.pop().usage.total_tokens > 0);
    const deltas = chunks.map(({ choices }) => choices[0].delta);
    assert.equal(deltas[0].role, "assistant");
    assert.equal(deltas.map(({ content = "" }) => content).join(""), whole.content);
    assert.equal(
      deltas.map(({ reasoning_content = "" }) => reasoning_content).join(""),
      whole.reasoning_content,
    );
    assert.equal(chunks.at(-1).choices[0].finish_reason, "stop");
    const plain = await events(await post({ ...body, stream: true }));
    assert.ok(!plain.some((data) => data.includes('"usage"')));
  });
});

Deno.test("of the parts of a question nothing is said that would have to be taken back: the answer alone is", async () => {
  await withServer(async (_url, post) => {
    const request = { model: "batos", messages: [user(`PARTS ${QUESTION}`)] };
    const said = (await events(await post({ ...request, stream: true }))).slice(0, -1)
      .map((event) => JSON.parse(event).choices[0]?.delta.content ?? "").join("");
    const { choices } = await (await post(request)).json();
    assert.equal(said, choices[0].message.content);
    assert.doesNotMatch(said, /It grows|given up/);
  });
});

Deno.test("an answer keeps to max_tokens and says that it was cut", async () => {
  await withServer(async (_url, post) => {
    const response = await post({ model: "batos", messages: [user(QUESTION)], max_tokens: 40 });
    const [{ message, finish_reason }] = (await response.json()).choices;
    assert.equal(finish_reason, "length");
    assert.ok(message.content.length <= 120);
  });
});

Deno.test("a client that goes away ends the work, streamed or not", async () => {
  await withServer(async (_url, post) => {
    for (const stream of [true, false]) {
      const before = stopped;
      const leaving = new AbortController();
      const body = { model: "batos", stream, messages: [user("WAIT for the scheduler to stop")] };
      const response = post(body, leaving.signal);
      if (stream) {
        const reader = (await response).body!.getReader();
        await reader.read();
        leaving.abort();
        await reader.cancel().catch(() => {});
      } else {
        const begun = asked.length;
        while (asked.length === begun) await new Promise((done) => setTimeout(done, 5));
        leaving.abort();
        await assert.rejects(response);
      }
      for (let wait = 0; stopped === before && wait < 400; wait++) {
        await new Promise((done) => setTimeout(done, 5));
      }
      assert.equal(stopped, before + 1);
    }
  });
});

Deno.test("what goes wrong is in the form of the API: before an answer as a status, within a stream as an event", async () => {
  await withServer(async (url, post) => {
    const messages = [user(QUESTION)];
    const image = { type: "image_url", image_url: { url: "data:," } };
    const cases: [body: unknown, status: number, expected: RegExp][] = [
      ["{", 400, /it is no JSON/],
      [{ model: "batos" }, 400, /"messages"/],
      [{ model: "batos", messages: [] }, 400, /"messages"/],
      [{ model: "batos", messages: [{ role: "user", content: " " }] }, 400, /is empty/],
      [{ model: "batos", messages: [{ role: "king", content: "x" }] }, 400, /"messages\.0\.role"/],
      [{ model: "batos", messages: [user([image])] }, 400, /"image_url"; only text/],
      [{ model: "batos", messages, n: 2 }, 400, /"n"/],
      [
        { model: "batos", messages: [user("BREAK the index into pieces")] },
        500,
        /^the disk is gone$/,
      ],
      // Its length is not said: then the door would refuse it before it is read.
      [new Blob(["x".repeat(8_100_000)]).stream(), 413, /more than 8000000 bytes/],
    ];
    for (const [body, status, expected] of cases) {
      const response = await post(body);
      const { error } = await response.json();
      assert.equal(response.status, status, error.message);
      assert.match(error.message, expected);
      assert.equal(error.type, status === 500 ? "server_error" : "invalid_request_error");
      assert.doesNotMatch(error.message, /\n|\.$/);
    }
    const body = { model: "batos", stream: true, messages: [user("BREAK the index into pieces")] };
    const last = (await events(await post(body))).at(-1)!;
    assert.equal(JSON.parse(last).error.message, "the disk is gone");
    for (
      const [method, path, status] of [
        ["GET", "/v1/chat/completions", 405],
        ["DELETE", "/v1/models", 405],
        ["GET", "/v1/embeddings", 404],
        ["GET", "/v1/models/other", 404],
        ["GET", "/v1/models/50%", 404],
      ] as const
    ) {
      const response = await get(url + path, method);
      assert.equal(response.status, status, path);
      assert.ok((await response.json()).error.message);
    }
  });
});

Deno.test("a follow-up that leans on what was said is read together with it; another subject is not", () => {
  const first = user("How does the tracker decide when to try a delivery again?");
  const answer = {
    role: "assistant" as const,
    content: "See `src/tracker.ts:15-17` and `a.ts:1-2`.",
  };
  const ends = (...last: string[]) =>
    questionOf(
      [first, answer, ...last.map(user)].map((each) => each as Parameters<typeof questionOf>[0][0]),
    );
  assert.equal(
    ends("and where is it tested?"),
    `and where is it tested? (src/tracker.ts: ${first.content})`,
  );
  assert.equal(ends("why?"), `why? (src/tracker.ts: ${first.content})`);
  // A chain of follow-ups leads back to the question that stood on its own.
  assert.equal(ends("why?", "who calls it?"), `who calls it? (src/tracker.ts: ${first.content})`);
  const other = "Which function computes the postage of a parcel by weight?";
  assert.equal(ends(other), other);
  assert.equal(questionOf([{ role: "user", content: "why?" }]), "why?");
  assert.equal(
    questionOf([
      { role: "system", content: "Be brief" },
      {
        role: "user",
        content: [{ type: "text", text: "Where is" }, {
          type: "text",
          text: "retryDelay defined in code?",
        }],
      },
    ]),
    "Where is\nretryDelay defined in code?",
  );
});
