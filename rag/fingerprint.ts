/**
 * The fingerprint of an index: what was derived, as one hash.
 *
 * Owns what it covers. What must hold: it does not depend on the history of the index, so a rebuild has the same; where anything that was
 * derived differs, it differs.
 */
import { createHash } from "node:crypto";
import type { Store } from "./store.ts";
import type { VectorStore } from "./vectors.ts";

/** SHA-256 as hexadecimal over files, chunks, definitions, summaries and vectors. Inside a snapshot. */
export function fingerprintOf(store: Store, vectors: VectorStore): string {
  const hash = createHash("sha256");
  // A row a file: SQLite puts the chunks of one together several times as fast as they would come one by one. Their JSON, one a line,
  // holds no line end.
  for (
    const { path, hash: content, chunks } of store.all(
      `SELECT f.path, f.hash, (
         SELECT group_concat(json_array(c.start, c."end", c.start_line, c.end_line, c.node_type, c.node_name, c.parents,
           hex(c.dependencies), c.tokens), char(10) ORDER BY c.id)
         FROM chunk c WHERE c.file = f.id AND c.id >= f.first_chunk AND c.id < f.first_chunk + f.chunk_count) AS chunks
       FROM file f ORDER BY f.path`,
    )
  ) hash.update(`${JSON.stringify(path)} ${content}\n${chunks ?? ""}\n`);
  for (
    const { path, data } of store.all(
      "SELECT f.path, d.data FROM definition d JOIN file f ON f.id = d.file ORDER BY f.path",
    )
  ) hash.update(`${JSON.stringify(path)}\n`).update(data as Uint8Array);
  for (const row of store.all("SELECT path, level, text FROM summary ORDER BY path")) {
    hash.update(JSON.stringify(Object.values(row)) + "\n");
  }
  vectors.digest((part) => hash.update(part));
  return hash.digest("hex");
}
