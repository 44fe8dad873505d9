/**
 * Memory in the image: chunks, files, summaries and fractals as objects with an OID, whose parent is a prototype of the image.
 *
 * Owns the prototypes and which OIDs belong to which kind: the number of a thing in memory, in a range of its kind. What must hold: they
 * are shown, not kept (the image stores none of them, and refuses to write to one); an OID means the same thing as long as the
 * index is not made anew.
 */
import {
  FIRST_MOUNTED_OID,
  type GenesisDefinition,
  type Image,
  type Oid,
  primitive,
  Ref,
} from "../kernel/mod.ts";
import {
  type Memory,
  MEMORY_KINDS,
  type MemoryKind,
  MemoryObjects,
  MemoryRef,
  type MemorySlot,
} from "../rag/mod.ts";

/** Numbers in a range: far more than a workspace has chunks, and room for 496 kinds below 2^53. */
const RANGE = 2 ** 44;

/** What every image in a workspace knows of memory. */
export const MEMORY_PROTOTYPES: readonly GenesisDefinition[] = [
  { name: "memory_object", slots: { printString: primitive("memoryPrintString") } },
  ...MEMORY_KINDS.map((name): GenesisDefinition => ({ name, parent: "memory_object" })),
];

/** The OID of a thing in memory. */
export function memoryOid({ kind, id }: MemoryRef): Oid {
  return FIRST_MOUNTED_OID + MEMORY_KINDS.indexOf(kind) * RANGE + id;
}

/** Memory, shown in an image until it is disposed of. */
export interface MemoryMount extends Disposable {
  /** What people mean by a path, or a place in a file; undefined where memory has none. */
  find(place: string): Oid | undefined;
}

/**
 * Shows what memory holds. A writable image gets the prototypes first; in one that is only read and lacks them, things of memory have no
 * parent but the traits.
 */
export async function mountMemory(image: Image, memory: Memory): Promise<MemoryMount> {
  if (!image.readOnly) await image.defineObjects(MEMORY_PROTOTYPES);
  definePrintString(image);
  const objects = new MemoryObjects(memory);
  const mounts = new DisposableStack();
  for (const kind of MEMORY_KINDS) {
    const first = FIRST_MOUNTED_OID + MEMORY_KINDS.indexOf(kind) * RANGE;
    const parent = prototypeOf(image, kind);
    mounts.use(image.mount({
      name: "memory",
      range: [first, first + RANGE],
      get(oid) {
        const slots = objects.get(kind, oid - first);
        return slots && { parent, slots: slotsOf(slots) };
      },
    }));
  }
  return {
    find(place) {
      const found = objects.find(place);
      return found && memoryOid(found);
    },
    [Symbol.dispose]: () => mounts.dispose(),
  };
}

/** Images that have the primitive already: it is defined once for each. */
const knowing = new WeakSet<Image>();

/** Lets a thing of memory say what it is in a line. */
function definePrintString(image: Image): void {
  if (knowing.has(image)) return;
  knowing.add(image);
  image.definePrimitive("memoryPrintString", {
    arity: 0,
    run({ unit, self }) {
      const text = (slot: string) => String(unit.get(self, slot) ?? "");
      const lines = unit.get(self, "start_line") === undefined
        ? ""
        : `:${text("start_line")}-${text("end_line")}`;
      const name = text("node_name") || text("level") || text("subject");
      return `${text("file_path") || text("cycle_id")}${lines}${name && ` ${name}`}`;
    },
  });
}

function prototypeOf(image: Image, kind: MemoryKind): Oid {
  using unit = image.view();
  const slot = unit.slot(image.named("lobby"), kind);
  return slot?.type === "data" && slot.value instanceof Ref
    ? slot.value.oid
    : image.named("traits");
}

function slotsOf(slots: Readonly<Record<string, MemorySlot>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(slots).map(([name, slot]) => [name, valueOf(slot)]));
}

function valueOf(slot: MemorySlot): unknown {
  if (slot instanceof MemoryRef) return new Ref(memoryOid(slot));
  return Array.isArray(slot) ? slot.map(valueOf) : slot;
}
