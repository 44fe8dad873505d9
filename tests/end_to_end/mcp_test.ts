/** What coding agents rely on: the MCP server as a process of its own, talked to by the SDK's client. */
import assert from "node:assert/strict";
import { McpClient } from "../support/mcp_client.ts";
import { command, PROJECT, Repository } from "./harness.ts";

const shared = new Repository(PROJECT);
await shared.ingest();
const agent = await McpClient.start(shared.path);
globalThis.addEventListener("unload", () => shared[Symbol.dispose]());

/** The client keeps its process and timers between tests. */
const options = { sanitizeOps: false, sanitizeResources: false };

/** Every `path:start-end` in a text. */
function places(text: string): string[] {
  return [...text.matchAll(/[\w./-]+:\d+-\d+/g)].map(([place]) => place);
}

Deno.test(
  "an agent sees tools that only read, each with schemas, and is told when to use which",
  options,
  async () => {
    const { tools } = await agent.client.listTools();
    assert.deepEqual(tools.map(({ name }) => name).toSorted(), [
      "ask",
      "audit",
      "impact",
      "outline",
      "read",
      "references",
      "search",
    ]);
    const instructions = agent.client.getInstructions() ?? "";
    for (const { name, description, inputSchema, outputSchema, annotations } of tools) {
      assert.match(instructions, new RegExp(`\\b${name}\\b`), `${name} is not in the instructions`);
      assert.ok(description !== undefined && description.length < 500, name);
      assert.equal(annotations?.readOnlyHint, true, name);
      assert.equal(outputSchema?.type, "object", name);
      const { properties = {} } = inputSchema as {
        properties?: Record<string, Record<string, unknown>>;
      };
      // One workspace a server: there is nothing to name another folder with.
      assert.ok(!("repo" in properties), name);
      for (const [field, property] of Object.entries(properties)) {
        assert.ok(property.description, `${name}.${field}`);
        assert.ok(!("placeholder" in property), `${name}.${field} has a hint for command lines`);
      }
    }
    assert.deepEqual(tools.find(({ name }) => name === "search")!.inputSchema.required, ["query"]);
  },
);

Deno.test(
  "the first call in a repository without an index makes one, with progress",
  options,
  async () => {
    using repository = new Repository(PROJECT);
    await using client = await McpClient.start(repository.path);
    const { data, text, progress } = await client.call("search", { query: "retry delay" });
    assert.equal(data.results[0].path, "src/backoff.ts");
    assert.match(text, /^src\/backoff\.ts:1-7 {2}/);
    assert.ok(
      progress.some((message) => /listing files|ingesting|embedding/.test(message)),
      `${progress}`,
    );
    assert.ok((await repository.status()).files > 0);
  },
);

Deno.test(
  "search: text and data name the same places, filters act, nothing found is no error",
  options,
  async () => {
    const { text, data } = await agent.call("search", { query: "price of a parcel", limit: 2 });
    assert.equal(data.results.length, 2);
    assert.deepEqual(
      places(text),
      data.results.map((hit: { path: string; start_line: number; end_line: number }) =>
        `${hit.path}:${hit.start_line}-${hit.end_line}`
      ),
    );
    const filtered = await agent.call("search", { query: "parcels", lang: "python" });
    assert.deepEqual(filtered.data.results.map((hit: { path: string }) => hit.path), [
      "tools/report.py",
    ]);
    const absolute = await agent.call("search", { query: "parcels", path: `${shared.path}/tools` });
    assert.deepEqual(absolute.data.results, filtered.data.results);
    const none = await agent.call("search", { query: "parcels", path: "nowhere/**" });
    assert.equal(none.isError, false);
    assert.deepEqual(none.data.results, []);
    assert.match(none.text, /Nothing found .* without filters/);
  },
);

