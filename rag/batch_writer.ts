/**
 * Writing files to the index in batches: a transaction a batch, each all or nothing.
 *
 * Two siblings: `BatchWriter` works where it stands; `WorkerBatchWriter` has one working in a thread of its own, so that a large ingest
 * parses on one core and stores on another. What must hold: both leave the same index; after `finish` everything given is
 * committed, after `stop` whole batches are; at most a few files wait for the other thread, so memory stays bounded.
 */
import type { SourceFile } from "../ingest/mod.ts";
import type { ChunkEncoder, EncoderName } from "./embed/encoder.ts";
import { namesOf } from "./rows.ts";
import type { Store } from "./store.ts";
import { Summariser } from "./summarise.ts";
import { VectorStore } from "./vectors.ts";

/** Takes files in, in the order of their paths. */
export interface FileWriter {
  /** Takes a file; resolves when the next may come. */
  put(file: SourceFile): void | Promise<void>;
  /** Commits what is left. */
  finish(): void | Promise<void>;
  /** Ends without the batch that is under way. */
  stop(): void | Promise<void>;
}

/** Writes in the thread that calls it. */
export class BatchWriter implements FileWriter {
  #store: Store;
  #summariser: Summariser;
  #limit: number;
  #vectorStore: VectorStore;
  #encoder: ChunkEncoder | undefined;
  /** Paths of the batch that is under way; none when no transaction is open. */
  #paths = new Set<string>();
  /** The vectors of its chunks, whose ids follow one another, and the id of the first. */
  #vectors: Float32Array[] = [];
  #firstChunk = 0;
  #characters = 0;

  /**
   * @param limit characters of source a transaction takes in
   * @param encoder gives each chunk its vector, in the transaction in which the chunk is stored
   */
  constructor(store: Store, limit: number, encoder?: ChunkEncoder) {
    this.#store = store;
    this.#vectorStore = new VectorStore(store);
    this.#encoder = encoder;
    this.#summariser = new Summariser(store);
    this.#limit = limit;
  }

  /** @throws {VectorModelMismatchError} when the index has vectors of another model than the encoder's. */
  put(file: SourceFile): void {
    const encoder = this.#encoder;
    const { path, text, chunks } = file;
    // What is put in its own place once more takes back chunks whose vectors must be stored by then.
    if (this.#paths.has(path)) this.finish();
    const isFirst = this.#paths.size === 0;
    if (isFirst) {
      this.#store.begin();
      this.#store.beginBatch();
      if (encoder) this.#vectorStore.use(encoder.model);
    }
    this.#paths.add(path);
    const id = this.#store.putFile(file);
    if (encoder) {
      if (isFirst) this.#firstChunk = this.#store.fileById(id)!.firstChunk;
      for (const chunk of chunks) {
        const place = { path, names: namesOf(chunk) };
        this.#vectors.push(encoder.encode(place, text, chunk.start, chunk.end));
      }
    }
    this.#summariser.file(file);
    this.#characters += text.length;
    if (this.#characters >= this.#limit) this.finish();
  }

  finish(): void {
    if (this.#paths.size === 0) return;
    this.#store.setMeta("unfinished", "1");
    // All at once: many files share a row of vectors, which would be read and written for each of them.
    this.#vectorStore.putNew(this.#firstChunk, this.#vectors);
    // Summaries of folders follow at the end; until then what they say of changed files is stale, so they go.
    this.#summariser.dropFolders(this.#paths);
    this.#store.endBatch();
    this.#store.commit();
    this.#begin();
  }

  stop(): void {
    this.#store.rollback();
    this.#begin();
  }

  #begin(): void {
    this.#paths.clear();
    this.#vectors = [];
    this.#characters = 0;
  }
}

/** What the thread is told. */
export type WriterRequest =
  | {
    readonly type: "open";
    readonly path: string;
    readonly limit: number;
    readonly encoder?: EncoderName;
  }
  | { readonly type: "files"; readonly files: readonly SourceFile[] }
  | { readonly type: "finish" }
  | { readonly type: "stop" };

/** What it answers, once for each request. */
export interface WriterReply {
  readonly error?: string;
}

/** Characters sent over at once: enough that sending costs little, few enough that both sides are always busy. */
const PARCEL = 250_000;
/** Parcels under way: as much as is parsed while the thread starts, or ends a batch. More would only take memory. */
const MOST_UNDER_WAY = 16;

/** Writes in a thread of its own, over a connection of its own. */
export class WorkerBatchWriter implements FileWriter {
  #worker: Worker;
  #parcel: SourceFile[] = [];
  #characters = 0;
  #hasEnded = false;
  #underWay: Promise<void>[] = [];
  #answer: ((reply: WriterReply) => void)[] = [];

  /** Parameters as those of `BatchWriter`; the thread opens the store and the encoder for itself. */
  constructor(path: string, limit: number, encoder?: EncoderName) {
    this.#worker = new Worker(new URL("./batch_worker.ts", import.meta.url), { type: "module" });
    this.#worker.onmessage = ({ data }: MessageEvent<WriterReply>) => this.#answer.shift()?.(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      for (const answer of this.#answer.splice(0)) answer({ error: event.message });
    };
    this.#send({ type: "open", path, limit, encoder });
  }

  async put(file: SourceFile): Promise<void> {
    this.#parcel.push(file);
    this.#characters += file.text.length;
    if (this.#characters < PARCEL) return;
    this.#sendParcel();
    while (this.#underWay.length > MOST_UNDER_WAY) await this.#underWay.shift();
  }

  async finish(): Promise<void> {
    if (this.#parcel.length > 0) this.#sendParcel();
    await this.#end("finish");
  }

  async stop(): Promise<void> {
    await this.#end("stop").catch(() => {});
  }

  async #end(type: "finish" | "stop"): Promise<void> {
    // A thread that has ended answers no more.
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#send({ type });
    try {
      for (const one of this.#underWay.splice(0)) await one;
    } finally {
      this.#worker.terminate();
    }
  }

  #sendParcel(): void {
    this.#send({ type: "files", files: this.#parcel });
    this.#parcel = [];
    this.#characters = 0;
  }

  #send(request: WriterRequest): void {
    const answered = new Promise<void>((resolve, reject) =>
      this.#answer.push(({ error }) => error === undefined ? resolve() : reject(new Error(error)))
    );
    // Whoever awaits it sees the error; until then it is not unhandled.
    answered.catch(() => {});
    this.#underWay.push(answered);
    this.#worker.postMessage(request);
  }
}
