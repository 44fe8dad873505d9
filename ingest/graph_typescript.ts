/**
 * Reference edges of TypeScript and JavaScript, exact because the compiler finds them.
 *
 * Owns one compiler program over the whole workspace and one pass over its identifiers. What must hold:
 * - texts come from `read` alone, modules from the resolver of `resolve.ts`: no disk, no `node_modules`;
 * - an edge leads from a line to the name of a declaration, never to an alias: imports, barrels, re-exports, namespaces and
 *   default exports are followed to the end;
 * - declarations that are one thing (overloads, merged interfaces) are one target, the first of them; a value and a type
 *   that merely share a name (`const X`, `type X`) are two;
 * - locals of function bodies (parameters, plain variables) get no edges: nobody asks for them, and they are most of all;
 * - the event loop is given back every few milliseconds, except while the program binds.
 *
 * The relation is the one behind "find all references" of the language service: a property named in an object literal or in a
 * pattern refers to the property of the contextual type, a member that overrides or implements is linked to what it overrides.
 */
import type { ts as TS } from "ts-morph";
import { Pause } from "./pause.ts";
import { createResolver, type Resolver } from "./resolve.ts";

/** How a line uses a name. The order is that of precedence where a line uses a name in several ways. */
export const REFERENCE_KINDS = [
  "extends",
  "implements",
  "call",
  "write",
  "read",
  "type",
  "reexport",
  "import",
] as const;
/** What a line does with a name. */
export type ReferenceKind = typeof REFERENCE_KINDS[number];

/**
 * Behind the last of `REFERENCE_KINDS`: the line names a property only as a string in an indexed access type (`T["name"]`), in a
 * file that has the name nowhere else. Editors leave such lines out of "find all references"; a rename breaks them all the
 * same.
 */
export const LITERAL_KIND: number = REFERENCE_KINDS.length;

/** How a declaration is tied to another. `same`: one of several declarations of one thing, tied to the first.
 * `overrides`: a member, tied to the member of a base type. `shape`: a property of a literal or a pattern, tied to the property
 * of the type that is expected there. */
export const LINK_KINDS = ["same", "overrides", "shape"] as const;
/** How two declarations belong together. */
export type LinkKind = typeof LINK_KINDS[number];

/** The edges that leave one file. Files are given by their index in the list handed to `resolveReferences`. */
export interface FileReferences {
  readonly path: string;
  /** Four numbers an edge: line (1-based), index into `REFERENCE_KINDS` or `LITERAL_KIND`, target file, offset of the target's name. No
   * two edges share line and target. */
  readonly references: readonly number[];
  /** Five numbers a link: offset of the declared name, its line, index into `LINK_KINDS`, target file, offset of its name. */
  readonly links: readonly number[];
}

/** A file as the compiler is given it. */
export interface GraphFile {
  readonly path: string;
  readonly language: string;
}

/** Options of `resolveReferences`. */
export interface ReferenceOptions {
  /** Paths whose edges are wanted; all by default. The others still take part in the program. */
  readonly only?: ReadonlySet<string>;
  readonly resolver?: Resolver;
  /** Files done, of how many. */
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

const COMPILED = /\.[cm]?[jt]sx?$/;

/** Whether the compiler takes part in the references of a file. */
export function isCompiled(path: string): boolean {
  return COMPILED.test(path);
}

/**
 * Finds the references of all TypeScript and JavaScript files; other files of the list only take part in module resolution.
 *
 * Yields one value a file, in the order of the list. Throws what `signal` was aborted with.
 */
export async function* resolveReferences(
  files: readonly GraphFile[],
  read: (path: string) => string | undefined,
  options: ReferenceOptions = {},
): AsyncGenerator<FileReferences> {
  const { ts, getLibFiles } = await import("@ts-morph/common");
  const pause = new Pause(options.signal);
  const resolver = options.resolver ??
    createResolver({ paths: new Set(files.map((file) => file.path)), read });
  const host = new WorkspaceHost(ts, files, read, resolver, getLibFiles());
  for (const file of files) {
    if (!isCompiled(file.path)) continue;
    host.parse(file.path);
    if (pause.due()) await pause.take();
  }
  host.separateScripts();
  const program = ts.createProgram({
    rootNames: files.filter((file) => isCompiled(file.path)).map((file) => host.nameOf(file.path)),
    options: compilerOptions(ts),
    host: host.host,
  });
  await pause.take();
  const checker = program.getTypeChecker();
  const finder = new ReferenceFinder(
    ts,
    checker,
    new Map(files.map((file, index) => [host.nameOf(file.path), index])),
  );
  const wanted = files.filter((file) =>
    isCompiled(file.path) && (options.only?.has(file.path) ?? true)
  );
  let done = 0;
  for (const file of wanted) {
    const source = program.getSourceFile(host.nameOf(file.path));
    if (source) yield { path: file.path, ...finder.find(source) };
    options.onProgress?.(++done, wanted.length);
    if (pause.due()) await pause.take();
  }
}

/** One set of options for every file: types are only wanted for the symbols that they lead to. */
function compilerOptions(ts: typeof TS): TS.CompilerOptions {
  return {
    target: ts.ScriptTarget.ESNext,
    module: ts.ModuleKind.Preserve,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    jsx: ts.JsxEmit.Preserve,
    allowJs: true,
    allowImportingTsExtensions: true,
    esModuleInterop: true,
    experimentalDecorators: true,
    noEmit: true,
    skipLibCheck: true,
    strict: true,
    types: [],
  };
}

// ---- the program's view of the workspace ---------------------------------------------------------------------------

const LIBRARY_FOLDER = "/node_modules/typescript/lib";

// The trees of the standard library, bound by the first program: another build soon after need not make them again.
let libraryTrees: WeakRef<Map<string, TS.SourceFile>> | undefined;

/** Shows the workspace to the compiler as a disk whose root it is, with the standard library beside it. */
class WorkspaceHost {
  readonly host: TS.CompilerHost;
  readonly #ts: typeof TS;
  readonly #read: (path: string) => string | undefined;
  readonly #sources = new Map<string, TS.SourceFile>();
  readonly #languageOf: Map<string, string>;

