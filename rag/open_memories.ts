/**
 * Memories that stay open between commands, for a process that serves many of them: what a search has read of the index stays read.
 *
 * Owns one memory a workspace, open for reading. What must hold: whoever takes one disposes of it as of any other, and it stays open;
 * an index that was deleted or replaced on disk is never read again.
 */
import { statSync } from "node:fs";
import { join } from "node:path";
import { type Memory, openMemory, stateFolder } from "./memory.ts";

/** See the module text. */
export class OpenMemories implements Disposable {
  readonly #open = new Map<string, { readonly memory: Memory; readonly file: string }>();

  /**
   * The memory of a workspace, opened when it is first asked for.
   * @param root absolute path of the workspace
   * @throws as `openMemory` does for reading
   */
  take(root: string): Memory {
    const file = identityOf(join(stateFolder(root), "image.db"));
    const kept = this.#open.get(root);
    if (kept !== undefined && kept.file === file) return kept.memory.share();
    this.#open.delete(root);
    kept?.memory.close();
    const memory = openMemory(root, { readOnly: true });
    this.#open.set(root, { memory, file });
    return memory.share();
  }

  /** Closes all of them; one that is in use closes when its last user is done. */
  [Symbol.dispose](): void {
    for (const { memory } of this.#open.values()) memory.close();
    this.#open.clear();
  }
}

/** Tells a file from another that took its place; empty when there is none. */
function identityOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false, bigint: true });
  return stat === undefined ? "" : `${stat.dev}:${stat.ino}`;
}
