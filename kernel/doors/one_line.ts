/**
 * An error as one line in the form of the house, for every door.
 *
 * Pure. What must hold: whatever was thrown, the result is one line without a final period; a programming error says that it is one.
 */

/** Programming errors: whoever reads this message cannot mend them. */
const DEFECTS = [TypeError, RangeError, ReferenceError, SyntaxError];

/** The message of an error, in one line. */
export function oneLine(error: unknown): string {
  const missing = error instanceof Deno.errors.NotCapable ? rightOf(error.message) : undefined;
  if (missing !== undefined) return missing;
  const message = error instanceof Error ? error.message || error.name : String(error);
  const line = message.trim().replace(/\s*[\r\n]+\s*/g, "; ").replace(/\.$/, "");
  return DEFECTS.some((type) => error instanceof type) && !(error instanceof URIError)
    ? `a defect of batos: ${line}; set BATOS_DEBUG=1 to see where`
    : line;
}

/** A right that the process was started without: what runs with it, where the runtime only names its flag. */
function rightOf(message: string): string | undefined {
  const [, right, what] = /^Requires (\w+) access(?: to (".*?"|<.*?>))?/.exec(message) ?? [];
  return right &&
    `this process was started without ${right} access${
      what === undefined ? "" : ` to ${what}`
    }; in the checkout "deno task COMMAND" gives each command what it needs (--repo DIR names the repository)`;
}
