/**
 * The rules of the house as tests: who may import whom, one door a room, no cycles, headers, sizes, documented doors, a map
 * that names what exists, pinned dependencies, and commands that cannot reach the network.
 */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Project, ts } from "ts-morph";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** The fixed top level: source lives in these rooms and in `main.ts`. */
const ROOMS = ["ingest", "rag", "agent", "kernel", "bench", "tests"];

/** What each room may import. `main.ts`, `bench` and `tests` may import anything. */
const ARROWS: Record<string, readonly string[]> = {
  ingest: [],
  kernel: [],
  rag: ["ingest"],
  agent: ["rag", "ingest", "kernel"],
};

/** Lines above which a file is two files. */
const MAX_LINES = 600;

/** Loading one of these costs more than a whole `search` may take, so no static import may reach it from `main.ts`. */
const HEAVY = [
  "ts-morph",
  "@ts-morph/common",
  "typescript",
  "@vscode/tree-sitter-wasm",
  "gpt-tokenizer",
  "@modelcontextprotocol/sdk",
];

/** Packages whose files are read, not imported. */
const TREES = new Set(["@vscode/tree-sitter-wasm", "@tree-sitter-grammars/tree-sitter-kotlin"]);

/** Deno fetches what an import names, even a type; these are loaded by a computed name. */
const LARGE = ["@huggingface/transformers", "node-llama-cpp"];

interface Import {
  readonly specifier: string;
  readonly kind: "static" | "type" | "dynamic";
}

interface Source {
  /** Relative to the repository, `/`-separated. */
  readonly path: string;
  readonly text: string;
  readonly imports: readonly Import[];
}

const sources = readSources();
const byPath = new Map(sources.map((source) => [source.path, source]));
const config = JSON.parse(Deno.readTextFileSync(join(ROOT, "deno.json"))) as {
  imports: Record<string, string>;
  scopes: Record<string, Record<string, string>>;
  tasks: Record<string, string | { command?: string }>;
};

/** Every source file, except fixtures, which are data. */
function readSources(): Source[] {
  const found: string[] = ["main.ts"];
  const walk = (folder: string) => {
    for (const entry of Deno.readDirSync(join(ROOT, folder))) {
      const path = `${folder}/${entry.name}`;
      if (
        entry.isDirectory && entry.name !== "fixtures" && entry.name !== "node_modules" &&
        !entry.name.startsWith(".")
      ) {
        walk(path);
      } else if (entry.isFile && /\.tsx?$/.test(entry.name)) found.push(path);
    }
  };
  for (const room of ROOMS) walk(room);
  return found.sort().map((path) => {
    const text = Deno.readTextFileSync(join(ROOT, path));
    return { path, text, imports: importsOf(path, text) };
  });
}

function importsOf(path: string, text: string): Import[] {
  const imports: Import[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
      const { moduleSpecifier } = node;
      if (moduleSpecifier !== undefined && ts.isStringLiteral(moduleSpecifier)) {
        const typeOnly = ts.isImportDeclaration(node)
          ? node.importClause?.isTypeOnly
          : node.isTypeOnly;
        imports.push({ specifier: moduleSpecifier.text, kind: typeOnly ? "type" : "static" });
      }
      return;
    }
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [specifier] = node.arguments;
      if (specifier !== undefined && ts.isStringLiteralLike(specifier)) {
        imports.push({ specifier: specifier.text, kind: "dynamic" });
      }
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      if (ts.isStringLiteral(node.argument.literal)) {
        imports.push({ specifier: node.argument.literal.text, kind: "type" });
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.Latest));
  return imports;
}

/** The file of ours that an import means; undefined for a package. */
function target(source: Source, specifier: string): string | undefined {
  if (!specifier.startsWith(".")) return undefined;
  return join(dirname(source.path), specifier).replaceAll("\\", "/");
}

/** The room of a path, or the file name at the top level. */
function roomOf(path: string): string {
  return path.includes("/") ? path.slice(0, path.indexOf("/")) : path;
}

