/**
 * Adapters through three tiers: cold (blobs of the image), warm (files, `adapter_shelf.ts`), hot (in the model). The
 * specification's CognitiveWeaver.
 *
 * Owns which adapters are hot. What must hold:
 * - what is hot and what is being loaded never takes more than the budget, not even for a moment: room is made before a load;
 * - what is in use is never taken away; of what is idle the one not used for longest goes first, and no more than needed;
 * - callers that want the same adapter, by whatever name, share one load; one that gives up leaves the others theirs;
 * - whoever waits for room is served in order, and for a bounded time;
 * - a load that fails leaves the budget as it was; memory that could not be given back stays counted.
 */
import { unlessAborted } from "../unless_aborted.ts";
import { AdapterError } from "./adapter_error.ts";
import type { AdapterHost, HotAdapter } from "./adapter_host.ts";
import { type AdapterRecord, contentId, filesOf } from "./adapter_record.ts";
import type { AdapterShelf, ShelvedAdapter } from "./adapter_shelf.ts";

/** Where an adapter is. */
export type AdapterTier = "cold" | "warm" | "hot";

/** An activation, measured. */
export interface Activation {
  readonly adapter: string;
  /** Where it was found. */
  readonly from: AdapterTier;
  /** From the call to the end, all in milliseconds. */
  readonly ms: number;
  /** Bringing the files; 0 where it was hot. */
  readonly warmMs: number;
  /** Waiting for others' loads, for room, and making it. */
  readonly roomMs: number;
  /** Loading. */
  readonly loadMs: number;
  /** That it takes while hot. */
  readonly bytes: number;
  /** What had to go for it, in order. */
  readonly evicted: readonly string[];
}

/** How the hot tier stands. */
export interface WeaverStatus {
  readonly host: string;
  readonly budgetBytes: number;
  /** Of what is hot or being loaded. */
  readonly hotBytes: number;
  /** Least recently used first. */
  readonly hot: readonly {
    readonly adapter: string;
    readonly bytes: number;
    readonly users: number;
  }[];
  readonly activations: number;
  /** Of them, those that found the adapter hot. */
  readonly hits: number;
}

/** What a weaver weaves with. */
export interface WeaverOptions {
  readonly host: AdapterHost;
  readonly shelf: AdapterShelf;
  /** Most bytes that adapters may take in the model's memory. */
  readonly budgetBytes: number;
  /** Longest wait for room that others use. Default 60 s. */
  readonly waitMs?: number;
  /** Told of each activation that succeeded. */
  readonly onActivation?: (activation: Activation) => void;
}

/** Longer than most answers take: whoever holds an adapter for longer has most likely forgotten to give it back. */
const WAIT_MS = 60_000;

/** An adapter that stays hot until it is disposed of. */
export interface ActiveAdapter extends Disposable {
  readonly record: AdapterRecord;
  /** What a call to the model names. */
  readonly adapter: HotAdapter;
}

interface Entry {
  readonly key: string;
  readonly record: AdapterRecord;
  readonly controller: AbortController;
  /** Settles when it is hot, or never will be. */
  readonly ready: Promise<Loaded>;
  /** Leases and callers that wait for one. */
  users: number;
  isHot: boolean;
  /** Counted against the budget. */
  bytes: number;
  shelved: ShelvedAdapter | undefined;
  /** Its memory could not be given back. */
  isStuck: boolean;
}

interface Loaded {
  readonly adapter: HotAdapter;
  readonly from: AdapterTier;
  readonly warmMs: number;
  readonly roomMs: number;
  readonly loadMs: number;
  readonly evicted: readonly string[];
}

/** See the module text. Dispose of it to unload everything. */
export class AdapterWeaver implements AsyncDisposable {
  readonly #options: WeaverOptions;
  /** Hot ones and those on the way, in the order of their last use, the latest last. */
  readonly #entries = new Map<string, Entry>();
  /** What nobody finds any more and is still counted: being unloaded, given up while it was loaded, or stuck. */
  readonly #leaving = new Set<Entry>();
  /** The last of those that load or wait for room: each goes after the one before. */
  #turn: Promise<void> = Promise.resolve();
  /** Of whoever waits for room now, woken when something becomes idle. */
  #wake: (() => void) | undefined;
  #activations = 0;
  #hits = 0;
  #isClosed = false;

  /** @throws {RangeError} when the budget is no number of bytes */
  constructor(options: WeaverOptions) {
    const { budgetBytes } = options;
    if (!Number.isFinite(budgetBytes) || budgetBytes < 0) {
      throw new RangeError(
        `weave adapters: the budget is ${budgetBytes}; expected bytes, 0 or more`,
      );
    }
    this.#options = options;
  }

