/**
 * The living image: prototype objects that send messages, and keep what they become.
 *
 * Owns the facade over one store: units of work, the past, and what others hand in (method runner, author, primitives, resolvers,
 * mounts). `open_image.ts` opens one in a workspace. What must hold: nothing is written but in a unit of work; a view of the past is
 * read-only; closing ends everything that was begun.
 */
import { UnitOfWork } from "./unit_of_work.ts";
import type { Commit, UnitOptions, UnitParts } from "./unit_parts.ts";
import type { BlobFolder } from "./blobs.ts";
import {
  checkImage,
  type CheckOptions,
  type CheckReport,
  copyImage,
  type CopyReport,
} from "./check.ts";
import { CommittedState, type Mount } from "./committed_state.ts";
import { ImageError, NoImageError, PackedError, ReadOnlyError } from "./errors.ts";
import {
  defineFirstObjects,
  defineObjects,
  type GenesisDefinition,
  namedObject,
} from "./genesis.ts";
import { objectHistory, type ObjectRevision, restorePast } from "./history.ts";
import type { ImageStore, StoredTransaction } from "./image_store.ts";
import { type ConflictResolver, KNOWN_RESOLVERS } from "./merge.ts";
import { packImage, type PackOptions, type PackReport } from "./pack.ts";
import { exportLines, importLines, type TransferReport } from "./transfer.ts";
import { type Author, Messenger, type MethodRunner, type Primitive } from "./send.ts";
import { retried } from "./retried.ts";
import type { Oid } from "./values.ts";

export interface ImageParts {
  /** Where blobs are kept; without it the image has none. */
  readonly blobs?: BlobFolder;
  /** Keeps other processes from committing while one unit does; by default nobody else can. */
  readonly exclusively?: UnitParts["exclusively"];
  /** What is to be closed with the image. */
  readonly onClose?: () => void;
}

/** How `transact` is to go about it. */
export interface TransactOptions extends UnitOptions {
  /** How often a unit that met a conflict is done again; 3 by default. */
  readonly retries?: number;
  readonly signal?: AbortSignal;
}

/** A conflict is rare, three in a row mean that two keep at each other; the caller should know. */
const RETRIES = 3;

/** See the module text. */
export class Image implements Disposable {
  readonly #state: CommittedState;
  readonly #parts: ImageParts;
  readonly #messenger = new Messenger();
  readonly #resolvers = new Map<string, ConflictResolver>(Object.entries(KNOWN_RESOLVERS));
  readonly #listeners = new Set<(commit: Commit) => void>();
  readonly #units: UnitParts;
  #closed = false;

