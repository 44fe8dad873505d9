/** A language server over its pipes: answers reach who asked, refusals and ends are told. The server is a small program of its own. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LanguageServer, uriOf } from "../../bench/language_server.ts";

/** Answers `double` in reverse order of asking, two at a time, cut into pieces; asks for its configuration first; ends on `end`. */
const SERVER = `
const out = (message) => {
  const body = new TextEncoder().encode(JSON.stringify({ jsonrpc: "2.0", ...message }));
  const head = new TextEncoder().encode("Content-Length: " + body.length + "\\r\\n\\r\\n");
  for (const part of [head, body.subarray(0, 7), body.subarray(7)]) Deno.stdout.writeSync(part);
};
let text = "", settings;
const asked = [];
for await (const piece of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  text += piece;
  for (;;) {
    const head = /^Content-Length: (\\d+)\\r\\n\\r\\n/.exec(text);
    if (!head || text.length < head[0].length + Number(head[1])) break;
    const message = JSON.parse(text.slice(head[0].length, head[0].length + Number(head[1])));
    text = text.slice(head[0].length + Number(head[1]));
    if (message.method === "initialize") out({ id: message.id, result: {} });
    else if (message.method === "initialized") {
      out({ id: "s1", method: "workspace/configuration", params: { items: [{ section: "a" }, { section: "b" }] } });
    } else if (message.id === "s1") settings = message.result;
    else if (message.method === "settings") out({ id: message.id, result: settings });
    else if (message.method === "end") Deno.exit(0);
    else if (message.method === "double") {
      asked.push(message);
      if (asked.length === 2) {
        for (const { id, params } of asked.reverse()) out({ id, result: params.map((n) => n + n) });
      }
    } else out({ id: message.id, error: { code: -32601, message: "unknown: ü" } });
  }
}`;

async function served(work: (server: LanguageServer) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "batos-lsp-"));
  try {
    const program = join(folder, "server.js");
    writeFileSync(program, SERVER);
    await using server = await LanguageServer.start(
      [Deno.execPath(), "run", "--no-config", program, "x"],
      folder,
      { a: { one: 1 } },
    );
    await work(server);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

Deno.test("answers of a language server reach who asked, in whatever order and pieces they come", async () => {
  await served(async (server) => {
    const both = await Promise.all([
      server.request("double", ["a", 1]),
      server.request("double", ["u"]),
    ]);
    assert.deepEqual(both, [["aa", 2], ["uu"]]);
    assert.deepEqual(await server.request("settings", {}), [{ one: 1 }, null]);
  });
});

Deno.test("a language server that refuses or ends is told of to who waits", async () => {
  await served(async (server) => {
    await assert.rejects(server.request("nothing", {}), /refuses: unknown: ü/);
    await assert.rejects(server.request("end", {}), /it has ended/);
  });
});

Deno.test("a path as the address of a file", () => {
  assert.equal(uriOf("/a b/c#.py"), "file:///a%20b/c%23.py");
});
