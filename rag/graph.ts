/**
 * The symbol graph: who refers to a definition, what a change of it may break.
 *
 * Owns the questions (`refs`, `impact`) and when the answers are made: import edges are there after every ingest; the
 * compiler's references are found when first asked for and again for what changed since. What must hold:
 * - an answer is about the texts of the index; nothing is read from disk;
 * - TypeScript and JavaScript are answered by the compiler (`resolution: "compiler"`), other languages by name and scope
 *   (`"name"`), and the answer says which;
 * - all that is stored is derived (see `graph_store.ts`).
 */
import { DatabaseSync } from "node:sqlite";
import { createHash } from "node:crypto";
import {
  createResolver,
  type Definition,
  isCompiled,
  LINK_KINDS,
  LITERAL_KIND,
  REFERENCE_KINDS,
  resolveReferences,
} from "../ingest/mod.ts";
import { UsesByName } from "./graph_by_name.ts";
import { isBenchmarkPath, isTestPath } from "./file_features.ts";
import { ImpactSearch } from "./graph_impact.ts";
import {
  createGraphTables,
  type DeclarationLink,
  EdgeIndex,
  GraphStore,
  type ReferenceEdge,
} from "./graph_store.ts";
import {
  type BuildOptions,
  type BuildReport,
  byPlace,
  type GraphDefinition,
  type GraphSource,
  type GraphSourceFile,
  type ImpactResult,
  innermost,
  isSymbol,
  type Located,
  type Place,
  type Reference,
  type RefsResult,
  type Resolution,
  shown,
  type SymbolAnswers,
  unique,
  type Use,
} from "./graph_values.ts";
import { nearNames } from "./near_names.ts";

// Rises whenever other edges are found in the same files.
const GRAPH_VERSION = 1;
// How far `impact` follows dependents: beyond it nearly everything depends on everything.
const DEFAULT_DEPTH = 3;
// Tests are looked for this far, whatever the depth: what is private is often tested through several public functions.
const TEST_DEPTH = 6;
// Files whose change may change what any import means.
const RESOLUTION_FILES =
  /(^|\/)(package\.json|[jt]sconfig[^/]*\.json|deno\.jsonc?|import_map\.json|pnpm-workspace\.yaml|lerna\.json)$/;

/** Files that are suggested for one that is not there. */
const MOST_FILES = 5;

const SAME = LINK_KINDS.indexOf("same"),
  OVERRIDES = LINK_KINDS.indexOf("overrides"),
  SHAPE = LINK_KINDS.indexOf("shape");
const IMPORT = REFERENCE_KINDS.indexOf("import"), REEXPORT = REFERENCE_KINDS.indexOf("reexport");
const CALL = REFERENCE_KINDS.indexOf("call"), IMPLEMENTS = REFERENCE_KINDS.indexOf("implements");

