/**
 * Long texts: cut into windows that a model can read, and the windows' vectors made into one.
 *
 * Pure. What must hold: every token stands in a window; no window is longer than asked; a text that fits is one window.
 */

/** Share of a window that the next one repeats, so that what stands at a border is read whole once. */
const OVERLAP = 1 / 8;

/** Half-open ranges of tokens. */
export type Window = readonly [start: number, end: number];

/** The windows of a text of so many tokens; a text of none has no window. */
export function windowsOf(tokens: number, window: number): Window[] {
  const step = Math.max(1, window - Math.floor(window * OVERLAP));
  const windows: Window[] = [];
  for (let start = 0; start < tokens; start += step) {
    windows.push([start, Math.min(tokens, start + window)]);
    if (start + window >= tokens) break;
  }
  return windows;
}

/**
 * The vector of a text from those of its windows: their sum, each times its length, to be normalised.
 * @param dimensions of the result, also where there is no window
 */
export function combineWindows(
  vectors: readonly Float32Array[],
  windows: readonly Window[],
  dimensions: number,
): Float32Array {
  const combined = new Float32Array(dimensions);
  for (let at = 0; at < vectors.length; at++) {
    const [start, end] = windows[at]!;
    const vector = vectors[at]!;
    for (let dimension = 0; dimension < dimensions; dimension++) {
      combined[dimension]! += vector[dimension]! * (end - start);
    }
  }
  return combined;
}
