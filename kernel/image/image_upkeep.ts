/**
 * What keeps an image in order, as commands: packing it, taking objects out and in.
 *
 * Owns what `image pack`, `export` and `import` do; `table/image.ts` owns their contract. What must hold: a file that is
 * written appears whole or not at all; what is interrupted leaves the image as it was, a pack excepted, which has then done a part of its work.
 */
import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { CommandError, type HandlerContext, type Input, type Result } from "../commands.ts";
import { BlobFolder } from "./blobs.ts";
import { ImageError } from "./errors.ts";
import type { Image } from "./image.ts";
import type { ImageDesk } from "./image_desk.ts";
import { LOBBY_OID } from "./primitives.ts";
import { importLines } from "./transfer.ts";
import { FIRST_MOUNTED_OID, parseOid, Ref } from "./values.ts";

/** Milliseconds of a day. */
const DAY = 24 * 60 * 60 * 1000;

/** See the module text. */
export class ImageUpkeep {
  readonly #image: Image;
  readonly #desk: ImageDesk;
  readonly #context: HandlerContext;

  /** @param desk finds objects by what people type */
  constructor(image: Image, desk: ImageDesk, context: HandlerContext) {
    this.#image = image;
    this.#desk = desk;
    this.#context = context;
  }

  /** Forgets the past. */
  async pack(
    { keep, before, yes }: Omit<Input<"image_pack">, "repo">,
  ): Promise<Result<"image_pack">> {
    if (keep === undefined && before === undefined && !yes) await this.#confirmAll();
    const { newest } = this.#image;
    if (before !== undefined && before > newest) {
      throw new ImageError(
        `pack before transaction ${before}: this image has the transactions 1 to ${newest}`,
      );
    }
    const upTo = before !== undefined
      ? before - 1
      : keep !== undefined
      ? this.#image.transactionAt(new Date(Date.now() - keep * DAY))
      : newest;
    const { progress, signal } = this.#context;
    const bytes_before = this.#bytes();
    const report = await this.#image.pack({
      upTo,
      signal,
      onProgress: (phase, done, total) =>
        progress({ phase: `${phase}, objects`, done, ...(total !== undefined && { total }) }),
    });
    progress({ phase: "giving back room" });
    try {
      if (report.revisions > 0) await this.#image.compact();
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      progress({
        phase: "",
        detail: `packed, but the file is as large as it was: ${error.message}`,
        note: true,
      });
    }
    return {
      up_to: report.upTo,
      objects: report.objects,
      revisions: report.revisions,
      blobs: report.blobs,
      transactions: report.transactions,
      bytes_before,
      bytes_after: this.#bytes(),
    };
  }

  /** All of the past is not forgotten by a command that was only tried out. */
  async #confirmAll(): Promise<void> {
    const { confirm } = this.#context;
    const past = `all of the past, transactions 1 to ${this.#image.newest},`;
    if (confirm === undefined) {
      throw new CommandError(
        `cannot ask whether ${past} may be forgotten: there is no terminal; --keep DAYS or --before TID keeps a part, --yes forgets it`,
      );
    }
    if (!await confirm(`Forget ${past} for good?`)) {
      throw new CommandError("declined; nothing was forgotten");
    }
  }

  /** Writes an object into a file; no result where it went to standard output, which is to hold the objects alone. */
  async export(
    { object, file, at, force }: Omit<Input<"image_export">, "repo">,
  ): Promise<Result<"image_export">[]> {
    const named = this.#desk.find(object, at);
    const root = parseOid(named.oid);
    if (root >= FIRST_MOUNTED_OID) {
      throw new ImageError(
        `export "${object}": it is only shown in the image; "batos ingest" makes it wherever its file is`,
      );
    }
    const { signal, progress } = this.#context;
    const write = async (sink: (bytes: Uint8Array) => Promise<void>) => {
      let bytes = 0;
      const report = await this.#image.export(
        root,
        new WritableStream({
          async write(piece) {
            await sink(piece);
            bytes += piece.length;
            progress({ phase: "exporting, bytes", done: bytes });
          },
        }),
        { ...(at !== undefined && { at }), signal },
      );
      return { ...named, file, objects: report.objects, blobs: report.blobs, bytes };
    };
    if (file === "-") {
      const { objects, blobs } = await write((bytes) => writeAll(Deno.stdout, bytes));
      const detail = `exported, objects: ${objects}, blobs: ${blobs}`;
      progress({ phase: "", detail, note: true });
      return [];
    }
    const path = this.#path(file);
    if (!force && existsSync(path)) {
      throw new CommandError(
        `"${file}": there is something of that name; name another, or --force`,
      );
    }
    const draft = join(dirname(path), `.${basename(path)}.${crypto.randomUUID()}`);
    try {
      let result;
      {
        using target = opened(file, () => Deno.openSync(draft, { write: true, createNew: true }));
        result = await write((bytes) => writeAll(target, bytes));
        await target.sync();
      }
      await Deno.rename(draft, path).catch((error) => refused(file, error));
      return [result];
    } finally {
      await Deno.remove(draft).catch(() => {}); // it has its name by now, or was never made
    }
  }

  /** Makes the objects of a file. */
  async import(
    { file, name }: Omit<Input<"image_import">, "repo">,
  ): Promise<Result<"image_import">> {
    const { signal, progress } = this.#context;
    using unit = this.#image.begin({ user: "command", description: `import ${basename(file)}` });
    if (name !== undefined && unit.slot(LOBBY_OID, name) !== undefined) {
      throw new ImageError(
        `import as "${name}": the lobby has that name already; choose another, or "batos image rm ${name}" first`,
      );
    }
    const source = file === "-" ? Deno.stdin : opened(file, () => Deno.openSync(this.#path(file)));
    const total = file === "-" ? undefined : Deno.statSync(this.#path(file)).size;
    let bytes = 0;
    const counted = new TransformStream<Uint8Array, Uint8Array>({
      transform(piece, controller) {
        bytes += piece.length;
        progress({ phase: "importing, bytes", done: bytes, ...(total !== undefined && { total }) });
        controller.enqueue(piece);
      },
    });
    const report = await importLines(unit, source.readable.pipeThrough(counted, { signal }))
      .catch((error) => refused(file, error));
    signal.throwIfAborted();
    if (name === undefined) {
      progress({
        phase: "",
        detail: `nothing leads to @${report.root} yet, so "batos image pack" removes it; ` +
          `"batos image set lobby NAME @${report.root}" keeps it`,
        note: true,
      });
    } else unit.define(LOBBY_OID, name, new Ref(report.root));
    const tid = await unit.commit();
    return { ...this.#desk.find(String(report.root)), file, ...counts(report), tid };
  }

  #path(file: string): string {
    return resolve(this.#context.folder ?? Deno.cwd(), file);
  }

  /** Of the file, its log, and the blobs. */
  #bytes(): number {
    const { name } = this.#image;
    const blobs = new BlobFolder(join(dirname(name), "blobs"));
    const sizes = [name, `${name}-wal`].map((path) =>
      existsSync(path) ? Deno.statSync(path).size : 0
    );
    return [...sizes, ...blobs.list().map((hash) => blobs.size(hash))].reduce(
      (sum, n) => sum + n,
      0,
    );
  }
}

function counts({ objects, blobs }: { readonly objects: number; readonly blobs: number }) {
  return { objects, blobs };
}

async function writeAll(
  target: { write(bytes: Uint8Array): Promise<number> },
  bytes: Uint8Array,
): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await target.write(bytes.subarray(at));
}

function opened(file: string, open: () => Deno.FsFile): Deno.FsFile {
  try {
    return open();
  } catch (error) {
    return refused(file, error);
  }
}

/** What the system says about a file that somebody named. */
function refused(file: string, error: unknown): never {
  const isSystem = error instanceof Error && "code" in error && !(error instanceof ImageError);
  if (!isSystem) throw error;
  throw new CommandError(`"${file}": ${error.message.replace(/ \(os error.*$/s, "")}`, {
    cause: error,
  });
}
