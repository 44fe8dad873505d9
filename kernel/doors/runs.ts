/**
 * Commands that are running now, whichever door they came through: listed, watched, cancelled.
 *
 * Owns the identity of a run and its end. What must hold: a run is listed from before its handler begins until after it ended, however it
 * ended; cancelling aborts the run's own signal and nothing else; a listener that throws harms no run.
 */
import type { CommandName, HandlerContext, Handlers, Progress } from "../commands.ts";
import { each } from "./results.ts";

/** A run as it is shown. */
export interface RunView {
  readonly id: string;
  readonly command: CommandName;
  /** What it was given, in a few words: a question, a path. */
  readonly subject: string;
  /** The door that it came through, for example `http`. */
  readonly door: string;
  /** ISO 8601. */
  readonly started: string;
  readonly progress?: Progress;
  /** Whether it was asked to end and has not ended yet. */
  readonly cancelling: boolean;
}

/** What became of a run that was cancelled through `Runs.cancel`. */
export class RunCancelledError extends Error {
  override readonly name = "RunCancelledError";
}

/** A subject is a label in a list: as much as fits a line. */
const MAX_SUBJECT = 120;

/** See the module text. */
export class Runs {
  readonly #runs = new Map<string, { view: RunView; abort: AbortController }>();
  readonly #listeners = new Set<() => void>();

  /** Those that run now, oldest first. */
  list(): RunView[] {
    return [...this.#runs.values()].map(({ view }) => view);
  }

  /** How many run now. */
  get size(): number {
    return this.#runs.size;
  }

  /**
   * Asks a run to end.
   * @returns false when no such run is going on
   */
  cancel(id: string): boolean {
    const run = this.#runs.get(id);
    if (run === undefined) return false;
    this.#show(id, { cancelling: true });
    run.abort.abort(new RunCancelledError("cancelled"));
    return true;
  }

  /** Is told when the list changes; returns what ends that. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Runs one command of the table as a run of this list.
   *
   * @param input parsed by the schema of the command
   * @param onStart is told the id before the handler begins
   * @returns the results, one by one; ends the run when it is not read to the end
   */
  async *execute(
    handlers: Handlers,
    name: CommandName,
    input: Record<string, unknown>,
    context: HandlerContext & { readonly door: string; readonly onStart?: (id: string) => void },
  ): AsyncGenerator<unknown> {
    const id = crypto.randomUUID();
    const abort = new AbortController();
    this.#runs.set(id, {
      abort,
      view: {
        id,
        command: name,
        subject: subjectOf(input),
        door: context.door,
        started: new Date().toISOString(),
        cancelling: false,
      },
    });
    this.#changed();
    try {
      context.onStart?.(id);
      const signal = AbortSignal.any([context.signal, abort.signal]);
      const progress = (progress: Progress) => {
        // The text of an answer is for whoever asked.
        const { text: _, restart: __, part: ___, ...shown } = progress;
        this.#show(id, { progress: shown });
        context.progress(progress);
      };
      const handler = handlers[name] as (
        input: unknown,
        context: HandlerContext,
      ) => Promise<unknown> | AsyncIterable<unknown>;
      yield* each(handler(input, { ...context, progress, signal }));
      signal.throwIfAborted();
    } finally {
      this.#runs.delete(id);
      this.#changed();
    }
  }

  /** The same handlers, each run of which stands in this list. */
  track(handlers: Handlers, door: string): Handlers {
    const names = Object.keys(handlers) as CommandName[];
    return Object.fromEntries(
      names.map((name) => [
        name,
        (input: Record<string, unknown>, context: HandlerContext) =>
          this.execute(handlers, name, input, { ...context, door }),
      ]),
    ) as unknown as Handlers;
  }

  #show(id: string, change: Partial<RunView>): void {
    const run = this.#runs.get(id);
    if (run === undefined) return;
    run.view = { ...run.view, ...change };
    this.#changed();
  }

  #changed(): void {
    for (const listener of this.#listeners) {
      try {
        listener();
      } catch (error) {
        console.error("a listener of the list of runs failed:", error);
      }
    }
  }
}

/** What a run is about: its first text, or the first of its list of texts. */
function subjectOf({ repo: _, ...input }: Record<string, unknown>): string {
  const texts = Object.values(input).flatMap((value) =>
    typeof value === "string" ? [value] : Array.isArray(value) ? [value.join(" ")] : []
  );
  const text = texts[0] ?? "";
  return text.length <= MAX_SUBJECT ? text : `${text.slice(0, MAX_SUBJECT)}…`;
}
