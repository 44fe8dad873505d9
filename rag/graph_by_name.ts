/**
 * Uses of definitions in languages without a compiler here: by name, scope and imports.
 *
 * Owns the decision which occurrences of a name may mean a definition. What must hold: a name that a file binds by an import of
 * something else is not a use; a member is used through a receiver, unless the language lets `this` go unsaid. In languages whose
 * types are read (`ingest/type_terms.ts`) the type of the receiver decides, and what it leaves open is said (`Doubt`); in others all
 * candidates are kept, so these uses are complete rather than exact.
 */
import {
  type Definition,
  findNameUses,
  folderOf,
  hasNameGraph,
  type Import,
  type NameUse,
  REFERENCE_KINDS,
} from "../ingest/mod.ts";
import type { GraphStore, ImportEdge } from "./graph_store.ts";
import {
  type Doubt,
  family,
  type GraphSource,
  type GraphSourceFile,
  innermost,
  isSymbol,
  type Located,
  type Use,
} from "./graph_values.ts";
import { fitOfMember } from "./member_fit.ts";
import { ReceiverTypes } from "./receiver_types.ts";

// Languages whose imports say where a bare name comes from.
const IMPORTING = new Set([
  "python",
  "go",
  "rust",
  "java",
  "kotlin",
  "scala",
  "elixir",
  "zig",
  "haskell",
  "lua",
]);
// Languages where the files of a folder see each other's names.
const FOLDER_SCOPED = new Set(["go", "java", "kotlin", "scala"]);
// Languages where a member may be named without a receiver inside its class.
const IMPLICIT_THIS = new Set([
  "java",
  "kotlin",
  "c",
  "cpp",
  "csharp",
  "ruby",
  "swift",
  "scala",
]);
// What every Elixir file may call without an import, so a bare call means that and no namesake elsewhere.
const ELIXIR_KERNEL = new Set(
  ("apply elem exit get_in hd inspect is_nil length max min node not put_elem put_in raise reraise round self send " +
    "spawn tap then throw tl to_string trunc update_in pop_in dbg binding sigil_r").split(" "),
);
// Languages where a receiver with a capital is a module, by its name or by what it was imported as.
const MODULE_RECEIVERS = new Set(["elixir", "haskell"]);
const OWN_RECEIVER = /^(self|this|Self|cls|\$this|super)$/;
// Receivers that lead from a Rust module to its surroundings.
const MODULE_PATH = /^(self|super|crate)$/;
// A name that more definitions share says nothing about which of them is used.
const MAX_CANDIDATES = 8;
// A name is passed on by so many modules at most.
const MAX_HOPS = 4;

type Named = Definition & { readonly file: number };

/** How a file can name a definition. */
interface Reach {
  /** Bare names, the definition's own and aliases. */
  readonly names: ReadonlySet<string>;
  /** Names of modules through which it is reached. */
  readonly modules: ReadonlySet<string>;
  /** Names bound to whole modules, whichever. */
  readonly allModules: ReadonlySet<string>;
}

