/**
 * Pack: forgets the past up to a moment, and what nobody can reach any more.
 *
 * Owns mark and sweep over the revisions of a store. Kept are all revisions after the moment, and of those before it the newest of each
 * object that can be reached: from the root, from the kernel's own objects, or from anything written since. Blobs that nothing kept
 * refers to are deleted. What must hold: everything that is kept is read, and proves whole, before anything is dropped, so damage
 * ends the pack with nothing changed; others go on writing all the while, and what they refer to is kept.
 */
import type { BlobFolder } from "./blobs.ts";
import type { CommittedState } from "./committed_state.ts";
import { FIRST_FREE_OID, type ImageStore } from "./image_store.ts";
import { decodeRecord, visitRecord } from "./object_record.ts";
import { LOBBY_OID } from "./primitives.ts";
import type { UnitParts } from "./unit_parts.ts";
import { FIRST_MOUNTED_OID, type Oid, Ref } from "./values.ts";

/** What a pack did. */
export interface PackReport {
  /** The moment: what was before it is forgotten. */
  readonly upTo: number;
  /** Objects that are gone. */
  readonly objects: number;
  /** Revisions that are gone, those of gone objects included. */
  readonly revisions: number;
  readonly transactions: number;
  readonly blobs: number;
}

/** Up to where, and what ends it. */
export interface PackOptions {
  /** The last transaction whose past is forgotten; by default the newest that no open unit needs. */
  readonly upTo?: number;
  readonly signal?: AbortSignal;
  /** Told how far it is, every now and then: objects read, then objects looked at for what goes. */
  readonly onProgress?: (phase: "reading" | "removing", done: number, total?: number) => void;
}

/** Objects read, or revisions dropped, before others get a turn: some tens of milliseconds. */
const BATCH = 2_000;

/** See the module text. */
export async function packImage(
  state: CommittedState,
  blobs: BlobFolder | undefined,
  exclusively: UnitParts["exclusively"],
  { upTo = Infinity, signal, onProgress }: PackOptions,
): Promise<PackReport> {
  const { store } = state;
  state.refresh();
  const moment = Math.min(upTo, state.oldestWatched());
  const marks = new Marks(store, moment);
  for (const oid of await listOids(store, marks.seen, signal)) {
    if (oid < FIRST_FREE_OID) marks.reach(oid);
  }
  marks.reach(LOBBY_OID);
  marks.reachLaterWrites(store.newestTransaction());
  await marks.follow(signal, (done) => onProgress?.("reading", done));

  const report = { upTo: moment, objects: 0, revisions: 0, transactions: 0, blobs: 0 };
  const candidates = await listOids(store, moment, signal);
  for (let at = 0; at < candidates.length; at += BATCH) {
    signal?.throwIfAborted();
    onProgress?.("removing", at, candidates.length);
    const batch = candidates.slice(at, at + BATCH);
    await exclusively("pack", () =>
      store.drop(moment, () => {
        marks.catchUp();
        const revisions = batch.flatMap((oid) => marks.dropped(oid));
        report.revisions += revisions.length;
        report.objects += batch.filter((oid) => !marks.isReached(oid)).length;
        return { revisions, transactions: [] };
      }));
    await pause();
  }
  await exclusively("pack", () =>
    store.drop(moment, () => {
      marks.catchUp();
      const transactions = emptyTransactions(store, moment);
      report.transactions = transactions.length;
      // Whoever keeps a blob does it inside a transaction, so none can appear now.
      for (const hash of blobs?.list() ?? []) {
        if (!marks.blobs.has(hash) && blobs!.delete(hash)) report.blobs++;
      }
      return { revisions: [], transactions };
    }));
  state.refresh();
  return report;
}

/** What is reached, and how it is found. */
class Marks {
  /** The hashes that kept revisions refer to. */
  readonly blobs = new Set<string>();
  readonly #store: ImageStore;
  readonly #moment: number;
  readonly #reached = new Set<Oid>();
  #waiting: Oid[] = [];
  /** The newest transaction whose writes were looked at. */
  seen: number;

  constructor(store: ImageStore, moment: number) {
    this.#store = store;
    this.#moment = moment;
    this.seen = store.newestTransaction();
  }

  isReached(oid: Oid): boolean {
    return this.#reached.has(oid);
  }

  reach(oid: Oid): void {
    if (oid >= FIRST_MOUNTED_OID || this.#reached.has(oid)) return;
    this.#reached.add(oid);
    this.#waiting.push(oid);
  }

  /** What was written after the moment is kept, and so is what it refers to. */
  reachLaterWrites(upTo: number): void {
    for (const { oids } of this.#store.transactions({ after: this.#moment, upTo })) {
      for (const oid of oids) this.reach(oid);
    }
  }

  /** Reads what is kept of everything reached so far, until nothing new is found. */
  async follow(
    signal: AbortSignal | undefined,
    onProgress: (objects: number) => void,
  ): Promise<void> {
    for (let count = 1; this.#waiting.length > 0; count++) {
      this.#read(this.#waiting.pop()!, 0);
      if (count % BATCH === 0) {
        onProgress(count);
        await pause();
      }
      signal?.throwIfAborted();
    }
  }

  /** Follows what was committed since the last look; called while nobody commits. */
  catchUp(): void {
    const newest = this.#store.newestTransaction();
    if (newest === this.seen) return;
    for (const { oids } of this.#store.transactions({ after: this.seen, upTo: newest })) {
      for (const oid of oids) {
        if (this.#reached.has(oid)) this.#read(oid, this.seen);
        else this.reach(oid);
      }
    }
    this.seen = newest;
    while (this.#waiting.length > 0) this.#read(this.#waiting.pop()!, 0);
  }

  /** The revisions of an object that are not kept. */
  dropped(oid: Oid): { oid: Oid; tid: number }[] {
    const past = this.#store.revisionIds(oid).filter((tid) => tid <= this.#moment);
    return past.slice(this.#reached.has(oid) ? 1 : 0).map((tid) => ({ oid, tid }));
  }

  /** Reads the kept revisions of an object that are later than `after`. */
  #read(oid: Oid, after: number): void {
    const ids = this.#store.revisionIds(oid);
    const newestPast = ids.find((tid) => tid <= this.#moment) ?? 0;
    for (const tid of ids) {
      if (tid < newestPast || tid <= after) break;
      const { data } = this.#store.load(oid, tid)!;
      if (data === null) continue;
      visitRecord(decodeRecord(oid, tid, data), (reference) => {
        if (reference instanceof Ref) this.reach(reference.oid);
        else this.blobs.add(reference.hash);
      });
    }
  }
}

async function listOids(
  store: ImageStore,
  tid: number,
  signal: AbortSignal | undefined,
): Promise<Oid[]> {
  const found: Oid[] = [];
  for (let from = 0;;) {
    const some = store.oids(tid, from, BATCH);
    found.push(...some);
    if (some.length < BATCH) return found;
    from = some.at(-1)! + 1;
    await pause();
    signal?.throwIfAborted();
  }
}

/** Transactions of which nothing is left; the newest stays, for ids must go on rising. */
function emptyTransactions(store: ImageStore, moment: number): number[] {
  const newest = store.newestTransaction();
  return store.transactions({ upTo: Math.min(moment, newest - 1) })
    .filter(({ tid, oids }) => oids.every((oid) => !store.revisionIds(oid).includes(tid)))
    .map(({ tid }) => tid);
}

function pause(): Promise<void> {
  return new Promise((done) => setTimeout(done, 0));
}