Deno.test("the top level holds what it is meant to hold", () => {
  const known = [
    "README.md",
    "ARCHITECTURE.md",
    "LICENSE",
    "deno.json",
    "deno.lock",
    "main.ts",
    ...ROOMS,
  ];
  const found = [...Deno.readDirSync(ROOT)].map((entry) => entry.name).filter((name) =>
    !name.startsWith(".")
  );
  assert.deepEqual(found.filter((name) => !known.includes(name)), []);
});

Deno.test("imports follow the arrows, and enter another room only through its mod.ts", () => {
  const broken: string[] = [];
  for (const source of sources) {
    const room = roomOf(source.path);
    for (const { specifier } of source.imports) {
      const path = target(source, specifier);
      if (path === undefined || !/\.tsx?$/.test(path)) continue;
      const other = roomOf(path);
      if (!byPath.has(path)) {
        broken.push(`${source.path} imports "${specifier}", which is no source file`);
      }
      if (other === room) continue;
      const allowed = ARROWS[room];
      if (allowed !== undefined && !allowed.includes(other)) {
        broken.push(`${source.path} may not import ${path}`);
      }
      // Tests and benchmarks look at single parts; everybody else uses the door.
      // A part of a room may have a door of its own.
      if (room !== "tests" && room !== "bench" && !path.endsWith("/mod.ts")) {
        broken.push(`${source.path} imports ${path} instead of ${other}/mod.ts`);
      }
    }
  }
  assert.deepEqual(broken, []);
});

Deno.test("main.ts is the only file outside a room, and nobody but tests and bench imports it", () => {
  for (const source of sources) {
    const room = roomOf(source.path);
    if (room === "tests" || room === "bench") continue;
    assert.ok(
      source.imports.every(({ specifier }) => target(source, specifier) !== "main.ts"),
      source.path,
    );
  }
});

Deno.test("no file imports itself over a detour", () => {
  const done = new Set<string>();
  const trail: string[] = [];
  const visit = (path: string): void => {
    if (trail.includes(path)) {
      assert.fail(`import cycle: ${[...trail.slice(trail.indexOf(path)), path].join(" -> ")}`);
    }
    const source = byPath.get(path);
    if (source === undefined || done.has(path)) return;
    trail.push(path);
    for (const { specifier, kind } of source.imports) {
      // Types are gone when the program runs: they cannot deadlock a module.
      const next = kind === "type" ? undefined : target(source, specifier);
      if (next !== undefined) visit(next);
    }
    trail.pop();
    done.add(path);
  };
  for (const { path } of sources) visit(path);
});

