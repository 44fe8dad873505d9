/**
 * Objects on their way between images, as lines of JSON.
 *
 * Owns the format of exported objects, version 1, one JSON value a line:
 *
 *     {"batos": "objects", "version": 1, "root": OID, "named": {NAME: OID, …}}
 *     {"oid": OID, "kind": KIND, "slots": [SLOT, …]}        an object; SLOT as in `object_record.ts`
 *     {"blob": SHA256, "size": BYTES}                       a blob, followed by its bytes in pieces
 *     {"bytes": BASE64}
 *     {"end": {"objects": N, "blobs": N}}                   without it, the file is torn
 *
 * Exported is what can be reached from the root. Objects that the lobby knows by name (prototypes) are left out and linked by their name
 * again where the lines are read. References to mounted objects stay what they are: whoever mounts them decides what is there. OIDs are those of the image
 * that was exported and only say who refers to whom. What must hold: an import is all or nothing, for it is one unit of work; blobs
 * are streamed, objects are held in memory.
 */
import { BlobRef, FIRST_MOUNTED_OID, isOid, type Oid, Ref } from "./values.ts";
import { ImageError, NoSuchObjectError } from "./errors.ts";
import { isGenuine, type Slot, slotFromJson, slotToJson, visitRecord } from "./object_record.ts";
import { LOBBY_OID } from "./primitives.ts";
import { assignable, method, primitive, readOnly, type SlotSpec } from "./slot_spec.ts";
import type { UnitOfWork } from "./unit_of_work.ts";

const VERSION = 1;
/** Bytes of a blob in one line: a multiple of three, so that pieces need no padding. */
const PIECE = 96 * 1024;
/** Longest line that is read: the longest record, escaped. */
const LONGEST_LINE = 512 * 1024 * 1024;

/** What was exported or imported. */
export interface TransferReport {
  /** The root, by its OID in the image at hand. */
  readonly root: Oid;
  readonly objects: number;
  readonly blobs: number;
}

/** The lines of the objects that can be reached from `root`; gives the report at the end. */
export async function* exportLines(
  unit: UnitOfWork,
  root: Oid,
): AsyncGenerator<string, TransferReport> {
  if (!unit.has(root)) throw new NoSuchObjectError(root, "export");
  const names = namesOf(unit, root);
  yield line({
    batos: "objects",
    version: VERSION,
    root,
    named: Object.fromEntries([...names].map(([oid, name]) => [name, oid])),
  });
  const seen = new Set<Oid>([root]);
  const waiting = [root];
  const blobs = new Map<string, BlobRef>();
  while (waiting.length > 0) {
    const oid = waiting.pop()!;
    const record = unit.record(oid);
    if (record === undefined) continue;
    visitRecord(record, (reference) => {
      if (reference instanceof BlobRef) blobs.set(reference.hash, reference);
      else if (
        !seen.has(reference.oid) && !names.has(reference.oid) && reference.oid < FIRST_MOUNTED_OID
      ) {
        seen.add(reference.oid);
        waiting.push(reference.oid);
      }
    });
    const slots = [...record.slots].map(([name, slot]) => slotToJson(name, slot));
    yield line({ oid, kind: record.kind, slots });
  }
  for (const blob of blobs.values()) {
    yield line({ blob: blob.hash, size: blob.size });
    for await (const bytes of unit.openBlob(blob)) {
      for (let at = 0; at < bytes.length; at += PIECE) {
        yield line({ bytes: bytes.subarray(at, at + PIECE).toBase64() });
      }
    }
  }
  yield line({ end: { objects: seen.size, blobs: blobs.size } });
  return { root, objects: seen.size, blobs: blobs.size };
}

/** Objects that are linked by name; the root itself is always taken along. */
function namesOf(unit: UnitOfWork, root: Oid): Map<Oid, string> {
  const names = new Map<Oid, string>();
  for (const [name, slot] of unit.slots(LOBBY_OID)) {
    if (slot.type === "data" && slot.value instanceof Ref && slot.value.oid !== root) {
      names.set(slot.value.oid, name);
    }
  }
  return names;
}

function line(value: unknown): string {
  return JSON.stringify(value) + "\n";
}

type Json = Record<string, unknown>;

/**
 * Makes the objects that the lines describe, in a unit of work.
 *
 * @throws {ImageError} with the number of the line that is wrong; then the unit is to be aborted
 */
