/** Telling agents of the server, and taking it back to the byte, as a person does it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client";
// @ts-types="@modelcontextprotocol/sdk/client/stdio"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { assertRefused, MODELS_LOCK, type Outcome, PROJECT, Repository, ROOT } from "./harness.ts";

/** Files that a person had before, by agent. */
const BEFORE: Record<string, string> = {
  ".mcp.json": '{ "mcpServers": {} }',
  ".cursor/mcp.json": '{\r\n    "mcpServers": {\r\n        "a": {"command": "x"}\r\n    }\r\n}\r\n',
  ".vscode/mcp.json":
    '// servers\n{\n\t"inputs": [],\n\t"servers": {\n\t\t"a": {}, // last\n\t},\n}\n',
  ".codex/config.toml": '# mine\nmodel = "m"\n\n[mcp_servers.a]\ncommand = "x"',
  ".zed/settings.json": "{}",
};

class Place implements Disposable {
  readonly repository: Repository;
  readonly home: Repository;

  constructor(files: Record<string, string> = {}) {
    this.repository = new Repository({ ...PROJECT, ...files });
    this.home = new Repository({}, { git: false });
  }

  async run(...words: string[]): Promise<Outcome> {
    const env = { HOME: this.home.path, XDG_CACHE_HOME: "", USERPROFILE: this.home.path };
    return await this.repository.run(["mcp", ...words], { env });
  }

  read(path: string): string {
    return Deno.readTextFileSync(this.repository.at(path));
  }

  [Symbol.dispose](): void {
    this.repository[Symbol.dispose]();
    this.home[Symbol.dispose]();
  }
}

const NAMED = ["claude", "cursor", "vscode", "codex", "zed"];

Deno.test("install writes each agent's form and keeps the rest; uninstall takes it back to the byte", async () => {
  using place = new Place(BEFORE);
  const installed = await place.run("install", ...NAMED, "opencode", "--yes", "--json");
  assert.equal(installed.code, 0, installed.err);
  assert.deepEqual(installed.json.map(({ agent, change }) => [agent, change]), [
    ...NAMED.map((name) => [name, "edited"]),
    ["opencode", "created"],
  ]);
  assert.ok(installed.json.every(({ text }) => text.includes("@@")));
  assert.match(place.read(".vscode/mcp.json"), /"a": \{\}, \/\/ last\n[^]*\$\{workspaceFolder\}/);
  assert.match(
    place.read(".codex/config.toml"),
    /^# mine[^]*\n\n\[mcp_servers\.batos\]\ncommand = /,
  );
  const { mcp } = JSON.parse(place.read("opencode.json"));
  assert.equal(mcp.batos.type, "local");
  assert.equal(mcp.batos.command.at(-1), "mcp");
  const again = await place.run("install", ...NAMED, "opencode", "--yes", "--json");
  assert.ok(again.json.every(({ change }) => change === "unchanged"), again.out);
  const removed = await place.run("uninstall", "--yes", "--json");
  assert.equal(removed.code, 0, removed.err);
  assert.equal(removed.json.length, 6);
  for (const [path, text] of Object.entries(BEFORE)) assert.equal(place.read(path), text, path);
  assert.throws(() => place.read("opencode.json"), Deno.errors.NotFound);
  const none = await place.run("uninstall", "--yes");
  assert.equal(none.code, 1);
  assert.match(none.err, /no agent was told of it here/);
});

Deno.test("after other edits, or without the record, the entry alone goes", async () => {
  using place = new Place({ ".mcp.json": BEFORE[".mcp.json"]! });
  await place.run("install", "claude", "cursor", "codex", "--yes");
  const config = JSON.parse(place.read(".mcp.json"));
  config.mcpServers.mine = { command: "y" };
  place.repository.write(".mcp.json", JSON.stringify(config));
  Deno.removeSync(join(place.home.path, ".cache"), { recursive: true });
  const { code, err } = await place.run("uninstall", "--yes");
  assert.equal(code, 0, err);
  assert.deepEqual(JSON.parse(place.read(".mcp.json")), { mcpServers: { mine: { command: "y" } } });
  assert.throws(() => place.read(".cursor/mcp.json"), Deno.errors.NotFound);
  assert.throws(() => place.read(".codex/config.toml"), Deno.errors.NotFound);
});

