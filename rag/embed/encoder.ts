/**
 * Encoders: embedders so fast that the writer of the index runs them in line, in whichever thread it works.
 *
 * Owns how such a one is named and opened. What must hold: the same name opens the same encoder in every thread, so an index made by
 * one thread or by two is the same.
 */
import type { PassagePlace, VectorModel } from "./embedder.ts";

/** Gives the vector of a slice of a file at once. */
export interface ChunkEncoder {
  readonly model: VectorModel;
  /** Vector of `text` in `[start, end)`, which stands at `place`: of length 1, or all zero. */
  encode(place: PassagePlace, text: string, start: number, end: number): Float32Array;
}

/** `static`, or the address of a module that exports `openEncoder(): ChunkEncoder`. */
export type EncoderName = string;

/** Opens an encoder. */
export async function openEncoder(name: EncoderName): Promise<ChunkEncoder> {
  if (name === "static") return (await import("./static.ts")).loadStatic();
  const module: { openEncoder(): ChunkEncoder } = await import(name);
  return module.openEncoder();
}
