/**
 * The words of a static embedder: how text falls into them, and a hash table from their characters to numbers.
 *
 * Owns the one rule for cutting identifiers (camelCase, acronyms, digits; lower case; no punctuation) that training and
 * use share. No string is made on the way: a word is looked up from the characters of the text. What must hold: the table
 * gives for a word the number under which it was added, whatever stands around it in a text.
 */

/** Longer runs of letters are data (hashes, base64), not words. */
const LONGEST_WORD = 64;
/** Longest piece that an unknown word is cut into. */
export const LONGEST_PIECE = 12;

const LINE_END = 10;

const OTHER = 0;
const LOWER = 1;
const UPPER = 2;
const DIGIT = 3;

const SHAPES = new Uint8Array(128);
for (let code = 97; code <= 122; code++) SHAPES[code] = LOWER;
for (let code = 65; code <= 90; code++) SHAPES[code] = UPPER;
for (let code = 48; code <= 57; code++) SHAPES[code] = DIGIT;

/** FNV-1a's start and prime (Fowler, Noll, Vo). */
const HASH_START = 0x811c9dc5 | 0;
const HASH_PRIME = 0x01000193;

/** Letters beyond ASCII: their shape, and their lower case; worked out once a character. */
const beyond = new Map<number, { readonly shape: number; readonly lower: number }>();

function shapeBeyond(code: number) {
  let known = beyond.get(code);
  if (known === undefined) {
    const character = String.fromCharCode(code);
    const lower = character.toLowerCase();
    // A lower case of several characters (İ) is left as it is: a number stands for one character here.
    const isLetter = /\p{L}/u.test(character);
    known = {
      shape: !isLetter ? OTHER : lower !== character ? UPPER : LOWER,
      lower: lower.length === 1 ? lower.charCodeAt(0) : code,
    };
    beyond.set(code, known);
  }
  return known;
}

/** See the module text. */
export class WordTable {
  /** Characters of all words, one after the other. */
  #characters: Uint16Array;
  #used = 0;
  /** Where each word begins; one entry more than words. */
  #starts: number[] = [0];
  /** Slots hold a word's number plus 1; 0 is free. */
  #slots: Int32Array;
  #mask: number;
  #word = new Uint16Array(LONGEST_WORD);

  constructor(words: Iterable<string> = [], capacity = 1 << 15) {
    let size = 1 << 10;
    while (size < capacity * 2) size *= 2;
    this.#slots = new Int32Array(size);
    this.#mask = size - 1;
    this.#characters = new Uint16Array(capacity * 8);
    for (const word of words) this.add(word);
  }

  /**
   * A table of different words of ASCII, a line end behind each but the last.
   * @param count number of words
   */
  static fromLines(lines: Uint8Array, count: number): WordTable {
    const table = new WordTable([], count);
    const characters = new Uint16Array(lines.length);
    let used = 0;
    let hash = HASH_START;
    for (let at = 0; at <= lines.length && table.size < count; at++) {
      const code = at < lines.length ? lines[at]! : LINE_END;
      if (code !== LINE_END) {
        characters[used++] = code;
        hash = Math.imul(hash ^ code, HASH_PRIME);
        continue;
      }
      let slot = table.#slotOf(hash);
      while (table.#slots[slot] !== 0) slot = (slot + 1) & table.#mask;
      table.#slots[slot] = table.#starts.push(used) - 1;
      hash = HASH_START;
    }
    table.#characters = characters;
    table.#used = used;
    return table;
  }

  get size(): number {
    return this.#starts.length - 1;
  }

  /** The word with a number. */
  word(number: number): string {
    return String.fromCharCode(
      ...this.#characters.subarray(this.#starts[number]!, this.#starts[number + 1]!),
    );
  }

  /** Adds a word of at most 64 characters in lower case; gives the number it has now or had before. */
  add(word: string): number {
    let hash = HASH_START;
    for (let at = 0; at < word.length; at++) {
      const code = word.charCodeAt(at);
      this.#word[at] = code;
      hash = Math.imul(hash ^ code, HASH_PRIME);
    }
    return this.#intern(word.length, hash);
  }

  /** Number of a word; -1 when it is not there. */
  find(word: string): number {
    let hash = HASH_START;
    for (let at = 0; at < word.length; at++) {
      const code = word.charCodeAt(at);
      this.#word[at] = code;
      hash = Math.imul(hash ^ code, HASH_PRIME);
    }
    return word.length > LONGEST_WORD ? -1 : this.#find(0, word.length, hash);
  }

  #slotOf(hash: number): number {
    // FNV's low bits alone spread short words badly.
    return (hash ^ (hash >>> 15)) & this.#mask;
  }

