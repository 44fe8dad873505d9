/**
 * What memory holds, as objects: every file, chunk, summary and fractal has a number of its kind, slots and references to others.
 *
 * Owns this view and nothing of what is shown. It knows no image: whoever mounts it there gives numbers their OIDs. What must hold: it
 * only reads, of the committed state; a slot holds plain data or a `MemoryRef`.
 */
import type { Memory } from "./memory.ts";

/** Kinds of objects, by the name of their prototype. */
export const MEMORY_KINDS = [
  "memory_chunk",
  "source_file",
  "contextual_summary",
  "context_fractal",
] as const;

/** Name of a prototype. */
export type MemoryKind = (typeof MEMORY_KINDS)[number];

/** Refers to another object of memory. */
export class MemoryRef {
  constructor(readonly kind: MemoryKind, readonly id: number) {}
}

/** What a slot of such an object can hold. */
export type MemorySlot =
  | string
  | number
  | boolean
  | Date
  | MemoryRef
  | readonly MemorySlot[];

/** Reads objects of one memory. */
export class MemoryObjects {
  readonly #memory: Memory;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  /** Slots of an object; undefined where there is none. */
  get(kind: MemoryKind, id: number): Record<string, MemorySlot> | undefined {
    return this.#memory.store.snapshot(() => this.#read(kind, id));
  }

  /** What people mean by a path, or a place in a file (`src/a.ts:12`): the file, or the chunk around the line. */
  find(place: string): MemoryRef | undefined {
    const [, path = place, line] = /^(.+):(\d+)(?:-\d+)?$/.exec(place) ?? [];
    const { store } = this.#memory;
    const file = store.file(path) ?? store.file(place);
    if (file === undefined) return undefined;
    if (line === undefined) return new MemoryRef("source_file", file.id);
    const chunk = store.chunksOf(file).find(({ startLine, endLine }) =>
      startLine <= Number(line) && Number(line) <= endLine
    );
    return chunk && new MemoryRef("memory_chunk", chunk.id);
  }

  #read(kind: MemoryKind, id: number): Record<string, MemorySlot> | undefined {
    switch (kind) {
      case "memory_chunk":
        return this.#chunk(id);
      case "source_file":
        return this.#file(id);
      case "contextual_summary":
        return this.#summary(id);
      case "context_fractal":
        return this.#fractal(id);
    }
  }

  #chunk(id: number): Record<string, MemorySlot> | undefined {
    const { store } = this.#memory;
    const chunk = store.chunk(id);
    const file = chunk && store.fileById(chunk.file);
    if (chunk === undefined || file === undefined) return undefined;
    return {
      file_path: file.path,
      start_line: chunk.startLine,
      end_line: chunk.endLine,
      node_type: chunk.nodeType,
      node_name: chunk.nodeName,
      parent_nodes: chunk.parentNodes,
      dependencies: store.dependenciesOf(chunk),
      language: file.language,
      tokens: chunk.tokens,
      content_hash: file.hash,
      symbols: store.namesOf(id).map(({ name }) => name),
      source_text: store.text(file.id).slice(chunk.start, chunk.end),
      file: new MemoryRef("source_file", file.id),
      ...this.#summaryOf(file.path, "summary"),
    };
  }

  #file(id: number): Record<string, MemorySlot> | undefined {
    const { store } = this.#memory;
    const file = store.fileById(id);
    if (file === undefined) return undefined;
    return {
      file_path: file.path,
      language: file.language,
      bytes: file.bytes,
      lines: file.lines,
      content_hash: file.hash,
      definitions: file.definitionCount,
      chunks: store.chunksOf(file).map((chunk) => new MemoryRef("memory_chunk", chunk.id)),
      ...this.#summaryOf(file.path, "summary"),
    };
  }

  #summary(id: number): Record<string, MemorySlot> | undefined {
    const { store } = this.#memory;
    const row = store.get("SELECT path, level, text, tokens FROM summary WHERE id = ?", id);
    if (row === undefined) return undefined;
    const path = row.path as string;
    const file = row.level === "file" ? store.file(path) : undefined;
    const children = row.level === "file"
      ? []
      : this.#memory.children(path).flatMap((child) =>
        Object.values(this.#summaryOf(child.path, "child"))
      );
    return {
      file_path: path,
      level: row.level as string,
      summary_text: row.text as string,
      tokens: Number(row.tokens),
      ...(file && { file: new MemoryRef("source_file", file.id) }),
      ...(path !== "" &&
        this.#summaryOf(path.slice(0, Math.max(0, path.lastIndexOf("/"))), "above")),
      children,
    };
  }

  #summaryOf(path: string, slot: string): Record<string, MemoryRef> {
    const row = this.#memory.store.get("SELECT id FROM summary WHERE path = ?", path);
    return row === undefined ? {} : { [slot]: new MemoryRef("contextual_summary", Number(row.id)) };
  }

  #fractal(id: number): Record<string, MemorySlot> | undefined {
    const fractal = this.#memory.trail.get(id);
    if (fractal === undefined) return undefined;
    const { digest } = fractal;
    return {
      cycle_id: fractal.cycle,
      kind: digest.kind,
      subject: digest.subject,
      answer: digest.answer,
      outcome: digest.outcome,
      driver: digest.driver,
      since: new Date(fractal.since),
      until: new Date(fractal.until),
      first_line: fractal.firstLine,
      last_line: fractal.lastLine,
      citations: digest.citations,
      missing: digest.missing,
      failures: digest.failures,
      summary_text: fractal.summary,
    };
  }
}
