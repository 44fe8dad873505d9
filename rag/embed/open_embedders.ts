/**
 * Embedders that stay open between commands, for a process that serves many of them: a model is loaded once.
 *
 * Owns one embedder a name. What must hold: whoever takes one disposes of it as of any other, and it stays open; all are closed with this.
 */
import { chooseEmbedder, type ChosenEmbedder, type LocateModel } from "./choose.ts";

/** See the module text. */
export class OpenEmbedders implements AsyncDisposable {
  readonly #open = new Map<string, { embedder: ChosenEmbedder | undefined; locate: LocateModel }>();

  /** As `chooseEmbedder`; the same one for the same name. */
  readonly choose = (name: string, locate: LocateModel): ChosenEmbedder | undefined => {
    let kept = this.#open.get(name);
    if (kept === undefined) {
      const entry = { embedder: undefined as ChosenEmbedder | undefined, locate };
      // Its files are looked for on behalf of whoever asks at that moment, who may give up.
      entry.embedder = chooseEmbedder(name, (model, forms) => entry.locate(model, forms));
      this.#open.set(name, kept = entry);
    }
    kept.locate = locate;
    const { embedder } = kept;
    return embedder && {
      id: embedder.id,
      encoder: embedder.encoder,
      open: () => embedder.open(),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  };

  /** Closes all of them. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { embedder } of this.#open.values()) await embedder?.[Symbol.asyncDispose]();
    this.#open.clear();
  }
}