  /** Number of the word that stands in the scratch at `[from, from + length)`; -1 when it is not there. */
  #find(from: number, length: number, hash: number): number {
    const word = this.#word;
    const characters = this.#characters;
    const starts = this.#starts;
    for (let slot = this.#slotOf(hash);; slot = (slot + 1) & this.#mask) {
      const number = this.#slots[slot]! - 1;
      if (number < 0) return -1;
      const start = starts[number]!;
      if (starts[number + 1]! - start !== length) continue;
      let at = 0;
      while (at < length && characters[start + at] === word[from + at]) at++;
      if (at === length) return number;
    }
  }

  #intern(length: number, hash: number): number {
    const known = this.#find(0, length, hash);
    if (known >= 0) return known;
    const number = this.size;
    if (this.#used + length > this.#characters.length) {
      const larger = new Uint16Array(Math.max(this.#characters.length * 2, this.#used + length));
      larger.set(this.#characters);
      this.#characters = larger;
    }
    this.#characters.set(this.#word.subarray(0, length), this.#used);
    this.#used += length;
    this.#starts.push(this.#used);
    let slot = this.#slotOf(hash);
    while (this.#slots[slot] !== 0) slot = (slot + 1) & this.#mask;
    this.#slots[slot] = number + 1;
    if (this.size * 2 > this.#slots.length) this.#grow();
    return number;
  }

  #grow(): void {
    this.#slots = new Int32Array(this.#slots.length * 2);
    this.#mask = this.#slots.length - 1;
    for (let number = 0; number < this.size; number++) {
      let hash = HASH_START;
      for (let at = this.#starts[number]!; at < this.#starts[number + 1]!; at++) {
        hash = Math.imul(hash ^ this.#characters[at]!, HASH_PRIME);
      }
      let slot = this.#slotOf(hash);
      while (this.#slots[slot] !== 0) slot = (slot + 1) & this.#mask;
      this.#slots[slot] = number + 1;
    }
  }

  /** Numbers of the words of a text in order; words that are new are added. Single letters and digits count too. */
  addAll(text: string, emit: (number: number) => void): void {
    this.#scan(text, 0, text.length, (length, hash) => {
      emit(this.#intern(length, hash));
      return true;
    });
  }

  /**
   * Numbers of the words of `text` in `[start, end)`, in order; a word that is not there is cut into the longest pieces that
   * are, from its beginning on. Stops when `emit` returns false.
   */
  findAll(text: string, start: number, end: number, emit: (number: number) => boolean): void {
    this.#scan(text, start, end, (length, hash) => {
      const number = this.#find(0, length, hash);
      return number >= 0 ? emit(number) : this.#findPieces(length, emit);
    });
  }

  /** The words of a text in order, in lower case, whether they are in the table or not. */
  eachWord(text: string, emit: (word: string) => void): void {
    this.#scan(text, 0, text.length, (length) => {
      emit(String.fromCharCode(...this.#word.subarray(0, length)));
      return true;
    });
  }

  /** Whether a word of a text is there as it stands, not only in pieces; single letters and digits do not count. */
  knows(text: string): boolean {
    let isKnown = false;
    this.#scan(text, 0, text.length, (length, hash) => {
      isKnown = length > 1 && this.#find(0, length, hash) >= 0;
      return !isKnown;
    });
    return isKnown;
  }

  /** Numbers of the pieces of one word that is not in the table. */
  pieces(word: string): number[] {
    const numbers: number[] = [];
    const length = Math.min(word.length, LONGEST_WORD);
    for (let at = 0; at < length; at++) this.#word[at] = word.charCodeAt(at);
    this.#findPieces(length, (number) => numbers.push(number) > 0);
    return numbers;
  }

  #findPieces(length: number, emit: (number: number) => boolean): boolean {
    const word = this.#word;
    for (let from = 0; from < length - 1;) {
      let hash = HASH_START;
      let best = -1;
      let bestLength = 0;
      const longest = Math.min(LONGEST_PIECE, length - from);
      for (let size = 1; size <= longest; size++) {
        hash = Math.imul(hash ^ word[from + size - 1]!, HASH_PRIME);
        if (size < 2) continue;
        const number = this.#find(from, size, hash);
        if (number >= 0) {
          best = number;
          bestLength = size;
        }
      }
      if (best < 0) from++;
      else {
        if (!emit(best)) return false;
        from += bestLength;
      }
    }
    return true;
  }

  /** Calls `emit` for every word, with its characters in the scratch. */
  #scan(
    text: string,
    start: number,
    end: number,
    emit: (length: number, hash: number) => boolean,
  ): void {
    const word = this.#word;
    let length = 0;
    let hash = HASH_START;
    /** Hash before the last character, for the acronym's last letter, which belongs to the next word. */
    let hashBefore = HASH_START;
    let previous = OTHER;
    let isTooLong = false;
    for (let at = start; at < end; at++) {
      let code = text.charCodeAt(at);
      let shape: number;
      if (code < 128) {
        shape = SHAPES[code]!;
        if (shape === UPPER) code += 32;
      } else {
        const known = shapeBeyond(code);
        shape = known.shape;
        code = known.lower;
      }
      if (shape !== previous) {
        if (shape === LOWER && previous === UPPER) {
          // HTTPRequest is HTTP + Request: the last capital begins the next word.
          if (length > 1) {
            const last = word[length - 1]!;
            if (!isTooLong && !emit(length - 1, hashBefore)) return;
            word[0] = last;
            length = 1;
            hash = Math.imul(HASH_START ^ last, HASH_PRIME);
            isTooLong = false;
          }
        } else if (length > 0) {
          if (!isTooLong && !emit(length, hash)) return;
          length = 0;
          hash = HASH_START;
          isTooLong = false;
        }
        previous = shape;
      }
      if (shape === OTHER) continue;
      if (length === LONGEST_WORD) {
        isTooLong = true;
        // The last capital of a run belongs to the next word, however long the run was.
        word[LONGEST_WORD - 1] = code;
        continue;
      }
      word[length++] = code;
      hashBefore = hash;
      hash = Math.imul(hash ^ code, HASH_PRIME);
    }
    if (length > 0 && !isTooLong) emit(length, hash);
  }
}
