/**
 * Vectors of the answers in the audit trail: how near one answer is to another.
 *
 * Owns when an answer is embedded, and the table `fractal_vector` of `trail_index.ts`, in which its vector is kept. What must hold: vectors
 * of two models are never handed out together; an answer is embedded once, unless it changes or the model does; a place that cannot be
 * written costs the keeping and nothing else.
 */
import type { IndexEmbedder } from "./embed/choose.ts";
import type { VectorModel } from "./embed/embedder.ts";
import { type Memory, openMemory } from "./memory.ts";
import type { Fractal } from "./trail_index.ts";
import { canonical } from "./vectors.ts";
import type { TrailPlace } from "./workspace_trail.ts";

/** Answers that are embedded before what they gave is kept: seconds of a slow model, and a cut run loses no more. */
const BATCH = 64;

/** See the module text. */
export class AnswerVectors {
  readonly #memory: Memory;
  readonly #place: Pick<TrailPlace, "root" | "lock" | "isRefusal" | "signal" | "progress">;

  /** @param memory open for reading; it sees what is kept meanwhile */
  constructor(
    memory: Memory,
    place: Pick<TrailPlace, "root" | "lock" | "isRefusal" | "signal" | "progress">,
  ) {
    this.#memory = memory;
    this.#place = place;
  }

  /**
   * The vectors of answers, by the OID of the cycle; of length 1, or all zero where the model knows no word of the answer. The embedder is
   * opened only where one is missing.
   * @throws {EmbedderError} when the model cannot be used; the signal's reason
   */
  async of(
    fractals: readonly Fractal[],
    embedder: IndexEmbedder,
    textOf: (fractal: Fractal) => string = ({ digest }) => digest.answer,
  ): Promise<Map<number, Float32Array>> {
    if (fractals.length === 0) return new Map();
    const kept = this.#kept(fractals);
    const models = new Set([...kept.values()].map(({ model }) => model));
    const [only] = models;
    const isWhole = kept.size === fractals.length && models.size === 1 &&
      (JSON.parse(only!) as VectorModel).id === embedder.id;
    if (isWhole) return new Map([...kept].map(([oid, { vector }]) => [oid, vector]));
    const open = await embedder.open();
    const model = canonical(open.model);
    const vectors = new Map<number, Float32Array>();
    for (const [oid, row] of kept) if (row.model === model) vectors.set(oid, row.vector);
    const missing = fractals.filter(({ oid }) => !vectors.has(oid));
    const { signal, progress } = this.#place;
    for (let from = 0; from < missing.length; from += BATCH) {
      const batch = missing.slice(from, from + BATCH);
      // An answer stands nowhere, so there is no path that says what it is about.
      const passages = batch.map((fractal) => ({ path: "", text: textOf(fractal) }));
      const made = await open.embedPassages(passages, { signal });
      batch.forEach(({ oid }, at) => vectors.set(oid, made[at]!));
      await this.#keep(batch, made, model);
      progress({
        phase: "embedding answers",
        done: Math.min(from + BATCH, missing.length),
        total: missing.length,
      });
    }
    return vectors;
  }

  #kept(fractals: readonly Fractal[]): Map<number, { model: string; vector: Float32Array }> {
    const rows = this.#memory.store.all(
      "SELECT * FROM fractal_vector WHERE fractal IN (SELECT value FROM json_each(?))",
      JSON.stringify(fractals.map(({ oid }) => oid)),
    );
    return new Map(rows.map((row) => [
      Number(row.fractal),
      { model: row.model as string, vector: unpacked(row.vector as Uint8Array) },
    ]));
  }

  /** A question that goes on beside this may hold the lock: then they are embedded again the next time. */
  async #keep(
    fractals: readonly Fractal[],
    vectors: readonly Float32Array[],
    model: string,
  ): Promise<void> {
    const { root, lock, isRefusal } = this.#place;
    try {
      using _lock = await lock(0);
      using writable = openMemory(root);
      writable.store.transaction(() => {
        fractals.forEach(({ oid, cycle, lastLine }, at) =>
          // Not where the cycle has gone on, or is another by now.
          writable.store.run(
            "INSERT OR REPLACE INTO fractal_vector(fractal, model, vector) SELECT id, ?, ? FROM fractal WHERE id = ? AND cycle = ? AND last_line = ?",
            model,
            packed(vectors[at]!),
            oid,
            cycle,
            lastLine,
          )
        );
      });
    } catch (error) {
      if (!isRefusal(error)) throw error;
    }
  }
}

function packed(vector: Float32Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * vector.length));
  vector.forEach((value, at) => view.setFloat32(4 * at, value, true));
  return new Uint8Array(view.buffer);
}

function unpacked(bytes: Uint8Array): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: bytes.length / 4 }, (_, at) => view.getFloat32(4 * at, true));
}
