/**
 * The build of the compiler's references: which files need it, and what it stores.
 *
 * Owns when references are out of date. What must hold: one transaction at the end, so an interrupted build leaves the last one; what was
 * found for a file is found anew when it changed, when what it imports changed, directly or not, and when modules may be resolved
 * otherwise.
 */
import { createHash } from "node:crypto";
import { createResolver, isCompiled, resolveReferences } from "../ingest/mod.ts";
import type { GraphFiles } from "./graph_files.ts";
import { type DeclarationLink, GraphStore, type ReferenceEdge } from "./graph_store.ts";
import type { BuildOptions, BuildReport, GraphSourceFile } from "./graph_values.ts";

// Rises whenever other edges are found in the same files.
const GRAPH_VERSION = 1;
// Files whose change may change what any import means.
const RESOLUTION_FILES =
  /(^|\/)(package\.json|[jt]sconfig[^/]*\.json|deno\.jsonc?|import_map\.json|pnpm-workspace\.yaml|lerna\.json)$/;

/** See the module text. */
export class GraphBuild {
  readonly #files: GraphFiles;
  readonly #imports: GraphStore;
  readonly #references: GraphStore;

  /**
   * @param imports the import edges of the index
   * @param references where the compiler's references are kept
   */
  constructor(files: GraphFiles, imports: GraphStore, references: GraphStore) {
    this.#files = files;
    this.#imports = imports;
    this.#references = references;
  }

  /** Whether the references are those of the files as they are. */
  isDue(): boolean {
    const { dirty, gone } = this.#stale();
    return dirty.size > 0 || gone.length > 0;
  }

  /**
   * Brings the compiler's references up to date: those of new and changed files, of all files that import them directly or
   * not, and of all files whose references led into a changed or vanished one. Everything is found anew when a file that
   * steers module resolution changed, or one that declares globals.
   *
   * One transaction at the end: an interrupted build leaves the last one. Throws what `signal` was aborted with.
   */
  async run(options: BuildOptions = {}): Promise<BuildReport> {
    const started = performance.now();
    const { dirty, gone, config } = this.#stale();
    if (dirty.size === 0 && gone.length === 0) return { files: 0, ms: performance.now() - started };
    const read = (path: string): string | undefined => {
      const file = this.#files.byPath.get(path);
      return file && this.#files.source.text(file.id);
    };
    const files = this.#files.list;
    const resolver = createResolver({ paths: new Set(this.#files.byPath.keys()), read });
    const only = new Set([...dirty].map((id) => this.#files.byId.get(id)!.path));
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
      const { id, hash } = this.#files.byPath.get(path)!;
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
    return { files: found.length, ms: performance.now() - started };
  }

  /** Files whose references are missing or may have changed, and ids of files that are no more. */
  #stale(): { dirty: Set<number>; gone: number[]; config: string } {
    const compiled = this.#files.list.filter((file) => isCompiled(file.path));
    const hash = createHash("sha256").update(`${GRAPH_VERSION}\n`);
    for (const file of this.#files.list) {
      if (RESOLUTION_FILES.test(file.path)) hash.update(`${file.path}\0${file.hash}\n`);
    }
    const config = hash.digest("hex");
    const hashes = this.#references.referenceHashes();
    const changed = compiled.filter((file) => !GraphStore.sameHash(hashes.get(file.id), file.hash));
    const gone = [...hashes.keys()].filter((id) =>
      !this.#files.byId.has(id) || !isCompiled(this.#files.byId.get(id)!.path)
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
      if (!this.#files.byId.has(id) || !isCompiled(this.#files.byId.get(id)!.path)) {
        dirty.delete(id);
      }
    }
    return { dirty, gone, config };
  }

  /** Whether a file may declare names that others see without importing it. */
  #declaresGlobals(file: GraphSourceFile): boolean {
    if (/\.d\.[cm]?ts$/.test(file.path)) return true;
    const text = this.#files.source.text(file.id);
    return /\bdeclare\s+(global|module)\b/.test(text) ||
      !/^\s*(import|export)\b|\bexports\b|\brequire\s*\(/m.test(text);
  }
}