Deno.test("every file opens with a header that says what it is for", () => {
  const missing = sources.filter(({ text }) =>
    !/^(#![^\n]*\n)?\/\*\*[\s*]+\S[^]{30,}?\*\//.test(text)
  );
  assert.deepEqual(missing.map(({ path }) => path), []);
});

Deno.test(`no file is longer than ${MAX_LINES} lines`, () => {
  const long = sources.filter(({ text }) => text.split("\n").length > MAX_LINES);
  assert.deepEqual(long.map(({ path, text }) => `${path}: ${text.split("\n").length} lines`), []);
});

Deno.test("everything that a door exports is documented", () => {
  const project = new Project({
    compilerOptions: { allowImportingTsExtensions: true, noLib: true, types: [] },
    skipAddingFilesFromTsConfig: true,
  });
  for (const { path } of sources) project.addSourceFileAtPath(join(ROOT, path));
  const undocumented: string[] = [];
  for (const room of ["ingest", "rag", "agent", "kernel"]) {
    const door = project.getSourceFileOrThrow(join(ROOT, room, "mod.ts"));
    for (const [name, declarations] of door.getExportedDeclarations()) {
      const documented = declarations.some((declaration) => {
        const holder = declaration.getKindName() === "VariableDeclaration"
          ? declaration.getFirstAncestorByKind(ts.SyntaxKind.VariableStatement)
          : declaration;
        return holder !== undefined && ts.getJSDocCommentsAndTags(holder.compilerNode).length > 0;
      });
      if (!documented) undocumented.push(`${room}/mod.ts: ${name}`);
    }
  }
  assert.deepEqual(undocumented, []);
});

Deno.test("ARCHITECTURE.md names every source file, and none that does not exist", () => {
  const map = Deno.readTextFileSync(join(ROOT, "ARCHITECTURE.md"));
  const named = new Set(
    [...map.matchAll(/`((?:[\w.-]+\/)+[\w.-]+\.tsx?|main\.ts)`/g)].map((match) => match[1]!),
  );
  const mapped = sources.map(({ path }) => path).filter((path) => roomOf(path) !== "tests");
  assert.deepEqual(mapped.filter((path) => !named.has(path)), [], "files that the map lacks");
  assert.deepEqual([...named].filter((path) => !byPath.has(path)), [], "names without a file");
});

Deno.test("every dependency is pinned to one version", () => {
  const scoped = Object.values(config.scopes).flatMap((map) => Object.entries(map));
  for (const [name, specifier] of [...Object.entries(config.imports), ...scoped]) {
    assert.match(
      specifier,
      /^npm:(@[\w.-]+\/)?[\w.-]+@\d+\.\d+\.\d+(-[\w.]+)?(\/[\w./-]+)?$/,
      name,
    );
  }
});

Deno.test("a task fetches no package of hundreds of megabytes: it fetches what its lock file holds", () => {
  const packagesOf = (lock: string) =>
    Object.keys(
      (JSON.parse(Deno.readTextFileSync(join(ROOT, lock))) as { npm: Record<string, unknown> }).npm,
    );
  const isLarge = (name: string) => LARGE.some((large) => name.startsWith(`${large}@`));
  assert.deepEqual(packagesOf("deno.lock").filter(isLarge), []);
  const held = packagesOf("rag/embed/models.lock");
  assert.equal(held.filter(isLarge).length, LARGE.length);
  // What both hold is held in the same version.
  assert.deepEqual(packagesOf("deno.lock").filter((name) => !held.includes(name)), []);
});

Deno.test("a first question fetches what commands load, and little beside that", () => {
  const lock = JSON.parse(Deno.readTextFileSync(join(ROOT, "deno.lock"))) as {
    specifiers: Record<string, string>;
    npm: Record<string, unknown>;
  };
  const packageOf = (specifier: string) => /^(@[^/]+\/)?[^/@]+/.exec(specifier)![0];
  const ours = sources.filter(({ path }) => !/^(tests|bench)\//.test(path));
  const loaded = new Set(
    ours.flatMap(({ imports }) => imports.map(({ specifier }) => packageOf(specifier))),
  );
  // The checks of types write what they meet into the lock file; these two are small.
  const besides = Object.keys(lock.specifiers).map((name) => packageOf(name.replace(/^npm:/, "")))
    .filter((name) => !loaded.has(name) && !TREES.has(name));
  assert.deepEqual(besides.sort(), ["fast-check", "sqlite-vec"]);
  // A package more is a wait more for everybody who tries this: with a reason, count it here.
  assert.ok(Object.keys(lock.npm).length <= 40, `${Object.keys(lock.npm).length} packages`);
  const hint = 'run "deno run -A tests/support/trim_lock.ts"';
  for (const name of Object.keys(lock.npm)) {
    assert.doesNotMatch(name, /^(gpt-tokenizer|js-tiktoken|@langchain\/|npm-check-updates)/, hint);
  }
});

Deno.test("of the MCP SDK the lock files hold what is loaded, not its web frameworks", () => {
  for (const lock of ["deno.lock", "rag/embed/models.lock"]) {
    const held = Deno.readTextFileSync(join(ROOT, lock));
    assert.doesNotMatch(
      held,
      /"(express|hono|jose|cors)@/,
      `${lock}: run "deno run -A tests/support/trim_lock.ts"`,
    );
  }
});

Deno.test("packages are imported by the names of the import map", () => {
  const strangers: string[] = [];
  for (const source of sources) {
    const scopes = Object.entries(config.scopes).filter(([folder]) =>
      `./${source.path}`.startsWith(folder)
    );
    const names = [config.imports, ...scopes.map(([, map]) => map)].flatMap(Object.keys);
    for (const { specifier } of source.imports) {
      const known = specifier.startsWith(".") || specifier.startsWith("node:") ||
        names.some((name) => specifier === name || specifier.startsWith(`${name}/`));
      if (!known) strangers.push(`${source.path}: ${specifier}`);
    }
  }
  assert.deepEqual(strangers, []);
});

/** What is loaded with a file: every static import of its static imports, packages and files of ours. */
function loadedWith(...paths: readonly string[]): Map<string, string> {
  const loaded = new Map<string, string>();
  const seen = new Set<string>();
  const visit = (path: string): void => {
    const source = byPath.get(path);
    if (source === undefined || seen.has(path)) return;
    seen.add(path);
    for (const { specifier, kind } of source.imports) {
      if (kind !== "static") continue;
      const next = target(source, specifier);
      loaded.set(next ?? specifier, path);
      if (next !== undefined) visit(next);
    }
  };
  paths.forEach(visit);
  return loaded;
}

Deno.test("a search does not load parsers: main.ts reaches nothing heavy without a dynamic import", () => {
  for (const [name, by] of loadedWith("main.ts", "rag/mod.ts")) {
    assert.ok(
      !HEAVY.some((heavy) => name === heavy || name.startsWith(`${heavy}/`)),
      `${by} loads ${name} at start`,
    );
    // Sixty files that a search has no use for, a twentieth of its time.
    assert.ok(!name.startsWith("ingest/"), `${by} loads ${name} at start`);
  }
});

Deno.test("encryption is loaded by who serves clients elsewhere, and by these, alone", () => {
  const loaded = loadedWith(
    "main.ts",
    "kernel/doors/service.ts",
    "kernel/doors/console/console.ts",
    "kernel/key_desk.ts",
  );
  assert.deepEqual([...loaded.keys()].filter((name) => name.startsWith("@noble/ciphers")), []);
  assert.ok(loadedWith("kernel/doors/remote_door.ts").has("@noble/ciphers/salsa.js"));
});

Deno.test("no command for users may reach the network, and none runs with every permission", () => {
  for (
    const name of [
      "ask",
      "search",
      "refs",
      "impact",
      "outline",
      "read",
      "ingest",
      "status",
      "mcp",
      "audit",
      "doctor",
      "image",
      "model",
      "key",
    ]
  ) {
    const task = config.tasks[name];
    const command = typeof task === "object" ? task.command ?? "" : task ?? "";
    assert.match(command, /^deno run .*\bmain\.ts\b/, name);
    assert.doesNotMatch(command, /--allow-net|--allow-all|\s-[a-zA-Z]*[AN]\b|--allow-import/, name);
    assert.match(command, /--deny-net --deny-import/, name);
    assert.match(
      command,
      /--no-prompt/,
      `${name} must not ask for permissions that it does not have`,
    );
  }
});

Deno.test("what serves programs of this machine reaches this machine alone", () => {
  for (const name of ["serve", "console"]) {
    const task = config.tasks[name];
    const command = typeof task === "object" ? task.command ?? "" : task ?? "";
    assert.match(command, /^deno run --no-prompt --allow-net=127\.0\.0\.1 --deny-import /, name);
    assert.equal(command.match(/--allow-net/g)?.length, 1, name);
    assert.doesNotMatch(command, /--allow-all|\s-[a-zA-Z]*[AN]\b|--allow-import|--allow-ffi/, name);
  }
});

Deno.test("what serves clients elsewhere reaches no other machine; only who asks a kernel elsewhere does", () => {
  const commandOf = (name: string) => {
    const task = config.tasks[name];
    return typeof task === "object" ? task.command ?? "" : task ?? "";
  };
  const net = (name: string) => commandOf(name).split(" ").filter((word) => /-net\b/.test(word));
  // 0.0.0.0 is an address to listen on; to connect to it is to connect to this machine.
  assert.deepEqual(net("serve-remote"), ["--allow-net=127.0.0.1,0.0.0.0"]);
  assert.deepEqual(net("console-remote"), ["--allow-net"]);
  for (const name of ["serve", "console"]) {
    const without = (command: string) => command.replace(/--allow-net\S*/, "");
    assert.equal(without(commandOf(`${name}-remote`)), without(commandOf(name)), name);
  }
});

Deno.test("ingest never touches the database; rag and the image alone do", () => {
  const users = sources.filter(({ imports }) =>
    imports.some(({ specifier, kind }) => specifier === "node:sqlite" && kind !== "type")
  );
  const places = new Set(
    users.map(({ path }) => path.startsWith("kernel/image/") ? "kernel/image" : roomOf(path))
      .filter((place) => place !== "tests" && place !== "bench"),
  );
  assert.deepEqual([...places].sort(), ["kernel/image", "rag"]);
  // In the image, one file alone writes what is stored, and two read it, over its connection; another reads what is left of it.
  assert.deepEqual(
    users.map(({ path }) => path).filter((path) => path.startsWith("kernel/image/")),
    ["kernel/image/image_tables.ts", "kernel/image/sqlite_connection.ts"],
  );
  const writers = sources.filter(({ path, imports }) =>
    roomOf(path) === "kernel" &&
    imports.some(({ specifier }) => specifier.endsWith("/sqlite_connection.ts"))
  );
  assert.deepEqual(writers.map(({ path }) => path), [
    "kernel/image/known_transactions.ts",
    "kernel/image/log_tail.ts", // empties the log, without SQL of its own
    "kernel/image/sqlite_store.ts",
    "kernel/image/sqlite_writer.ts",
  ]);
});

Deno.test("no source file opens a connection but those that serve this machine, and fetch models and packages, and the one that asks a model's server", () => {
  const reaching = sources.filter(({ path, text }) =>
    roomOf(path) !== "tests" && roomOf(path) !== "bench" &&
    // The page runs in a browser, whose policy lets it speak with its own server alone.
    !path.startsWith("kernel/doors/web/") &&
    /\bfetch\(|\bDeno\.(connect|connectTls|listen|serve)\b|new WebSocket\(|"node:(https?|net|tls|dgram)"/
      .test(text)
  );
  assert.deepEqual(reaching.map(({ path }) => path), [
    "agent/models/openai_server.ts",
    "kernel/doors/http/listener.ts",
    "kernel/doors/port_holder.ts",
    "kernel/doors/zmtp/dealer.ts",
    "kernel/doors/zmtp/router.ts",
    "kernel/model_hub.ts",
    "rag/train/packages.ts",
  ]);
});

Deno.test("no command loads the sources of the page, only what was built from them", () => {
  const users = sources.filter(({ path, imports }) =>
    !/^(kernel\/doors\/web|tests|bench)\//.test(path) &&
    imports.some((each) =>
      target(byPath.get(path)!, each.specifier)?.startsWith("kernel/doors/web/")
    )
  );
  assert.deepEqual(users.map(({ path }) => path), []);
});

Deno.test("no command loads the trainer", () => {
  const users = sources.filter(({ path, imports }) =>
    !path.startsWith("rag/train/") && !/^(tests|bench)\//.test(path) &&
    imports.some(({ specifier }) => specifier.includes("train/"))
  );
  assert.deepEqual(users.map(({ path }) => path), []);
});

Deno.test("packages of hundreds of megabytes are named in no import, so that nobody fetches them unasked", () => {
  const naming = sources.filter(({ path, imports }) =>
    !path.startsWith("tests/") &&
    imports.some(({ specifier }) => LARGE.includes(specifier))
  );
  assert.deepEqual(naming.map(({ path }) => path), []);
});
