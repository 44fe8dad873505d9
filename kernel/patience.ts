/**
 * Waiting for servers: how long for silence, how long before trying again, and what a server itself asks for.
 *
 * Owns three small things that whoever speaks with a server needs; what to try again and how often is theirs to say. What must hold:
 * nothing here waits for ever, and an aborted signal ends every wait.
 */

/** The time that a server may let us wait, counted only while we wait for it, and the signal that ends an attempt. */
export class Patience {
  readonly #stop = new AbortController();
  readonly signal: AbortSignal;
  isOver = false;

  /** @param stallMs may be changed between waits */
  constructor(public stallMs: number, outer: AbortSignal | undefined) {
    const own = this.#stop.signal;
    this.signal = outer === undefined ? own : AbortSignal.any([outer, own]);
  }

  async wait<T>(work: Promise<T>): Promise<T> {
    const timer = setTimeout(() => {
      this.isOver = true;
      this.#stop.abort();
    }, this.stallMs);
    try {
      return await work;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends whatever of the attempt is still open. */
  stop(): void {
    this.#stop.abort();
  }
}

/** The wait that a server asks for in `Retry-After`, in milliseconds: it says seconds or a date; nothing where it says neither. */
export function retryAfter(text: string | null): number | undefined {
  if (text === null) return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

/** Waits; an aborted signal ends the wait early, without an error. */
export async function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted) return;
  await new Promise<void>((done) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      done();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", end, { once: true });
  });
}