  constructor(
    ts: typeof TS,
    files: readonly GraphFile[],
    read: (path: string) => string | undefined,
    resolver: Resolver,
    library: readonly { fileName: string; text: string }[],
  ) {
    this.#ts = ts;
    this.#read = read;
    this.#languageOf = new Map(files.map((file) => [file.path, file.language]));
    const libraries = new Map(
      library.map((file) => [`${LIBRARY_FOLDER}/${file.fileName}`, file.text]),
    );
    const trees = libraryTrees?.deref() ?? new Map<string, TS.SourceFile>();
    libraryTrees = new WeakRef(trees);
    const known = (name: string): boolean =>
      libraries.has(name) || this.#languageOf.has(name.slice(1));
    this.host = {
      fileExists: known,
      readFile: (name) => libraries.get(name) ?? read(name.slice(1)),
      getSourceFile: (name, options) => {
        const text = libraries.get(name);
        if (text === undefined) return this.parse(name.slice(1));
        let tree = trees.get(name);
        if (!tree) trees.set(name, tree = ts.createSourceFile(name, text, options));
        return tree;
      },
      getDefaultLibFileName: () => `${LIBRARY_FOLDER}/lib.esnext.full.d.ts`,
      getDefaultLibLocation: () => LIBRARY_FOLDER,
      getCurrentDirectory: () => "/",
      getCanonicalFileName: (name) => name,
      useCaseSensitiveFileNames: () => true,
      getNewLine: () => "\n",
      writeFile: () => {},
      resolveTypeReferenceDirectiveReferences: (references) =>
        references.map(() => ({ resolvedTypeReferenceDirective: undefined })),
      resolveModuleNameLiterals: (literals, containing) =>
        literals.map((literal) => ({
          resolvedModule: this.#module(resolver, containing.slice(1), literal.text),
        })),
    };
  }

  /** The name that the compiler knows a path by. */
  nameOf(path: string): string {
    return `/${path}`;
  }

