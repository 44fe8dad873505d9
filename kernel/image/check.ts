/**
 * Reads everything that an image keeps and says what is wrong with it; and saves from a damaged one what can be saved.
 *
 * Owns the check and the copy from store to store. What must hold: damage in one place hides none in another; nothing is repaired in
 * place; what cannot be read is named, by object and transaction.
 */
import type { BlobFolder } from "./blobs.ts";
import { DamagedImageError } from "./errors.ts";
import type { ImageStore, Revision, StoredTransaction, StoreProblem } from "./image_store.ts";
import { decodeRecord, isGenuine, visitRecord } from "./object_record.ts";
import { FIRST_MOUNTED_OID, type Oid, Ref } from "./values.ts";

/** What was read, and what is wrong. */
export interface CheckReport {
  readonly transactions: number;
  readonly objects: number;
  readonly revisions: number;
  readonly blobs: number;
  readonly problems: readonly StoreProblem[];
}

/** How a check reports and ends. */
export interface CheckOptions {
  readonly signal?: AbortSignal;
  /** Told of objects that were read, every now and then. */
  readonly onProgress?: (objects: number) => void;
}

/** Objects or transactions read before others get a turn. */
const BATCH = 500;

/** See the module text. Others may write meanwhile: what they commit is not looked at, and what they pack away is no damage. */
export async function checkImage(
  store: ImageStore,
  blobs: BlobFolder | undefined,
  options: CheckOptions = {},
): Promise<CheckReport> {
  for (;;) {
    const drops = store.drops();
    const report = await checkOnce(store, blobs, options);
    store.newestTransaction(); // so that it looks
    if (report.problems.length === 0 || store.drops() === drops) return report;
  }
}

async function checkOnce(
  store: ImageStore,
  blobs: BlobFolder | undefined,
  { signal, onProgress }: CheckOptions,
): Promise<CheckReport> {
  const problems: StoreProblem[] = [...collect(() => store.problems())];
  const report = { transactions: 0, objects: 0, revisions: 0, blobs: 0 };
  const newest = store.newestTransaction();
  const packed = store.packedTo();
  /** Objects that some transaction says it wrote: all that there are, if no transaction is damaged. */
  const oids = new Set<Oid>();
  const wrote = new Map<Oid, number[]>();
  for await (const one of readTransactions(store, newest, signal)) {
    if ("problem" in one) {
      problems.push(one);
      continue;
    }
    report.transactions++;
    for (const oid of one.oids) {
      oids.add(oid);
      if (one.tid <= packed) continue;
      const tids = wrote.get(oid);
      if (tids === undefined) wrote.set(oid, [one.tid]);
      else tids.push(one.tid);
    }
  }
  for (const one of listOids(store, newest)) {
    if (typeof one === "number") oids.add(one);
    else problems.push(one);
  }

  const hashes = new Map<string, { oid: Oid; tid: number; size: number }>();
  const there = (oid: Oid) => {
    try {
      return store.load(oid, newest)?.data != null;
    } catch {
      // Its damage is told where it is read itself.
      return true;
    }
  };
  let looked = 0;
  for (const oid of [...oids].sort((a, b) => a - b)) {
    if (++looked % BATCH === 0) {
      onProgress?.(looked);
      await new Promise((done) => setTimeout(done, 0));
      signal?.throwIfAborted();
    }
    const ids = (attempt(() => store.revisionIds(oid), { oid }, problems) ?? [])
      .filter((tid) => tid <= newest);
    // Of an object that a pack took away its transaction still speaks.
    if (ids.length > 0) report.objects++;
    for (const tid of wrote.get(oid) ?? []) {
      if (!ids.includes(tid)) {
        problems.push({
          oid,
          tid,
          problem: "its transaction wrote this revision, which is missing",
        });
      }
    }
    for (const [at, tid] of ids.entries()) {
      attempt(
        () => {
          const revision = store.load(oid, tid);
          // Another process dropped it a moment ago.
          if (revision?.tid !== tid) return;
          report.revisions++;
          const { data } = revision;
          if (data === null) return;
          const record = decodeRecord(oid, tid, data);
          for (const [name, slot] of record.slots) {
            if (slot.type === "method" && !isGenuine(slot)) {
              problems.push({ oid, tid, problem: `method "${name}" is not what its hash says` });
            }
          }
          visitRecord(record, (reference) => {
            if (!(reference instanceof Ref)) {
              hashes.set(reference.hash, { oid, tid, size: reference.size });
            } else if (at === 0 && reference.oid < FIRST_MOUNTED_OID && !there(reference.oid)) {
              problems.push({
                oid,
                tid,
                problem: `refers to object ${reference.oid}, which is missing`,
              });
            }
          });
        },
        { oid, tid },
        problems,
      );
    }
  }
  for (const [hash, { oid, tid, size }] of hashes) {
    report.blobs++;
    const problem = blobs === undefined
      ? `blob "${hash}" cannot be read: the image was opened without a folder for blobs`
      : (await blobs.verify(hash, signal === undefined ? {} : { signal }))?.message ??
        (blobs.has(hash) && blobs.size(hash) === size
          ? undefined
          : `blob "${hash}" has another size`);
    if (problem !== undefined) problems.push({ oid, tid, problem });
  }
  return { ...report, problems };
}

