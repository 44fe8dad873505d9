/**
 * Adapters as commands see them.
 *
 * Owns what the commands `adapter …` do; `kernel/table/adapters.ts` owns their contract. What must hold: what an adapter is shown
 * to be is what its object in the image says.
 */
import { basename } from "node:path";
import {
  BlobRef,
  type Image,
  type Input,
  type Ref,
  type Result,
  type UnitOfWork,
} from "../../kernel/mod.ts";
import { adapterRecord, adaptersIn, importIntoImage } from "./adapter_image.ts";

type Shown = Result<"adapter_import">;

/**
 * Brings an adapter in and shows it.
 * @param model path of the model's file
 * @throws as `importIntoImage`
 */
export async function importAndShow(
  image: Image,
  { path, name, scale }: Pick<Input<"adapter_import">, "path" | "name" | "scale">,
  model: string | undefined,
  signal: AbortSignal,
): Promise<Shown> {
  const called = name ?? basename(path).replace(/\.gguf$/i, "");
  const { adapter } = await importIntoImage(image, path, model, { name: called, scale, signal });
  using unit = image.view();
  return show(unit, adapter);
}

/** All of them, by name. */
export function listAdapters(image: Image): Result<"adapter_list"> {
  using unit = image.view();
  const adapters = Object.entries(adaptersIn(image, unit)).sort(([a], [b]) => a < b ? -1 : 1)
    .map(([, adapter]) => show(unit, adapter));
  return { adapters };
}

function show(unit: UnitOfWork, adapter: Ref): Shown {
  const { name, scale, base, gguf, peft } = adapterRecord(unit, adapter);
  const files = unit.get(adapter, "peft") as Record<string, unknown> | undefined;
  const blobs = [unit.get(adapter, "gguf"), files?.config, files?.weights];
  return {
    oid: String(adapter.oid),
    name,
    scale,
    base: base ?? null,
    forms: [...(gguf ? ["gguf" as const] : []), ...(peft ? ["peft" as const] : [])],
    bytes: blobs.reduce<number>((sum, blob) => sum + (blob instanceof BlobRef ? blob.size : 0), 0),
  };
}
