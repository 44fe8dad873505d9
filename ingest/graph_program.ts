/**
 * A workspace as the compiler is shown it: one program over all of its files.
 *
 * Owns the host of that program. What must hold: texts come from `read` alone, modules from the resolver of `resolve.ts`, the standard
 * library from the package of the compiler; no disk, no `node_modules`.
 */
import type { ts as TS } from "ts-morph";
import type { GraphFile } from "./reference_edges.ts";
import type { Resolver } from "./resolve.ts";

const COMPILED = /\.[cm]?[jt]sx?$/;

/** Whether the compiler takes part in the references of a file. */
export function isCompiled(path: string): boolean {
  return COMPILED.test(path);
}

/** One set of options for every file: types are only wanted for the symbols that they lead to. */
export function compilerOptions(ts: typeof TS): TS.CompilerOptions {
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

const LIBRARY_FOLDER = "/node_modules/typescript/lib";

// The trees of the standard library, bound by the first program: another build soon after need not make them again.
let libraryTrees: WeakRef<Map<string, TS.SourceFile>> | undefined;

/** Shows the workspace to the compiler as a disk whose root it is, with the standard library beside it. */
export class WorkspaceHost {
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
