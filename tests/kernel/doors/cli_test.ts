/** The command line over real handlers that remember what they were asked: words in, text and exit codes out. */
import assert from "node:assert/strict";
import {
  CommandError,
  type CommandName,
  commands,
  type Handlers,
  type Result,
  wordsOf,
} from "../../../kernel/commands.ts";
import { runCommandLine } from "../../../kernel/doors/cli.ts";
import type { Streams } from "../../../kernel/doors/terminal.ts";
import { Screen } from "../../support/screen.ts";

const HIT: Result<"search">["results"][number] = {
  path: "src/router.ts",
  start_line: 10,
  end_line: 12,
  score: 3.5,
  node_type: "method",
  node_name: "match",
  text: "match(path) {\n  return this.routes.get(path);\n}\n",
};

/** Handlers that keep their input and answer from a map; unset commands refuse. */
function handlers(answers: { [N in CommandName]?: (input: unknown) => ReturnType<Handlers[N]> }) {
  const inputs: unknown[] = [];
  const entries = (Object.keys(commands) as CommandName[]).map((
    name,
  ) => [name, (input: unknown) => {
    inputs.push(input);
    const answer = answers[name];
    if (answer === undefined) throw new CommandError(`no handler for "${name}"`);
    return answer(input);
  }]);
  return { inputs, handlers: Object.fromEntries(entries) as Handlers };
}

const search = (results = [HIT]) => ({
  search: (input: unknown) =>
    Promise.resolve({ query: (input as { query: string }).query, results }),
});

/** Runs words and gives everything that was written. */
async function run(
  words: string[],
  given = handlers(search()),
  options: {
    terminal?: boolean;
    env?: Record<string, string>;
    signal?: AbortSignal;
    columns?: number;
  } = {},
) {
  const written = { out: "", err: "" };
  const streams: Streams = {
    out: (text) => Promise.resolve(void (written.out += text)),
    err: (text) => void (written.err += text),
    outIsTerminal: options.terminal ?? false,
    errIsTerminal: options.terminal ?? false,
    columns: options.columns ?? 80,
    env: (name) => options.env?.[name],
  };
  const signal = options.signal ?? new AbortController().signal;
  const code = await runCommandLine(words, given.handlers, { version: "1.2.3", streams, signal });
  return { code, ...written, inputs: given.inputs };
}

Deno.test("words of a query need no quotes; flags become fields of the input", async () => {
  const { code, inputs } = await run([
    "search",
    "match",
    "a",
    "path",
    "-k",
    "3",
    "--path",
    "src/**",
    "--files",
  ]);
  assert.equal(code, 0);
  assert.deepEqual(inputs, [{
    query: "match a path",
    limit: 3,
    path: "src/**",
    files: true,
    refresh: false,
    audit: true,
  }]);
});

Deno.test("--json writes exactly the result, one line", async () => {
  for (const words of [["search", "x", "--json"], ["--json", "search", "x"]]) {
    const { out, code, err } = await run(words);
    assert.equal(code, 0);
    assert.equal(err, "");
    assert.ok(out.endsWith("\n") && !out.slice(0, -1).includes("\n"));
    assert.deepEqual(commands.search.result.parse(JSON.parse(out)), { query: "x", results: [HIT] });
  }
});

Deno.test("text shows path:start-end, what it is, and numbered lines", async () => {
  const { out } = await run(["search", "x"]);
  assert.equal(
    out,
    "src/router.ts:10-12  method match\n10 match(path) {\n11   return this.routes.get(path);\n12 }\n",
  );
});

Deno.test("nothing found is exit code 1", async () => {
  const { code, out } = await run(["search", "x"], handlers(search([])));
  assert.equal(code, 1);
  assert.match(out, /nothing found for "x"/);
});

Deno.test("a refusal is one line on stderr, exit code 2 and no data", async () => {
  const cases: [string[], RegExp][] = [
    [["serch", "x"], /^batos: unknown command 'serch'; did you mean search\?\n$/],
    [
      ["search", "--limt", "3", "x"],
      /^batos: search: unknown option '--limt'; did you mean --limit\?\n$/,
    ],
    [["ask", "--kind", "x", "y"], /^batos: ask: unknown option '--kind'; "batos ask --help" .*\n$/],
    [["search"], /^batos: search: give either QUERY or --queries FILE\n$/],
    [["search", ""], /^batos: search: QUERY: it is empty, .*\n$/],
    [["search", " ", "\t"], /^batos: search: QUERY: it is empty, .*\n$/],
    [
      ["search", "x", "-k", "many"],
      /^batos: search: --limit "many": expected a whole number from 1 to 1000\n$/,
    ],
    [
      ["search", "x", "-k", "0"],
      /^batos: search: --limit "0": expected a whole number from 1 to 1000\n$/,
    ],
    [["search", "x", "--path", ""], /^batos: search: --path: it is empty\n$/],
    [["ask"], /^batos: ask: missing required argument 'QUESTION'; .*\n$/],
    [["outline", "a", "b"], /^batos: outline: too many arguments .*\n$/],
    [["refs", "x"], /^batos: refs: no handler for "refs"\n$/],
  ];
  for (const [words, expected] of cases) {
    const { code, out, err } = await run(words);
    assert.match(err, expected, words.join(" "));
    assert.equal(code, 2, words.join(" "));
    assert.equal(out, "");
  }
});

