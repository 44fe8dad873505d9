/**
 * `static`, the embedder that ships with the program: a vector a word, a text is the sum of its words.
 *
 * Owns how a text becomes a vector: the normalised sum over its different words of √count · row, to which path and names add their
 * own. A table of some megabytes, no download, no native code, tens of megabytes of source a second. Trained by
 * `rag/train`; what was trained on and how is in the model card beside the table. What must hold: the vector depends on
 * the text, its place and the table alone, on every machine.
 */
import type {
  Embedder,
  EmbedOptions,
  Passage,
  PassagePlace,
  QuestionOptions,
  VectorModel,
} from "./embedder.ts";
import { EmbedderError, normalise } from "./embedder.ts";
import { readTable, type StaticTable } from "./static_table.ts";
import { instantiate, PAGE } from "./wasm.ts";
import { WordTable } from "./word_table.ts";

/** The table that ships. */
const TABLE = new URL("./static/table.bin", import.meta.url);
/** What the vectors of the path and of the names count beside that of the text. */
export interface PlaceWeights {
  readonly path: number;
  readonly names: number;
}

/**
 * In an index the text stands alone: ranking weighs paths and names itself, and what vectors say of them again made it worse
 * (`bench embed`). Where nothing but vectors is there, `WITH_PLACE` finds more.
 */
const TEXT_ALONE: PlaceWeights = { path: 0, names: 0 };
export const WITH_PLACE: PlaceWeights = { path: 0.5, names: 0.3 };
/** Passages after which others get their turn. */
const TURN = 256;

/** Different words of a text that are summed at once; a chunk has a few hundred. */
const MOST_WORDS = 4_096;

/** Values that `LISTING` adds up at once: as many as fit into the registers. */
const BLOCK = 32;
const ACROSS = Array.from({ length: BLOCK / 4 }, (_, at) => at);
/**
 * out[d] += Σ weights[i] × rows[words[i]][d] for `count` words: a block of values after the other, so that sums stay in registers.
 */
const LISTING = `
  (func (export "sumRows")
    (param $out i32) (param $rows i32) (param $words i32) (param $weights i32) (param $count i32) (param $dimensions i32)
    (local $at i32) (local $word i32) (local $row i32) (local $end i32) (local $weight v128)
    (local $bytes v128) (local $low v128) (local $high v128) ${
  ACROSS.map((at) => `(local $s${at} v128)`).join(" ")
}
    (local.set $end (i32.shl (local.get $count) (i32.const 2)))
    (loop $blocks
      ${
  ACROSS.map((at) => `(local.set $s${at} (v128.load offset=${16 * at} (local.get $out)))`)
    .join("\n      ")
}
      (local.set $word (i32.const 0))
      (loop $terms
        (local.set $weight (v128.load32_splat (i32.add (local.get $weights) (local.get $word))))
        (local.set $row (i32.add (i32.add (local.get $rows) (local.get $at))
          (i32.mul (i32.load (i32.add (local.get $words) (local.get $word))) (local.get $dimensions))))
        ${
  [0, 1].map((half) =>
    `(local.set $bytes (v128.load offset=${16 * half} (local.get $row)))
        (local.set $low (i16x8.extend_low_i8x16_s (local.get $bytes)))
        (local.set $high (i16x8.extend_high_i8x16_s (local.get $bytes)))
        ${
      ["low $low", "high $low", "low $high", "high $high"].map((part, at) => {
        const [side, from] = part.split(" ");
        const sum = `$s${4 * half + at}`;
        return `(local.set ${sum} (f32x4.add (local.get ${sum}) (f32x4.mul (local.get $weight)
          (f32x4.convert_i32x4_s (i32x4.extend_${side}_i16x8_s (local.get ${from}))))))`;
      }).join("\n        ")
    }`
  ).join("\n        ")
}
        (local.set $word (i32.add (local.get $word) (i32.const 4)))
        (br_if $terms (i32.lt_u (local.get $word) (local.get $end))))
      ${
  ACROSS.map((at) => `(v128.store offset=${16 * at} (local.get $out) (local.get $s${at}))`)
    .join("\n      ")
}
      (local.set $out (i32.add (local.get $out) (i32.const ${4 * BLOCK})))
      (local.set $at (i32.add (local.get $at) (i32.const ${BLOCK})))
      (br_if $blocks (i32.lt_u (local.get $at) (local.get $dimensions)))))
`;

