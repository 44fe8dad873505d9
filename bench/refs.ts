/**
 * `bench refs`: references by name, scope and declared types against a language server, for Python against pyright.
 *
 * Definitions are drawn with a fixed seed from what the server says the files define, not from the index; for each, "find all
 * references" of the server is compared with ours as sets of (path, line), the line of the definition left out. What must hold: the
 * server comes from npm by its hash and sees exactly the files of the index, with nothing installed beside them; `click` and `requests` were
 * kept aside while the rules were made, and are reported apart from the others.
 */
import { join } from "node:path";
import { readTree } from "../ingest/mod.ts";
import { openMemory } from "../rag/mod.ts";
import { SymbolGraph } from "../rag/graph.ts";
import { copyOf, fetchPackage, type Log, removeState } from "./corpora.ts";
import { drawn, share } from "./graph.ts";
import { LanguageServer, uriOf } from "./language_server.ts";
import { wheel, type WheelName } from "./wheels.ts";

export interface RefsBenchOptions {
  /** A folder to compare on instead of the pinned packages. */
  readonly corpus?: string;
  /** Called with every line that only one side has. */
  readonly onDifference?: (side: "missing" | "extra", target: string, line: string) => void;
  readonly log: Log;
}

const PYRIGHT = {
  name: "pyright",
  version: "1.1.407",
  integrity:
    "sha512-zU+peTFEVUdokNQyUBhGQYt+NWI/3aiNlvBbDBSsn5Ti334XElFUs+GDjQzCbchYfkT+DvMAT3OkMcV4CuEfDg==",
  keep: ["**"],
};

/** Their failures were read while the rules were made. */
const SEEN: readonly WheelName[] = ["flask", "httpx", "rich"];
/** Nobody looked at theirs. */
const UNSEEN: readonly WheelName[] = ["click", "requests"];

const SAMPLE = 300;
const SEED = 20_240_229;

/** Compares on each package. */
export async function benchRefs(options: RefsBenchOptions): Promise<object> {
  const { corpus, log } = options;
  if (corpus !== undefined) return { python: (await compared(corpus, options)).figures() };
  const result: Record<string, object> = {};
  const all = { seen: new Tally(), unseen: new Tally() };
  for (const [kept, names] of [["seen", SEEN], ["unseen", UNSEEN]] as const) {
    for (const name of names) {
      const tally = await compared(await wheel(name, log), options);
      result[name] = tally.figures();
      all[kept].add(tally);
    }
  }
  return { ...result, seen: all.seen.figures(), unseen: all.unseen.figures() };
}

// ---- what is counted ------------------------------------------------------------------------------------------------

interface Counts {
  definitions: number;
  both: number;
  ours: number;
  theirs: number;
}

/** Lines found by both sides, by us, by the server; over all definitions and by their kind. */
class Tally {
  readonly #kinds = new Map<string, Counts>();

  count(kind: string, both: number, ours: number, theirs: number, definitions = 1): void {
    const counts = this.#kinds.get(kind) ?? { definitions: 0, both: 0, ours: 0, theirs: 0 };
    counts.definitions += definitions;
    counts.both += both;
    counts.ours += ours;
    counts.theirs += theirs;
    this.#kinds.set(kind, counts);
  }

  add(other: Tally): void {
    for (const [kind, { both, ours, theirs, definitions }] of other.#kinds) {
      this.count(kind, both, ours, theirs, definitions);
    }
  }