  /** The syntax tree of a file of the workspace, made once. */
  parse(path: string): TS.SourceFile | undefined {
    let source = this.#sources.get(path);
    if (source) return source;
    const text = this.#read(path);
    if (text === undefined) return undefined;
    source = this.#ts.createSourceFile(this.nameOf(path), text, {
      languageVersion: this.#ts.ScriptTarget.ESNext,
      jsDocParsingMode: this.#ts.JSDocParsingMode.ParseAll,
    });
    this.#sources.set(path, source);
    return source;
  }

  /**
   * Makes modules of scripts that declare the same global: two scripts that do so are never one program, but a workspace
   * full of examples would merge every `main`.
   */
  separateScripts(): void {
    const declared = new Map<string, TS.SourceFile>();
    const colliding = new Set<TS.SourceFile>();
    for (const source of this.#sources.values()) {
      if (source.isDeclarationFile || this.#ts.isExternalModule(source)) continue;
      // The binder makes these modules.
      if (/\.c?jsx?$/.test(source.fileName) && /\brequire\s*\(|\bexports\b/.test(source.text)) {
        continue;
      }
      for (const name of globalValues(this.#ts, source)) {
        const other = declared.get(name);
        if (other) colliding.add(other).add(source);
        else declared.set(name, source);
      }
    }
    for (const source of colliding) {
      (source as { externalModuleIndicator?: TS.Node }).externalModuleIndicator = source;
    }
  }

  #module(resolver: Resolver, from: string, specifier: string): TS.ResolvedModuleFull | undefined {
    const found = resolver.resolve(from, specifier, this.#languageOf.get(from) ?? "typescript")
      .filter(isCompiled);
    // A script beside its declarations: scripts mean the script, whose symbols are the code that runs.
    const path = /\.[cm]?jsx?$/.test(from) ? found[1] ?? found[0] : found[0];
    if (path === undefined) return undefined;
    return {
      resolvedFileName: this.nameOf(path),
      extension: /(\.d)?\.[cm]?[jt]sx?$/.exec(path)![0],
      isExternalLibraryImport: false,
    };
  }
}

/** Names of the values that a script declares in the global scope. */
function globalValues(ts: typeof TS, source: TS.SourceFile): string[] {
  const names: string[] = [];
  for (const statement of source.statements) {
    if (
      (ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)) && statement.name
    ) {
      names.push(statement.name.text);
    } else if (ts.isVariableStatement(statement)) {
      for (const { name } of statement.declarationList.declarations) {
        if (ts.isIdentifier(name)) names.push(name.text);
      }
    }
  }
  return names;
}

// ---- the pass over identifiers -------------------------------------------------------------------------------------

// Meanings of a name, as bits: a position asks for some, a declaration has some.
const VALUE = 1, TYPE = 2, NAMESPACE = 4, ANY_MEANING = 7;

/** Declarations of a symbol that are one target: they share a meaning, directly or through one another. */
interface Target {
  readonly meaning: number;
  readonly file: number;
  readonly start: number;
}

const NO_TARGETS: readonly Target[] = [];

/** What is expected of an object literal. */
interface Expected {
  readonly type: TS.Type | undefined;
  readonly fitting: readonly TS.Type[];
}

const KIND_INDEX = Object.fromEntries(
  REFERENCE_KINDS.map((kind, index) => [kind, index]),
) as Record<
  ReferenceKind,
  number
>;
const LINK_INDEX = Object.fromEntries(LINK_KINDS.map((kind, index) => [kind, index])) as Record<
  LinkKind,
  number
>;

class ReferenceFinder {
  readonly #ts: typeof TS;
  readonly #checker: TS.TypeChecker;
  readonly #fileIndex: ReadonlyMap<string, number>;
  readonly #targets = new Map<TS.Symbol, readonly Target[]>();
  #edges = new Map<number, Map<number, number>>(); // target file * 2^32 + start -> line -> kind
  #links: number[] = [];
  #linked = new Set<string>();
  #expected = new Map<TS.Node, Expected>();
  #source!: TS.SourceFile;
  #file = 0;

  constructor(ts: typeof TS, checker: TS.TypeChecker, fileIndex: ReadonlyMap<string, number>) {
    this.#ts = ts;
    this.#checker = checker;
    this.#fileIndex = fileIndex;
  }

  find(source: TS.SourceFile): { references: number[]; links: number[] } {
    this.#source = source;
    this.#file = this.#fileIndex.get(source.fileName)!;
    this.#edges = new Map();
    this.#links = [];
    this.#linked.clear();
    this.#expected.clear();
    this.#visit(source);
    const references: number[] = [];
    for (const [target, lines] of this.#edges) {
      const file = Math.floor(target / OFFSETS), start = target % OFFSETS;
      for (const [line, kind] of lines) references.push(line, kind, file, start);
    }
    return { references, links: this.#links };
  }

  #visit = (node: TS.Node): void => {
    const { SyntaxKind } = this.#ts;
    switch (node.kind) {
      case SyntaxKind.Identifier:
      case SyntaxKind.PrivateIdentifier:
        this.#name(node as TS.Identifier | TS.PrivateIdentifier);
        return;
      case SyntaxKind.StringLiteral:
      case SyntaxKind.NoSubstitutionTemplateLiteral:
      case SyntaxKind.NumericLiteral:
        if (this.#namesProperty(node)) this.#name(node as TS.StringLiteral);
        return;
    }
    const { jsDoc } = node as { jsDoc?: readonly TS.Node[] };
    if (jsDoc) { for (const doc of jsDoc) this.#ts.forEachChild(doc, this.#visit); }
    this.#ts.forEachChild(node, this.#visit);
  };

  /** Whether a literal stands where a property name could. */
  #namesProperty(node: TS.Node): boolean {
    const ts = this.#ts;
    const { parent } = node;
    return (ts.isElementAccessExpression(parent) && parent.argumentExpression === node) ||
      (ts.isIndexedAccessTypeNode(parent.parent) && ts.isLiteralTypeNode(parent) &&
        parent.parent.indexType === parent) ||
      ((ts.isPropertyAssignment(parent) || ts.isPropertySignature(parent) ||
        ts.isPropertyDeclaration(parent) ||
        ts.isMethodDeclaration(parent) || ts.isMethodSignature(parent) || ts.isAccessor(parent) ||
        ts.isEnumMember(parent)) && parent.name === node) ||
      (ts.isBindingElement(parent) && parent.propertyName === node);
  }

  #name(node: TS.Identifier | TS.PrivateIdentifier | TS.StringLiteral): void {
    const ts = this.#ts;
    const { parent } = node;
    if (ts.isImportSpecifier(parent) || ts.isImportClause(parent) || ts.isNamespaceImport(parent)) {
      return this.#refer(node, this.#symbolAt(node), KIND_INDEX.import, ANY_MEANING);
    }
    if (ts.isExportSpecifier(parent) || ts.isNamespaceExport(parent)) {
      return this.#refer(node, this.#symbolAt(node), KIND_INDEX.reexport, ANY_MEANING);
    }
    if (ts.isImportEqualsDeclaration(parent) && parent.name === node) {
      return this.#refer(node, this.#symbolAt(node), KIND_INDEX.import, ANY_MEANING);
    }
    if (ts.isShorthandPropertyAssignment(parent) && parent.name === node) {
      const value = this.#checker.getShorthandAssignmentValueSymbol(parent);
      this.#refer(node, value, KIND_INDEX.read, VALUE);
      return this.#shape(node, parent);
    }
    if (this.#isDeclarationName(node)) return this.#declared(node);
    if (
      ts.isMetaProperty(parent) || ts.isBreakOrContinueStatement(parent) ||
      ts.isLabeledStatement(parent) || isExportsObject(ts, node)
    ) return;
    const symbol = this.#symbolAt(node);
    const kind = this.#kindOf(node);
    // `exports.shown = hidden` writes nothing: it passes `hidden` on under another name.
    const passesOn = kind === KIND_INDEX.write && symbol &&
      (symbol.flags & ts.SymbolFlags.Alias) !== 0;
    this.#refer(node, symbol, passesOn ? KIND_INDEX.reexport : kind, this.#meaningAt(node));
  }

  #symbolAt(node: TS.Node): TS.Symbol | undefined {
    return this.#checker.getSymbolAtLocation(node);
  }

  #isDeclarationName(node: TS.Node): boolean {
    const parent = node.parent as TS.NamedDeclaration;
    if (parent.name !== node) return false;
    const ts = this.#ts;
    switch (parent.kind) {
      case ts.SyntaxKind.PropertyAccessExpression:
      case ts.SyntaxKind.MetaProperty:
      case ts.SyntaxKind.JSDocNameReference:
      case ts.SyntaxKind.JSDocLink:
      case ts.SyntaxKind.JSDocLinkCode:
      case ts.SyntaxKind.JSDocLinkPlain:
      case ts.SyntaxKind.JSDocParameterTag:
      case ts.SyntaxKind.JSDocPropertyTag:
        return false;
      default:
        return true;
    }
  }

  // ---- declarations ------------------------------------------------------------------------------------------------

  #declared(node: TS.Identifier | TS.PrivateIdentifier | TS.StringLiteral): void {
    const ts = this.#ts;
    const { parent } = node;
    const symbol = this.#symbolAt(node);
    if (symbol && (symbol.flags & ts.SymbolFlags.Alias) !== 0) {
      // `const x = require("…")`, `const { x } = require("…")`.
      return this.#refer(node, symbol, KIND_INDEX.import, ANY_MEANING);
    }
    if (ts.isBindingElement(parent)) {
      if (!parent.propertyName && ts.isObjectBindingPattern(parent.parent)) {
        const property = this.#checker.getTypeAtLocation(parent.parent).getProperty(node.text);
        this.#refer(node, property, KIND_INDEX.read, VALUE);
        this.#link(node, property, "shape");
      }
      return;
    }
    if (ts.isPropertyAssignment(parent) || ts.isJsxAttribute(parent)) {
      return this.#shape(node, parent);
    }
    if (ts.isObjectLiteralExpression(parent.parent)) {
      return this.#shape(node, parent as TS.ObjectLiteralElementLike);
    }
    if (!symbol) return;
    this.#merged(node, symbol);
    if (ts.isClassElement(parent) || ts.isTypeElement(parent) || ts.isParameter(parent)) {
      this.#overrides(node, symbol);
    }
  }

  /** Ties a declaration to the first of those that are one thing with it. */
  #merged(node: TS.Node, symbol: TS.Symbol): void {
    if ((symbol.declarations?.length ?? 0) < 2) return;
    const start = node.getStart(this.#source);
    const meaning = meaningOf(this.#ts, node.parent as TS.Declaration);
    for (const target of this.#targetsOf(symbol)) {
      if ((target.meaning & meaning) !== 0) this.#addLink(start, LINK_INDEX.same, target);
    }
  }

  /** Ties a member to the members of base types that it overrides or implements. */
  #overrides(node: TS.Node, symbol: TS.Symbol): void {
    for (const property of this.#rootsOf(symbol)) {
      const owner = (property as { parent?: TS.Symbol }).parent;
      if (owner) this.#basesOf(node, owner, property.name, new Set());
    }
  }

  #basesOf(node: TS.Node, owner: TS.Symbol, name: string, seen: Set<TS.Symbol>): void {
    const ts = this.#ts;
    if (!(owner.flags & (ts.SymbolFlags.Class | ts.SymbolFlags.Interface)) || seen.has(owner)) {
      return;
    }
    seen.add(owner);
    for (const declaration of owner.declarations ?? []) {
      if (!ts.isClassLike(declaration) && !ts.isInterfaceDeclaration(declaration)) continue;
      for (const clause of declaration.heritageClauses ?? []) {
        for (const reference of clause.types) {
          const type = this.#checker.getTypeAtLocation(reference);
          const property = type.symbol && this.#checker.getPropertyOfType(type, name);
          if (property) this.#link(node, property, "overrides");
          if (type.symbol) this.#basesOf(node, type.symbol, name, seen);
        }
      }
    }
  }

  /** A property of a literal: it writes the property of the type that is expected there. */
  #shape(
    node: TS.Identifier | TS.PrivateIdentifier | TS.StringLiteral,
    element: TS.ObjectLiteralElementLike | TS.JsxAttribute,
  ): void {
    const ts = this.#ts;
    const literal = element.parent as TS.Expression;
    if (ts.isObjectLiteralExpression(literal) && isAssignmentPattern(ts, literal)) {
      const property = this.#checker.getTypeAtLocation(literal).getProperty(node.text);
      return this.#refer(node, property, KIND_INDEX.read, VALUE);
    }
    const { type, fitting } = this.#expectedAt(literal);
    if (!type) return;
    for (const property of propertiesOf(type, fitting, node.text)) {
      this.#refer(node, property, KIND_INDEX.write, VALUE);
      this.#link(node, property, "shape");
    }
  }

  /** The type that is expected of a literal, and the members of a union that its discriminants leave. */
  #expectedAt(literal: TS.Expression): Expected {
    let expected = this.#expected.get(literal);
    if (!expected) {
      const checker = this.#checker as TS.TypeChecker & {
        isTypeInvalidDueToUnionDiscriminant?(type: TS.Type, literal: TS.Node): boolean;
      };
      const type = checker.getContextualType(literal);
      const fitting = type?.isUnion()
        ? type.types.filter((member) =>
          !checker.isTypeInvalidDueToUnionDiscriminant?.(member, literal)
        )
        : [];
      this.#expected.set(literal, expected = { type, fitting });
    }
    return expected;
  }

  // ---- references --------------------------------------------------------------------------------------------------

  #refer(node: TS.Node, symbol: TS.Symbol | undefined, kind: number, meaning: number): void {
    if (!symbol) return;
    const start = node.getStart(this.#source);
    for (const root of this.#rootsOf(symbol)) {
      for (const target of this.#targetsOf(root)) {
        if ((target.meaning & meaning) === 0) continue;
        if (target.file === this.#file && target.start === start) continue;
        const key = target.file * OFFSETS + target.start;
        let lines = this.#edges.get(key);
        if (!lines) this.#edges.set(key, lines = new Map());
        const line = this.#lineOf(start);
        const present = lines.get(line);
        if (present === undefined || kind < present) lines.set(line, kind);
      }
    }
  }

  #link(node: TS.Node, symbol: TS.Symbol | undefined, kind: LinkKind): void {
    if (!symbol) return;
    const start = node.getStart(this.#source);
    for (const root of this.#rootsOf(symbol)) {
      for (const target of this.#targetsOf(root)) {
        this.#addLink(start, LINK_INDEX[kind], target);
      }
    }
  }

  #addLink(start: number, kind: number, { file, start: to }: Target): void {
    const key = `${start} ${kind} ${file} ${to}`;
    if ((file === this.#file && to === start) || this.#linked.has(key)) return;
    this.#linked.add(key);
    this.#links.push(start, this.#lineOf(start), kind, file, to);
  }

  #lineOf(start: number): number {
    return this.#source.getLineAndCharacterOfPosition(start).line + 1;
  }

  /** The symbols behind a symbol: through aliases to what is imported, from a union's property to those of its members. */
  #rootsOf(symbol: TS.Symbol): readonly TS.Symbol[] {
    const { SymbolFlags } = this.#ts;
    if (symbol.flags & SymbolFlags.Alias) {
      const aliased = this.#checker.getAliasedSymbol(symbol);
      if (
        aliased.flags & SymbolFlags.ValueModule && aliased.declarations?.some(this.#ts.isSourceFile)
      ) {
        return [this.#lastAlias(symbol)];
      }
      symbol = this.#required(aliased) ?? aliased;
    }
    return symbol.flags & SymbolFlags.Transient ? this.#checker.getRootSymbols(symbol) : [symbol];
  }

  /** What `module.exports = require("…")` passes on: the compiler makes no alias of it. */
  #required(symbol: TS.Symbol): TS.Symbol | undefined {
    const ts = this.#ts;
    const declaration = symbol.escapedName === "export=" ? symbol.declarations?.[0] : undefined;
    if (!declaration || !ts.isBinaryExpression(declaration)) return undefined;
    const value = declaration.right;
    if (!ts.isCallExpression(value) || !ts.isIdentifier(value.expression)) return undefined;
    return value.expression.text === "require"
      ? this.#checker.getTypeAtLocation(value).symbol
      : undefined;
  }

  /** What stands for a whole module: the last name given to it on the way (`export * as core`). */
  #lastAlias(symbol: TS.Symbol): TS.Symbol {
    const checker = this.#checker as TS.TypeChecker & {
      getImmediateAliasedSymbol?(symbol: TS.Symbol): TS.Symbol | undefined;
    };
    for (let steps = 0; steps < MAX_ALIASES; steps++) {
      const next = checker.getImmediateAliasedSymbol?.(symbol);
      if (!next || !(next.flags & this.#ts.SymbolFlags.Alias)) break;
      symbol = next;
    }
    return symbol;
  }

  #targetsOf(symbol: TS.Symbol): readonly Target[] {
    let targets = this.#targets.get(symbol);
    if (targets) return targets;
    targets = this.#group(symbol);
    this.#targets.set(symbol, targets);
    return targets;
  }

  #group(symbol: TS.Symbol): readonly Target[] {
    const groups: { meaning: number; file: number; start: number }[] = [];
    for (const declaration of symbol.declarations ?? []) {
      const source = declaration.getSourceFile();
      const file = this.#fileIndex.get(source.fileName);
      if (file === undefined || isLocal(this.#ts, declaration)) continue;
      const start = nameStart(this.#ts, declaration, source);
      if (start === undefined) continue;
      let group = { meaning: meaningOf(this.#ts, declaration), file, start };
      for (let i = groups.length - 1; i >= 0; i--) {
        const other = groups[i]!;
        if ((other.meaning & group.meaning) === 0) continue;
        groups.splice(i, 1);
        const first =
          other.file < group.file || (other.file === group.file && other.start < group.start)
            ? other
            : group;
        group = { meaning: other.meaning | group.meaning, file: first.file, start: first.start };
      }
      groups.push(group);
    }
    return groups.length === 0 ? NO_TARGETS : groups;
  }

  /** Whether the file has the name of a literal as an identifier or as the name of a property. */
  #isNamed(literal: TS.Node): boolean {
    // Not in the public type: every name of the file, as the parser interned it.
    const { identifiers } = this.#source as { identifiers?: ReadonlyMap<string, string> };
    return identifiers?.has((literal as TS.StringLiteral).text) ?? true;
  }

  // ---- positions ---------------------------------------------------------------------------------------------------

  #meaningAt(node: TS.Node): number {
    const ts = this.#ts;
    const { parent } = node;
    if (ts.isExportAssignment(parent)) return ANY_MEANING;
    let top = node;
    while (
      ts.isQualifiedName(top.parent) ||
      (ts.isPropertyAccessExpression(top.parent) && inHeritage(ts, top.parent))
    ) {
      if (
        (top.parent as TS.QualifiedName).left === top ||
        (top.parent as TS.PropertyAccessExpression).expression === top
      ) {
        return this.#inImportEquals(top) ? ANY_MEANING : NAMESPACE | VALUE;
      }
      top = top.parent;
    }
    if (this.#inImportEquals(top)) return ANY_MEANING;
    if (ts.isTypeQueryNode(top.parent)) return VALUE;
    if (ts.isExpressionWithTypeArguments(top.parent) && ts.isHeritageClause(top.parent.parent)) {
      const { token, parent: owner } = top.parent.parent;
      return token === ts.SyntaxKind.ExtendsKeyword && ts.isClassLike(owner) ? VALUE | TYPE : TYPE;
    }
    if (ts.isJSDocNameReference(parent) || isJSDocLink(ts, parent)) return ANY_MEANING;
    if (ts.isLiteralTypeNode(parent)) return VALUE;
    return ts.isPartOfTypeNode(node) || ts.isTypePredicateNode(parent)
      ? (ts.isTypePredicateNode(parent) ? VALUE : TYPE | NAMESPACE)
      : VALUE;
  }

  #inImportEquals(node: TS.Node): boolean {
    return this.#ts.isImportEqualsDeclaration(node.parent);
  }

  #kindOf(node: TS.Node): number {
    const ts = this.#ts;
    let top = node;
    // Only the last name of a chain is called, written or inherited from.
    while (
      (ts.isPropertyAccessExpression(top.parent) && top.parent.name === top) ||
      (ts.isElementAccessExpression(top.parent) && top.parent.argumentExpression === top) ||
      (ts.isQualifiedName(top.parent) && top.parent.right === top)
    ) top = top.parent;
    let { parent } = top;
    if (ts.isLiteralTypeNode(parent)) return this.#isNamed(node) ? KIND_INDEX.type : LITERAL_KIND;
    while (ts.isNonNullExpression(parent) || ts.isParenthesizedExpression(parent)) {
      top = parent;
      parent = top.parent;
    }
    if (ts.isExpressionWithTypeArguments(parent) && ts.isHeritageClause(parent.parent)) {
      return parent.parent.token === ts.SyntaxKind.ImplementsKeyword
        ? KIND_INDEX.implements
        : KIND_INDEX.extends;
    }
    if (ts.isImportEqualsDeclaration(parent)) return KIND_INDEX.import;
    if (ts.isExportAssignment(parent) || isModuleExports(ts, parent, top)) {
      return KIND_INDEX.reexport;
    }
    if (isCallee(ts, parent, top)) return KIND_INDEX.call;
    if (isWritten(ts, parent, top)) return KIND_INDEX.write;
    if (ts.isTypeQueryNode(parent) || ts.isPartOfTypeNode(top) || ts.isTypePredicateNode(parent)) {
      return KIND_INDEX.type;
    }
    return KIND_INDEX.read;
  }
}