/** Longest rows; the kernel's own memory is laid out for them. */
const MOST_DIMENSIONS = 4_096;
/** Where the table begins in the memory: behind sums, weights and numbers of words. */
const TABLE_START = 4 * (MOST_DIMENSIONS + 2 * MOST_WORDS);

function memoryFor(table: number): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial: Math.ceil((TABLE_START + table) / PAGE) });
}

interface Exports {
  sumRows(
    out: number,
    rows: number,
    words: number,
    weights: number,
    count: number,
    dimensions: number,
  ): void;
}

let shipped: StaticEmbedder | undefined;

/** The embedder that ships; the table is read once a process (some ten milliseconds). */
export function loadStatic(): StaticEmbedder {
  return shipped ??= StaticEmbedder.open(TABLE);
}

/** See the module text. */
export class StaticEmbedder implements Embedder {
  readonly model: VectorModel;
  #table: StaticTable;
  #words: WordTable;
  /** How often each word stands in the text at hand; all zero in between. */
  #counts: Int32Array;
  #wasm: Exports;
  /** Views into the memory of the kernel: the different words of a text, their weights, the sum of their rows. */
  #met: Int32Array;
  #rowWeights: Float32Array;
  #sums: Float32Array;
  /** Where the rows of the table begin in that memory. */
  #rows: number;
  #weights: PlaceWeights;
  /** The vector of the path embedded last: chunks of a file come one after the other. */
  #path = "";
  #pathVector: Float32Array;

  /**
   * @param memory holds the table, behind what the kernel needs for itself
   * @param weights what path and names count beside the text
   */
  private constructor(memory: WebAssembly.Memory, table: StaticTable, weights: PlaceWeights) {
    const { dimensions, rows, lines, count } = table;
    if (dimensions % BLOCK !== 0 || dimensions > MOST_DIMENSIONS) {
      throw new EmbedderError(
        `cannot use a table of "${dimensions}" dimensions: expected a multiple of ${BLOCK}, at most ${MOST_DIMENSIONS}`,
      );
    }
    this.#table = table;
    this.#words = WordTable.fromLines(lines, count);
    this.#counts = new Int32Array(count);
    this.#rows = rows.byteOffset;
    this.#sums = new Float32Array(memory.buffer, 0, dimensions);
    this.#rowWeights = new Float32Array(memory.buffer, 4 * MOST_DIMENSIONS, MOST_WORDS);
    this.#met = new Int32Array(memory.buffer, 4 * (MOST_DIMENSIONS + MOST_WORDS), MOST_WORDS);
    this.#wasm = instantiate<Exports>(LISTING, memory);
    this.#weights = weights;
    this.#pathVector = new Float32Array(dimensions);
    this.model = {
      id: "static",
      revision: table.revision,
      dimensions,
      quantisation: "int8",
      pooling: "sum",
      prefixes: { query: "", passage: "" },
    };
  }

  /**
   * Opens the table in a file. It is read straight to where the kernel works, since its size is most of the cost.
   * @throws {EmbedderError} when it is no table; {Deno.errors.NotFound}.
   */
  static open(file: URL | string, weights: PlaceWeights = TEXT_ALONE): StaticEmbedder {
    using handle = Deno.openSync(file);
    const size = handle.statSync().size;
    const memory = memoryFor(size);
    const bytes = new Uint8Array(memory.buffer, TABLE_START, size);
    let read = 0;
    while (read < size) read += handle.readSync(bytes.subarray(read)) ?? size;
    return new StaticEmbedder(memory, readTable(bytes, String(file)), weights);
  }

  /** Opens a table that is in memory; it is copied. */
  static of(table: Uint8Array, weights: PlaceWeights = TEXT_ALONE): StaticEmbedder {
    const memory = memoryFor(table.length);
    const bytes = new Uint8Array(memory.buffer, TABLE_START, table.length);
    bytes.set(table);
    return new StaticEmbedder(memory, readTable(bytes, "static"), weights);
  }

