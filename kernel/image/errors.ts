/**
 * The ways in which the image refuses.
 *
 * Owns errors that carry fields, or that callers must tell apart; whatever is neither is the nearest built-in error. What must hold:
 * a message is one line that says what was done, on what, what was found, and what would be right.
 */
import { counted } from "../counted.ts";

/** The image refused something. The message is for people; subclasses carry the fields. */
export class ImageError extends Error {
  override readonly name: string = "ImageError";
}

/** Somebody else committed a change of what this unit of work changed, or declared that it depends on. */
export class ConflictError extends ImageError {
  override readonly name = "ConflictError";
  constructor(
    /** The object that both changed. */
    readonly oid: number,
    /** The revision that this unit started from; 0 where the object was not there. */
    readonly base: number,
    /** The revision that is there now. */
    readonly current: number,
    reason = "changed meanwhile",
    options?: ErrorOptions,
  ) {
    super(
      `commit: object ${oid} ${reason}: read at revision ${base}, now at revision ${current}; abort and try again`,
      options,
    );
  }
}

/** There is no such object in this view of the image. */
export class NoSuchObjectError extends ImageError {
  override readonly name = "NoSuchObjectError";
  constructor(readonly oid: number, action: string, hint = "see which objects there are") {
    super(`${action}: there is no object ${oid}; ${hint}`);
  }
}

/** A selector is found in several parents, none of which is nearer than the others. */
export class AmbiguousSelectorError extends ImageError {
  override readonly name = "AmbiguousSelectorError";
  constructor(
    readonly oid: number,
    readonly selector: string,
    /** The objects that hold a slot of that name, in the order in which they were found. */
    readonly holders: readonly number[],
  ) {
    super(
      `look up ${JSON.stringify(selector)} in object ${oid}: found in objects ${
        holders.join(" and ")
      }, neither of which is nearer; define it in ${oid}, or resend to one parent by name`,
    );
  }
}

/** Neither the receiver nor any object that it delegates to has the slot, and nothing could help. */
export class NotUnderstoodError extends ImageError {
  override readonly name = "NotUnderstoodError";
  constructor(
    readonly oid: number,
    readonly selector: string,
    because: string,
    options?: ErrorOptions,
  ) {
    super(`send ${JSON.stringify(selector)} to object ${oid}: not understood; ${because}`, options);
  }
}

/** A message came with more or fewer arguments than the method takes. */
export class ArgumentCountError extends ImageError {
  override readonly name = "ArgumentCountError";
  constructor(
    readonly oid: number,
    readonly selector: string,
    readonly expected: number,
    readonly given: number,
  ) {
    super(
      `send ${JSON.stringify(selector)} to object ${oid}: takes ${
        counted(expected, "argument")
      }, got ${given}`,
    );
  }
}

/** Something was to be written that is only to be read: a slot, a view of the past, a mounted object, the whole image. */
export class ReadOnlyError extends ImageError {
  override readonly name = "ReadOnlyError";
}

/** A transaction cannot be undone. */
export class UndoError extends ImageError {
  override readonly name = "UndoError";
  constructor(readonly tid: number, because: string) {
    super(`undo transaction ${tid}: ${because}`);
  }
}

/** What was asked for is older than what the last pack kept. */
export class PackedError extends ImageError {
  override readonly name = "PackedError";
}

/** A stored record, or the file that holds it, is not what was written. */
export class DamagedImageError extends ImageError {
  override readonly name = "DamagedImageError";
  constructor(message: string, readonly oid?: number, readonly tid?: number) {
    super(message);
  }
}

/** There is nothing to be read: a file without an image, or none at all. */
export class NoImageError extends ImageError {
  override readonly name = "NoImageError";
}

/** A later version of the program wrote the image. */
export class NewerImageError extends ImageError {
  override readonly name = "NewerImageError";
}
