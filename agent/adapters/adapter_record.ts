/**
 * An adapter as the image keeps it: a small value whose files are blobs.
 *
 * Owns that value, and how an adapter comes into the image. What must hold: a record names files by their content, so that an
 * adapter that was trained again is another one, whatever it is called; nothing of an import is left when it fails.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import type { BlobSource, PendingBlob } from "../../kernel/mod.ts";
import { AdapterError, reasonOf } from "./adapter_error.ts";
import { readAdapterFile, readHeader } from "./adapter_file.ts";
import { type ConvertOptions, PEFT_CONFIG, PEFT_WEIGHTS, PeftAdapter } from "./peft_adapter.ts";

const hash = z.string().regex(/^[0-9a-f]{64}$/);

/** What a slot of the image holds of an adapter. */
export const ADAPTER_RECORD = z.strictObject({
  /** For people, logs and servers: a persona and a version. */
  name: z.string().regex(/^\w[\w.-]{0,63}$/).describe("name, of letters, digits, _ . -"),
  /** What the adapter's change is multiplied by where it is used. */
  scale: z.number().finite().default(1),
  /** What it was trained on, as its trainer called it. */
  base: z.string().optional(),
  /** Hash of the GGUF file, for models in this process. */
  gguf: hash.optional(),
  /** Hashes of PEFT's two files, for servers. */
  peft: z.strictObject({ config: hash, weights: hash }).optional(),
}).refine(({ gguf, peft }) => gguf ?? peft, "an adapter needs a GGUF file or those of PEFT");

/** What a slot of the image holds of an adapter. */
export type AdapterRecord = z.infer<typeof ADAPTER_RECORD>;

/** Which files of an adapter something needs. */
export type AdapterForm = "gguf" | "peft";

/** A file of an adapter: what it is called where it is read, and its blob. */
export interface AdapterBlob {
  readonly name: string;
  readonly hash: string;
}

/** Name of the GGUF file. */
export const GGUF_FILE = "adapter.gguf";

/** The files of one form; none where the adapter is not there in it. */
export function filesOf({ gguf, peft }: AdapterRecord, form: AdapterForm): AdapterBlob[] {
  if (form === "gguf") return gguf === undefined ? [] : [{ name: GGUF_FILE, hash: gguf }];
  if (peft === undefined) return [];
  return [{ name: PEFT_CONFIG, hash: peft.config }, { name: PEFT_WEIGHTS, hash: peft.weights }];
}

/** A name for what some files hold: 32 hexadecimal digits. */
export function contentId(files: readonly AdapterBlob[]): string {
  const names = JSON.stringify(files.map(({ name, hash }) => [name, hash]));
  return createHash("sha256").update(names).digest("hex").slice(0, 32);
}

/** How an adapter is brought into the image. */
export interface ImportOptions extends ConvertOptions {
  readonly name: string;
  readonly scale?: number;
  readonly signal?: AbortSignal;
}

/** Where blobs are put: a `BlobFolder`, or a unit of work (`adapter_image.ts`). */
export interface BlobSink<Blob extends PutBlob> {
  write(source: BlobSource, options: { signal?: AbortSignal }): Promise<Blob>;
}

/** A blob that was put and that nobody sees yet. */
export interface PutBlob {
  readonly hash: string;
  /** Where there is none, whoever put it takes it away with all else. */
  discard?(): void;
}

/** An adapter whose blobs wait for the transaction that keeps them. */
export interface ImportedAdapter<Blob extends PutBlob = PendingBlob> {
  readonly record: AdapterRecord;
  /** Keep them before the record is committed, or discard them. */
  readonly blobs: readonly Blob[];
}

/**
 * Brings an adapter into the image's blobs: the folder that PEFT saved, with a GGUF file made of it, or a GGUF file alone.
 *
 * @param path a folder of PEFT, or a GGUF file
 * @param model GGUF file of the model that it is for; without one, a folder is kept for servers alone, and a file unchecked
 * @throws {AdapterError} as `PeftAdapter.open` and `readAdapterFile`, and when the name or the scale is none
 * @throws {BlobError} when there is no room
 * @throws the signal's reason
 */
export async function importAdapter<Blob extends PutBlob>(
  path: string,
  model: string | undefined,
  blobs: BlobSink<Blob>,
  options: ImportOptions,
): Promise<ImportedAdapter<Blob>> {
  const { signal } = options;
  const isNamed = ADAPTER_RECORD.shape.name.safeParse(options.name).success;
  if (!isNamed || !Number.isFinite(options.scale ?? 1)) {
    throw new AdapterError(
      `import "${path}" as "${options.name}" with the scale ${
        options.scale ?? 1
      }: expected a name of 1 to 64 letters, digits, _ . - that begins with no . or -, and a number`,
      "failed",
    );
  }
  const pending: Blob[] = [];
  const store = async (source: BlobSource) => {
    const blob = await blobs.write(source, signal ? { signal } : {});
    pending.push(blob);
    return blob.hash;
  };
  const storeFile = async (file: string) => await store(await open(file));
  const common = { name: options.name, scale: options.scale ?? 1 };
  try {
    const stat = await Deno.stat(path).catch(() => undefined);
    if (stat?.isFile) {
      const header = model === undefined ? undefined : await readHeader(model, "model");
      const { base } = await readAdapterFile(path, header);
      const gguf = await storeFile(path);
      return { record: ADAPTER_RECORD.parse({ ...common, base, gguf }), blobs: pending };
    }
    let made: { base?: string; gguf?: string } = {};
    if (model !== undefined) {
      await using adapter = await PeftAdapter.open(path, model, options);
      made = { base: adapter.base, gguf: await store(adapter.gguf()) };
    } else made = { base: await PeftAdapter.check(path) };
    const peft = {
      config: await storeFile(join(path, PEFT_CONFIG)),
      weights: await storeFile(join(path, PEFT_WEIGHTS)),
    };
    return { record: ADAPTER_RECORD.parse({ ...common, ...made, peft }), blobs: pending };
  } catch (error) {
    for (const blob of pending) blob.discard?.();
    throw error;
  }
}

/** The bytes of a file; its end, or cancelling, closes it. */
async function open(file: string): Promise<BlobSource> {
  try {
    return (await Deno.open(file)).readable;
  } catch (cause) {
    throw new AdapterError(
      `import "${file}": ${reasonOf(cause)}; expected a file of an adapter`,
      "failed",
      { cause },
    );
  }
}