/** A property of an expected type; of a union, in the members that fit. */
function propertiesOf(type: TS.Type, fitting: readonly TS.Type[], name: string): TS.Symbol[] {
  const whole = type.getProperty(name);
  if (!type.isUnion()) return whole ? [whole] : [];
  const found = (members: readonly TS.Type[]): TS.Symbol[] =>
    members.map((member) => member.getProperty(name)).filter((property) => property !== undefined);
  const properties = found(fitting);
  if (whole && (properties.length === 0 || fitting.length === type.types.length)) return [whole];
  return properties.length === 0 ? found(type.types) : properties;
}

// Offsets of a file are below this, so that a file and an offset make one exact number.
const OFFSETS = 2 ** 32;
// Chains of aliases are short; this ends a circle.
const MAX_ALIASES = 64;

/** `exports` in `exports.x = …`: the compiler takes it for `x`. */
function isExportsObject(ts: typeof TS, { text, parent }: TS.Node & { text: string }): boolean {
  return (text === "exports" || text === "module") && ts.isPropertyAccessExpression(parent) &&
    ts.isBinaryExpression(parent.parent) && parent.parent.left === parent &&
    parent.name.text !== text;
}

/** Whether a value is the right side of `module.exports = …`. */
function isModuleExports(ts: typeof TS, parent: TS.Node, node: TS.Node): boolean {
  return ts.isBinaryExpression(parent) && parent.right === node &&
    parent.operatorToken.kind === ts.SyntaxKind.EqualsToken &&
    ts.isPropertyAccessExpression(parent.left) && parent.left.name.text === "exports" &&
    ts.isIdentifier(parent.left.expression) && parent.left.expression.text === "module";
}

