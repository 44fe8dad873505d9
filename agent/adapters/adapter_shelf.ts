/**
 * The warm tier: adapters out of the image's blobs, as files that native code and servers read.
 *
 * Owns a folder, made and deleted as needed:
 *
 *     <id>/         the files of an adapter, whole; `id` is of their content
 *     <id>.part/    the same, being written
 *     <id>.lock     locked by whoever makes or removes the two (exclusively), or uses the first (shared); empty, never removed
 *
 * What must hold: files in `<id>/` are the blobs, to the byte (compared when written, and once by each process that finds them
 * there); what is in use is never removed, by this process or another; what is idle takes no more than the limit, the one not
 * used for longest goes first.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import type { BlobFolder } from "../../kernel/mod.ts";
import { AdapterError } from "./adapter_error.ts";
import type { WarmAdapter } from "./adapter_host.ts";
import {
  type AdapterBlob,
  type AdapterForm,
  type AdapterRecord,
  contentId,
  filesOf,
} from "./adapter_record.ts";

/** How a shelf is kept. */
export interface ShelfOptions {
  /** Absolute; need not exist. */
  readonly folder: string;
  /** Where adapters are cold. */
  readonly blobs: Pick<BlobFolder, "open">;
  /** Bytes of files that nobody uses. Default 2 GB. */
  readonly limitBytes?: number;
}

/** Some fifty adapters of a model of seven billion weights, at rank 16. */
const LIMIT_BYTES = 2e9;
/** Another process that makes the same adapter writes some tens of megabytes. */
const RETRY_MS = 20;
const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;
const LOCK = ".lock";
const PART = ".part";
const ID = /^[0-9a-f]{32}$/;

/** An adapter that stays warm until it is disposed of. */
export interface ShelvedAdapter extends WarmAdapter, Disposable {}

/** See the module text. */
export class AdapterShelf {
  readonly #folder: string;
  readonly #blobs: Pick<BlobFolder, "open">;
  readonly #limit: number;
  /** What this process has compared with its hashes. */
  readonly #verified = new Set<string>();
  /** In the order of their last use here, the latest last. */
  readonly #used = new Set<string>();

  constructor({ folder, blobs, limitBytes = LIMIT_BYTES }: ShelfOptions) {
    this.#folder = folder;
    this.#blobs = blobs;
    this.#limit = limitBytes;
  }

