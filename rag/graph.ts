/**
 * The symbol graph: who refers to a definition, what a change of it may break.
 *
 * Owns the questions (`refs`, `impact`): from targets (`graph_targets.ts`) and uses (`graph_uses.ts` by the compiler's edges,
 * `graph_by_name.ts` by name) to answers. Import edges are there after every ingest; the compiler's references are found when first asked
 * for and again for what changed since (`graph_build.ts`). What must hold:
 * - an answer is about the texts of the index; nothing is read from disk;
 * - TypeScript and JavaScript are answered by the compiler (`resolution: "compiler"`), other languages by name and scope
 *   (`"name"`), and the answer says which; where types are read (`receiver_types.ts`), what they leave open is said a line;
 * - all that is stored is derived (see `graph_store.ts`).
 */
import { DatabaseSync } from "node:sqlite";
import { type Definition, isCompiled, LITERAL_KIND, REFERENCE_KINDS } from "../ingest/mod.ts";
import { isBenchmarkPath, isTestPath } from "./file_features.ts";
import { GraphBuild } from "./graph_build.ts";
import { UsesByName } from "./graph_by_name.ts";
import { GraphFiles } from "./graph_files.ts";
import { ImpactSearch } from "./graph_impact.ts";
import { createGraphTables, GraphStore } from "./graph_store.ts";
import { GraphSubtypes } from "./graph_subtypes.ts";
import { GraphTargets } from "./graph_targets.ts";
import { CompiledUses } from "./graph_uses.ts";
import {
  type BuildOptions,
  type BuildReport,
  byPlace,
  type GraphDefinition,
  type GraphSource,
  type GraphSourceFile,
  type ImpactResult,
  innermost,
  type Located,
  type Reference,
  type RefsOptions,
  type RefsResult,
  type Resolution,
  shown,
  type SymbolAnswers,
  unique,
  type Use,
} from "./graph_values.ts";

// How far `impact` follows dependents: beyond it nearly everything depends on everything.
const DEFAULT_DEPTH = 3;
// Tests are looked for this far, whatever the depth: what is private is often tested through several public functions.
const TEST_DEPTH = 6;
const IMPLEMENTS = REFERENCE_KINDS.indexOf("implements");
const IMPORT = REFERENCE_KINDS.indexOf("import"), REEXPORT = REFERENCE_KINDS.indexOf("reexport");

/** Answers questions about the symbols of one index. */
export class SymbolGraph implements SymbolAnswers {
  readonly #source: GraphSource;
  readonly #imports: GraphStore;
  readonly #references: GraphStore;
  #files!: GraphFiles;
  #targets!: GraphTargets;
  #compiled!: CompiledUses;
  #byName!: UsesByName;

  /** References are written to the index; where that is read-only and they are not up to date, they are kept in memory. */
  constructor(source: GraphSource) {
    this.#source = source;
    this.#imports = new GraphStore(source.database);
    this.#references = this.#imports;
    this.refresh();
    if (source.readOnly && !this.isCurrent()) {
      const database = new DatabaseSync(":memory:");
      createGraphTables(database);
      this.#references = new GraphStore(database);
      this.refresh();
    }
  }

  /** Whether the compiler's references are those of the files as they are: then a question costs no build. */
  isCurrent(): boolean {
    return !new GraphBuild(this.#files, this.#imports, this.#references).isDue();
  }

  /** Forgets what was read of the index; to be called when it changed. */
  refresh(): void {
    this.#files = new GraphFiles(this.#source);
    this.#targets = new GraphTargets(this.#files);
    this.#compiled = new CompiledUses(this.#files, this.#references);
    this.#byName = new UsesByName(
      this.#source,
      this.#imports,
      this.#files.list,
      (id) => this.#files.definitionsIn(id),
    );
  }

