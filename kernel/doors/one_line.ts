/**
 * An error as one line in the form of the house, for every door.
 *
 * Pure. What must hold: whatever was thrown, the result is one line without a final period; a programming error says that it is one.
 */

/** Programming errors: whoever reads this message cannot mend them. */
const DEFECTS = [TypeError, RangeError, ReferenceError, SyntaxError];

/** The message of an error, in one line. */
export function oneLine(error: unknown): string {
  const message = error instanceof Error ? error.message || error.name : String(error);
  const line = message.trim().replace(/\s*[\r\n]+\s*/g, "; ").replace(/\.$/, "");
  return DEFECTS.some((type) => error instanceof type) && !(error instanceof URIError)
    ? `a defect of batos: ${line}; set BATOS_DEBUG=1 to see where`
    : line;
}
