/**
 * The adapter of a persona, made hot for as long as it speaks.
 *
 * Owns which adapter a persona has (its slot `adapter`: the name of one that the image holds, or a reference to it) and a weaver for each
 * model. What must hold: a persona without an adapter costs nothing; adapters of all personas share one budget of bytes in a model; an
 * adapter that cannot be made hot is an error that says why, since a person asked for it.
 */
import { BlobFolder, type Image, Ref, type UnitOfWork } from "../kernel/mod.ts";
import type { AdapterHost } from "./adapters/adapter_host.ts";
import { adapterRecord, adaptersIn } from "./adapters/adapter_image.ts";
import { AdapterError } from "./adapters/adapter_error.ts";
import { AdapterShelf } from "./adapters/adapter_shelf.ts";
import { type Activation, type ActiveAdapter, AdapterWeaver } from "./adapters/adapter_weaver.ts";
import type { LanguageModel } from "./models/language_model.ts";

/** Some twenty adapters of a model of seven billion weights, at rank 16: a small part of the memory that such a model takes. */
const BUDGET_BYTES = 1e9;

/** How adapters are kept. */
export interface PersonaAdapterOptions {
  /** Absolute path of the folder for files that a model can open; it need not exist. */
  readonly folder: string;
  /** Absolute path of the blobs of the image. */
  readonly blobs: string;
  /** Most bytes that adapters may take in a model's memory. */
  readonly budgetBytes?: number;
  /** Told of each activation. */
  readonly onActivation?: (activation: Activation) => void;
}

/** See the module text. Dispose of it before the models. */
export class PersonaAdapters implements AsyncDisposable {
  readonly #options: PersonaAdapterOptions;
  readonly #shelf: AdapterShelf;
  readonly #weavers = new Map<AdapterHost, AdapterWeaver>();

  constructor(options: PersonaAdapterOptions) {
    this.#options = options;
    const { folder, blobs } = options;
    this.#shelf = new AdapterShelf({ folder, blobs: new BlobFolder(blobs) });
  }

  /**
   * Makes a persona's adapter hot; undefined where it has none. Dispose of the result when it has spoken.
   * @throws {AdapterError} when the image holds no such adapter, the model takes none, or it cannot be loaded
   */
  async activate(
    unit: UnitOfWork,
    image: Image,
    persona: string,
    model: LanguageModel,
    signal?: AbortSignal,
  ): Promise<ActiveAdapter | undefined> {
    const wanted = unit.get(image.named(persona), "adapter");
    if (wanted === undefined || wanted === null || wanted === "") return undefined;
    const ref = wanted instanceof Ref ? wanted : adaptersIn(image, unit)[String(wanted)];
    if (ref === undefined) {
      throw new AdapterError(
        `adapter "${
          String(wanted)
        }" of ${persona}: the image holds none of that name; see "batos adapter list", or "batos image set ${persona} adapter null"`,
        "failed",
      );
    }
    const host = model.adapters;
    if (host === undefined) {
      throw new AdapterError(
        `adapter "${
          String(wanted)
        }" of ${persona}: "${model.name}" takes no adapters; choose a model that does, or "batos image set ${persona} adapter null"`,
        "unsupported",
      );
    }
    let weaver = this.#weavers.get(host);
    if (weaver === undefined) {
      const { budgetBytes = BUDGET_BYTES, onActivation } = this.#options;
      weaver = new AdapterWeaver({
        host,
        shelf: this.#shelf,
        budgetBytes,
        ...(onActivation && { onActivation }),
      });
      this.#weavers.set(host, weaver);
    }
    return await weaver.activate(adapterRecord(unit, ref), signal ? { signal } : {});
  }

  /** Takes all of them out of their models. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const weaver of this.#weavers.values()) await weaver[Symbol.asyncDispose]();
    this.#weavers.clear();
  }
}
