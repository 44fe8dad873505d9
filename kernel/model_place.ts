/**
 * Where the files of a model are that a person named: on this disk already, or there soon.
 *
 * Owns what a path means in such a name. What must hold: a path is remembered and read from the root of the workspace, wherever it was typed;
 * nothing is fetched while the store has it in one of the forms that will do.
 */
import { relative, resolve } from "node:path";
import type { HandlerContext } from "./commands.ts";
import { ModelError } from "./model_reference.ts";
import type { ModelFiles, ModelStore } from "./models.ts";

/** What stands for a file of one's own in the name of a model. */
const PATH = /^(?:\.{0,2}[\\/]|[A-Za-z]:[\\/])/;

/** Whether what stands behind the kind in a name is a file of one's own. */
export function isModelPath(model: string): boolean {
  return PATH.test(model);
}

/** The models of this machine. */
export async function modelStore(): Promise<ModelStore> {
  const { ModelStore } = await import("./models.ts");
  return new ModelStore({ howToPermit: 'run it as "deno task with-models …"' });
}

/** The reference of the store for what a person wrote: `owner/repo` is one at the hub, a path is meant from `root`. */
export function modelReference(given: string, root: string): string {
  if (PATH.test(given)) return resolve(root, given);
  return /^(?:hf:|https?:|[.~])/.test(given) ? given : `hf:${given}`;
}

/** The name of a model or embedder as it is remembered: a path that was meant from the current folder, from the root of the workspace. */
export function anchorModel(embedder: string, root: string): string {
  const [, kind, model = ""] = /^(transformers:|llama:)(.*)$/s.exec(embedder) ?? [];
  if (!PATH.test(model)) return embedder;
  const path = resolve(model);
  const inner = relative(root, path).replaceAll("\\", "/");
  return kind +
    (PATH.test(inner) || inner === ".." || inner.startsWith("../") ? path : `./${inner}`);
}

/**
 * Where a model's files are: in the store, or there soon.
 *
 * @param given a reference, or a path meant from `root`
 * @param place `forms` are the files that will do, best first
 * @returns path of the folder, or of the file
 * @throws {ModelError} when no form of it can be had
 */
export async function locateModel(given: string, place: {
  readonly forms: readonly ModelFiles[] | undefined;
  readonly root: string;
  readonly context: HandlerContext;
}): Promise<string> {
  const { forms, root, context: { progress, signal } } = place;
  const store = await modelStore();
  const reference = modelReference(given, root);
  const choices = forms ?? [undefined];
  for (const form of choices) {
    const path = store.find(reference, form?.required);
    if (path !== undefined) return path;
  }
  for (const form of choices) {
    try {
      return await store.pull(reference, {
        files: form,
        signal,
        onProgress: ({ file, done, total }) =>
          progress({ phase: "downloading", done, total, detail: file }),
      });
    } catch (error) {
      // A hub may have the weights in another form.
      const isLast = form === choices.at(-1);
      if (isLast || !(error instanceof ModelError && error.kind === "missing")) throw error;
    }
  }
  throw new Error(`locate model "${given}": no form of it was asked for`);
}

/**
 * Where a model's file is that is here already.
 * @throws {ModelError} that says how to bring it
 */
export async function findModel(given: string, root: string): Promise<string> {
  const path = (await modelStore()).find(modelReference(given, root));
  if (path !== undefined) return path;
  throw new ModelError(
    PATH.test(given)
      ? `use the model "${given}": there is no such file`
      : `use the model "${given}": it is not on this machine; "deno task with-models model pull ${given}" brings it`,
    "missing",
  );
}
