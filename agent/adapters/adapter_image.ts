/**
 * Adapters as objects of the image: the cold tier.
 *
 * Owns the prototype `adapter` and the object `adapters`, whose slot `held` names them. What must hold: an object refers to its
 * files as blobs, so that a pack keeps them as long as anything leads to the object; an import is one transaction.
 *
 *     adapter    scale: 1
 *     (each)     parent*: adapter, name, scale, base, gguf: blob, peft: { config: blob, weights: blob }
 *     adapters   held: { name: object }
 */
import {
  BlobRef,
  type GenesisDefinition,
  type Image,
  ImageError,
  type Oid,
  Ref,
  type UnitOfWork,
} from "../../kernel/mod.ts";
import { AdapterError } from "./adapter_error.ts";
import {
  ADAPTER_RECORD,
  type AdapterRecord,
  importAdapter,
  type ImportOptions,
} from "./adapter_record.ts";

/** What the image has to have beside its own first objects; `Image.defineObjects` takes it. */
export const ADAPTER_OBJECTS: readonly GenesisDefinition[] = [
  { name: "adapter", slots: { scale: 1 } },
  { name: "adapters" },
];

/**
 * Brings an adapter into the image, as `importAdapter`. One of that name is replaced; the old one is found in the past.
 * @returns its object and what it holds
 * @throws as `importAdapter`, and {ConflictError} when others keep changing the adapters
 */
export async function importIntoImage(
  image: Image,
  path: string,
  model: string | undefined,
  options: ImportOptions,
): Promise<{ readonly adapter: Ref; readonly record: AdapterRecord }> {
  await image.defineObjects(ADAPTER_OBJECTS);
  return await image.transact(async (unit) => {
    const sink = {
      write: (...given: Parameters<UnitOfWork["putBlob"]>) => unit.putBlob(...given),
    };
    const { record, blobs } = await importAdapter(path, model, sink, options);
    const byHash = new Map(blobs.map((blob) => [blob.hash, blob]));
    const { name, scale, base, gguf, peft } = record;
    const adapter = new Ref(unit.create({
      parent: image.named("adapter"),
      slots: {
        name,
        scale,
        ...(base !== undefined && { base }),
        ...(gguf !== undefined && { gguf: byHash.get(gguf)! }),
        ...(peft && {
          peft: { config: byHash.get(peft.config)!, weights: byHash.get(peft.weights)! },
        }),
      },
    }));
    hold(image, unit, { ...adaptersIn(image, unit), [name]: adapter });
    return { adapter, record };
  }, {
    user: "adapters",
    description: `import "${options.name}"`,
    ...(options.signal && { signal: options.signal }),
  });
}

/** The adapters of the image by name; none where it never had any. */
export function adaptersIn(image: Image, unit: UnitOfWork): Record<string, Ref> {
  const oid = adaptersOid(image);
  const held = oid === undefined ? undefined : unit.get(oid, "held");
  const found: Record<string, Ref> = Object.create(null);
  for (const [name, value] of Object.entries(held ?? {})) {
    if (value instanceof Ref) found[name] = value;
  }
  return found;
}

/**
 * What an adapter's object holds, as a weaver takes it.
 * @throws {AdapterError} when its slots are not those of an adapter
 */
export function adapterRecord(unit: UnitOfWork, target: Ref): AdapterRecord {
  const slot = (name: string) => unit.get(target, name);
  const hashOf = (value: unknown) => value instanceof BlobRef ? value.hash : value;
  const peft = slot("peft") as { config?: unknown; weights?: unknown } | undefined;
  const parsed = ADAPTER_RECORD.safeParse({
    name: slot("name"),
    scale: slot("scale"),
    base: slot("base"),
    gguf: hashOf(slot("gguf")),
    ...(peft && { peft: { config: hashOf(peft.config), weights: hashOf(peft.weights) } }),
  });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new AdapterError(
    `use the object ${target.oid} as an adapter: "${
      issue?.path.join(".")
    }" is wrong (${issue?.message}); expected what an import makes`,
    "damaged",
  );
}

/** Forgets an adapter; a pack deletes its blobs once nothing leads to it. Gives whether there was one. */
export async function forgetAdapter(image: Image, name: string): Promise<boolean> {
  return await image.transact((unit) => {
    const { [name]: found, ...rest } = adaptersIn(image, unit);
    if (found === undefined) return false;
    hold(image, unit, rest);
    return true;
  }, { user: "adapters", description: `forget "${name}"` });
}

/** Of the object; undefined in an image that never had adapters. */
function adaptersOid(image: Image): Oid | undefined {
  try {
    return image.named("adapters");
  } catch (error) {
    if (error instanceof ImageError) return undefined;
    throw error;
  }
}

function hold(image: Image, unit: UnitOfWork, adapters: Record<string, Ref>): void {
  unit.set(image.named("adapters"), "held", { ...adapters });
}
