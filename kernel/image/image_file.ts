/**
 * The file of a workspace's image, as commands look at it without opening the image: a damaged one too, or none.
 *
 * Owns what `image check`, `doctor`, `status` and `ingest --rebuild` say about it. What must hold: only `rescue` changes anything, and the
 * caller holds the lock of the workspace for that.
 */
import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { CommandError, type HandlerContext, type Result } from "../commands.ts";
import type { Check } from "../doctor.ts";
import { BlobFolder } from "./blobs.ts";
import { WorkspaceLock } from "../workspace_lock.ts";
import { NoImageError } from "./errors.ts";
import { describeTail, logTail } from "./log_tail.ts";
import type { LogTail } from "./sqlite_log.ts";
import { checkImageFile, rescueImage } from "./rescue_image.ts";
import { ImageTables } from "./image_tables.ts";

/** See the module text. */
export class ImageFile {
  readonly #path: string;
  readonly #blobs: BlobFolder;
  readonly #context: HandlerContext;

  /** @param folder state folder of the workspace */
  constructor(folder: string, context: HandlerContext) {
    this.#path = join(folder, "image.db");
    this.#blobs = new BlobFolder(join(folder, "blobs"));
    this.#context = context;
  }

  /**
   * Reads everything and says what is wrong.
   * @throws {CommandError} when there is no image
   */
  async check(): Promise<Result<"image_check">> {
    const none = () =>
      new CommandError(
        `"${this.#path}": there is no image; "batos image new NAME" or "batos ask" makes one`,
      );
    if (!existsSync(this.#path)) throw none();
    const { signal, progress } = this.#context;
    const tail = this.#tail();
    try {
      const { problems, ...report } = await checkImageFile(this.#path, this.#blobs, {
        signal,
        onProgress: (done) => progress({ phase: "checking, objects", done }),
      });
      return {
        ...report,
        problems: problems.map(({ oid, ...rest }) =>
          oid === undefined ? rest : { oid: String(oid), ...rest }
        ),
        ...tail !== undefined && { tail: { ...tail, detail: describeTail(tail) } },
      };
    } catch (error) {
      throw error instanceof NoImageError ? none() : error;
    }
  }

  /** The line of `doctor`. */
  async finding(): Promise<Omit<Check, "name">> {
    if (!existsSync(this.#path)) return { status: "ok", detail: "none yet" };
    const { signal } = this.#context;
    const tail = this.#tail();
    let report;
    try {
      report = await checkImageFile(this.#path, this.#blobs, { signal });
    } catch (error) {
      if (error instanceof NoImageError) return { status: "ok", detail: "none yet" };
      throw error;
    }
    const { problems: [first, ...rest], objects, revisions, blobs } = report;
    if (first === undefined) {
      const detail = `sound: ${objects} objects, ${revisions} revisions, ${blobs} blobs`;
      if (tail === undefined) return { status: "ok", detail };
      return {
        status: "warning",
        detail: `${detail}; ${describeTail(tail)}`,
        remedy:
          "none is needed: the next command that writes cuts it off and notes it in the trail",
      };
    }
    return {
      status: "failure",
      detail: rest.length === 0 ? first.problem : `${first.problem}; ${rest.length} problems more`,
      remedy:
        'see "batos image check"; "batos ingest --rebuild" saves what can be read into a new file',
    };
  }

  /** What a process that died left at the end of the log; what somebody is just writing is none. */
  #tail(): LogTail | undefined {
    const isWriting = WorkspaceLock.holder(join(dirname(this.#path), "lock")) !== undefined;
    return isWriting ? undefined : logTail(this.#path);
  }

  /**
   * How much there is, counted without opening the image; null where there is none.
   * @throws {ImageError} when it cannot be read
   */
  totals(): Result<"status">["image"] {
    if (!existsSync(this.#path)) return null;
    using tables = new ImageTables(this.#path);
    const totals = tables.totals();
    if (totals === undefined) return null;
    const blobs = this.#blobs.list().map((hash) => this.#blobs.size(hash));
    return { ...totals, bytes: blobs.reduce((sum, size) => sum + size, totals.bytes) };
  }

  /** Puts a new file in the place of a damaged one, with all of the image that can be read, and says so. */
  async rescue(): Promise<void> {
    const { signal, progress } = this.#context;
    const report = await rescueImage(this.#path, {
      signal,
      onProgress: (done) => progress({ phase: "reading the damaged file, revisions", done }),
    });
    if (report === undefined) return;
    const { aside, objects, transactions, lost } = report;
    const unread = transactions === 0 ? 0 : lost.filter(({ oid }) => oid !== undefined).length;
    const saved = transactions === 0
      ? "no object of an image could be read in it"
      : `saved ${objects} objects of the image with ${transactions} transactions` +
        (unread === 0 ? "" : `; revisions or places that could not be read: ${unread}`);
    progress({
      phase: "",
      detail: `the file was damaged (${lost[0]!.problem}): ${saved}; it is kept as "${
        basename(aside)
      }"`,
      note: true,
    });
  }
}
