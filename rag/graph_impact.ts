/**
 * What a change may break: a breadth-first search over uses.
 *
 * Owns the search and nothing else. What must hold: a definition is followed once; where the compiler knows the edges the
 * search goes from definition to definition, where only names are known it goes on from file to importing file, because
 * chains of guesses lead everywhere.
 */
import { type Definition, isCompiled, REFERENCE_KINDS } from "../ingest/mod.ts";
import {
  byPlace,
  type Dependent,
  type GraphDefinition,
  type GraphSourceFile,
  innermost,
  isSymbol,
  type Located,
  shown,
  unique,
  type Use,
} from "./graph_values.ts";

/** What the search asks of the graph. */
export interface ImpactGraph {
  file(id: number): GraphSourceFile | undefined;
  definitionsIn(id: number): readonly Definition[];
  uses(entry: Located): Promise<readonly Use[]>;
  importersOf(id: number): readonly { readonly from: number; readonly line: number }[];
}

const IMPORT = REFERENCE_KINDS.indexOf("import"), REEXPORT = REFERENCE_KINDS.indexOf("reexport");

interface Reached {
  readonly distance: number;
  readonly lines: Set<number>;
  readonly via: Set<string>;
  readonly symbols: Map<Definition, GraphDefinition>;
}

/** One search; `run` it once. */
export class ImpactSearch {
  readonly #graph: ImpactGraph;
  readonly #targets: readonly Located[];
  readonly #own: ReadonlySet<number>;
  readonly #reached = new Map<number, Reached>();
  readonly #seen = new Set<Definition>();
  #definitions: readonly Located[];
  #files: readonly number[];

  /** From definitions, and from whole files with all that they define at their top. */
  constructor(graph: ImpactGraph, located: readonly Located[], files: readonly GraphSourceFile[]) {
    this.#graph = graph;
    this.#own = new Set(files.map((file) => file.id));
    this.#files = [...this.#own];
    const defined = files.flatMap((file) =>
      graph.definitionsIn(file.id)
        .filter((definition) => isSymbol(definition) && definition.container.length === 0)
        .map((definition) => ({ file, definition }))
    );
    this.#targets = this.#definitions = [...located, ...defined];
    for (const { definition } of this.#targets) this.#seen.add(definition);
  }

  definitions(): GraphDefinition[] {
    return unique(this.#targets.map(shown));
  }

  /** The files reached in at most so many steps, nearest first. */
  async run(depth: number): Promise<Dependent[]> {
    for (let distance = 1; distance <= depth; distance++) {
      if (this.#definitions.length === 0 && this.#files.length === 0) break;
      await this.#step(distance);
    }
    return [...this.#reached].map(([id, { distance, lines, via, symbols }]): Dependent => {
      const { path } = this.#graph.file(id)!;
      return {
        path,
        distance,
        lines: [...lines].sort((a, b) => a - b),
        via: [...via],
        symbols: [...symbols.values()].sort(byPlace),
        resolution: isCompiled(path) ? "compiler" : "name",
      };
    }).sort((a, b) => a.distance - b.distance || (a.path < b.path ? -1 : 1));
  }

  async #step(distance: number): Promise<void> {
    const definitions: Located[] = [];
    const files: number[] = [];
    const reach = (id: number, line: number, via: string): GraphSourceFile | undefined => {
      const file = this.#graph.file(id);
      if (!file || this.#own.has(id)) return undefined;
      let reached = this.#reached.get(id);
      if (!reached) {
        this.#reached.set(
          id,
          reached = { distance, lines: new Set(), via: new Set(), symbols: new Map() },
        );
        if (!isCompiled(file.path)) files.push(id);
      }
      if (reached.distance === distance) {
        reached.lines.add(line);
        reached.via.add(via);
      }
      return file;
    };
    for (const id of this.#files) {
      const via = this.#graph.file(id)?.path ?? "";
      for (const { from, line } of this.#graph.importersOf(id)) reach(from, line, via);
    }
    for (const entry of this.#definitions) {
      for (const { file: id, line, kind, doubt } of await this.#graph.uses(entry)) {
        if (doubt === "possible") continue;
        const file = reach(id, line, entry.definition.name);
        if (!file || kind === IMPORT || kind === REEXPORT) continue;
        for (const definition of dependingOn(this.#graph.definitionsIn(id), line)) {
          this.#reached.get(id)!.symbols.set(definition, shown({ file, definition }));
          if (this.#seen.has(definition) || !isCompiled(file.path)) continue;
          this.#seen.add(definition);
          if (isSymbol(definition)) definitions.push({ file, definition });
        }
      }
    }
    this.#definitions = definitions;
    this.#files = files;
  }
}

/** What depends on a line: the smallest definition around it, and the object or the variable that this is part of. */
function dependingOn(definitions: readonly Definition[], line: number): Definition[] {
  const inner = innermost(definitions, line);
  if (!inner) return [];
  const outer = definitions.filter((definition) =>
    definition !== inner && definition.start <= inner.start && definition.end >= inner.end &&
    (definition.kind === "constant" || definition.kind === "variable")
  );
  return [inner, ...outer];
}
