/**
 * Reference edges of TypeScript and JavaScript, exact because the compiler finds them.
 *
 * Owns the run: one compiler program over the whole workspace (`graph_program.ts`) and one pass over its identifiers
 * (`graph_finder.ts`). What must hold: one value a file, in the order of the list; the event loop is given back every few
 * milliseconds, except while the program binds.
 */
import { ReferenceFinder } from "./graph_finder.ts";
import { compilerOptions, isCompiled, WorkspaceHost } from "./graph_program.ts";
import { Pause } from "./pause.ts";
import type { FileReferences, GraphFile } from "./reference_edges.ts";
import { createResolver, type Resolver } from "./resolve.ts";

/** Options of `resolveReferences`. */
export interface ReferenceOptions {
  /** Paths whose edges are wanted; all by default. The others still take part in the program. */
  readonly only?: ReadonlySet<string>;
  readonly resolver?: Resolver;
  /** Files done, of how many. */
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
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
