/**
 * The definitions of a file in one row of the index.
 *
 * Pure. Owns the packed form: a row a definition costs three times as much, most of it for what the neighbour says already. What must
 * hold: what is packed comes back the same, in its order; the bytes depend on the definitions alone.
 *
 * Packed form: varints (see `varint.ts`), then UTF-8 text.
 * - number of definitions; number of bytes that follow as varints;
 * - for each: `2 · kind + exported`; container; length of its name in UTF-16 units; then as differences, zigzag-coded: start from the
 *   previous start, declaration from start, name from declaration, end from start, body from end, first line from the previous one's,
 *   last line from the first;
 * - container: 0 none; 1 in words: how many, and the length of each; `k + 1`: that of the definition `k` before, and its name;
 * - the text: for each definition the words of its container, if it has any, and its name, end to end.
 */
import { Buffer } from "node:buffer";
import type { Definition } from "../ingest/mod.ts";
import { DEFINITION_KINDS } from "./rows.ts";
import { ByteReader, ByteWriter } from "./varint.ts";

const NO_CONTAINER = 0, IN_WORDS = 1;

/** See the module text. */
export function packDefinitions(definitions: readonly Definition[]): Uint8Array {
  const numbers = new ByteWriter(16 * definitions.length);
  const texts: string[] = [];
  // By its path, the last definition so far.
  const known = new Map<string, number>();
  const within = (container: readonly string[]): number | undefined => {
    const at = known.get(pathOf(container));
    // Names may hold whatever joins them.
    return at !== undefined && isPath(definitions[at]!, container) ? at : undefined;
  };
  let start = 0;
  let line = 0;
  definitions.forEach((definition, at) => {
    const { container, name } = definition;
    numbers.write(2 * DEFINITION_KINDS.indexOf(definition.kind) + (definition.exported ? 1 : 0));
    const around = container.length === 0 ? undefined : within(container);
    if (container.length === 0) numbers.write(NO_CONTAINER);
    else if (around !== undefined) numbers.write(at - around + 1);
    else {
      numbers.write(IN_WORDS);
      numbers.write(container.length);
      for (const word of container) numbers.write(word.length);
      texts.push(...container);
    }
    numbers.write(name.length);
    texts.push(name);
    known.set(container.length === 0 ? name : `${pathOf(container)}\0${name}`, at);
    numbers.write(zigzag(definition.start - start));
    numbers.write(zigzag(definition.declaration - definition.start));
    numbers.write(zigzag(definition.nameStart - definition.declaration));
    numbers.write(zigzag(definition.end - definition.start));
    numbers.write(zigzag(definition.body - definition.end));
    numbers.write(zigzag(definition.startLine - line));
    numbers.write(zigzag(definition.endLine - definition.startLine));
    start = definition.start;
    line = definition.startLine;
  });
  const head = new ByteWriter();
  head.write(definitions.length);
  head.write(numbers.length);
  // Half a surrogate pair has no form in UTF-8; its replacement is one unit as well, so lengths hold.
  return Buffer.concat([head.take(), numbers.take(), Buffer.from(texts.join(""), "utf8")]);
}

function pathOf(names: readonly string[]): string {
  return names.length === 1 ? names[0]! : names.join("\0");
}

/** Whether a definition stands under this path. */
function isPath({ container, name }: Definition, path: readonly string[]): boolean {
  const last = container.length;
  return path.length === last + 1 && path[last] === name &&
    container.every((word, at) => word === path[at]);
}

/** What `packDefinitions` made. */
export function unpackDefinitions(packed: Uint8Array): Definition[] {
  const head = new ByteReader(packed);
  const count = head.read();
  const size = head.read();
  const numbers = new ByteReader(packed.subarray(head.at, head.at + size));
  const bytes = packed.subarray(head.at + size);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
  let used = 0;
  const take = (length: number) => text.slice(used, used += length);
  const definitions: Definition[] = [];
  let start = 0;
  let line = 0;
  for (let at = 0; at < count; at++) {
    const flags = numbers.read();
    const code = numbers.read();
    let container: readonly string[] = [];
    if (code === IN_WORDS) {
      const lengths = Array.from({ length: numbers.read() }, () => numbers.read());
      container = lengths.map(take);
    } else if (code !== NO_CONTAINER) {
      const around = definitions[at - code + 1]!;
      container = [...around.container, around.name];
    }
    const name = take(numbers.read());
    start += unzigzag(numbers.read());
    const declaration = start + unzigzag(numbers.read());
    const nameStart = declaration + unzigzag(numbers.read());
    const end = start + unzigzag(numbers.read());
    const body = end + unzigzag(numbers.read());
    line += unzigzag(numbers.read());
    definitions.push({
      name,
      kind: DEFINITION_KINDS[flags >> 1]!,
      container,
      start,
      declaration,
      nameStart,
      body,
      end,
      startLine: line,
      endLine: line + unzigzag(numbers.read()),
      exported: flags % 2 === 1,
    });
  }
  return definitions;
}

/**
 * What the table of names finds a name by: 24 bits of its FNV-1a hash. Two names that share it cost a look at one file more; a name in
 * full would cost the index a twentieth of the source.
 */
export function nameKey(name: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < name.length; at++) {
    hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
  }
  return hash >>> 8;
}

/** Small numbers of either sign as small numbers. */
function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

function unzigzag(value: number): number {
  return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
}