Deno.test(
  "what is edited, added and deleted between two calls is seen by the second",
  options,
  async () => {
    using repository = new Repository(PROJECT);
    await using client = await McpClient.start(repository.path);
    await client.call("search", { query: "postage" });
    repository.write(
      "src/insurance.ts",
      "/** Fee for insured parcels. */\nexport const PREMIUM = 7;\n",
    );
    const added = await client.call("search", { query: "fee for insured parcels" });
    assert.equal(added.data.results[0].path, "src/insurance.ts");
    repository.write(
      "src/insurance.ts",
      "\n\n/** Fee for insured parcels. */\nexport const PREMIUM = 7;\n",
    );
    const outline = await client.call("outline", { path: "src/insurance.ts" });
    assert.equal(outline.data.definitions[0].start_line, 4);
    repository.write("src/tracker.ts", PROJECT["src/tracker.ts"] + "retryDelay(3);\n");
    const uses = await client.call("references", { target: "retryDelay" });
    assert.ok(
      uses.data.references.some((use: { path: string; line: number }) =>
        use.path === "src/tracker.ts" && use.line === 19
      ),
      uses.text,
    );
    Deno.removeSync(repository.at("src/insurance.ts"));
    const gone = await client.call("search", { query: "fee for insured parcels" });
    assert.ok(!gone.text.includes("insurance.ts"), gone.text);
    // An index that is deleted under the server is made again.
    Deno.removeSync(repository.at(".batos"), { recursive: true });
    const again = await client.call("search", { query: "postage by weight" });
    assert.equal(again.data.results[0].path, "src/parcel.ts");
  },
);

Deno.test(
  "read gives numbered lines, says where to go on, and keeps to its limit",
  options,
  async () => {
    const whole = await agent.call("read", { place: "src/backoff.ts:5-7" });
    assert.equal(
      whole.data.text,
      PROJECT["src/backoff.ts"]!.split("\n").slice(4, 7).join("\n") + "\n",
    );
    assert.equal(whole.data.status, "verified");
    assert.match(whole.text, /^src\/backoff\.ts:5-7\n5 export function retryDelay/);
    using repository = new Repository({
      "long.txt": Array.from({ length: 500 }, (_, at) => `line ${at + 1}\n`).join(""),
      "wide.txt": "x".repeat(5000),
    });
    await using client = await McpClient.start(repository.path);
    const first = await client.call("read", { place: "long.txt", max_tokens: 200 });
    assert.ok(first.data.end_line < 500);
    assert.equal(first.data.more, `long.txt:${first.data.end_line + 1}-500`);
    assert.ok(first.text.includes(`Next: read ${first.data.more}`));
    const next = await client.call("read", { place: first.data.more, max_tokens: 200 });
    assert.equal(next.data.start_line, first.data.end_line + 1);
    const wide = await client.call("read", { place: "wide.txt", max_tokens: 200 });
    assert.match(wide.text, /more characters/);
    assert.ok(wide.data.text.length <= 600);
  },
);

Deno.test(
  "references, impact, outline and ask say in text what they say in data",
  options,
  async () => {
    const uses = await agent.call("references", { target: "retryDelay" });
    assert.match(uses.text, /src\/backoff\.ts:5-7 {2}function retryDelay/);
    assert.match(uses.text, /call +src\/tracker\.ts:16 .*return retryDelay\(failures\);/);
    assert.equal(uses.data.definitions[0].name, "retryDelay");
    const near = await agent.call("references", { target: "retryDelais" });
    assert.equal(near.isError, false);
    assert.match(near.text, /retryDelay/);
    const impact = await agent.call("impact", { targets: ["src/backoff.ts"] });
    assert.deepEqual(impact.data.tests, ["tests/backoff_test.ts"]);
    assert.match(impact.text, /tests\/backoff_test\.ts/);
    const outline = await agent.call("outline", { path: "src/tracker.ts" });
    assert.deepEqual(
      outline.data.definitions.map((each: { name: string }) => each.name),
      ["Tracker", "#parcels", "add", "nextAttempt"],
    );
    const { data, text } = await agent.call("ask", {
      question: "How long is the pause between retries?",
    });
    assert.equal(data.found, true);
    assert.ok(
      data.citations.some((cited: { path: string; status: string }) =>
        cited.path === "src/backoff.ts" && cited.status === "verified"
      ),
    );
    assert.ok(text.includes("src/backoff.ts:"));
  },
);

Deno.test("audit tells what was asked before, latest first", options, async () => {
  using repository = new Repository(PROJECT);
  await using client = await McpClient.start(repository.path);
  const none = await client.call("audit", { type: "ANSWER" });
  assert.equal(none.isError, false, none.text);
  assert.deepEqual(none.data.events, []);
  await client.call("ask", { question: "What does postage cost?" });
  await client.call("ask", { question: "How long is a retry delayed?" });
  const { data, text } = await client.call("audit", { type: "CYCLE_STARTED" });
  const [latest, earlier] = data.events.map(({ text }: { text: string }) => text);
  assert.match(latest, /How long is a retry delayed\?/);
  assert.match(earlier, /What does postage cost\?/);
  assert.ok(text.indexOf("delayed") < text.indexOf("postage"));
  const wrong = await client.call("audit", { since: "some day" });
  assert.match(wrong.text, /^audit: "since" "some day": no time that is known here/);
});

