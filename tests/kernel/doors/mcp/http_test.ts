/** MCP over HTTP: behind the door that a kernel has for it, talked to by the SDK's client. */
import assert from "node:assert/strict";
import { Client } from "@modelcontextprotocol/sdk/client";
// @ts-types="@modelcontextprotocol/sdk/client/streamableHttp"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { type Handlers, type McpHttp, type McpParts, openMcpHttp } from "../../../../kernel/mod.ts";
import { OpenMemories, WorkspaceIndex } from "../../../../rag/mod.ts";
import { PROJECT, Repository } from "../../../end_to_end/harness.ts";
import { callTool } from "../../../support/mcp_client.ts";
import { openDoor } from "../http/door.ts";

const TOKEN = "0123456789abcdef".repeat(4);

/** A real index behind the one command that these tests call. */
function partsFor(root: string, memories: OpenMemories): McpParts {
  const index = (signal: AbortSignal) =>
    new WorkspaceIndex({
      root,
      limit: "",
      memories,
      lock: async () => ({ [Symbol.dispose]() {} }),
      isRefusal: (_error): _error is Error => false,
      progress: () => {},
      signal,
    });
  const search: Handlers["search"] = async function* ({ query, limit }, { signal }) {
    using memory = await index(signal).open(false);
    const results = memory.search(query!, { limit }).map((hit) => ({
      path: hit.path,
      start_line: hit.startLine,
      end_line: hit.endLine,
      score: hit.score,
      node_type: hit.nodeType,
      node_name: hit.nodeName,
      text: hit.text,
    }));
    yield { query: query!, results };
  };
  return {
    version: "1",
    handlers: { search } as Partial<Handlers> as Handlers,
    locate: () => root,
    refresh: async (_root, { signal }) => (await index(signal).open(true)).close(),
    summaries: (_root, { signal }) => index(signal).open(false),
  };
}

async function withServer(work: (url: URL, mcp: McpHttp) => Promise<void>): Promise<void> {
  using repository = new Repository(PROJECT);
  using memories = new OpenMemories();
  const mcp = await openMcpHttp(partsFor(repository.path, memories));
  const door = await openDoor({}, {
    token: TOKEN,
    mounts: { mcp: (request) => mcp.handle(request) },
  });
  try {
    await work(new URL(`${door.base}/mcp`), mcp);
  } finally {
    await mcp.close();
    await door.stop();
  }
  assert.deepEqual(door.faults, []);
}

async function connect(
  url: URL,
): Promise<{ client: Client; transport: StreamableHTTPClientTransport }> {
  const transport = new StreamableHTTPClientTransport(url, {
    requestInit: { headers: { authorization: `Bearer ${TOKEN}` } },
  });
  const client = new Client({ name: "test", version: "1" });
  await client.connect(transport);
  await client.listTools();
  return { client, transport };
}

Deno.test("two clients at a time, each with a session of its own, one over when its client says so", async () => {
  await withServer(async (url, mcp) => {
    const one = await connect(url);
    const two = await connect(url);
    assert.equal(mcp.sessions, 2);
    assert.notEqual(one.transport.sessionId, two.transport.sessionId);
    for (const { client } of [one, two]) {
      const { data, progress } = await callTool(client, "search", { query: "postage" });
      assert.equal(data.results[0].path, "src/parcel.ts");
      assert.ok(Array.isArray(progress));
    }
    const { contents } = await one.client.readResource({ uri: "batos://summary/" });
    assert.equal(contents.length, 1);
    await one.transport.terminateSession();
    assert.equal(mcp.sessions, 1);
    await one.client.close();
    await two.client.close();
  });
});

Deno.test("more clients than there is room for: the one that was silent longest makes room", async () => {
  await withServer(async (url, mcp) => {
    const first = await connect(url);
    const clients = [];
    for (let at = 0; at < 35; at++) clients.push(await connect(url));
    assert.equal(mcp.sessions, 32);
    const last = await callTool(clients.at(-1)!.client, "search", { query: "postage" });
    assert.equal(last.isError, false);
    await assert.rejects(first.client.listTools(), /unknown or ended/);
    for (const { client } of [first, ...clients]) await client.close();
  });
});

Deno.test("what is no request of the protocol is refused, and leaves no session", async () => {
  await withServer(async (url, mcp) => {
    const accept = "application/json, text/event-stream";
    const authorization = `Bearer ${TOKEN}`;
    const json = { "content-type": "application/json", accept, authorization };
    const post = async (body: string, headers: Record<string, string> = json) => {
      const response = await fetch(url, { method: "POST", headers, body });
      await response.body?.cancel();
      return response.status;
    };
    const ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}';
    assert.equal(await post("{"), 400);
    assert.equal(await post(ping), 400);
    assert.equal(await post(ping, { ...json, "mcp-session-id": "made-up" }), 404);
    assert.equal(await post(ping, { ...json, "content-type": "text/plain" }), 415);
    assert.equal(await post(" ".repeat(9_000_000)), 413);
    const put = await fetch(url, { method: "PUT", headers: { authorization } });
    await put.body?.cancel();
    assert.equal(put.status, 405);
    assert.equal(mcp.sessions, 0);
  });
});