export async function importLines(
  unit: UnitOfWork,
  source: ReadableStream<Uint8Array>,
): Promise<TransferReport> {
  await using lines = new Lines(source);
  const head = await lines.next();
  if (head?.batos !== "objects") {
    throw lines.wrong('expected a file that "image export" wrote');
  }
  if (head.version !== VERSION) {
    throw lines.wrong(`version ${head.version}, this program reads version ${VERSION}`);
  }
  const { root } = head;
  const entries = Object.entries(head.named ?? {});
  if (!isOid(root) || !entries.every((entry): entry is [string, Oid] => isOid(entry[1]))) {
    throw lines.wrong("a head without the root, or with names that stand for no object");
  }
  const oids = new Map<Oid, Oid>();
  for (const [name, oid] of entries) {
    const slot = unit.slot(LOBBY_OID, name);
    if (slot?.type === "data" && slot.value instanceof Ref) oids.set(oid, slot.value.oid);
  }
  const named = new Map(entries.map(([name, oid]) => [oid, name]));
  const objects: { oid: Oid; slots: unknown[]; at: number }[] = [];
  let [blobs, ended] = [0, false];
  for (let one = await lines.next(); one !== undefined; one = await lines.next()) {
    if (isOid(one.oid) && Array.isArray(one.slots)) {
      oids.set(one.oid, unit.create({ parent: null, kind: String(one.kind ?? "") }));
      objects.push({ oid: one.oid, slots: one.slots, at: lines.count });
    } else if (typeof one.blob === "string") {
      if (!Number.isSafeInteger(one.size)) throw lines.wrong("a blob without a size");
      const blob = await unit.putBlob(lines.bytes(Number(one.size)));
      if (blob.hash !== one.blob) throw lines.wrong(`the bytes of blob "${one.blob}" are others`);
      blobs++;
    } else if (one.end !== undefined) ended = true;
    else throw lines.wrong("a line of an unknown form");
  }
  if (!ended) throw lines.wrong("the file ends too early; export it again");
  const moved = (oid: Oid): Oid => {
    const here = oids.get(oid);
    if (here !== undefined) return here;
    throw new ImageError(
      named.has(oid)
        ? `import: the objects refer to "${
          named.get(oid)
        }", which this image does not have; define it first`
        : `import: the objects refer to object ${oid}, which the file does not hold`,
    );
  };
  for (const { oid, slots, at } of objects) {
    for (const json of slots) {
      try {
        const [name, slot] = slotFromJson(
          relink(json, moved) as Parameters<typeof slotFromJson>[0],
        );
        unit.define(oids.get(oid)!, name, specOf(slot));
      } catch (error) {
        if (error instanceof ImageError) throw error;
        throw lines.wrong(`a slot that is none: ${(error as Error).message}`, at);
      }
    }
  }
  return { root: moved(root), objects: objects.length, blobs };
}

/**
 * What makes the slot anew, so that it is checked as one that somebody writes is.
 * @throws {TypeError} for a method whose hash is not that of its text
 */
function specOf(slot: Slot): SlotSpec {
  switch (slot.type) {
    case "data":
      return slot.readOnly ? readOnly(slot.value) : assignable(slot.value);
    case "primitive":
      return primitive(slot.name);
    case "method":
      if (!isGenuine(slot)) throw new TypeError("a method that is not what its hash says");
      return method(slot.source, slot);
  }
}

/** The text form of a slot with other OIDs; every JSON object in it is a tagged value. */
function relink(json: unknown, moved: (oid: Oid) => Oid): unknown {
  if (Array.isArray(json)) return json.map((one) => relink(one, moved));
  if (typeof json !== "object" || json === null) return json;
  return Object.fromEntries(
    Object.entries(json).map(([tag, value]) => {
      if (tag !== "o") return [tag, relink(value, moved)];
      return ["o", (value as Oid) >= FIRST_MOUNTED_OID ? value : moved(value as Oid)];
    }),
  );
}

/** The lines of a stream, as JSON. Dispose of it: that closes the stream where it was not read to its end. */
class Lines implements AsyncDisposable {
  readonly #reader: ReadableStreamDefaultReader<string>;
  #buffer = "";
  /** Of the line that was read last, from 1. */
  count = 0;

  constructor(source: ReadableStream<Uint8Array>) {
    this.#reader = source.pipeThrough(new TextDecoderStream("utf-8", { fatal: true })).getReader();
  }

  async next(): Promise<Json | undefined> {
    let end = this.#buffer.indexOf("\n");
    // Pieces are joined once a line is whole: adding to a long text again and again would copy it.
    const parts = [this.#buffer];
    let length = this.#buffer.length;
    while (end < 0) {
      const { done, value } = await this.#read();
      if (done) break;
      const found = value.indexOf("\n");
      if (found >= 0) end = length + found;
      parts.push(value);
      length += value.length;
      if (length > LONGEST_LINE) throw this.wrong(`longer than ${LONGEST_LINE} characters`);
    }
    const text = parts.join("");
    const one = end < 0 ? text : text.slice(0, end);
    this.#buffer = end < 0 ? "" : text.slice(end + 1);
    if (end < 0 && one.trim() === "") return undefined;
    this.count++;
    try {
      const json: unknown = JSON.parse(one);
      if (typeof json === "object" && json !== null && !Array.isArray(json)) return json as Json;
    } catch {
      // Told below.
    }
    throw this.wrong("no JSON object");
  }

  async #read(): Promise<ReadableStreamReadResult<string>> {
    try {
      return await this.#reader.read();
    } catch (error) {
      if (error instanceof TypeError) throw this.wrong("bytes that are no UTF-8", this.count + 1);
      throw error;
    }
  }

  /** The pieces of a blob that follow. */
  async *bytes(size: number): AsyncGenerator<Uint8Array> {
    for (let left = size; left > 0;) {
      const one = await this.next();
      if (typeof one?.bytes !== "string") throw this.wrong(`${left} bytes of a blob are missing`);
      let piece: Uint8Array;
      try {
        piece = Uint8Array.fromBase64(one.bytes);
      } catch {
        throw this.wrong("bytes that are no base64");
      }
      left -= piece.length;
      yield piece;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reader.cancel().catch(() => {}); // it failed, and that was told
  }

  wrong(reason: string, line = this.count): ImageError {
    return new ImageError(`import: line ${line}: ${reason}`);
  }
}
