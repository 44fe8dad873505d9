/**
 * The error that sends a command line back to its own work.
 *
 * What must hold: it is thrown only where nothing that the kernel did would be wrong to do again.
 */

/** The kernel ended, never took the request, or has too much to do. */
export class KernelGoneError extends Error {
  override readonly name = "KernelGoneError";
}
