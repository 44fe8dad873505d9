/**
 * Images in which questions become cycles: one opened for one question, or kept open by a process that serves many.
 *
 * Owns when an image is opened and closed. What must hold: a place that cannot be written still answers, in an image that lives as long as
 * the question; a process has one engine for one image, so that its cycles can be listed together.
 */
import {
  type CycleEngine,
  type Image,
  openImage,
  openMemoryImage,
  type RunningCycle,
} from "../kernel/mod.ts";
import { openCycles } from "./question_cycle.ts";

/** An image with its engine; dispose of it. */
export interface CyclePlace extends Disposable {
  readonly image: Image;
  readonly cycles: CycleEngine;
}

/**
 * Opens the image of a file for cycles.
 * @param path of the image; undefined where nothing can be written
 * @throws as `openImage`
 */
export async function openCyclePlace(path: string | undefined): Promise<CyclePlace> {
  const image = path === undefined
    ? await openMemoryImage()
    : await openImage(path, { mode: "shared", command: "batos ask" });
  try {
    const cycles = await openCycles(image);
    return { image, cycles, [Symbol.dispose]: () => image[Symbol.dispose]() };
  } catch (error) {
    image[Symbol.dispose]();
    throw error;
  }
}

/** Places that stay open, one a file; see the module text. */
export class OpenCycles implements AsyncDisposable {
  readonly #places = new Map<string, Promise<CyclePlace>>();
  readonly #listeners = new Set<(cycle: RunningCycle) => void>();

  /** The place of a file, opened when it is first asked for. Disposing of it leaves it open. */
  async take(path: string): Promise<CyclePlace> {
    let place = this.#places.get(path);
    if (place === undefined) {
      place = openCyclePlace(path).then((opened) => {
        opened.cycles.onState((cycle) => this.#listeners.forEach((listener) => listener(cycle)));
        return opened;
      });
      this.#places.set(path, place);
      place.catch(() => this.#places.delete(path));
    }
    const { image, cycles } = await place;
    return { image, cycles, [Symbol.dispose]: () => {} };
  }

  /** Calls `listener` with every change of state of every cycle; dispose of it to end that. */
  onState(listener: (cycle: RunningCycle) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Closes all of them; what is still running ends with an error. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const place of this.#places.values()) {
      await place.then((opened) => opened[Symbol.dispose](), () => undefined);
    }
    this.#places.clear();
  }
}