  private constructor(store: ImageStore, parts: ImageParts) {
    this.#state = new CommittedState(store);
    this.#parts = parts;
    this.#units = {
      state: this.#state,
      messenger: this.#messenger,
      resolvers: this.#resolvers,
      blobs: parts.blobs,
      exclusively: parts.exclusively ?? ((_action, commit) => commit()),
      onCommit: (commit) => {
        for (const listener of this.#listeners) {
          try {
            listener(commit);
          } catch (error) {
            // What is durable is not to look as if it had failed.
            console.error("a listener of commits failed:", error);
          }
        }
      },
    };
  }

  /**
   * The image in a store. An empty store gets the first objects, as its first transaction; one of an older version gets what it lacks.
   * The image closes the store.
   *
   * @throws {NoImageError} when the store is empty and read-only
   */
  static async open(store: ImageStore, parts: ImageParts = {}): Promise<Image> {
    const image = new Image(store, parts);
    try {
      if (store.readOnly) {
        if (store.newestTransaction() === 0) {
          throw new NoImageError(
            `open the image "${store.name}" for reading: it holds none; open it for writing first`,
          );
        }
      } else await image.#bringUpToDate();
      return image;
    } catch (error) {
      image[Symbol.dispose]();
      throw error;
    }
  }

  /** Two processes may do this at once: the later one finds that it is done. */
  async #bringUpToDate(): Promise<void> {
    await this.transact((unit) => defineFirstObjects(unit), {
      user: "kernel",
      description: "first objects",
    });
  }

  /** Path of the file, or "memory". */
  get name(): string {
    return this.#state.store.name;
  }

  get readOnly(): boolean {
    return this.#state.store.readOnly;
  }

  /** The newest transaction, those of other processes included. */
  get newest(): number {
    this.#requireOpen();
    return this.#state.refresh();
  }

  // --- units of work --------------------------------------------------------------------------------------------------

  /** Begins a unit of work; dispose of it, for what it sees is kept by a pack as long as it lives. */
  begin(options: UnitOptions = {}): UnitOfWork {
    this.#requireOpen();
    return new UnitOfWork(this.#units, options);
  }

  /**
   * Does `work` in a unit of its own and commits it; an error leaves nothing behind. After a conflict it is done again, on what is
   * there then.
   *
   * @throws {ConflictError} when the retries are spent
   * @throws what `work` throws
   */
  async transact<T>(
    work: (unit: UnitOfWork) => T | Promise<T>,
    { retries = RETRIES, signal, ...options }: TransactOptions = {},
  ): Promise<T> {
    return await retried(async () => {
      signal?.throwIfAborted();
      using unit = this.begin(options);
      const result = await work(unit);
      signal?.throwIfAborted();
      await unit.commit();
      return result;
    }, retries);
  }

  /** Looks at the present without changing it. Dispose of it. */
  view(): UnitOfWork {
    return this.at(this.newest);
  }

  /**
   * The image as it was after a transaction, to be read. Dispose of it.
   * @throws {RangeError} when there was no such moment
   * @throws {PackedError} when a pack kept nothing that old
   */
  at(tid: number): UnitOfWork {
    const newest = this.newest;
    if (!Number.isInteger(tid) || tid < 0 || tid > newest) {
      throw new RangeError(
        `look at transaction ${tid}: this image has the transactions 1 to ${newest}`,
      );
    }
    const packed = this.#state.store.packedTo();
    if (tid < packed) {
      throw new PackedError(
        `look at transaction ${tid}: a pack kept nothing before transaction ${packed}`,
      );
    }
    return new UnitOfWork({ ...this.#units, at: tid });
  }

  /** The last transaction that was committed at or before a time; 0 when there was none. */
  transactionAt(time: Date): number {
    this.#requireOpen();
    // Times never fall, so the moment is found by halving.
    let [low, high] = [0, this.newest];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const [next] = this.#state.store.transactions({ after: middle - 1, upTo: high, limit: 1 });
      if (next === undefined || next.time > time.getTime()) high = middle - 1;
      else low = next.tid;
    }
    return low;
  }

  // --- the past -------------------------------------------------------------------------------------------------------

  /** A transaction; undefined where there is none, or a pack took it away. */
  transaction(tid: number): StoredTransaction | undefined {
    this.#requireOpen();
    return this.#state.store.transaction(tid);
  }

  /** Transactions, newest first. */
  log(
    { before = Infinity, limit = 100 }: { before?: number; limit?: number } = {},
  ): StoredTransaction[] {
    this.#requireOpen();
    return this.#state.store.transactions({ upTo: before - 1, limit, newestFirst: true });
  }

  /** Revisions of an object, newest first, with who made them. */
  history(oid: Oid): ObjectRevision[] {
    this.#requireOpen();
    return objectHistory(this.#state.store, oid);
  }

  /**
   * Takes back transactions, in one new one. An undo can be undone like any other.
   *
   * @returns the new transaction
   * @throws {UndoError} when a later change rests on one of them
   */
  async undo(tids: number | readonly number[], options: UnitOptions = {}): Promise<number> {
    this.#requireOpen();
    const list = [...new Set(typeof tids === "number" ? [tids] : tids)].sort((a, b) => b - a);
    const description = options.description ?? `undo of ${list.join(", ")}`;
    using unit = this.begin({ ...options, description });
    restorePast(unit, this.#state.store, list);
    return await unit.commit();
  }

  // --- keeping it -----------------------------------------------------------------------------------------------------

  /**
   * Forgets the past and what nobody can reach; see `pack.ts`. Writing goes on meanwhile.
   * @throws {DamagedImageError} when something that is to be kept cannot be read; then nothing was dropped
   */
  async pack(options: PackOptions = {}): Promise<PackReport> {
    this.#requireWritable("pack");
    return await packImage(this.#state, this.#parts.blobs, this.#units.exclusively, options);
  }

  /**
   * Gives the disk the room that packs made, where that is worth it.
   * @returns whether there was enough of it
   * @throws {ImageError} when somebody reads or writes all the while, or the disk is full; then everything is as it was
   */
  async compact(): Promise<boolean> {
    this.#requireWritable("compact");
    return await this.#units.exclusively("compact", () => this.#state.store.compact());
  }

  /** Reads everything and says what is wrong. */
  async check(options: CheckOptions = {}): Promise<CheckReport> {
    this.#requireOpen();
    return await checkImage(this.#state.store, this.#parts.blobs, options);
  }

  /**
   * Copies everything into an empty store, transaction by transaction; blobs stay where they are.
   * @param options `skipDamaged` saves what can be saved and names the rest
   */
  async copyTo(
    store: ImageStore,
    options: { skipDamaged?: boolean; signal?: AbortSignal } = {},
  ): Promise<CopyReport> {
    this.#requireOpen();
    return await copyImage(this.#state.store, store, options);
  }

  /**
   * Writes the objects that can be reached from `root` as lines of JSON; see `transfer.ts`. The stream is closed, or aborted.
   * @param options `at`: as of this transaction
   */
  async export(
    root: Oid,
    target: WritableStream<Uint8Array>,
    { at, signal }: { at?: number; signal?: AbortSignal } = {},
  ): Promise<TransferReport> {
    const writer = target.getWriter();
    try {
      using unit = this.at(at ?? this.newest);
      const lines = exportLines(unit, root);
      const encoder = new TextEncoder();
      for (;;) {
        signal?.throwIfAborted();
        const { done, value } = await lines.next();
        if (done) {
          await writer.close();
          return value;
        }
        await writer.write(encoder.encode(value));
      }
    } catch (error) {
      await writer.abort(error).catch(() => {}); // the first error says more
      throw error;
    }
  }

  /**
   * Makes the objects that `export` wrote, in one transaction, and gives where their root is now. Nothing refers to it yet.
   * @throws {ImageError} with the line that is wrong; then nothing was made
   */
  async import(
    source: ReadableStream<Uint8Array>,
    options: UnitOptions = {},
  ): Promise<TransferReport> {
    using unit = this.begin({ description: "import", ...options });
    const report = await importLines(unit, source);
    await unit.commit();
    return report;
  }

  // --- what others hand in --------------------------------------------------------------------------------------------

  /** Makes sure that named objects are there; see `genesis.ts`. */
  async defineObjects(
    definitions: readonly GenesisDefinition[],
    options: UnitOptions = {},
  ): Promise<void> {
    await this.transact((unit) => defineObjects(unit, definitions), {
      user: "kernel",
      description: "objects of this version",
      ...options,
    });
  }

  /**
   * The object that the lobby knows by a name.
   * @throws {ImageError} when there is none
   */
  named(name: string): Oid {
    using unit = this.begin();
    return namedObject(unit, name);
  }

  /** Who runs methods that are kept as source. */
  set runner(runner: MethodRunner | undefined) {
    this.#messenger.ports.runner = runner;
  }

  /** Who writes methods that are missing. */
  set author(author: Author | undefined) {
    this.#messenger.ports.author = author;
  }

  /** Makes a function of the kernel known to slots; it is to be there whenever the image is open. */
  definePrimitive(name: string, primitive: Primitive): void {
    this.#messenger.definePrimitive(name, primitive);
  }

  /** Says how conflicts over objects of a kind are merged. */
  resolveConflicts(kind: string, resolver: ConflictResolver): void {
    this.#resolvers.set(kind, resolver);
  }

  /** Shows objects that somebody else keeps; dispose of it to end that. */
  mount(mount: Mount): Disposable {
    return this.#state.mount(mount);
  }

  /** Calls `listener` after each commit of this process; dispose of it to end that. */
  onCommit(listener: (commit: Commit) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Closes the image and its store; units that are open can do nothing more but end. A second call does nothing. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#listeners.clear();
    try {
      this.#state.store.close();
    } finally {
      this.#parts.onClose?.();
    }
  }

  #requireWritable(action: string): void {
    this.#requireOpen();
    if (this.readOnly) {
      throw new ReadOnlyError(`${action}: the image "${this.name}" was opened for reading`);
    }
  }

  #requireOpen(): void {
    if (this.#closed) {
      throw new ImageError(`use the image "${this.name}": it was closed; open it again`);
    }
  }
}
