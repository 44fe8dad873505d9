/**
 * How adapters are refused.
 *
 * Owns the one error of this folder. What must hold: its message is one line for a person that says what was done, on what, what
 * was found and what would be right.
 */

/**
 * What an adapter cannot be used for: `damaged` (not all there, or not what it says), `unsupported` (sound, of a kind that
 * cannot be had here), `mismatch` (for another model), `budget` (too large for the memory it may take), `failed` (all else).
 */
export type AdapterErrorKind = "damaged" | "unsupported" | "mismatch" | "budget" | "failed";

/** An adapter that cannot be read, converted or activated. */
export class AdapterError extends Error {
  override readonly name = "AdapterError";
  constructor(message: string, readonly kind: AdapterErrorKind, options?: ErrorOptions) {
    super(message, options);
  }
}

/** What went wrong below us, in one line. */
export function reasonOf(cause: unknown): string {
  const code = (cause as { code?: string } | null)?.code;
  if (code === "ENOENT") return "there is no such file";
  if (code === "EACCES" || code === "EPERM") return "it may not be read";
  return cause instanceof Error ? cause.message.split("\n")[0]! : String(cause);
}
