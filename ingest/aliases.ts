/**
 * Which imports a piece of text uses, by the names that they are bound to.
 *
 * Owns the table from bound name to module. What must hold: one pass over the text, no allocation but for names that may
 * be in the table; a name inside a comment or a string counts as use.
 */

import type { Import } from "./source_file.ts";

const NO_WORD = 0, IN_WORD = 1, FIRST = 2;

/** ASCII characters that names are made of. */
const WORD = new Uint8Array(128);
WORD.fill(IN_WORD, 97, 123);
WORD.fill(IN_WORD, 65, 91);
WORD.fill(IN_WORD, 48, 58);
WORD[95] = WORD[36] = IN_WORD;

export class Aliases {
  private readonly specifiers: string[] = [];
  private readonly names: string[] = [];
  private readonly owners: number[] = [];
  /** Open addressing: index into `names` + 1, by hash. */
  private readonly table: Uint16Array;
  private readonly mask: number;
  /** The last piece in which a module was seen, so that no set is needed. */
  private readonly seen: Int32Array;
  private piece = 0;
  /** What to do with an ASCII character where a word may begin: pass over it, pass over its word, look the word up. */
  private readonly first = WORD.slice();

  constructor(imports: readonly Import[]) {
    const known = new Map<string, number>();
    const bound = new Map<string, number>();
    for (const { specifier, names } of imports) {
      let owner = known.get(specifier);
      if (owner === undefined) {
        owner = this.specifiers.length;
        this.specifiers.push(specifier);
        known.set(specifier, owner);
      }
      for (const { alias } of names) {
        if (alias !== "*" && alias !== "" && !bound.has(alias) && this.names.length < 0xfff0) {
          bound.set(alias, owner);
          this.names.push(alias);
          this.owners.push(owner);
        }
      }
    }
    let size = 16;
    while (size < this.names.length * 4) size *= 2;
    this.mask = size - 1;
    this.table = new Uint16Array(size);
    for (let index = 0; index < this.names.length; index++) {
      const name = this.names[index]!;
      let hash = 0;
      for (let at = 0; at < name.length; at++) {
        hash = (Math.imul(hash, 31) + name.charCodeAt(at)) | 0;
      }
      let slot = hash & this.mask;
      while (this.table[slot] !== 0) slot = (slot + 1) & this.mask;
      this.table[slot] = index + 1;
    }
    this.seen = new Int32Array(this.specifiers.length);
    for (const name of this.names) {
      const first = name.charCodeAt(0);
      if (first < 128) this.first[first] = FIRST;
    }
  }

  /** Modules of which a bound name occurs in `[start, end)`, in the order of their imports. */
  usedIn(text: string, start: number, end: number): string[] {
    if (this.names.length === 0) return [];
    const { table, mask, seen, first } = this;
    const piece = ++this.piece;
    let found = 0;
    let at = start;
    while (at < end) {
      let code = text.charCodeAt(at);
      const role = code < 128 ? first[code]! : FIRST;
      if (role === NO_WORD) {
        at++;
        continue;
      }
      const from = at;
      let hash = 0;
      if (role === IN_WORD) {
        do code = text.charCodeAt(++at); while (
          at < end && (code < 128 ? WORD[code] === IN_WORD : true)
        );
        continue;
      }
      do {
        hash = (Math.imul(hash, 31) + code) | 0;
        code = text.charCodeAt(++at);
      } while (at < end && (code < 128 ? WORD[code] === IN_WORD : true));
      for (let slot = hash & mask; table[slot] !== 0; slot = (slot + 1) & mask) {
        const index = table[slot]! - 1;
        const name = this.names[index]!;
        if (name.length === at - from && text.startsWith(name, from)) {
          const owner = this.owners[index]!;
          if (seen[owner] !== piece) {
            seen[owner] = piece;
            found++;
          }
          break;
        }
      }
    }
    if (found === 0) return [];
    return this.specifiers.filter((_, index) => seen[index] === piece);
  }
}
