/**
 * The image in memory: the sibling of `sqlite_store.ts` for tests, examples and images that nobody keeps.
 *
 * Owns arrays of revisions and transactions. What must hold: it behaves as the conformance suite says, restart excepted.
 */
import {
  type Dropped,
  FIRST_FREE_OID,
  type ImageStore,
  type Revision,
  type StoredTransaction,
  type StoreProblem,
  type TransactionInfo,
  type WriteOptions,
  type Writing,
} from "./image_store.ts";
import { ImageError } from "./errors.ts";
import type { Oid } from "./values.ts";

/** See the module text. */
export class MemoryImageStore implements ImageStore {
  readonly name = "memory";
  readonly readOnly = false;
  /** Revisions of each object, oldest first. */
  readonly #revisions = new Map<Oid, Revision[]>();
  #transactions: StoredTransaction[] = [];
  #packedTo = 0;
  #drops = 0;
  #nextOid = FIRST_FREE_OID;
  #closed = false;
  #writing = false;

  newestTransaction(): number {
    this.#requireOpen();
    return this.#transactions.at(-1)?.tid ?? 0;
  }

  packedTo(): number {
    return this.#packedTo;
  }

  drops(): number {
    return this.#drops;
  }

  load(oid: Oid, tid: number): Revision | undefined {
    this.#requireOpen();
    return this.#revisions.get(oid)?.findLast((revision) => revision.tid <= tid);
  }

  revisions(oid: Oid): Revision[] {
    this.#requireOpen();
    return (this.#revisions.get(oid) ?? []).toReversed();
  }

  revisionIds(oid: Oid): number[] {
    return this.revisions(oid).map(({ tid }) => tid);
  }

  transaction(tid: number): StoredTransaction | undefined {
    this.#requireOpen();
    return this.#transactions.find((one) => one.tid === tid);
  }

  transactions(
    { after = 0, upTo = Infinity, newestFirst = false, limit = Infinity }: Parameters<
      ImageStore["transactions"]
    >[0],
  ): StoredTransaction[] {
    this.#requireOpen();
    const found = this.#transactions.filter(({ tid }) => tid > after && tid <= upTo);
    return (newestFirst ? found.reverse() : found).slice(0, limit);
  }

  oids(tid: number, from: Oid, limit: number): Oid[] {
    this.#requireOpen();
    return [...this.#revisions].filter(([oid, revisions]) =>
      oid >= from && revisions.some((revision) => revision.tid <= tid)
    ).map(([oid]) => oid).sort((a, b) => a - b).slice(0, limit);
  }

  reserve(count: number): Oid {
    this.#requireOpen();
    const first = this.#nextOid;
    this.#nextOid += count;
    return first;
  }

  write<T>(options: WriteOptions, work: (writing: Writing) => T): { tid: number; result: T } {
    this.#requireOpen();
    if (this.#writing) throw new ImageError('write to "memory": a transaction is being written');
    const previous = this.newestTransaction();
    const tid = previous + 1;
    const puts = new Map<Oid, string | null>();
    this.#writing = true;
    let result: T;
    try {
      result = work({
        tid,
        previous,
        drops: this.#drops,
        database: undefined,
        newest: (oid) => this.#revisions.get(oid)?.at(-1)?.tid ?? 0,
        put: (oid, data) => void puts.set(oid, data),
      });
    } finally {
      this.#writing = false;
    }
    if (puts.size === 0 && !options.force) return { tid: previous, result };
    const { user, description } = options;
    const time = Math.max(options.time, this.#transactions.at(-1)?.time ?? 0);
    const revisions = [...puts].map(([oid, data]) => ({ oid, tid, data }));
    this.restore({ tid, time, user, description }, revisions);
    return { tid, result };
  }

  compact(): boolean {
    return false;
  }

  transactionIds(after: number, limit: number): number[] {
    return this.transactions({ after, limit }).map(({ tid }) => tid);
  }

  restore(transaction: TransactionInfo, revisions: readonly Revision[]): void {
    this.#requireOpen();
    if (transaction.tid <= this.newestTransaction()) {
      throw new ImageError(
        `restore transaction ${transaction.tid}: the newest here is ${this.newestTransaction()}; copy into an empty store`,
      );
    }
    for (const revision of revisions) {
      const known = this.#revisions.get(revision.oid);
      if (known) known.push(revision);
      else this.#revisions.set(revision.oid, [revision]);
      this.#nextOid = Math.max(this.#nextOid, revision.oid + 1);
    }
    const { tid, time, user, description } = transaction;
    const oids = revisions.map(({ oid }) => oid).sort((a, b) => a - b);
    this.#transactions.push({ tid, time, user, description, oids });
  }

  drop(tid: number, select: () => Dropped): void {
    this.#requireOpen();
    const { revisions, transactions } = select();
    this.#packedTo = Math.max(this.#packedTo, tid);
    this.#drops++;
    for (const dropped of revisions) {
      const kept = this.#revisions.get(dropped.oid)?.filter((one) => one.tid !== dropped.tid) ?? [];
      if (kept.length > 0) this.#revisions.set(dropped.oid, kept);
      else this.#revisions.delete(dropped.oid);
    }
    const gone = new Set(transactions);
    this.#transactions = this.#transactions.filter((one) => !gone.has(one.tid));
  }

  problems(): Iterable<StoreProblem> {
    this.#requireOpen();
    return [];
  }

  close(): void {
    this.#closed = true;
  }

  #requireOpen(): void {
    if (this.#closed) throw new ImageError('use the image "memory": it was closed; open it again');
  }
}
