/**
 * Opens the audit trail of a workspace for whoever records.
 *
 * Owns when a trail is written at all, and what it costs a short command. What must hold: no trail is begun where no workspace was made;
 * what takes secrets out is loaded before anything is written that may hold one.
 */
import { existsSync } from "node:fs";
import type { HandlerContext } from "../commands.ts";
import { AuditTrail, type AuditTrailOptions } from "./audit_trail.ts";
import type { NewEvent } from "./event.ts";

/** Every secret whose form is known has a longer word than this in it. */
const LONG_WORD = /\S{16}/;

/** What opening a trail needs. */
export interface OpenTrailOptions extends Pick<HandlerContext, "progress"> {
  /** Loads what takes secrets out. */
  readonly redactor: () => Promise<NonNullable<AuditTrailOptions["redact"]>>;
  /**
   * All that a person typed of what will be noted: a search of short words need not load the redactor, nor wait for the disk. Left
   * out where anything may be noted.
   */
  readonly text?: string;
}

/** The trail in a state folder; undefined where there is no such folder. */
export async function openTrail(
  folder: string,
  { redactor, text, progress }: OpenTrailOptions,
): Promise<AuditTrail | undefined> {
  if (!existsSync(folder)) return undefined;
  const isShort = text !== undefined && !LONG_WORD.test(text);
  return new AuditTrail(folder, {
    ...!isShort && { redact: await redactor() },
    durable: text === undefined,
    onProblem: (detail) => progress({ phase: "", detail, note: true }),
  });
}

/** A trail that is opened by the first event, for processes that may never have one. */
export class LateTrail implements AsyncDisposable {
  readonly #open: () => Promise<AuditTrail | undefined>;
  readonly #onProblem: (message: string) => void;
  #trail: Promise<AuditTrail | undefined> | undefined;

  /**
   * @param open gives the trail; called once at most
   * @param onProblem is told when that fails: whatever was to be noted goes on without a note
   */
  constructor(open: () => Promise<AuditTrail | undefined>, onProblem: (message: string) => void) {
    this.#open = open;
    this.#onProblem = onProblem;
  }

  /** Notes an event. It is for whoever bounds what it records: nobody is made to wait. */
  record(event: NewEvent): void {
    this.#trail ??= this.#open().catch((error) => {
      this.#onProblem(`the audit trail cannot be opened: ${(error as Error).message}`);
      return undefined;
    });
    void this.#trail.then((trail) => trail?.record(event));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#trail)?.close();
  }
}