  /** Brings the compiler's references up to date (see `GraphBuild`). Throws what `signal` was aborted with. */
  async build(options: BuildOptions = {}): Promise<BuildReport> {
    this.refresh();
    const report = await new GraphBuild(this.#files, this.#imports, this.#references).run(options);
    this.#compiled = new CompiledUses(this.#files, this.#references);
    return report;
  }

  /**
   * Who refers to a name, a qualified name (`Class.method`, `module.fn`), a place (`path:line`), or a file.
   *
   * A name that several definitions share gives the references of all of them. Builds first where that is due. What is built on
   * a type or overrides a member is a list of its own, `subtypes`: one step, or all steps with `transitive`.
   */
  async refs(target: string, options: RefsOptions = {}): Promise<RefsResult> {
    this.refresh();
    const file = this.#targets.fileOf(target);
    const named = file ? [] : await this.#located(target);
    const isCompilers = named.some(({ file }) => isCompiled(file.path));
    const located = isCompilers && options.withoutBuild && !this.isCurrent() ? [] : named;
    if (located.length === 0) {
      return file ? this.#fileRefs(target, file) : {
        target,
        definitions: [],
        references: [],
        possible: [],
        literals: [],
        subtypes: [],
        callers: [],
        callees: [],
        importers: [],
        suggestions: this.#targets.suggest(target),
        ...this.#targets.explain(target),
      };
    }
    if (isCompilers && !options.withoutBuild) await this.build(options);
    const usesOf = new Map<Located, readonly Use[]>();
    const uses: Use[] = [];
    const own = new Set<string>();
    const definitions = new Map<string, GraphDefinition>();
    for (const entry of located) {
      const declarations = isCompiled(entry.file.path)
        ? this.#compiled.declarations(entry)
        : [entry];
      for (const declared of declarations) {
        own.add(`${declared.file.id}:${this.#files.nameLine(declared)}`);
        definitions.set(`${declared.file.path}:${declared.definition.nameStart}`, shown(declared));
      }
      usesOf.set(entry, await this.uses(entry));
      uses.push(...usesOf.get(entry)!);
    }
    const references = this.#perLine(uses, own);
    const subtypes = new GraphSubtypes(
      this.#files,
      (entry) => Promise.resolve(usesOf.get(entry) ?? this.uses(entry)),
    );
    return {
      target,
      definitions: [...definitions.values()].sort(byPlace),
      references,
      possible: this.#perLine(
        uses.filter((use) => use.doubt === "possible"),
        new Set([...own, ...this.#keysOf(references)]),
        "possible",
      ),
      literals: this.#literals(uses, own),
      subtypes: await subtypes.of(located, options.transitive ?? false, options.signal),
      callers: this.#around(references),
      callees: unique((await Promise.all(located.map((entry) => this.#callees(entry)))).flat()),
      importers: this.#importers(new Set(located.map((entry) => entry.file.id))),
      suggestions: [],
    };
  }

  /**
   * The references of what is declared at an offset of a file, where its name begins; call `build` before when that is
   * TypeScript or JavaScript.
   */
  async refsAt(path: string, start: number): Promise<Reference[]> {
    const file = this.#files.byPath.get(path);
    if (!file) return [];
    if (isCompiled(path)) {
      return this.#perLine(this.#compiled.usesAt({ file: file.id, start }), new Set());
    }
    const definition = this.#files.definitionsIn(file.id).find((one) => one.nameStart === start);
    return definition
      ? this.#perLine(await this.#byName.usesOf({ file, definition }), new Set())
      : [];
  }

  /**
   * What a change of names or files may break: the files that depend on them, directly or through others, and the tests
   * among them. Builds first where that is due.
   */
  async impact(
    targets: readonly string[],
    options: BuildOptions & { depth?: number } = {},
  ): Promise<ImpactResult> {
    this.refresh();
    const depth = options.depth ?? DEFAULT_DEPTH;
    const files: GraphSourceFile[] = [];
    const located: Located[] = [];
    const suggestions: string[] = [];
    const reasons: string[] = [];
    for (const target of targets) {
      const file = this.#targets.fileOf(target);
      const found = file ? [] : await this.#located(target);
      if (file) files.push(file);
      else if (found.length === 0) {
        suggestions.push(...this.#targets.suggest(target));
        const { reason } = this.#targets.explain(target);
        if (reason !== undefined) reasons.push(reason);
      }
      located.push(...found);
    }
    if ([...files, ...located.map((entry) => entry.file)].some((file) => isCompiled(file.path))) {
      await this.build(options);
    }
    const search = new ImpactSearch(
      {
        file: (id) => this.file(id),
        definitionsIn: (id) => this.definitionsIn(id),
        importersOf: (id) => this.importersOf(id),
        uses: async (
          entry,
        ) => [...await this.uses(entry), ...await this.#heirs(entry, options.signal)],
      },
      located,
      files,
    );
    const reached = await search.run(Math.max(depth, TEST_DEPTH));
    const affected = reached.filter((entry) => entry.distance <= depth || isTestPath(entry.path));
    return {
      targets,
      definitions: search.definitions(),
      affected,
      tests: affected.map((entry) => entry.path).filter(isTestPath),
      benchmarks: affected.map((entry) => entry.path).filter(isBenchmarkPath),
      suggestions: [...new Set(suggestions)],
      ...reasons.length > 0 && { reason: reasons.join("; ") },
    };
  }

  /** The definitions of a file, in order. */
  definitionsIn(id: number): readonly Definition[] {
    return this.#files.definitionsIn(id);
  }

  /** A file by its id. */
  file(id: number): GraphSourceFile | undefined {
    return this.#files.byId.get(id);
  }

  /** The uses of a definition; built references are taken as they are. */
  async uses(entry: Located): Promise<readonly Use[]> {
    return isCompiled(entry.file.path)
      ? this.#compiled.usesOf(entry)
      : await this.#byName.usesOf(entry);
  }

  /** The imports of a file. */
  importersOf(id: number): { from: number; line: number }[] {
    return this.#imports.importsTo(id);
  }

  /** The definitions that a target means; of a member that a type inherits, that of its base. */
  async #located(target: string): Promise<readonly Located[]> {
    const found = this.#targets.locate(target);
    const parts = /^(.+)(?:\.|::|#)([^.:#\s()]+)(?:\(\))?$/.exec(target.trim());
    if (found.length > 0 || !parts) return found;
    const inherited: Located[] = [];
    for (const type of this.#targets.locate(parts[1]!)) {
      inherited.push(...await this.#byName.inherited(type, parts[2]!));
    }
    return inherited;
  }

  /** Lines by file id, as `#perLine` is told to leave them out. */
  #keysOf(references: readonly Reference[]): string[] {
    return references.map(({ path, line }) => `${this.#files.byPath.get(path)!.id}:${line}`);
  }

  /**
   * Where a definition is overridden, or implemented without naming it, in languages of which no compiler tells it among the uses: a change
   * of a signature breaks these first.
   */
  async #heirs(entry: Located, signal: AbortSignal | undefined): Promise<Use[]> {
    if (isCompiled(entry.file.path)) return [];
    const subtypes = new GraphSubtypes(this.#files, (one) => this.uses(one));
    const isMember = entry.definition.kind === "method" || entry.definition.kind === "property";
    return (await subtypes.of([entry], isMember, signal)).flatMap(({ path, startLine }) => {
      const file = this.#files.byPath.get(path);
      return file ? [{ file: file.id, line: startLine, kind: IMPLEMENTS }] : [];
    });
  }

  /** One reference a line: the kind that comes first wins; those without the wanted doubt are left out. */
  #perLine(
    uses: readonly Use[],
    own: ReadonlySet<string>,
    wanted: "stated" | "possible" = "stated",
  ): Reference[] {
    const best = new Map<string, Use>();
    for (const use of uses) {
      const key = `${use.file}:${use.line}`;
      if (own.has(key) || use.kind === LITERAL_KIND) continue;
      if ((use.doubt === "possible") !== (wanted === "possible")) continue;
      const present = best.get(key);
      if (!present || use.kind < present.kind) best.set(key, use);
    }
    return [...best.values()].flatMap(({ file, line, kind, doubt }) => {
      const path = this.#files.byId.get(file)?.path;
      if (path === undefined) return [];
      const resolution: Resolution = isCompiled(path) ? "compiler" : "name";
      return [{
        path,
        line,
        kind: REFERENCE_KINDS[kind]!,
        resolution,
        ...doubt === "likely" && { likely: true as const },
      }];
    }).sort((a, b) => a.path < b.path ? -1 : a.path > b.path ? 1 : a.line - b.line);
  }

  #literals(uses: readonly Use[], own: ReadonlySet<string>): { path: string; line: number }[] {
    const listed = new Set(own);
    for (const use of uses) if (use.kind !== LITERAL_KIND) listed.add(`${use.file}:${use.line}`);
    const literals = uses.filter((use) =>
      use.kind === LITERAL_KIND && !listed.has(`${use.file}:${use.line}`)
    );
    return this.#places(literals);
  }

  #around(references: readonly Reference[]): GraphDefinition[] {
    return unique(references.flatMap(({ path, line, kind }) => {
      const file = this.#files.byPath.get(path)!;
      const definition = kind === "import" || kind === "reexport"
        ? undefined
        : innermost(this.#files.definitionsIn(file.id), line);
      return definition ? [shown({ file, definition })] : [];
    }));
  }

  async #callees(entry: Located): Promise<GraphDefinition[]> {
    const callees = isCompiled(entry.file.path)
      ? this.#compiled.calleesOf(entry)
      : await this.#byName.calleesOf(entry);
    return callees.map(shown);
  }

  #importers(ids: ReadonlySet<number>): { path: string; line: number }[] {
    return this.#places(
      [...ids].flatMap((id) =>
        this.#imports.importsTo(id).map(({ from, line }) => ({ file: from, line }))
      ),
    );
  }

  /** Paths and lines without repetition, in order. */
  #places(
    uses: readonly { readonly file: number; readonly line: number }[],
  ): { path: string; line: number }[] {
    const found = new Map<string, { path: string; line: number }>();
    for (const { file, line } of uses) {
      const path = this.#files.byId.get(file)?.path;
      if (path !== undefined) found.set(`${path}:${line}`, { path, line });
    }
    return [...found.values()].sort((a, b) =>
      a.path < b.path ? -1 : a.path > b.path ? 1 : a.line - b.line
    );
  }

  #fileRefs(target: string, file: GraphSourceFile): RefsResult {
    const definition: GraphDefinition = {
      path: file.path,
      startLine: 1,
      endLine: this.#source.text(file.id).split("\n").length,
      name: file.path,
      kind: "module",
      container: [],
    };
    const uses = this.#imports.importsTo(file.id).map(({ from, line, kind }) => ({
      file: from,
      line,
      kind: kind === "reexport" ? REEXPORT : IMPORT,
    }));
    return {
      target,
      definitions: [definition],
      references: this.#perLine(uses, new Set()),
      possible: [],
      literals: [],
      subtypes: [],
      callers: [],
      callees: [],
      importers: this.#importers(new Set([file.id])),
      suggestions: [],
    };
  }
}