/** Answers questions about the symbols of one index. */
export class SymbolGraph implements SymbolAnswers {
  readonly #source: GraphSource;
  readonly #imports: GraphStore;
  readonly #references: GraphStore;
  #files: readonly GraphSourceFile[] = [];
  #byId = new Map<number, GraphSourceFile>();
  #byPath = new Map<string, GraphSourceFile>();
  #definitions = new Map<number, readonly Definition[]>();
  #edges = new Map<number, EdgeIndex>();
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
    }
  }

  /** Whether the compiler's references are those of the files as they are: then a question costs no build. */
  isCurrent(): boolean {
    const { dirty, gone } = this.#stale(this.#files.filter((file) => isCompiled(file.path)));
    return dirty.size === 0 && gone.length === 0;
  }

  /** Forgets what was read of the index; to be called when it changed. */
  refresh(): void {
    this.#files = this.#source.files();
    this.#byId = new Map(this.#files.map((file) => [file.id, file]));
    this.#byPath = new Map(this.#files.map((file) => [file.path, file]));
    this.#definitions.clear();
    this.#edges.clear();
    this.#byName = new UsesByName(
      this.#source,
      this.#imports,
      this.#files,
      (id) => this.definitionsIn(id),
    );
  }

  // ---- building ----------------------------------------------------------------------------------------------------

  /**
   * Brings the compiler's references up to date: those of new and changed files, of all files that import them directly or
   * not, and of all files whose references led into a changed or vanished one. Everything is found anew when a file that
   * steers module resolution changed, or one that declares globals.
   *
   * One transaction at the end: an interrupted build leaves the last one. Throws what `signal` was aborted with.
   */
  async build(options: BuildOptions = {}): Promise<BuildReport> {
    const started = performance.now();
    this.refresh();
    const compiled = this.#files.filter((file) => isCompiled(file.path));
    const { dirty, gone, config } = this.#stale(compiled);
    if (dirty.size === 0 && gone.length === 0) return { files: 0, ms: performance.now() - started };
    const read = (path: string): string | undefined => {
      const file = this.#byPath.get(path);
      return file && this.#source.text(file.id);
    };
    const files = this.#files;
    const resolver = createResolver({ paths: new Set(this.#byPath.keys()), read });
    const only = new Set([...dirty].map((id) => this.#byId.get(id)!.path));
    const found: { id: number; hash: string; edges: ReferenceEdge[]; links: DeclarationLink[] }[] =
      [];
    const inputs = only.size === 0 ? [] : files;
    for await (
      const { path, references, links } of resolveReferences(inputs, read, {
        ...options,
        resolver,
        only,
      })
    ) {
      const { id, hash } = this.#byPath.get(path)!;
      const edges: ReferenceEdge[] = [];
      for (let i = 0; i < references.length; i += 4) {
        edges.push({
          line: references[i]!,
          kind: references[i + 1]!,
          to: files[references[i + 2]!]!.id,
          start: references[i + 3]!,
        });
      }
      const ties: DeclarationLink[] = [];
      for (let i = 0; i < links.length; i += 5) {
        ties.push({
          from: links[i]!,
          line: links[i + 1]!,
          kind: links[i + 2]!,
          to: files[links[i + 3]!]!.id,
          start: links[i + 4]!,
        });
      }
      found.push({ id, hash, edges, links: ties });
    }
    this.#references.transaction(() => {
      for (const id of gone) this.#references.dropReferences(id);
      for (const references of found) this.#references.replaceReferences(references);
      const reach = new Map<number, Set<number>>();
      for (const { id, edges, links } of this.#references.allReferences()) {
        for (const { to } of [...edges, ...links]) {
          let from = reach.get(to);
          if (!from) reach.set(to, from = new Set());
          from.add(id);
        }
      }
      this.#references.replaceReach(reach);
      this.#references.setState("config", config);
    });
    this.#edges.clear();
    return { files: found.length, ms: performance.now() - started };
  }

  /** Files whose references are missing or may have changed, and ids of files that are no more. */
  #stale(
    compiled: readonly GraphSourceFile[],
  ): { dirty: Set<number>; gone: number[]; config: string } {
    const hash = createHash("sha256").update(`${GRAPH_VERSION}\n`);
    for (const file of this.#files) {
      if (RESOLUTION_FILES.test(file.path)) hash.update(`${file.path}\0${file.hash}\n`);
    }
    const config = hash.digest("hex");
    const hashes = this.#references.referenceHashes();
    const changed = compiled.filter((file) => !GraphStore.sameHash(hashes.get(file.id), file.hash));
    const gone = [...hashes.keys()].filter((id) =>
      !this.#byId.has(id) || !isCompiled(this.#byId.get(id)!.path)
    );
    const isFirst = this.#references.state("config") !== config;
    if (isFirst || changed.some((file) => this.#declaresGlobals(file))) {
      return { dirty: new Set(compiled.map((file) => file.id)), gone, config };
    }
    const dirty = new Set(changed.map((file) => file.id));
    for (const id of [...dirty, ...gone]) {
      for (const from of this.#references.reaching(id)) dirty.add(from);
    }
    const queue = [...dirty];
    for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
      for (const { from } of this.#imports.importsTo(id)) {
        if (dirty.has(from)) continue;
        dirty.add(from);
        queue.push(from);
      }
    }
    for (const id of dirty) {
      if (!this.#byId.has(id) || !isCompiled(this.#byId.get(id)!.path)) dirty.delete(id);
    }
    return { dirty, gone, config };
  }

  /** Whether a file may declare names that others see without importing it. */
  #declaresGlobals(file: GraphSourceFile): boolean {
    if (/\.d\.[cm]?ts$/.test(file.path)) return true;
    const text = this.#source.text(file.id);
    return /\bdeclare\s+(global|module)\b/.test(text) ||
      !/^\s*(import|export)\b|\bexports\b|\brequire\s*\(/m.test(text);
  }

  // ---- questions ---------------------------------------------------------------------------------------------------

  /**
   * Who refers to a name, a qualified name (`Class.method`, `module.fn`), a place (`path:line`), or a file.
   *
   * A name that several definitions share gives the references of all of them. Builds first where that is due.
   */
  async refs(target: string, options: BuildOptions = {}): Promise<RefsResult> {
    this.refresh();
    const file = this.#byPath.get(normal(target));
    const located = file ? [] : this.#locate(target);
    if (located.length === 0) {
      return file ? this.#fileRefs(target, file) : {
        target,
        definitions: [],
        references: [],
        literals: [],
        callers: [],
        callees: [],
        importers: [],
        suggestions: this.#suggest(target),
        ...this.#explain(target),
      };
    }
    if (located.some(({ file }) => isCompiled(file.path))) await this.build(options);
    const uses: Use[] = [];
    const own = new Set<string>();
    const definitions = new Map<string, GraphDefinition>();
    for (const entry of located) {
      for (const declared of this.#declarations(entry)) {
        own.add(`${declared.file.id}:${this.#nameLine(declared)}`);
        definitions.set(`${declared.file.path}:${declared.definition.nameStart}`, shown(declared));
      }
      uses.push(...await this.#usesOf(entry));
    }
    const references = this.#perLine(uses, own);
    return {
      target,
      definitions: [...definitions.values()].sort(byPlace),
      references,
      literals: this.#literals(uses, own),
      callers: this.#around(references),
      callees: unique((await Promise.all(located.map((entry) => this.#callees(entry)))).flat()),
      importers: this.#importers(new Set(located.map((entry) => entry.file.id))),
      suggestions: [],
    };
  }

  /** The references of what is declared at an offset of a TypeScript or JavaScript file; call `build` before. */
  refsAt(path: string, start: number): Reference[] {
    const file = this.#byPath.get(path);
    return file ? this.#perLine(this.#compiledUses({ file: file.id, start }), new Set()) : [];
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
      const file = this.#byPath.get(normal(target));
      const found = file ? [] : this.#locate(target);
      if (file) files.push(file);
      else if (found.length === 0) {
        suggestions.push(...this.#suggest(target));
        const { reason } = this.#explain(target);
        if (reason !== undefined) reasons.push(reason);
      }
      located.push(...found);
    }
    if ([...files, ...located.map((entry) => entry.file)].some((file) => isCompiled(file.path))) {
      await this.build(options);
    }
    const search = new ImpactSearch(this, located, files);
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

  // ---- from words to definitions -----------------------------------------------------------------------------------

  #locate(target: string): Located[] {
    const place = this.#place(target);
    if (place) return this.#atLine(place.file, place.line);
    const parts = target.trim().replace(/\(\)$/, "").split(/\.|::|#|->|\\/).filter((part) =>
      part !== ""
    );
    const name = parts.at(-1) ?? "";
    // A name may hold dots itself: an npm script, a key, a test.
    const whole = this.#named(target.trim());
    if (whole.length > 0) return whole;
    const qualifiers = parts.slice(0, -1);
    return this.#named(name).filter((entry) => qualifies(entry, qualifiers));
  }

  /** The line of a file that a target `path:line` or `path:line:column` means. */
  #place(target: string): { file: GraphSourceFile; line: number } | undefined {
    const place = /^(.+?):(\d+)(?::\d+)?$/.exec(target);
    const file = place && this.#byPath.get(normal(place[1]!));
    return file ? { file, line: Number(place[2]) } : undefined;
  }

  /** Why a place in a file that is there leads to nothing. */
  #explain(target: string): { reason?: string } {
    const place = this.#place(target);
    if (!place) return {};
    const { file: { path, lines }, line } = place;
    if (line >= 1 && line <= lines) {
      return { reason: `no definition stands on or around line ${line} of "${path}"` };
    }
    const size = lines === 0 ? "is empty" : `has the lines 1 to ${lines}`;
    return { reason: `there is no line ${line}: "${path}" ${size}` };
  }

  #named(name: string): Located[] {
    const found = this.#source.definitionsNamed(name).flatMap((definition) => {
      const file = this.#byId.get(definition.file);
      return file ? [{ file, definition }] : [];
    });
    const symbols = found.filter((entry) => isSymbol(entry.definition));
    return symbols.length > 0 ? symbols : found;
  }

  /** The definitions that begin on a line; where none does, the innermost one around it. */
  #atLine(file: GraphSourceFile, line: number): Located[] {
    const definitions = this.definitionsIn(file.id).filter(isSymbol);
    const starting = definitions.filter((definition) => definition.startLine === line);
    if (starting.length > 0) {
      const outermost = Math.min(...starting.map((definition) => definition.container.length));
      return starting.filter((definition) => definition.container.length === outermost)
        .map((definition) => ({ file, definition }));
    }
    const around = innermost(definitions, line);
    return around ? [{ file, definition: around }] : [];
  }

  /** Names near one that nothing has, or files near one that is not there. */
  #suggest(target: string): string[] {
    const [, file, extension] = /^(.+)\.(\w+)(?::\d+)*$/.exec(normal(target)) ?? [];
    const paths = file === undefined ? [] : this.#files.map(({ path }) => path);
    if (paths.some((path) => path.endsWith(`.${extension}`))) {
      const stemOf = (path: string) => path.replace(/^.*\//, "").replace(/\.\w+$/, "");
      const near = nearNames(stemOf(file!), paths.map(stemOf));
      return near.flatMap((stem) => paths.filter((path) => stemOf(path) === stem)).slice(
        0,
        MOST_FILES,
      );
    }
    const name = target.split(/\.|::|#|\//).at(-1) ?? target;
    return nearNames(name, this.#source.definitionNames());
  }

  definitionsIn(id: number): readonly Definition[] {
    let definitions = this.#definitions.get(id);
    if (!definitions) this.#definitions.set(id, definitions = this.#source.definitionsOf(id));
    return definitions;
  }

  file(id: number): GraphSourceFile | undefined {
    return this.#byId.get(id);
  }

  #nameLine({ file, definition }: Located): number {
    if (definition.startLine === definition.endLine) return definition.startLine;
    const text = this.#source.text(file.id);
    let line = definition.startLine;
    for (
      let at = text.indexOf("\n", definition.declaration);
      at >= 0 && at < definition.nameStart;
    ) {
      line++;
      at = text.indexOf("\n", at + 1);
    }
    return line;
  }

  // ---- edges -------------------------------------------------------------------------------------------------------

  #edgesOf(id: number): EdgeIndex {
    let index = this.#edges.get(id);
    if (!index) {
      const stored = this.#references.references(id);
      this.#edges.set(id, index = new EdgeIndex(stored?.edges ?? [], stored?.links ?? []));
    }
    return index;
  }

  /** All declarations of the thing that a definition declares. */
  #declarations(entry: Located): Located[] {
    if (!isCompiled(entry.file.path)) return [entry];
    const found = [entry];
    for (const place of this.#first(placeOf(entry))) {
      for (const same of [place, ...this.#linked(place, SAME)]) {
        const file = this.#byId.get(same.file);
        const definition = file &&
          this.definitionsIn(file.id).find((other) => other.nameStart === same.start);
        if (definition && definition !== entry.definition) found.push({ file, definition });
      }
    }
    return found;
  }

  /** The places that stand for a declaration: the first declarations of the things it declares. */
  #first(place: Place): Place[] {
    const first = this.#edgesOf(place.file).linksFrom(place.start, SAME);
    return first.length > 0 ? first.map((link) => ({ file: link.to, start: link.start })) : [place];
  }

  /** Declarations tied to a place by links of a kind. */
  #linked(place: Place, kind: number): (Place & { line: number })[] {
    return this.#references.reaching(place.file).flatMap((from) =>
      this.#edgesOf(from).linksTo(place, kind).map((link) => ({
        file: from,
        start: link.from,
        line: link.line,
      }))
    );
  }

  /** The uses of a definition, those of members that it overrides and that override it among them. */
  async #usesOf(entry: Located): Promise<Use[]> {
    if (!isCompiled(entry.file.path)) return await this.#byName.usesOf(entry);
    const { definition } = entry;
    if (definition.name === "constructor" && definition.kind === "method") {
      const owner = this.definitionsIn(entry.file.id).findLast((other) =>
        other.kind === "class" && other.start <= definition.start && other.end >= definition.end
      );
      if (owner) {
        return this.#compiledUses({ file: entry.file.id, start: owner.nameStart }).filter((use) =>
          use.kind === CALL
        );
      }
    }
    return this.#compiledUses(placeOf(entry));
  }

  #compiledUses(place: Place): Use[] {
    const own = this.#first(place);
    const group = new Map<string, Place>();
    const uses: Use[] = [];
    const add = (next: Place): void => {
      const key = `${next.file}:${next.start}`;
      if (group.has(key)) return;
      group.set(key, next);
      queue.push(next);
    };
    const queue: Place[] = [];
    for (const start of own) add(start);
    // Upwards: what the declarations override; what the type says that a literal's property is written for.
    for (const shape of this.#edgesOf(place.file).linksFrom(place.start, SHAPE)) {
      for (const first of this.#first({ file: shape.to, start: shape.start })) add(first);
    }
    for (let at = queue.pop(); at; at = queue.pop()) {
      for (const declaration of [at, ...this.#linked(at, SAME)]) {
        for (
          const link of this.#edgesOf(declaration.file).linksFrom(declaration.start, OVERRIDES)
        ) {
          for (const first of this.#first({ file: link.to, start: link.start })) add(first);
        }
      }
    }
    // Downwards: what overrides any of them.
    queue.push(...group.values());
    for (let at = queue.pop(); at; at = queue.pop()) {
      for (const declaration of [at, ...this.#linked(at, SAME)]) {
        for (const below of this.#linked(declaration, OVERRIDES)) {
          for (const first of this.#first(below)) {
            add(first);
          }
        }
      }
    }
    const isOwn = new Set(own.map((start) => `${start.file}:${start.start}`));
    for (const [key, member] of group) {
      if (!isOwn.has(key)) {
        for (const declaration of [member, ...this.#linked(member, SAME)]) {
          uses.push({ file: declaration.file, line: this.#lineAt(declaration), kind: IMPLEMENTS });
        }
      }
      for (const from of this.#references.reaching(member.file)) {
        for (const { line, kind } of this.#edgesOf(from).edgesTo(member)) {
          uses.push({ file: from, line, kind });
        }
      }
    }
    return uses;
  }

  #lineAt(place: Place): number {
    const definition = this.definitionsIn(place.file).find((other) =>
      other.nameStart === place.start
    );
    const file = this.#byId.get(place.file);
    if (definition && file) return this.#nameLine({ file, definition });
    const text = this.#source.text(place.file);
    let line = 1;
    for (
      let at = text.indexOf("\n");
      at >= 0 && at < place.start;
      at = text.indexOf("\n", at + 1)
    ) line++;
    return line;
  }

  // ---- from edges to answers ---------------------------------------------------------------------------------------

  /** One reference a line: the kind that comes first wins. */
  #perLine(uses: readonly Use[], own: ReadonlySet<string>): Reference[] {
    const best = new Map<string, Use>();
    for (const use of uses) {
      const key = `${use.file}:${use.line}`;
      if (own.has(key) || use.kind === LITERAL_KIND) continue;
      const present = best.get(key);
      if (!present || use.kind < present.kind) best.set(key, use);
    }
    return [...best.values()].flatMap(({ file, line, kind }) => {
      const path = this.#byId.get(file)?.path;
      if (path === undefined) return [];
      const resolution: Resolution = isCompiled(path) ? "compiler" : "name";
      return [{ path, line, kind: REFERENCE_KINDS[kind]!, resolution }];
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
      const file = this.#byPath.get(path)!;
      const definition = kind === "import" || kind === "reexport"
        ? undefined
        : innermost(this.definitionsIn(file.id), line);
      return definition ? [shown({ file, definition })] : [];
    }));
  }

  async #callees(entry: Located): Promise<GraphDefinition[]> {
    const { file, definition } = entry;
    if (!isCompiled(file.path)) return (await this.#byName.calleesOf(entry)).map(shown);
    const found: GraphDefinition[] = [];
    for (const edge of this.#edgesOf(file.id).within(definition.startLine, definition.endLine)) {
      if (edge.kind === IMPORT || edge.kind === REEXPORT) continue;
      const target = this.#byId.get(edge.to);
      const callee = target &&
        this.definitionsIn(target.id).find((other) => other.nameStart === edge.start);
      if (!callee || !target) continue;
      const isInside = target.id === file.id && callee.start >= definition.start &&
        callee.end <= definition.end;
      if (!isInside) found.push(shown({ file: target, definition: callee }));
    }
    return found;
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
      const path = this.#byId.get(file)?.path;
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
      literals: [],
      callers: [],
      callees: [],
      importers: this.#importers(new Set([file.id])),
      suggestions: [],
    };
  }

  /** The uses of a definition; built references are taken as they are. */
  uses(entry: Located): Promise<readonly Use[]> {
    return this.#usesOf(entry);
  }

  /** The imports of a file. */
  importersOf(id: number): { from: number; line: number }[] {
    return this.#imports.importsTo(id);
  }
}

function normal(path: string): string {
  return path.replace(/^\.\//, "").replaceAll("\\", "/");
}

/** Whether the words before a name fit its scopes, or the file and folders it stands in. */
function qualifies({ file, definition }: Located, qualifiers: readonly string[]): boolean {
  const scopes = [...file.path.replace(/\.[^/.]+$/, "").split("/"), ...definition.container];
  let at = scopes.length - 1;
  for (let i = qualifiers.length - 1; i >= 0; i--) {
    while (at >= 0 && scopes[at] !== qualifiers[i]) at--;
    if (at-- < 0) return false;
  }
  return true;
}

function placeOf({ file, definition }: Located): Place {
  return { file: file.id, start: definition.nameStart };
}