Deno.test("a stack trace appears only with BATOS_DEBUG=1", async () => {
  const failing = () =>
    handlers({
      status: () => {
        throw new TypeError("x is undefined\nsecond line");
      },
    });
  const quiet = await run(["status"], failing());
  assert.equal(
    quiet.err,
    "batos: status: a defect of batos: x is undefined; second line; set BATOS_DEBUG=1 to see where\n",
  );
  const loud = await run(["status"], failing(), { env: { BATOS_DEBUG: "1" } });
  assert.match(loud.err, /cli_test\.ts/);
});

Deno.test("help goes to stdout, has examples and fits 80 columns", async () => {
  for (const name of Object.keys(commands)) {
    const { code, out, err } = await run([...wordsOf(name), "--help"]);
    assert.equal(code, 0);
    assert.equal(err, "");
    assert.match(out, /--repo <DIR>[^]*--json[^]*--quiet[^]*Examples:\n {2}batos /);
    for (const line of out.split("\n")) assert.ok([...line].length <= 80, line);
  }
  const none = await run([]);
  assert.equal(none.code, 0);
  for (const name of Object.keys(commands)) {
    assert.ok(none.out.includes(`\n  ${wordsOf(name)[0]} `), name);
  }
  assert.equal((await run(["--help"])).out, none.out);
  assert.equal((await run(["--version"])).out, "batos 1.2.3\n");
});

Deno.test("a group lists its verbs, and says what is wrong with one that it does not have", async () => {
  const group = await run(["model", "--help"]);
  assert.equal(group.code, 0);
  assert.match(group.out, /Usage: batos model[^]*Commands:\n {2}pull [^]*\n {2}list /);
  const unknown = await run(["model", "lisst"]);
  assert.equal(unknown.code, 2);
  assert.equal(unknown.err, "batos: model: unknown command 'lisst'; did you mean list?\n");
  const failing = await run(["model", "list"], handlers({}));
  assert.equal(failing.err, 'batos: model list: no handler for "model_list"\n');
  const flag = await run(["model", "list", "--nope"]);
  assert.match(flag.err, /^batos: model list: unknown option '--nope'/);
});

Deno.test("a verb of a group that is a command itself has flags of its own, before and behind it", async () => {
  const change = { agent: "claude", path: ".mcp.json", change: "created", text: "" } as const;
  const given = handlers({ mcp_install: () => Promise.resolve(change) });
  for (
    const words of [
      ["mcp", "install", "claude", "--yes", "--repo", "/r", "--json"],
      ["mcp", "--repo", "/r", "install", "claude", "--json", "--yes"],
    ]
  ) {
    const { out, err, code } = await run(words, given);
    assert.equal(code, 0, err);
    assert.deepEqual(JSON.parse(out), change);
  }
  const expected = { agents: ["claude"], repo: "/r", user: false, print: false, yes: true };
  assert.deepEqual(given.inputs, [expected, expected]);
});

Deno.test("on a terminal the places of results are links to their lines", async () => {
  const words = ["search", "x", "--repo", "/r"];
  const { out } = await run(words, undefined, { terminal: true });
  assert.ok(out.includes("\x1b]8;;file:///r/src/router.ts#10\x1b\\"), out);
  for (const options of [{}, { terminal: true, env: { NO_COLOR: "1" } }]) {
    assert.ok(!(await run(words, undefined, options)).out.includes("\x1b]8"));
  }
});

Deno.test("colours appear on a terminal only, and never with NO_COLOR", async () => {
  const escape = "\x1b[";
  assert.ok(!(await run(["search", "x"])).out.includes(escape));
  assert.ok((await run(["search", "x"], undefined, { terminal: true })).out.includes(escape));
  const plain = await run(["search", "x"], undefined, { terminal: true, env: { NO_COLOR: "1" } });
  assert.ok(!plain.out.includes(escape));
});

Deno.test("a terminal never sees control characters of a file, and lines fit its width", async () => {
  const text = `const a = "\x1b[2J\x07"; ${"x".repeat(300)}\n`;
  const { out } = await run(
    ["search", "x"],
    handlers(search([{ ...HIT, path: "e\x1b[31m.ts", text }])),
    {
      terminal: true,
      env: { NO_COLOR: "1" },
      columns: 60,
    },
  );
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(out, /[\x00-\x09\x0b-\x1f]/);
  for (const line of out.split("\n")) assert.ok([...line].length <= 60, line);
});

