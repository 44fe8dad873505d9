/**
 * Changes of the image that commands of this kernel make, told to whoever listens.
 *
 * Owns which commands those are. Each opens the image for itself, so that the image which the kernel keeps open does not hear of it. What must
 * hold: a change is told after it was committed, and never when nothing was.
 */
import type { CommandName, HandlerContext, Handlers } from "../commands.ts";
import { each } from "./results.ts";

/** Commands that write to the image: done twice they would change it twice. */
export const WRITING: readonly CommandName[] = [
  "image_new",
  "image_set",
  "image_rm",
  "image_send",
  "image_undo",
  "conversation_forget",
  "cem_set",
];

/** What changed: the transaction, and the objects that it wrote. As the image itself tells it (`image/image_port.ts`). */
export interface ImageState {
  readonly type: "commit";
  readonly tid: number;
  readonly oids: readonly string[];
  readonly user: string;
  readonly description: string;
}

/**
 * The same handlers, telling what they changed.
 * @param tell does not throw
 */
export function tellChanges(handlers: Handlers, tell: (state: ImageState) => void): Handlers {
  const wrapped: Record<string, unknown> = { ...handlers };
  for (const name of WRITING) {
    const handler = handlers[name] as (
      input: unknown,
      context: HandlerContext,
    ) => Promise<unknown> | AsyncIterable<unknown>;
    wrapped[name] = async function* (input: unknown, context: HandlerContext) {
      for await (const result of each(handler(input, context))) {
        const { tid, changes = [] } = result as {
          tid?: number | null;
          changes?: readonly { oid: string }[];
        };
        if (typeof tid === "number") {
          const oids = [...new Set(changes.map(({ oid }) => oid))];
          tell({ type: "commit", tid, oids, user: "command", description: name });
        }
        yield result;
      }
    };
  }
  return wrapped as unknown as Handlers;
}
