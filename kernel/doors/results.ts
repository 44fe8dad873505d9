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

/** All results at once: of most commands there is one. */
export async function allOf<R>(outcome: Promise<R> | AsyncIterable<R>): Promise<R[]> {
  const results: R[] = [];
  for await (const result of each(outcome)) results.push(result);
  return results;
}