function isJSDocLink(ts: typeof TS, node: TS.Node): boolean {
  return ts.isJSDocLink(node) || ts.isJSDocLinkCode(node) || ts.isJSDocLinkPlain(node);
}

function isCallee(ts: typeof TS, parent: TS.Node, node: TS.Node): boolean {
  if (ts.isCallExpression(parent) || ts.isNewExpression(parent) || ts.isDecorator(parent)) {
    return parent.expression === node;
  }
  if (ts.isTaggedTemplateExpression(parent)) return parent.tag === node;
  return (ts.isJsxOpeningElement(parent) || ts.isJsxSelfClosingElement(parent) ||
    ts.isJsxClosingElement(parent)) &&
    parent.tagName === node;
}

function isWritten(ts: typeof TS, parent: TS.Node, node: TS.Node): boolean {
  if (ts.isBinaryExpression(parent)) {
    const { kind } = parent.operatorToken;
    return parent.left === node && kind >= ts.SyntaxKind.FirstAssignment &&
      kind <= ts.SyntaxKind.LastAssignment;
  }
  if (ts.isPrefixUnaryExpression(parent) || ts.isPostfixUnaryExpression(parent)) {
    return parent.operator === ts.SyntaxKind.PlusPlusToken ||
      parent.operator === ts.SyntaxKind.MinusMinusToken;
  }
  if (ts.isDeleteExpression(parent)) return true;
  return (ts.isForOfStatement(parent) || ts.isForInStatement(parent)) &&
    parent.initializer === node;
}