  /**
   * Makes an adapter hot, and keeps it so until the result is disposed of.
   * @throws {AdapterError} `budget` when it is larger than the budget, or others kept all of it for too long; others as the shelf
   * and the host say
   * @throws {BlobError} when its blob is missing or damaged
   * @throws the signal's reason
   */
  async activate(
    record: AdapterRecord,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<ActiveAdapter> {
    signal?.throwIfAborted();
    this.#requireOpen(record.name);
    const begun = performance.now();
    const key = this.#keyOf(record);
    let entry = this.#entries.get(key);
    const isHit = entry?.isHot ?? false;
    entry ??= this.#begin(key, record);
    entry.users++;
    this.#touch(entry);
    try {
      const loaded = await unlessAborted(entry.ready, signal);
      this.#activations++;
      if (isHit) this.#hits++;
      this.#options.onActivation?.({
        adapter: record.name,
        from: isHit ? "hot" : loaded.from,
        ms: performance.now() - begun,
        warmMs: isHit ? 0 : loaded.warmMs,
        roomMs: isHit ? 0 : loaded.roomMs,
        loadMs: isHit ? 0 : loaded.loadMs,
        bytes: entry.bytes,
        evicted: isHit ? [] : loaded.evicted,
      });
      return this.#lease(entry, record, loaded.adapter);
    } catch (error) {
      this.#release(entry);
      throw error;
    }
  }

  /** Where an adapter is now. */
  tierOf(record: AdapterRecord): AdapterTier {
    if (this.#entries.get(this.#keyOf(record))?.isHot) return "hot";
    return this.#options.shelf.has(record, this.#options.host.form) ? "warm" : "cold";
  }

  /** How the hot tier stands. */
  status(): WeaverStatus {
    const entries = [...this.#entries.values()];
    return {
      host: this.#options.host.name,
      budgetBytes: this.#options.budgetBytes,
      hotBytes: this.#bytes(),
      hot: entries.filter(({ isHot }) => isHot)
        .map(({ record, bytes, users }) => ({ adapter: record.name, bytes, users })),
      activations: this.#activations,
      hits: this.#hits,
    };
  }

  /**
   * Unloads what is idle: all of it, or one adapter.
   * @returns how many were unloaded
   * @throws {AdapterError} when the host cannot
   */
  async cool(record?: AdapterRecord): Promise<number> {
    return await this.#inTurn(async () => {
      const key = record && this.#keyOf(record);
      let cooled = 0;
      for (const entry of this.#idle()) {
        if (key !== undefined && key !== entry.key) continue;
        await this.#unload(entry);
        cooled++;
      }
      return cooled;
    });
  }

  /** Ends loads that are on the way and unloads everything, in use or not: nobody may use it any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const entry of this.#entries.values()) {
      if (!entry.isHot) {
        entry.controller.abort(
          new AdapterError(
            `activate the adapter "${entry.record.name}": the model was closed`,
            "failed",
          ),
        );
      }
    }
    const failures: unknown[] = [];
    await this.#inTurn(async () => {
      for (const entry of [...this.#leaving, ...this.#entries.values()]) {
        await this.#unload(entry).catch((error) => failures.push(error));
      }
    });
    if (failures.length > 0) throw failures[0];
  }

  /** What acts, whatever it is called: a host may hold two names of it as one, and unloading one would take the other's away. */
  #keyOf(record: AdapterRecord): string {
    return `${contentId(filesOf(record, this.#options.host.form))} ${record.scale}`;
  }

  #begin(key: string, record: AdapterRecord): Entry {
    const controller = new AbortController();
    const { promise, resolve, reject } = Promise.withResolvers<Loaded>();
    const entry: Entry = {
      key,
      record,
      controller,
      ready: promise,
      users: 0,
      isHot: false,
      bytes: 0,
      shelved: undefined,
      isStuck: false,
    };
    this.#entries.set(key, entry);
    this.#heat(entry).then(resolve, (error) => {
      this.#forget(entry);
      reject(error);
    });
    return entry;
  }

  /** From wherever it is into the model. */
  async #heat(entry: Entry): Promise<Loaded> {
    const { host, shelf, budgetBytes } = this.#options;
    const { record, controller: { signal } } = entry;
    const from = shelf.has(record, host.form) ? "warm" : "cold";
    const begun = performance.now();
    const shelved = entry.shelved = await shelf.take(record, host.form, signal);
    const bytes = await host.bytesOf(shelved);
    signal.throwIfAborted();
    if (bytes > budgetBytes) {
      throw new AdapterError(
        `activate the adapter "${record.name}": it takes ${bytes} bytes, expected at most the ${budgetBytes} that adapters may take; raise the budget, or train with a lower rank`,
        "budget",
      );
    }
    const warm = performance.now();
    return await this.#inTurn(async () => {
      await this.#clear(entry.key);
      const evicted = await this.#makeRoom(entry, bytes);
      signal.throwIfAborted();
      entry.bytes = bytes;
      const roomy = performance.now();
      const adapter = await host.load(shelved, signal).catch((error) => {
        // Before the next one's turn, which counts what there is room for.
        entry.bytes = 0;
        throw error;
      });
      if (signal.aborted) {
        await this.#unload(entry);
        throw signal.reason;
      }
      entry.isHot = true;
      return {
        adapter,
        from,
        warmMs: warm - begun,
        roomMs: roomy - warm,
        loadMs: performance.now() - roomy,
        evicted,
      };
    });
  }

  /** Unloads what is left of an adapter: the host knows it by its name, so that to unload it later would take the new one away. */
  async #clear(key: string): Promise<void> {
    for (const entry of this.#leaving) {
      if (entry.isStuck && entry.key === key) await this.#unload(entry);
    }
  }

  /** Unloads until so many bytes are free, waiting where all is in use; gives what went. */
  async #makeRoom({ record, controller }: Entry, bytes: number): Promise<string[]> {
    const { budgetBytes, waitMs = WAIT_MS } = this.#options;
    const evicted: string[] = [];
    const deadline = performance.now() + waitMs;
    while (this.#bytes() + bytes > budgetBytes) {
      const idle = this.#idle()[0];
      if (idle !== undefined) {
        await this.#unload(idle);
        evicted.push(idle.record.name);
        continue;
      }
      const left = deadline - performance.now();
      if (left <= 0) {
        const used = [...this.#entries.values()].filter(({ isHot }) => isHot)
          .map(({ record, bytes }) => `"${record.name}" (${bytes} bytes)`);
        throw new AdapterError(
          `activate the adapter "${record.name}": its ${bytes} bytes did not fit beside ${
            used.join(", ")
          } for ${
            Math.round(waitMs / 1000)
          } s, all in use, within the ${budgetBytes} that adapters may take`,
          "budget",
        );
      }
      await this.#idleOr(left, controller.signal);
    }
    return evicted;
  }

  /** What may go, in that order; in turn only. */
  #idle(): Entry[] {
    return [
      ...[...this.#leaving].filter(({ isStuck }) => isStuck),
      ...[...this.#entries.values()].filter(({ isHot, users }) => isHot && users === 0),
    ];
  }

  /** Until something becomes idle, the time is up, or the signal is aborted. */
  async #idleOr(ms: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.#wake = resolve;
    signal.addEventListener("abort", () => resolve(), { once: true });
    if (signal.aborted) resolve();
    await promise;
    clearTimeout(timer);
    this.#wake = undefined;
    signal.throwIfAborted();
  }

  /** One after the other, in the order of the calls: two loads at once would both count on the same room. */
  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    await before;
    try {
      return await work();
    } finally {
      resolve();
    }
  }

  /** In turn only. Whoever wants it meanwhile begins anew, behind this. */
  async #unload(entry: Entry): Promise<void> {
    const { host } = this.#options;
    this.#leave(entry);
    entry.isHot = false;
    if (entry.bytes > 0) {
      // Until proven otherwise: an exception leaves it so, and counted.
      entry.isStuck = true;
      await host.unload(entry.shelved!);
      entry.isStuck = false;
    }
    this.#forget(entry);
  }

  #leave(entry: Entry): void {
    if (this.#entries.get(entry.key) === entry) this.#entries.delete(entry.key);
    this.#leaving.add(entry);
  }

  #forget(entry: Entry): void {
    if (entry.isStuck) return;
    if (this.#entries.get(entry.key) === entry) this.#entries.delete(entry.key);
    this.#leaving.delete(entry);
    entry.bytes = 0;
    entry.shelved?.[Symbol.dispose]();
    entry.shelved = undefined;
  }

  #bytes(): number {
    let bytes = 0;
    for (const entry of this.#entries.values()) bytes += entry.bytes;
    for (const entry of this.#leaving) bytes += entry.bytes;
    return bytes;
  }

  #lease(entry: Entry, record: AdapterRecord, adapter: HotAdapter): ActiveAdapter {
    let isHeld = true;
    return {
      record,
      adapter,
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        isHeld = false;
        if (entry.isHot) this.#touch(entry);
        this.#release(entry);
      },
    };
  }

  #release(entry: Entry): void {
    entry.users--;
    if (entry.users > 0) return;
    if (entry.isHot) this.#wake?.();
    else if (this.#entries.get(entry.key) === entry) {
      // Whoever comes next begins anew.
      this.#leave(entry);
      entry.controller.abort(new DOMException("nobody waits for it any more", "AbortError"));
    }
  }

  #touch(entry: Entry): void {
    if (this.#entries.get(entry.key) !== entry) return;
    this.#entries.delete(entry.key);
    this.#entries.set(entry.key, entry);
  }

  #requireOpen(name: string): void {
    if (!this.#isClosed) return;
    throw new AdapterError(`activate the adapter "${name}": the model was closed`, "failed");
  }
}