Deno.test("what finds no room within max_tokens is counted", options, async () => {
  const many = Array.from({ length: 300 }, (_, at) => `export const value${at} = shared(${at});\n`);
  using repository = new Repository({
    "shared.ts": "export function shared(n: number) {\n  return n;\n}\n",
    "uses.ts": 'import { shared } from "./shared.ts";\n' + many.join(""),
  });
  await using client = await McpClient.start(repository.path);
  const { data, text } = await client.call("references", { target: "shared", max_tokens: 500 });
  assert.ok(JSON.stringify(data).length <= 500 * 3 + 100);
  assert.equal(data.references.length + data.left_out.references, 301);
  assert.match(text, new RegExp(`${data.left_out.references} more of references`));
  const outline = await client.call("outline", { path: "uses.ts", max_tokens: 200 });
  assert.equal(outline.data.definitions.length + outline.data.left_out.definitions, 300);
});

Deno.test(
  "what goes wrong is a result of one line that says what would be right",
  options,
  async () => {
    const cases: [name: string, args: Record<string, unknown>, expected: RegExp][] = [
      ["read", { place: "../outside.txt" }, /^read: "\.\.\/outside\.txt": outside the workspace/],
      ["read", { place: "/etc/passwd" }, /^read: "\/etc\/passwd": outside the workspace/],
      ["read", { place: "src/none.ts" }, /^read: "src\/none\.ts": no such file/],
      ["outline", { path: "build/out.js" }, /^outline: "build\/out\.js": not in the index/],
      ["search", {}, /^search: "query": .*it takes query, limit/],
      ["search", { query: " " }, /^search: "query" " ": it is empty/],
      ["search", { query: "x", limit: 0 }, /^search: "limit" 0: /],
      ["search", { query: "x", max_tokens: 5 }, /^search: "max_tokens" 5: /],
      ["impact", { targets: [] }, /^impact: "targets"/],
    ];
    for (const [name, args, expected] of cases) {
      const { text, isError } = await agent.call(name, args);
      assert.equal(isError, true, text);
      assert.match(text, expected);
      assert.doesNotMatch(text, /\n|\.$|defect of batos/);
    }
    await assert.rejects(
      agent.client.callTool({ name: "format", arguments: {} }),
      /no such tool; 7 tools/,
    );
    const lenient = await agent.call("search", { query: "postage", dir: "src" });
    assert.equal(lenient.isError, false);
    assert.match(lenient.text, /Note: ignored "dir"/);
  },
);

Deno.test("a call that is cancelled ends, and the next one is answered", options, async () => {
  const files = Object.fromEntries(
    Array.from({ length: 400 }, (_, at) => [`src/file${at}.ts`, PROJECT["src/tracker.ts"]!]),
  );
  using repository = new Repository({ ...PROJECT, ...files });
  await using client = await McpClient.start(repository.path);
  const controller = new AbortController();
  const params = { name: "search", arguments: { query: "tracker" } };
  const call = client.client.callTool(params, undefined, {
    signal: controller.signal,
    onprogress: () => controller.abort("enough"),
  });
  await assert.rejects(call, /enough/);
  const { data } = await client.call("search", { query: "retry delay", path: "src/backoff.ts" });
  assert.equal(data.results[0].path, "src/backoff.ts");
});

Deno.test("calls at the same time are all answered", options, async () => {
  const answers = await Promise.all([
    agent.call("search", { query: "postage" }),
    agent.call("outline", { path: "src/parcel.ts" }),
    agent.call("read", { place: "src/parcel.ts" }),
    agent.call("references", { target: "postage" }),
    agent.call("search", { query: "postage" }),
    agent.call("ask", { question: "What does postage cost?" }),
  ]);
  assert.deepEqual(answers.filter(({ isError }) => isError), []);
  assert.deepEqual(answers[0].data, answers[4].data);
});