/** Finds uses in one index; holds what it read of it. */
export class UsesByName {
  readonly #source: GraphSource;
  readonly #edges: GraphStore;
  readonly #files: readonly GraphSourceFile[];
  readonly #imports = new Map<number, readonly Import[]>();
  readonly #definitionsIn: (id: number) => readonly Definition[];
  readonly #types: ReceiverTypes;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(
    source: GraphSource,
    edges: GraphStore,
    files: readonly GraphSourceFile[],
    definitionsIn: (id: number) => readonly Definition[],
  ) {
    this.#source = source;
    this.#edges = edges;
    this.#files = files;
    this.#definitionsIn = definitionsIn;
    const byId = new Map(files.map((file) => [file.id, file]));
    const targets = new Map<number, readonly ImportEdge[]>();
    this.#types = new ReceiverTypes({
      file: (id) => byId.get(id),
      text: (id) => source.text(id),
      imports: (id) => this.#importsOf(id),
      defining: (name) => source.definitionsNamed(name),
      targets: (id, ordinal) => {
        let all = targets.get(id);
        if (!all) targets.set(id, all = edges.importsFrom(id));
        return all.filter((edge) => edge.ordinal === ordinal).map((edge) => edge.to);
      },
    });
  }

  /** The uses of a definition in all files of its language. */
  async usesOf({ file, definition }: Located): Promise<Use[]> {
    if (!hasNameGraph(file.path)) return [];
    const others = this.#source.definitionsNamed(definition.name).filter((other) =>
      isSymbol(other) && (other.file !== file.id || other.nameStart !== definition.nameStart)
    );
    const uses: Use[] = [];
    const entry = { file, definition };
    const files = this.#isInsideFunction(file, definition) ? [file] : this.#files;
    for (const from of files) {
      if (family(from.language) !== family(file.language)) continue;
      const text = this.#source.text(from.id);
      // Whoever uses it under another name has to import it under its own.
      if (!text.includes(definition.name)) continue;
      const reach = this.#reach(from, entry, others);
      const aliases = isMember(definition) ? [] : reach.names;
      const declaredAt = from.id === file.id ? definition.nameStart : undefined;
      for (const name of new Set([definition.name, ...aliases])) {
        for (const use of await findNameUses(from.path, text, name, declaredAt)) {
          const fit = await this.#fits(use, name, from, entry, others, reach);
          if (!fit) continue;
          uses.push({
            file: from.id,
            line: use.line,
            kind: REFERENCE_KINDS.indexOf(use.kind),
            ...fit !== "sure" && { doubt: fit },
          });
        }
      }
    }
    return uses;
  }

  /** The members of a name that a type has from its bases, in languages whose types are read; none where it has none. */
  async inherited({ file, definition }: Located, name: string): Promise<Located[]> {
    const type = [...definition.container, definition.name].join(".");
    const owner = await this.#inTurn(() => this.#types.ownerOf(file.id, type, name));
    if (typeof owner !== "object") return [];
    const at = this.#files.find((other) => other.id === owner.file);
    if (!at) return [];
    return this.#definitionsIn(at.id)
      .filter((one) => one.name === name && one.container.join(".") === owner.type)
      .map((one) => ({ file: at, definition: one }));
  }

  /** One question about types at a time: what one is working out is unknown to itself, and must not be to another. */
  #inTurn<T>(ask: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(ask);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  /** The definitions that the lines of a definition use. */
  async calleesOf({ file, definition }: Located): Promise<Located[]> {
    if (!hasNameGraph(file.path)) return [];
    const text = this.#source.text(file.id);
    const found: Located[] = [];
    const words = new Set(
      text.slice(definition.body, definition.end).match(/[\p{L}_$][\p{L}\p{N}_$]*[?!']*/gu)
        // `fetch!` and `f'` are names in some languages, and ends of `a!` and `'a'` in others.
        ?.flatMap((word) => /[?!']$/.test(word) ? [word, word.replace(/[?!']+$/, "")] : [word]),
    );
    for (const word of words) {
      const named = this.#source.definitionsNamed(word).filter((other) => isSymbol(other));
      if (word === definition.name || named.length === 0 || named.length > MAX_CANDIDATES) continue;
      const uses = (await findNameUses(file.path, text, word))
        .filter((use) => use.line >= definition.startLine && use.line <= definition.endLine);
      if (uses.length === 0) continue;
      for (const other of named) {
        const to = this.#files.find((candidate) => candidate.id === other.file);
        if (!to || family(to.language) !== family(file.language)) continue;
        const entry = { file: to, definition: other };
        const others = named.filter((candidate) => candidate !== other);
        const reach = this.#reach(file, entry, others);
        for (const use of uses) {
          const fit = await this.#fits(use, word, file, entry, others, reach);
          if (!fit || fit === "possible") continue;
          found.push(entry);
          break;
        }
      }
    }
    return found;
  }

  /** Whether a use may mean a definition, and what is in doubt about it. */
  async #fits(
    use: NameUse,
    name: string,
    from: GraphSourceFile,
    entry: Located,
    others: readonly Named[],
    reach: Reach,
  ): Promise<"sure" | Doubt | undefined> {
    const { file, definition } = entry;
    // A file does not import what it defines: the import means another thing of that name.
    if (from.id === file.id && (use.kind === "import" || use.kind === "reexport")) return undefined;
    if (
      isMember(definition) && use.type &&
      (use.receiver !== undefined || definition.kind !== "enum_member")
    ) {
      const { type, receiver = "" } = use;
      const fit = await this.#inTurn(() =>
        fitOfMember(this.#types, type, receiver, from.id, entry, others)
      );
      return fit === "none" ? undefined : fit;
    }
    const fits = isMember(definition)
      ? this.#fitsMember(use, from, file, definition, others, reach)
      : fitsName(use, name, file, definition, reach, others.length === 0);
    return fits ? "sure" : undefined;
  }

  #isInsideFunction(file: GraphSourceFile, definition: Definition): boolean {
    if (definition.container.length === 0 || isMember(definition)) return false;
    return this.#definitionsIn(file.id).some((other) =>
      (other.kind === "function" || other.kind === "method") && other !== definition &&
      other.start <= definition.start && other.end >= definition.end &&
      other.nameStart !== definition.nameStart
    );
  }

  #reach(
    from: GraphSourceFile,
    { file: to, definition }: Located,
    others: readonly Named[],
  ): Reach {
    const names = new Set<string>(), modules = new Set<string>(), allModules = new Set<string>();
    const { name } = definition;
    // What is defined inside a type is imported with it.
    const outer = definition.container[0];
    let bindsOther = false;
    this.#importsOf(from.id).forEach((statement, ordinal) => {
      for (const { name: imported, alias } of statement.names) {
        const isModule = imported === "*" && alias !== "*";
        if (isModule) allModules.add(alias);
        const wanted = imported === "*" ? name : imported;
        if (alias === name && imported !== name && isModule) bindsOther = true;
        if (wanted !== name && wanted !== outer) continue;
        const leads = this.#leads(from.id, ordinal, wanted, to.id, 0);
        if (!leads) {
          if (alias === name) bindsOther = true;
        } else if (isModule) modules.add(alias);
        else if (imported === "*" || wanted === outer) names.add(name);
        else names.add(alias);
      }
    });
    const isNear = from.id === to.id || !IMPORTING.has(to.language) ||
      (FOLDER_SCOPED.has(to.language) && folderOf(from.path) === folderOf(to.path));
    const isUnique = others.every((other) => other.file === to.id) &&
      !(to.language === "elixir" && ELIXIR_KERNEL.has(name));
    if ((isNear || isUnique) && !bindsOther) names.add(name);
    return { names, modules, allModules };
  }

  #importsOf(id: number): readonly Import[] {
    let imports = this.#imports.get(id);
    if (!imports) this.#imports.set(id, imports = this.#source.imports(id));
    return imports;
  }

  /** Whether an import of `name` ends in the file `to`, through modules that pass it on. */
  #leads(from: number, ordinal: number, name: string, to: number, hops: number): boolean {
    if (hops >= MAX_HOPS) return false;
    for (const edge of this.#edges.importsFrom(from)) {
      if (edge.ordinal !== ordinal) continue;
      if (edge.to === to) return true;
      const passes = this.#importsOf(edge.to).some((statement, next) =>
        statement.names.some(({ name: imported, alias }) =>
          (alias === name || alias === "*") &&
          this.#leads(edge.to, next, imported === "*" ? name : imported, to, hops + 1)
        )
      );
      if (passes) return true;
    }
    return false;
  }

  #fitsMember(
    use: NameUse,
    from: GraphSourceFile,
    file: GraphSourceFile,
    definition: Definition,
    others: readonly Named[],
    reach: Reach,
  ): boolean {
    const owner = definition.container.at(-1);
    if (use.receiver === undefined) {
      // A keyword argument, an imported name and a local look the same: only its own file may leave the receiver out.
      if (use.kind === "import" || use.kind === "reexport") {
        return definition.kind === "enum_member" && reach.names.size > 0;
      }
      if (definition.kind === "enum_member") {
        return from.id === file.id || reach.names.has(definition.name);
      }
      return from.id === file.id && IMPLICIT_THIS.has(file.language);
    }
    const receiver = lastSegment(use.receiver);
    if (receiver === owner) return true;
    // A Lua module is the table that has the methods.
    if (file.language === "lua" && reach.modules.has(use.receiver)) return true;
    if (reach.allModules.has(use.receiver) && !OWN_RECEIVER.test(receiver)) return false;
    if (others.some((other) => other.container.at(-1) === receiver)) return false;
    if (!OWN_RECEIVER.test(receiver)) return true;
    const around = this.#ownerAt(from.id, use.line);
    return around === owner ||
      !others.some((other) => other.file === from.id && other.container.at(-1) === around);
  }

  /** Name of the type whose member a line belongs to. */
  #ownerAt(id: number, line: number): string | undefined {
    const inner = innermost(
      this.#definitionsIn(id).filter((definition) => definition.kind === "method"),
      line,
    );
    return inner?.container.at(-1);
  }
}