Deno.test("the user's files are written with --user, through links, with their mode", async () => {
  using place = new Place();
  place.home.write("dotfiles/claude.json", '{ "secret": 1 }\n');
  Deno.chmodSync(place.home.at("dotfiles/claude.json"), 0o600);
  Deno.symlinkSync("dotfiles/claude.json", place.home.at(".claude.json"));
  const { code, err } = await place.run("install", "claude", "windsurf", "--user", "--yes");
  assert.equal(code, 0, err);
  assert.ok(Deno.lstatSync(place.home.at(".claude.json")).isSymlink);
  const target = place.home.at("dotfiles/claude.json");
  assert.equal(Deno.statSync(target).mode! & 0o777, 0o600);
  assert.equal(JSON.parse(Deno.readTextFileSync(target)).mcpServers.batos.type, "stdio");
  assert.deepEqual([...Deno.readDirSync(place.home.at("dotfiles"))].length, 1);
  await place.run("uninstall", "--user", "--yes");
  assert.equal(Deno.readTextFileSync(target), '{ "secret": 1 }\n');
  assert.throws(() => Deno.statSync(place.home.at(".codeium")), Deno.errors.NotFound);
});

Deno.test("one file that cannot be parsed, and none is written", async () => {
  using place = new Place({ ".cursor/mcp.json": '{ "mcpServers": ' });
  assertRefusedAfterNotes(
    await place.run("install", "claude", "cursor", "--yes"),
    /"[^"]*\.cursor\/mcp\.json": cannot be edited: line 1: .*nothing was written/,
  );
  assert.throws(() => place.read(".mcp.json"), Deno.errors.NotFound);
  assert.equal(place.read(".cursor/mcp.json"), '{ "mcpServers": ');
});

Deno.test("nobody at a terminal: what would change is shown, nothing is written without --yes", async () => {
  using place = new Place();
  const refused = await place.run("install", "claude");
  assert.match(refused.err, /\+\+\+ \.mcp\.json/);
  assertRefusedAfterNotes(refused, /no terminal; --yes writes without asking/);
  assert.throws(() => place.read(".mcp.json"), Deno.errors.NotFound);
});

Deno.test("--print shows what belongs into the files and writes nothing", async () => {
  using place = new Place();
  const { out, code } = await place.run("install", "--print", "codex", "claude");
  assert.equal(code, 0);
  assert.match(out, /^Codex, \.codex\/config\.toml:\n\[mcp_servers\.batos\]\n/);
  assert.match(out, /\nClaude Code, \.mcp\.json:\n\{\n {2}"mcpServers"/);
  assert.throws(() => place.read(".mcp.json"), Deno.errors.NotFound);
  // Without names and without agents, as on a server: what every agent would need.
  const all = await place.run("install", "--print");
  assert.equal(all.code, 0, all.err);
  assert.match(all.out, /mcpServers/);
});

Deno.test("without names the agents that are here are told; unknown ones and impossible files are refused", async () => {
  using place = new Place({ ".cursor/rules/a.md": "x\n" });
  const { json } = await place.run("install", "--yes", "--json");
  assert.ok(json.some(({ agent }) => agent === "cursor"));
  assertRefused(await place.run("install", "emacs"), /expected one of "claude"/);
  assertRefused(await place.run("install", "windsurf"), /no file for one workspace; add --user/);
  assertRefused(await place.run("install", "continue", "--user"), /leave out --user/);
});

Deno.test("what is written starts a server that answers", async () => {
  using place = new Place();
  await place.run("install", "claude", "--yes");
  const { command, args } = JSON.parse(place.read(".mcp.json")).mcpServers.batos;
  // The tests' packages are in a lock file of their own.
  const words = command === "batos"
    ? ["run", "-A", `--lock=${MODELS_LOCK}`, `${ROOT}main.ts`, "mcp"]
    : [args[0], `--lock=${MODELS_LOCK}`, ...args.slice(1)];
  const transport = new StdioClientTransport({
    command: command === "batos" ? Deno.execPath() : command,
    args: words,
    cwd: place.repository.path,
    env: Deno.env.toObject(),
    stderr: "ignore",
  });
  const client = new Client({ name: "test", version: "1" });
  await client.connect(transport);
  const result = await client.callTool({ name: "search", arguments: { query: "postage" } });
  assert.notEqual(result.isError, true);
  await client.close();
});

/** A refusal whose one line comes after the diff that it is about. */
function assertRefusedAfterNotes(outcome: Outcome, expected: RegExp): void {
  const lines = outcome.err.trimEnd().split("\n");
  assertRefused({ ...outcome, err: lines.at(-1)! + "\n" }, expected);
}
