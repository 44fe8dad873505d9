/**
 * Which embedder: from the name that a person gives to something that opens it.
 *
 * Owns the names. `static` ships; `none` is none; `transformers:MODEL` and `llama:MODEL` are models of the user's, opened when they
 * are first needed. What must hold: the id of an embedder is known without opening it; nothing is fetched here, whoever wires the
 * program says where a model's files are.
 */
import { type Embedder, EmbedderError } from "./embedder.ts";
import type { EncoderName } from "./encoder.ts";
import type { ModelFiles } from "./transformers_folder.ts";

/** The name that stands for the embedder that ships. */
export const DEFAULT_EMBEDDER = "static";
/** The name that stands for no embedder. */
export const NO_EMBEDDER = "none";

/**
 * Where the files of a model are, fetched first where they are not there.
 * @param forms of a model that is a folder: the sets of files that would do, best first; undefined for a model that is one file
 * @returns path of the folder, or of the file
 */
export type LocateModel = (reference: string, forms?: readonly ModelFiles[]) => Promise<string>;

/** The embedder whose vectors an index is to have. */
export interface IndexEmbedder {
  /** The id of its model, known before it is opened. */
  readonly id: string;
  /** Its name as an encoder, where it is fast enough to work inside the writer. */
  readonly encoder?: EncoderName;
  /** Opens it, or gives the one that is open; whoever made this closes it. */
  open(): Promise<Embedder>;
}

/** An embedder to be disposed of: what was opened is closed with it. */
export type ChosenEmbedder = IndexEmbedder & AsyncDisposable;

/**
 * The embedder of a name; undefined for `none`.
 * @throws {EmbedderError} when the name is none of those in the module text.
 */
export function chooseEmbedder(name: string, locate: LocateModel): ChosenEmbedder | undefined {
  if (name === NO_EMBEDDER) return undefined;
  if (name === DEFAULT_EMBEDDER) {
    return {
      id: name,
      encoder: name,
      open: async () => (await import("./static.ts")).loadStatic(),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }
  const [, kind, model] = /^(transformers|llama):(.+)$/.exec(name) ?? [];
  if (model === undefined) {
    throw new EmbedderError(
      `cannot use embedder "${name}": expected "static", "none", "transformers:OWNER/MODEL" or "llama:OWNER/MODEL/FILE.gguf"`,
    );
  }
  return new LateEmbedder(name, async () => {
    if (kind === "llama") {
      const { openLlama } = await import("./llama.ts");
      return openLlama(await locate(model), { name: model });
    }
    const { openTransformers, transformersFiles } = await import("./transformers.ts");
    return openTransformers(await locate(model, transformersFiles()), { name: model });
  });
}

/** Opens when first asked, once. */
class LateEmbedder implements ChosenEmbedder {
  readonly id: string;
  #make: () => Promise<Embedder>;
  #opened: Promise<Embedder> | undefined;

  constructor(id: string, make: () => Promise<Embedder>) {
    this.id = id;
    this.#make = make;
  }

  open(): Promise<Embedder> {
    // One that failed may be opened once it can be, for example when its files are there.
    return this.#opened ??= this.#make().catch((error) => {
      this.#opened = undefined;
      throw error;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // One that could not be opened has told so already.
    const embedder = await this.#opened?.catch(() => undefined);
    await embedder?.[Symbol.asyncDispose]();
  }
}