/** Whether an object literal is the left side of a destructuring assignment. */
function isAssignmentPattern(ts: typeof TS, literal: TS.ObjectLiteralExpression): boolean {
  const { parent } = literal;
  if (ts.isBinaryExpression(parent)) {
    return parent.left === literal && parent.operatorToken.kind === ts.SyntaxKind.EqualsToken;
  }
  return ts.isForOfStatement(parent) && parent.initializer === literal;
}

function inHeritage(ts: typeof TS, node: TS.Node): boolean {
  let top = node;
  while (ts.isPropertyAccessExpression(top.parent)) top = top.parent;
  return ts.isExpressionWithTypeArguments(top.parent) && ts.isHeritageClause(top.parent.parent);
}

function meaningOf(ts: typeof TS, declaration: TS.Declaration): number {
  const { SyntaxKind } = ts;
  switch (declaration.kind) {
    case SyntaxKind.InterfaceDeclaration:
    case SyntaxKind.TypeAliasDeclaration:
    case SyntaxKind.TypeParameter:
    case SyntaxKind.TypeLiteral:
    case SyntaxKind.JSDocTypedefTag:
    case SyntaxKind.JSDocCallbackTag:
    case SyntaxKind.JSDocEnumTag:
      return TYPE;
    case SyntaxKind.ClassDeclaration:
    case SyntaxKind.ClassExpression:
    case SyntaxKind.EnumDeclaration:
    case SyntaxKind.EnumMember:
      return VALUE | TYPE;
    case SyntaxKind.ModuleDeclaration:
      return VALUE | NAMESPACE;
    case SyntaxKind.NamespaceImport:
    case SyntaxKind.NamespaceExport:
    case SyntaxKind.ImportClause:
    case SyntaxKind.ImportSpecifier:
    case SyntaxKind.ExportSpecifier:
    case SyntaxKind.ImportEqualsDeclaration:
    case SyntaxKind.NamespaceExportDeclaration:
    case SyntaxKind.ExportAssignment:
    case SyntaxKind.SourceFile:
      return ANY_MEANING;
    default:
      return VALUE;
  }
}