  /**
   * Makes an adapter warm, and keeps it so until the result is disposed of.
   * @throws {AdapterError} `unsupported` when the adapter is not there in that form
   * @throws {BlobError} when a blob of it is missing or damaged, or the disk is full; nothing is left behind
   * @throws the signal's reason
   */
  async take(
    record: AdapterRecord,
    form: AdapterForm,
    signal?: AbortSignal,
  ): Promise<ShelvedAdapter> {
    const files = filesOf(record, form);
    if (files.length === 0) {
      throw new AdapterError(
        `use the adapter "${record.name}": it is not there as ${
          form === "gguf" ? "GGUF" : "PEFT's files"
        }; expected it imported ${form === "gguf" ? "with its model" : "from PEFT's folder"}`,
        "unsupported",
      );
    }
    const id = contentId(files);
    const folder = join(this.#folder, id);
    Deno.mkdirSync(this.#folder, { recursive: true, mode: FOLDER_MODE });
    const lock = Deno.openSync(folder + LOCK, {
      read: true,
      write: true,
      create: true,
      mode: FILE_MODE,
    });
    try {
      // Between making it and using it, another process may remove it again.
      while (!await this.#isSound(lock, id, files, signal)) {
        await acquire(lock, true, signal);
        await this.#make(folder, id, files, signal);
        lock.unlockSync();
      }
    } catch (error) {
      lock.close();
      throw error;
    }
    this.#touch(id);
    let isHeld = true;
    return {
      record,
      id,
      folder,
      bytes: sizeOf(folder),
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        isHeld = false;
        lock.close();
        this.#touch(id);
        this.trim();
      },
    };
  }

  /** Bytes of all adapters here, in use or not. */
  bytes(): number {
    return this.#ids().reduce((sum, id) => sum + sizeOf(join(this.#folder, id)), 0);
  }

  /** Whether an adapter is warm already. */
  has(record: AdapterRecord, form: AdapterForm): boolean {
    return isThere(join(this.#folder, contentId(filesOf(record, form))));
  }

  /** Removes what is idle beyond the limit; gives how many adapters. Done by itself whenever one is put back. */
  trim(): number {
    let bytes = this.bytes();
    let removed = 0;
    // Those that this process has not used come first.
    const order = [...new Set([...this.#ids(), ...this.#used])];
    order.sort((a, b) => Number(this.#used.has(a)) - Number(this.#used.has(b)));
    for (const id of order) {
      if (bytes <= this.#limit) break;
      const folder = join(this.#folder, id);
      const size = sizeOf(folder);
      if (size === 0 || !this.#remove(folder)) continue;
      bytes -= size;
      removed++;
      this.#verified.delete(id);
      this.#used.delete(id);
    }
    return removed;
  }

  /** Takes the lock shared and looks; gives it back where the files are not what they should be. */
  async #isSound(
    lock: Deno.FsFile,
    id: string,
    files: readonly AdapterBlob[],
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    await acquire(lock, false, signal);
    const folder = join(this.#folder, id);
    if (isThere(folder)) {
      if (this.#verified.has(id)) return true;
      if (await areSound(folder, files, signal)) {
        this.#verified.add(id);
        return true;
      }
    }
    lock.unlockSync();
    return false;
  }

  async #make(
    folder: string,
    id: string,
    files: readonly AdapterBlob[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (isThere(folder)) {
      if (await areSound(folder, files, signal)) return;
      remove(folder);
    }
    const part = folder + PART;
    // Of a process that was killed: whoever writes here holds the lock.
    remove(part);
    try {
      Deno.mkdirSync(part, { mode: FOLDER_MODE });
      for (const { name, hash } of files) {
        await Deno.writeFile(join(part, name), this.#blobs.open(hash), {
          createNew: true,
          mode: FILE_MODE,
          signal,
        });
      }
      Deno.renameSync(part, folder);
      this.#verified.add(id);
    } catch (error) {
      remove(part);
      signal?.throwIfAborted();
      throw error;
    }
  }

  /** Where nobody uses it. */
  #remove(folder: string): boolean {
    using lock = Deno.openSync(folder + LOCK, { read: true, write: true, create: true });
    if (!lock.tryLockSync(true)) return false;
    remove(folder);
    return true;
  }

  #ids(): string[] {
    try {
      return [...Deno.readDirSync(this.#folder)]
        .filter(({ name, isDirectory }) => isDirectory && ID.test(name)).map(({ name }) => name);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  }

  #touch(id: string): void {
    this.#used.delete(id);
    this.#used.add(id);
  }
}

async function acquire(
  lock: Deno.FsFile,
  exclusive: boolean,
  signal: AbortSignal | undefined,
): Promise<void> {
  while (!lock.tryLockSync(exclusive)) {
    signal?.throwIfAborted();
    await new Promise((done) => setTimeout(done, RETRY_MS));
  }
}

async function areSound(
  folder: string,
  files: readonly AdapterBlob[],
  signal: AbortSignal | undefined,
): Promise<boolean> {
  for (const { name, hash } of files) {
    const digest = createHash("sha256");
    try {
      for await (const block of createReadStream(join(folder, name))) {
        signal?.throwIfAborted();
        digest.update(block);
      }
    } catch (error) {
      signal?.throwIfAborted();
      if ((error as { code?: string }).code === "ENOENT") return false;
      throw error;
    }
    if (digest.digest("hex") !== hash) return false;
  }
  return true;
}

function isThere(folder: string): boolean {
  try {
    return Deno.statSync(folder).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Bytes of the files in a folder; none where another process has just removed it. */
function sizeOf(folder: string): number {
  try {
    return [...Deno.readDirSync(folder)]
      .reduce((sum, { name }) => sum + Deno.statSync(join(folder, name)).size, 0);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

function remove(folder: string): void {
  try {
    Deno.removeSync(folder, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
