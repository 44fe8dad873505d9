/**
 * Numbers with what they count, for messages.
 *
 * Owns the one way of writing them. What must hold: one thing is in the singular.
 */

/** "1 file", "3 files". */
export function counted(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