/** What was copied, and what could not be. */
export interface CopyReport {
  readonly transactions: number;
  readonly revisions: number;
  readonly lost: readonly StoreProblem[];
}

/**
 * Copies an image, transaction by transaction, into an empty store: the same ids, times, revisions.
 *
 * @param options `skipDamaged` leaves out what cannot be read and names it; without it, damage ends the copy
 */
export async function copyImage(
  from: ImageStore,
  to: ImageStore,
  { skipDamaged = false, signal }: { skipDamaged?: boolean; signal?: AbortSignal } = {},
): Promise<CopyReport> {
  const lost: StoreProblem[] = [];
  let [transactions, revisions] = [0, 0];
  for await (const one of readTransactions(from, from.newestTransaction(), signal)) {
    if ("problem" in one) {
      if (!skipDamaged) throw new DamagedImageError(one.problem, one.oid, one.tid);
      lost.push(one);
      continue;
    }
    const { oids, ...info } = one;
    const copied: Revision[] = [];
    for (const oid of oids) {
      try {
        const revision = from.load(oid, one.tid);
        // Dropped by a pack.
        if (revision?.tid !== one.tid) continue;
        if (revision.data !== null) decodeRecord(oid, one.tid, revision.data);
        copied.push(revision);
      } catch (error) {
        if (!(error instanceof DamagedImageError) || !skipDamaged) throw error;
        lost.push({ oid, tid: one.tid, problem: error.message });
      }
    }
    to.restore(info, copied);
    transactions++;
    revisions += copied.length;
  }
  if (from.packedTo() > 0) to.drop(from.packedTo(), () => ({ revisions: [], transactions: [] }));
  return { transactions, revisions, lost };
}

/** Transactions, oldest first, damaged ones as problems. */
async function* readTransactions(
  store: ImageStore,
  newest: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<StoredTransaction | StoreProblem> {
  for (let after = 0; after < newest;) {
    signal?.throwIfAborted();
    const ids = attempt(() => store.transactionIds(after, BATCH), {}, []);
    if (ids?.length === 0) return;
    // Without a list of them each is tried.
    const tids = ids ?? Array.from({ length: BATCH }, (_, n) => after + 1 + n);
    const upTo = Math.min(tids.at(-1)!, newest);
    const some = attempt(() => store.transactions({ after, upTo }), {}, []);
    if (some !== undefined) yield* some;
    else {
      for (const tid of tids) {
        if (tid > newest) break;
        const problems: StoreProblem[] = [];
        const one = attempt(() => store.transaction(tid), { tid }, problems);
        yield* problems;
        if (one !== undefined) yield one;
      }
    }
    after = upTo;
    await new Promise((done) => setTimeout(done, 0));
  }
}

/** All OIDs, as far as they can be listed. */
function* listOids(store: ImageStore, newest: number): Generator<Oid | StoreProblem> {
  for (let from = 0;;) {
    const problems: StoreProblem[] = [];
    const some = attempt(() => store.oids(newest, from, BATCH), {}, problems);
    yield* some ?? [];
    yield* problems;
    if (some === undefined || some.length < BATCH) return;
    from = some.at(-1)! + 1;
  }
}

function collect(problems: () => Iterable<StoreProblem>): StoreProblem[] {
  const found: StoreProblem[] = [];
  attempt(() => found.push(...problems()), {}, found);
  return found;
}

/** The result, or undefined and a problem more. Only damage is caught. */
function attempt<T>(
  work: () => T,
  where: { oid?: Oid; tid?: number },
  problems: StoreProblem[],
): T | undefined {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof DamagedImageError)) throw error;
    problems.push({ ...where, problem: error.message });
  }
}