function fitsName(
  use: NameUse,
  name: string,
  file: GraphSourceFile,
  definition: Definition,
  reach: Reach,
  isUnique: boolean,
): boolean {
  if (use.receiver === undefined) return reach.names.has(name);
  if (name !== definition.name) return false;
  // Where a capital says that a module is meant, it is that one.
  if (MODULE_RECEIVERS.has(file.language) && /^[A-Z]/.test(use.receiver)) {
    return reach.modules.has(use.receiver) || (use.kind === "import" && reach.names.size > 0) ||
      definition.container.includes(lastSegment(use.receiver));
  }
  if (
    isUnique || reach.modules.has(use.receiver) ||
    definition.container.includes(lastSegment(use.receiver))
  ) return true;
  const receiver = lastSegment(use.receiver);
  if (MODULE_PATH.test(receiver)) return reach.names.has(name);
  const segments = file.path.replace(/\.[^./]+$/, "").split("/");
  const stem = segments.at(-1) === "__init__" || segments.at(-1) === "mod"
    ? segments.at(-2)
    : segments.at(-1);
  return receiver === stem ||
    (FOLDER_SCOPED.has(file.language) && receiver === segments.at(-2));
}

function isMember({ kind }: Definition): boolean {
  return kind === "method" || kind === "property" || kind === "enum_member";
}

function lastSegment(path: string): string {
  return /[\w$@]+(?=\W*$)/.exec(path)?.[0] ?? path;
}
