/**
 * Which file imports which: the edges that every ingest renews.
 *
 * What must hold: the edges are a function of the files in the index alone; rows that are right already are not written.
 */
import type { DatabaseSync } from "node:sqlite";
import { createResolver, type Import } from "../ingest/mod.ts";
import { GraphStore, type ImportEdge } from "./graph_store.ts";

/** What the import edges are made from. */
export interface ImportSource {
  readonly database: DatabaseSync;
  files(): readonly { readonly id: number; readonly path: string; readonly language: string }[];
  imports(id: number): readonly Import[];
  text(id: number): string;
}

/** Files whose content decides what the imports of others mean; in Elixir and Scala a file says which modules it holds. */
const STEERING =
  /(^|\/)(package\.json|[jt]sconfig[^/]*\.json|deno\.jsonc?|import_map\.json|pnpm-workspace\.yaml|lerna\.json|go\.mod|Cargo\.toml|composer\.json|pyproject\.toml|setup\.(py|cfg)|build\.zig|[^/]+\.(exs?|scala))$/;

/** Whether a change of this file changes what the imports of other files mean. */
export function steersImports(path: string): boolean {
  return STEERING.test(path);
}

/**
 * Brings `import_edge` in line with the files. Rows that are right already are not written. To be called where files
 * changed, in the transaction of that change.
 *
 * @param only the files whose content changed, where no file came or went and none of them steers imports; else all imports are
 * gone through, since a file that came or went changes what the imports of others mean
 */
export function updateImportEdges(source: ImportSource, only?: ReadonlySet<string>): void {
  const files = source.files();
  const ids = new Map(files.map((file) => [file.path, file.id]));
  const resolver = createResolver({
    paths: new Set(ids.keys()),
    read: (path) => {
      const id = ids.get(path);
      return id === undefined ? undefined : source.text(id);
    },
  });
  const store = new GraphStore(source.database);
  const present = new Map<number, ImportEdge[]>();
  for (const edge of store.allImports()) {
    const list = present.get(edge.from);
    if (list) list.push(edge);
    else present.set(edge.from, [edge]);
  }
  store.transaction(() => {
    for (const file of files) {
      if (only && !only.has(file.path)) {
        present.delete(file.id);
        continue;
      }
      const edges: ImportEdge[] = [];
      source.imports(file.id).forEach(({ specifier, line, kind, names }, ordinal) => {
        const targets = resolver.resolve(
          file.path,
          specifier,
          file.language,
          names.map(({ name }) => name),
        );
        for (const target of targets) {
          const to = ids.get(target);
          if (to !== undefined && to !== file.id) {
            edges.push({ from: file.id, ordinal, to, line, kind });
          }
        }
      });
      edges.sort((a, b) => a.ordinal - b.ordinal || a.to - b.to);
      const old = present.get(file.id) ?? [];
      if (!sameEdges(old, edges)) store.replaceImports(file.id, edges);
      present.delete(file.id);
    }
    for (const gone of present.keys()) store.replaceImports(gone, []);
  });
}

function sameEdges(a: readonly ImportEdge[], b: readonly ImportEdge[]): boolean {
  return a.length === b.length && a.every((edge, i) => {
    const other = b[i]!;
    return edge.ordinal === other.ordinal && edge.to === other.to && edge.line === other.line &&
      edge.kind === other.kind;
  });
}