Deno.test("progress is one rewritten line on a terminal, and nothing with --quiet", async () => {
  const working = () => handlers({});
  const chatty: Handlers = {
    ...working().handlers,
    status: async (_input, { progress }) => {
      progress({ phase: "ingesting", done: 1, total: 9, detail: "a.ts" });
      progress({ phase: "", detail: "another process holds the lock", note: true });
      return await Promise.resolve({
        files: 0,
        chunks: 0,
        edges: 0,
        vectors: 0,
        summaries: 0,
        index_bytes: 0,
        source_bytes: 0,
        embedder: null,
        vectors_state: "none",
        fingerprint: "",
        stale: 0,
        languages: {},
        image: null,
      });
    },
  };
  const given = { inputs: [], handlers: chatty };
  const terminal = await run(["status", "--json"], given, { terminal: true });
  assert.equal(
    terminal.err,
    "\r\x1b[2Kingesting 1 of 9 a.ts\r\x1b[2Kanother process holds the lock\n",
  );
  assert.equal((await run(["status", "--json"], given)).err, "another process holds the lock\n");
  assert.equal((await run(["status", "--json", "--quiet"], given, { terminal: true })).err, "");
});

Deno.test("an answer is shown at a terminal while it is written, the end of it where it is long, and then the answer alone", async () => {
  const screen = new Screen(40, 12);
  let drawn = async (last: string) => {
    for (let turn = 0; !screen.text.endsWith(last); turn++) {
      assert.ok(turn < 500, screen.text);
      await new Promise((done) => setTimeout(done, 10));
    }
    return screen.text.split("\n");
  };
  const seen: string[][] = [];
  const words = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, at) => `word${from + at} `).join("");
  const writing: Handlers = {
    ...handlers({}).handlers,
    ask: async (_input, { progress }) => {
      const phase = "writing, characters";
      progress({ phase, done: 8, text: "A first \x1b[31m日本 attempt" });
      seen.push(await drawn("characters 8"));
      progress({ phase, done: 0, text: "", restart: true });
      seen.push(await drawn("characters 0"));
      progress({ phase, done: 6, text: words(0, 4) });
      progress({ phase, done: 900, text: words(4, 100) });
      progress({ phase: "", detail: "the disk is slow", note: true });
      seen.push(await drawn("characters 900"));
      throw new Error("the end");
    },
  };
  const streams: Streams = {
    out: (text) => Promise.resolve(screen.write(text)),
    err: (text) => screen.write(text),
    outIsTerminal: true,
    errIsTerminal: true,
    columns: 40,
    rows: 12,
    env: (name) => name === "TERM" ? "xterm" : undefined,
  };
  await runCommandLine(["ask", "why"], writing, { version: "1.0.0", streams });
  assert.deepEqual(seen[0], ["A first ·[31m日本 attempt", "writing, characters 8"]);
  assert.deepEqual(seen[1], ["writing, characters 0"]);
  const [note, ...rows] = seen[2]!;
  assert.equal(note, "the disk is slow");
  assert.equal(rows.length, 11, "all rows that there are but one");
  assert.match(rows.at(-2)!, /word99$/);
  assert.equal(screen.text, "the disk is slow\nbatos: ask: the end");

  // Where it could not be taken away, or would be in the way, it is not shown at all.
  drawn = async () => {
    await new Promise((done) => setTimeout(done, 100));
    return [];
  };
  let err = "";
  const quiet: [words: string[], change: Partial<Streams>][] = [
    [[], { outIsTerminal: false }],
    [[], { errIsTerminal: false }],
    [[], { env: (name) => name === "TERM" ? "dumb" : undefined }],
    [["--json"], {}],
    [["--quiet"], {}],
  ];
  await Promise.all(
    quiet.map(([words, change]) =>
      runCommandLine(["ask", "why", ...words], writing, {
        version: "1.0.0",
        streams: { ...streams, err: (text) => err += text, ...change },
      })
    ),
  );
  assert.equal(err.split("the end").length, 6);
  assert.doesNotMatch(err, /word|attempt/);
});

Deno.test("an async iterable writes a line as soon as a result is there", async () => {
  const given = handlers({
    search: async function* () {
      yield { query: "a", results: [HIT] };
      await Promise.resolve();
      yield { query: "b", results: [] };
    },
  });
  const { out, code } = await run(["search", "--queries", "-", "--json"], given);
  assert.equal(code, 0);
  assert.deepEqual(out.trimEnd().split("\n").map((line) => JSON.parse(line).query), ["a", "b"]);
});

Deno.test("an aborted command ends with exit code 130", async () => {
  const controller = new AbortController();
  const given = handlers({});
  const waiting: Handlers = {
    ...given.handlers,
    ask: (_input, { signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
        controller.abort(new DOMException("interrupted", "AbortError"));
      }),
  };
  const { code, err } = await run(["ask", "x"], { inputs: [], handlers: waiting }, {
    signal: controller.signal,
  });
  assert.equal(code, 130);
  assert.equal(err, "batos: ask: interrupted\n");
});

Deno.test("a reader that goes away ends the command without a word", async () => {
  const { handlers: given } = handlers(search());
  let err = "";
  const code = await runCommandLine(["search", "x"], given, {
    version: "1",
    signal: new AbortController().signal,
    streams: {
      out: () => Promise.reject(new Deno.errors.BrokenPipe("Broken pipe (os error 32)")),
      err: (text) => void (err += text),
      outIsTerminal: false,
      errIsTerminal: false,
      columns: 80,
      env: () => undefined,
    },
  });
  assert.equal(code, 0);
  assert.equal(err, "");
});