/** Whether a declaration is a parameter, a type parameter, or a plain variable inside a function body. */
function isLocal(ts: typeof TS, declaration: TS.Declaration): boolean {
  if (ts.isTypeParameterDeclaration(declaration)) return true;
  if (ts.isParameter(declaration)) {
    return !ts.isParameterPropertyDeclaration(declaration, declaration.parent);
  }
  if (ts.isVariableDeclaration(declaration)) {
    const { initializer } = declaration;
    if (initializer && (ts.isFunctionLike(initializer) || ts.isClassLike(initializer))) {
      return false;
    }
  } else if (!ts.isBindingElement(declaration)) return false;
  for (let node: TS.Node = declaration.parent; !ts.isSourceFile(node); node = node.parent) {
    if (
      ts.isFunctionLike(node) || ts.isCatchClause(node) || ts.isClassStaticBlockDeclaration(node)
    ) return true;
  }
  return false;
}

/** Where the name of a declaration stands; its own start where it has no name. */
function nameStart(
  ts: typeof TS,
  declaration: TS.Declaration,
  source: TS.SourceFile,
): number | undefined {
  if (ts.isSourceFile(declaration)) return undefined;
  const name = ts.getNameOfDeclaration(declaration);
  return (name ?? declaration).getStart(source);
}