Deno.test(
  "summaries are resources: listed by pages, read by address, completed",
  options,
  async () => {
    const files = Object.fromEntries(
      Array.from({ length: 230 }, (_, at) => [`src/file ${at}.md`, `# Note ${at}\n`]),
    );
    using repository = new Repository(files);
    await using client = await McpClient.start(repository.path);
    const uris: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await client.client.listResources({ cursor });
      assert.ok(page.resources.length <= 100);
      uris.push(...page.resources.map(({ uri }) => uri));
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    assert.equal(uris.length, 232);
    assert.equal(new Set(uris).size, 232);
    assert.equal(uris[0], "batos://summary/");
    const { contents } = await client.client.readResource({
      uri: "batos://summary/src/file%207.md",
    });
    const [content] = contents as { text: string; mimeType: string }[];
    assert.match(content!.text, /Note 7/);
    const workspace = await client.client.readResource({ uri: uris[0]! });
    assert.match((workspace.contents[0] as { text: string }).text, /batos:\/\/summary\/src\n?$/);
    const { resourceTemplates } = await client.client.listResourceTemplates();
    const ref = { type: "ref/resource" as const, uri: resourceTemplates[0]!.uriTemplate };
    const complete = async (value: string) =>
      (await client.client.complete({ ref, argument: { name: "path", value } })).completion;
    assert.deepEqual((await complete("s")).values, ["src/"]);
    assert.equal((await complete("src/file 1")).total, 111);
    assert.equal((await complete("src/file")).hasMore, true);
    for (
      const uri of [
        "batos://summary/none",
        "batos://summary/%",
        "file:///etc/passwd",
        "batos://summary/../x",
      ]
    ) {
      await assert.rejects(client.client.readResource({ uri }), /no such summary/);
    }
    await assert.rejects(client.client.listResources({ cursor: "?" }), /not one of ours/);
  },
);

Deno.test(
  "a server that was started elsewhere serves the folder that its client works in",
  options,
  async () => {
    using repository = new Repository(PROJECT);
    using elsewhere = new Repository({}, { git: false });
    await using client = await McpClient.start(elsewhere.path, { root: repository.path });
    const { data, isError, text } = await client.call("search", { query: "postage" });
    assert.equal(isError, false, text);
    assert.equal(data.results[0].path, "src/parcel.ts");
    await using lost = await McpClient.start(elsewhere.path);
    const refused = await lost.call("search", { query: "postage" });
    assert.equal(refused.isError, true);
    assert.match(refused.text, /neither a repository nor ingested/);
    await using named = await McpClient.start(elsewhere.path, {
      words: ["--repo", repository.path],
    });
    assert.equal((await named.call("search", { query: "postage" })).isError, false);
  },
);

Deno.test("nothing but protocol on standard output; noise on standard input harms nobody; the end of input ends it", async () => {
  using repository = new Repository(PROJECT);
  const child = command(["mcp"], { cwd: repository.path, stdin: "" }).spawn();
  const writer = child.stdin.getWriter();
  const send = (line: string) => writer.write(new TextEncoder().encode(line + "\n"));
  const initialize = {
    jsonrpc: "2.0",
    id: 1,
    method: "initialize",
    params: {
      protocolVersion: "2025-06-18",
      capabilities: {},
      clientInfo: { name: "raw", version: "1" },
    },
  };
  await send("this is no JSON");
  await send(JSON.stringify(initialize));
  await send('{"jsonrpc":"2.0"}');
  await send('{"jsonrpc":"2.0","method":"notifications/initialized"}');
  await send('{"jsonrpc":"2.0","id":2,"method":"no/such/method"}');
  await send(
    '{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"search","arguments":{"query":"postage"}}}',
  );
  const seen = new Map<number, { result?: unknown; error?: { code: number } }>();
  let rest = "";
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      const message = JSON.parse(line);
      assert.equal(message.jsonrpc, "2.0");
      seen.set(message.id, message);
    }
    if (seen.has(3)) break;
  }
  await writer.close();
  const { code } = await child.status;
  await child.stderr.cancel();
  assert.equal(code, 0);
  assert.equal(rest, "");
  assert.ok(seen.get(1)?.result);
  assert.equal(seen.get(2)?.error?.code, -32601);
  assert.ok(seen.get(3)?.result);
});

Deno.test("a signal ends the server cleanly", async () => {
  using repository = new Repository(PROJECT);
  const child = command(["mcp"], { cwd: repository.path, stdin: "" }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode('{"jsonrpc":"2.0","id":1,"method":"ping"}\n'));
  const reader = child.stdout.getReader();
  await reader.read(); // it is up
  child.kill("SIGTERM");
  const { code } = await child.status;
  await Promise.all([reader.cancel(), child.stderr.cancel(), writer.close().catch(() => {})]);
  assert.equal(code, 143);
});

Deno.test("the agent leaves", options, async () => {
  await agent[Symbol.asyncDispose]();
});
