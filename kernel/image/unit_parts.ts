/**
 * What a unit of work is made with, and what others may bring into it.
 *
 * Owns these interfaces alone. What must hold: whoever joins a unit writes inside its transaction or not at all.
 */
import type { DatabaseSync } from "node:sqlite";
import type { BlobFolder } from "./blobs.ts";
import type { CommittedState } from "./committed_state.ts";
import type { ConflictResolver } from "./merge.ts";
import type { Messenger } from "./send.ts";
import type { SlotSpecs } from "./slot_spec.ts";
import type { Oid, Ref } from "./values.ts";

/** Somebody whose writes belong to the same transaction, such as memory whose chunks live in the same file. */
export interface Participant {
  /** For messages. */
  readonly name: string;
  /**
   * Writes, synchronously, inside the transaction. A throw undoes all of it. `database` is the image's own connection; nothing where
   * the image does not live in SQLite.
   */
  apply(database: DatabaseSync | undefined, tid: number): void;
  /** After the commit is durable. */
  committed?(tid: number): void;
  /** After an abort, or a rollback to before it joined. */
  aborted?(): void;
  /** Remembers where it is; what it returns goes back there. Without it, no savepoint can be rolled back to. */
  savepoint?(): () => void;
}

/** What a unit is made with. */
export interface UnitParts {
  readonly state: CommittedState;
  readonly messenger: Messenger;
  readonly resolvers: ReadonlyMap<string, ConflictResolver>;
  readonly blobs: BlobFolder | undefined;
  /** Runs the commit while no other process commits; at once where nobody is to be waited for. */
  readonly exclusively: <T>(action: string, commit: () => T) => T | Promise<T>;
  /** Told of each commit. */
  readonly onCommit: (commit: Commit) => void;
  /** The moment of a view of the past; nothing for the present. */
  readonly at?: number;
}

/** A commit that was made. */
export interface Commit {
  readonly tid: number;
  readonly oids: readonly Oid[];
  readonly user: string;
  readonly description: string;
}

/** What is kept with the transaction, and how careful it is. */
export interface UnitOptions {
  /** Who; kept with the transaction. */
  readonly user?: string;
  /** What for; kept with the transaction. */
  readonly description?: string;
  /** Every object that is read is a declared dependency: a commit that rests on a stale read is refused. */
  readonly dependOnReads?: boolean;
}

/** What an object is made of. */
export interface ObjectSpec {
  /** Its prototype; the traits by default, null for none. A slot `parent*` among the slots comes instead of it. */
  readonly parent?: Oid | Ref | null;
  readonly slots?: SlotSpecs;
  /** Chooses how conflicts are resolved: `counter`, `set`, or a kind that was handed in. */
  readonly kind?: string;
}