  /** The words that have a row; pieces of words are among them. */
  vocabulary(): string[] {
    return Array.from({ length: this.#words.size }, (_, number) => this.#words.word(number));
  }

  /**
   * Vector of a question, of length 1; all zero when no word of it is known, or none that tells anything.
   * @param rarity what each word, in lower case, is weighed with; by default all count the same
   */
  encodeQuery(text: string, rarity?: (word: string) => number): Float32Array {
    // Pieces of words that nobody uses are near to something too; a question of nothing else means nothing.
    if (!this.#words.knows(text)) return new Float32Array(this.#table.dimensions);
    if (rarity === undefined) return this.#sum(text, 0, text.length);
    const vector = new Float32Array(this.#table.dimensions);
    const counts = new Map<string, number>();
    this.#words.eachWord(text, (word) => counts.set(word, (counts.get(word) ?? 0) + 1));
    for (const [word, count] of counts) {
      const weight = Math.sqrt(count) * rarity(word);
      if (weight === 0) continue;
      this.#sums.fill(0);
      const number = this.#words.find(word);
      for (const part of number >= 0 ? [number] : this.#words.pieces(word)) {
        this.#counts[part] = 1;
        this.#met[0] = part;
        this.#add(1);
      }
      for (let at = 0; at < vector.length; at++) vector[at]! += weight * this.#sums[at]!;
    }
    return normalise(vector, this.model.id);
  }

  /** Vector of `text` in `[start, end)`, of length 1: what it says, and where it stands. */
  encode(
    { path, names = [] }: PassagePlace,
    text: string,
    start = 0,
    end = text.length,
  ): Float32Array {
    const vector = this.#sum(text, start, end);
    // Where a text stands says nothing about a text that says nothing.
    if ((this.#weights.path === 0 && this.#weights.names === 0) || isZero(vector)) return vector;
    if (path !== this.#path) {
      this.#path = path;
      // The extension says which language it is, not what it is about.
      const extension = /(\.d)?\.[^./]+$/.exec(path)?.[0].length ?? 0;
      this.#pathVector = this.#sum(path, 0, path.length - extension);
    }
    const called = names.join(" ");
    const namesVector = called === "" ? undefined : this.#sum(called, 0, called.length);
    for (let at = 0; at < vector.length; at++) {
      vector[at]! += this.#weights.path * this.#pathVector[at]! +
        (namesVector ? this.#weights.names * namesVector[at]! : 0);
    }
    return normalise(vector, this.model.id);
  }

  /** Sum of the rows of the words of a text, each times its scale and the root of its count. */
  #sum(text: string, start: number, end: number): Float32Array {
    const counts = this.#counts;
    const met = this.#met;
    let different = 0;
    this.#sums.fill(0);
    this.#words.findAll(text, start, end, (word) => {
      if (counts[word]!++ === 0) {
        met[different++] = word;
        // What does not fit waits no longer: sums may be taken in parts.
        if (different === MOST_WORDS) different = this.#add(different);
      }
      return true;
    });
    this.#add(different);
    return normalise(this.#sums.slice(), this.model.id);
  }

  #add(different: number): number {
    if (different === 0) return 0;
    const { scales, dimensions } = this.#table;
    for (let at = 0; at < different; at++) {
      const word = this.#met[at]!;
      this.#rowWeights[at] = Math.sqrt(this.#counts[word]!) * scales[word]!;
      this.#counts[word] = 0;
    }
    this.#wasm.sumRows(
      this.#sums.byteOffset,
      this.#rows,
      this.#met.byteOffset,
      this.#rowWeights.byteOffset,
      different,
      dimensions,
    );
    return 0;
  }

  async embedQuery(
    text: string,
    { signal, rarity }: QuestionOptions = {},
  ): Promise<Float32Array> {
    signal?.throwIfAborted();
    return this.encodeQuery(text, rarity);
  }

  async embedPassages(
    passages: readonly Passage[],
    { signal, onProgress }: EmbedOptions = {},
  ): Promise<Float32Array[]> {
    const vectors: Float32Array[] = [];
    for (const passage of passages) {
      vectors.push(this.encode(passage, passage.text));
      if (vectors.length % TURN === 0) {
        await new Promise((resolve) => setTimeout(resolve));
        signal?.throwIfAborted();
        onProgress?.(vectors.length);
      }
    }
    signal?.throwIfAborted();
    onProgress?.(vectors.length);
    return vectors;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

function isZero(vector: Float32Array): boolean {
  return vector.every((value) => value === 0);
}