  figures(): object {
    const total = { definitions: 0, both: 0, ours: 0, theirs: 0 };
    for (const counts of this.#kinds.values()) {
      for (const name of ["definitions", "both", "ours", "theirs"] as const) {
        total[name] += counts[name];
      }
    }
    return {
      ...scores(total),
      kinds: Object.fromEntries(
        [...this.#kinds].sort().map(([kind, counts]) => [kind, scores(counts)]),
      ),
    };
  }
}

function scores({ definitions, both, ours, theirs }: Counts): object {
  return {
    definitions,
    lines: theirs,
    precision: share(both, ours),
    recall: share(both, theirs),
    f1: share(2 * both, ours + theirs),
  };
}

async function compared(source: string, options: RefsBenchOptions): Promise<Tally> {
  using copy = copyOf(source);
  const folder = Deno.realPathSync(copy.folder);
  removeState(folder);
  using memory = openMemory(folder);
  await memory.absorb(readTree(folder, memory.known()));
  const graph = new SymbolGraph(memory.store);
  const paths = memory.paths().filter((path) => path.endsWith(".py"));
  await using server = await Pyright.start(folder, paths, options.log);
  const targets = drawn(await server.definitions(), SAMPLE, SEED);
  const tally = new Tally();
  let theirMs = 0, ourMs = 0;
  for (const target of targets) {
    const own = `${target.path}:${target.line}`;
    const asked = performance.now();
    const expected = await server.references(target);
    theirMs += performance.now() - asked;
    const started = performance.now();
    const answer = await graph.refsAt(target.path, target.start);
    ourMs += performance.now() - started;
    const found = new Set(answer.map(({ path, line }) => `${path}:${line}`));
    for (const lines of [expected, found]) lines.delete(own);
    const label = `${own} ${target.kind} ${target.name}`;
    let both = 0;
    for (const line of found) {
      if (expected.has(line)) both++;
      else options.onDifference?.("extra", label, line);
    }
    for (const line of expected) {
      if (!found.has(line)) options.onDifference?.("missing", label, line);
    }
    tally.count(target.kind, both, found.size, expected.size);
  }
  options.log(
    `${copy.name}: ${targets.length} definitions, pyright ${Math.round(theirMs)} ms, ours ${
      Math.round(ourMs)
    } ms`,
  );
  return tally;
}

// ---- the server -----------------------------------------------------------------------------------------------------

interface Drawn {
  readonly path: string;
  readonly start: number;
  readonly line: number;
  readonly character: number;
  readonly name: string;
  readonly kind: string;
}

interface Position {
  readonly line: number;
  readonly character: number;
}

interface DocumentSymbol {
  readonly name: string;
  readonly kind: number;
  readonly selectionRange: { readonly start: Position };
  readonly children?: readonly DocumentSymbol[];
}

/** Kinds of the protocol that are drawn. */
const KINDS: Readonly<Record<number, string>> = {
  5: "class",
  6: "method",
  7: "method", // A property is a method with a decorator.
  8: "attribute",
  12: "function",
  13: "variable",
  14: "variable",
};
const CLASS = 5;

class Pyright implements AsyncDisposable {
  private constructor(
    readonly server: LanguageServer,
    readonly folder: string,
    readonly texts: ReadonlyMap<string, string>,
  ) {}

  static async start(folder: string, paths: readonly string[], log: Log): Promise<Pyright> {
    const program = join(await fetchPackage(PYRIGHT, log), "langserver.index.js");
    const server = await LanguageServer.start(["node", program, "--stdio"], folder, {
      // No interpreter: what this machine has installed must not count.
      python: { pythonPath: "/nonexistent/python", analysis: {} },
      "python.analysis": { diagnosticMode: "openFilesOnly", autoSearchPaths: true },
    });
    const texts = new Map(
      paths.map((path) => [path, Deno.readTextFileSync(join(folder, path))]),
    );
    for (const [path, text] of texts) {
      server.notify("textDocument/didOpen", {
        textDocument: { uri: uriOf(join(folder, path)), languageId: "python", version: 1, text },
      });
    }
    return new Pyright(server, folder, texts);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
  }

  /** What files define outside of functions, but for names that Python itself calls (`__len__`). */
  async definitions(): Promise<Drawn[]> {
    const found: Drawn[] = [];
    for (const [path, text] of this.texts) {
      const starts = [0];
      for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) {
        starts.push(at + 1);
      }
      const visit = (symbols: readonly DocumentSymbol[], isInClass: boolean): void => {
        for (const { name, kind, selectionRange: { start }, children } of symbols) {
          const shown = KINDS[kind];
          if (!shown || /^__\w+__$/.test(name) || name === "_") continue;
          found.push({
            path,
            name,
            kind: shown === "variable" && isInClass ? "attribute" : shown,
            line: start.line + 1,
            character: start.character,
            start: starts[start.line]! + start.character,
          });
          if (kind === CLASS) visit(children ?? [], true);
        }
      };
      const symbols = await this.server.request("textDocument/documentSymbol", {
        textDocument: { uri: uriOf(join(this.folder, path)) },
      });
      visit(symbols as DocumentSymbol[] ?? [], false);
    }
    return found;
  }

  /** The lines of the files that refer to a definition, and those that declare it anew. */
  async references({ path, line, character }: Drawn): Promise<Set<string>> {
    const found = await this.server.request("textDocument/references", {
      textDocument: { uri: uriOf(join(this.folder, path)) },
      position: { line: line - 1, character },
      context: { includeDeclaration: true },
    });
    const prefix = uriOf(this.folder) + "/";
    const lines = new Set<string>();
    for (const { uri, range } of found as { uri: string; range: { start: Position } }[] ?? []) {
      const file = decodeURIComponent(uri.slice(prefix.length));
      if (uri.startsWith(prefix) && this.texts.has(file)) {
        lines.add(`${file}:${range.start.line + 1}`);
      }
    }
    return lines;
  }
}
