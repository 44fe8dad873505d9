/**
 * The results of a handler, whichever way it gives them.
 *
 * Owns no behaviour of its own. What must hold: a handler that yields is read to its end, so that what it opened is closed.
 */

/** All results, in order. */
export async function* each<R>(outcome: Promise<R> | AsyncIterable<R>): AsyncIterable<R> {
  if (Symbol.asyncIterator in outcome) yield* outcome;
  else yield await outcome;
}

/**
 * The last result: the only one of most commands.
 * @throws {Error} when there is none
 */
export async function lastOf<R>(outcome: Promise<R> | AsyncIterable<R>): Promise<R> {
  let last: { readonly result: R } | undefined;
  for await (const result of each(outcome)) last = { result };
  if (last === undefined) throw new Error("run a command: it gave no result");
  return last.result;
}
