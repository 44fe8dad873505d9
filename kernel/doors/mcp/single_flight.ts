/**
 * Work that many callers wait for is done once: whoever comes while it runs waits for one more run, which begins after he came.
 *
 * Owns who waits for what. What must hold: a caller's wait ends with a run that began after he asked; a caller who gives up ends
 * nobody else's wait; a run that nobody waits for any more is aborted.
 */
import type { HandlerContext, Progress } from "../../commands.ts";

/** See the module text. */
export class SingleFlight {
  readonly #work: (context: HandlerContext) => Promise<void>;
  #current: Run | undefined;
  #next: Run | undefined;

  /** @param work is never run twice at the same time */
  constructor(work: (context: HandlerContext) => Promise<void>) {
    this.#work = work;
  }

  /**
   * Waits until the work was done after this call.
   * @throws what the work threw; the signal's reason when the caller gives up
   */
  async run(context: HandlerContext): Promise<void> {
    context.signal.throwIfAborted();
    if (this.#current === undefined) {
      return await this.#start(new Run(this.#work)).join(context);
    }
    // One that everybody gave up before it began is over: whoever comes then gets another.
    if (this.#next === undefined || this.#next.isGivenUp) this.#next = new Run(this.#work);
    return await this.#next.join(context);
  }

  #start(run: Run): Run {
    this.#current = run;
    run.start().finally(() => {
      this.#current = undefined;
      const next = this.#next;
      this.#next = undefined;
      if (next !== undefined) this.#start(next);
    }).catch(() => {}); // those who wait get the error
    return run;
  }
}

/** One run and those who wait for it. */
class Run {
  readonly #work: (context: HandlerContext) => Promise<void>;
  readonly #controller = new AbortController();
  readonly #listeners = new Set<(progress: Progress) => void>();
  readonly #done = Promise.withResolvers<void>();

  constructor(work: (context: HandlerContext) => Promise<void>) {
    this.#work = work;
    this.#done.promise.catch(() => {}); // a run may end when nobody waits any more
  }

  /** Whether somebody waited for it, and nobody does any more. */
  get isGivenUp(): boolean {
    return this.#controller.signal.aborted;
  }

  async start(): Promise<void> {
    try {
      this.#controller.signal.throwIfAborted();
      await this.#work({
        signal: this.#controller.signal,
        progress: (progress) => this.#listeners.forEach((tell) => tell(progress)),
      });
      this.#done.resolve();
    } catch (error) {
      this.#done.reject(error);
    }
  }

  async join({ signal, progress }: HandlerContext): Promise<void> {
    // Wrapped, since two callers may hand in the same function.
    const listener = (each: Progress) => progress(each);
    this.#listeners.add(listener);
    const givenUp = Promise.withResolvers<never>();
    const give = () => givenUp.reject(signal.reason);
    signal.addEventListener("abort", give);
    try {
      await Promise.race([this.#done.promise, givenUp.promise]);
    } finally {
      signal.removeEventListener("abort", give);
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#controller.abort(signal.reason);
    }
  }
}
