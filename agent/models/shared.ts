/**
 * One model for many: opened when it is first needed, kept while it is used, closed when nobody has needed it for a while.
 *
 * Owns when a model is open. What must hold: however many ask at once, it is opened once; it is never closed under a lease; a model
 * that could not be opened is tried anew by the next who asks.
 */
import type { LanguageModel } from "./language_model.ts";

/** A service that answers a question every few minutes keeps it; one that is forgotten gives the memory back. */
const IDLE_MS = 5 * 60_000;

/** See the module text. */
export class SharedModel implements AsyncDisposable {
  readonly #open: () => Promise<LanguageModel>;
  readonly #idleMs: number;
  #model: Promise<LanguageModel> | undefined;
  #leases = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closing: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(open: () => Promise<LanguageModel>, options: { readonly idleMs?: number } = {}) {
    this.#open = open;
    this.#idleMs = options.idleMs ?? IDLE_MS;
  }

  /** Whether it is open now, or about to be. */
  get isOpen(): boolean {
    return this.#model !== undefined;
  }

  /**
   * The model, until the lease is disposed of.
   * @throws whatever opening throws; {TypeError} when this was closed.
   */
  async lease(): Promise<{ readonly model: LanguageModel } & AsyncDisposable> {
    if (this.#closed) throw new TypeError("lease a model: it was closed");
    clearTimeout(this.#timer);
    this.#leases++;
    let opening: Promise<LanguageModel> | undefined;
    try {
      // Two of one model at once could be more than the memory holds.
      await this.#closing;
      if (this.#closed) throw new TypeError("lease a model: it was closed");
      opening = this.#model ??= this.#open();
      const model = await opening;
      let isGiven = false;
      return {
        model,
        [Symbol.asyncDispose]: () => {
          if (!isGiven) this.#release();
          isGiven = true;
          return Promise.resolve();
        },
      };
    } catch (error) {
      if (this.#model === opening) this.#model = undefined;
      this.#release();
      throw error;
    }
  }

  /** Closes the model; calls that run end first. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#closing;
    await this.#unload();
  }

  #release(): void {
    this.#leases--;
    if (this.#leases > 0 || this.#closed || this.#model === undefined) return;
    // One that fails to close is gone all the same; whoever asks next is to have another.
    this.#timer = setTimeout(() => this.#closing = this.#unload().catch(() => {}), this.#idleMs);
    // A process that has nothing else to do ends.
    Deno.unrefTimer(Number(this.#timer));
  }

  async #unload(): Promise<void> {
    const model = this.#model;
    this.#model = undefined;
    const opened = await model?.catch(() => undefined);
    await opened?.[Symbol.asyncDispose]();
  }
}

/** The models that a service keeps, by name. */
export class OpenModels implements AsyncDisposable {
  readonly #models = new Map<string, SharedModel>();

  /** A lease of the model of a name, opened by `open` where it is not. */
  async lease(
    name: string,
    open: () => Promise<LanguageModel>,
  ): Promise<{ readonly model: LanguageModel } & AsyncDisposable> {
    let shared = this.#models.get(name);
    if (shared === undefined) this.#models.set(name, shared = new SharedModel(open));
    return await shared.lease();
  }

  /** Closes them all. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#models.values()].map((each) => each[Symbol.asyncDispose]()));
  }
}
