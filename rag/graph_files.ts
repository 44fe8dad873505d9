/**
 * The files of an index as the symbol graph looks at them, with what it has read of them so far.
 *
 * Owns that reading, and lines of names. What must hold: it is of one state of the index; who sees it change makes another.
 */
import type { Definition } from "../ingest/mod.ts";
import type { GraphSource, GraphSourceFile, Located, Place } from "./graph_values.ts";

/** See the module text. */
export class GraphFiles {
  readonly source: GraphSource;
  readonly list: readonly GraphSourceFile[];
  readonly byId: ReadonlyMap<number, GraphSourceFile>;
  readonly byPath: ReadonlyMap<string, GraphSourceFile>;
  readonly #definitions = new Map<number, readonly Definition[]>();

  constructor(source: GraphSource) {
    this.source = source;
    this.list = source.files();
    this.byId = new Map(this.list.map((file) => [file.id, file]));
    this.byPath = new Map(this.list.map((file) => [file.path, file]));
  }

  /** The definitions of a file, in order. */
  definitionsIn(id: number): readonly Definition[] {
    let definitions = this.#definitions.get(id);
    if (!definitions) this.#definitions.set(id, definitions = this.source.definitionsOf(id));
    return definitions;
  }

  /** The line on which the name of a definition stands. */
  nameLine({ file, definition }: Located): number {
    if (definition.startLine === definition.endLine) return definition.startLine;
    const text = this.source.text(file.id);
    let line = definition.startLine;
    for (
      let at = text.indexOf("\n", definition.declaration);
      at >= 0 && at < definition.nameStart;
    ) {
      line++;
      at = text.indexOf("\n", at + 1);
    }
    return line;
  }

  /** The line of a place. */
  lineAt(place: Place): number {
    const definition = this.definitionsIn(place.file).find((other) =>
      other.nameStart === place.start
    );
    const file = this.byId.get(place.file);
    if (definition && file) return this.nameLine({ file, definition });
    const text = this.source.text(place.file);
    let line = 1;
    for (
      let at = text.indexOf("\n");
      at >= 0 && at < place.start;
      at = text.indexOf("\n", at + 1)
    ) line++;
    return line;
  }
}
