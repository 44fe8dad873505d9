/**
 * The error that sends a command line back to its own work.
 *
 * What must hold: it says whether the kernel may have begun, so that nothing is done twice that may not be.
 */

/** The kernel ended, never took the request, or has too much to do. */
export class KernelGoneError extends Error {
  override readonly name = "KernelGoneError";
  constructor(
    message: string,
    /** Whether it had taken the request: then it may have done a part of it, or all. */
    readonly mayHaveBegun = false,
  ) {
    super(message);
  }
}
