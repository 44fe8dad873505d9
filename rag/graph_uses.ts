/**
 * Uses of definitions in TypeScript and JavaScript, from the edges that the compiler found.
 *
 * Owns the walk along edges and links. What must hold: declarations that are one thing have the same uses; a member's uses are those of
 * whatever it overrides and whatever overrides it too, since a caller of one may reach the others.
 */
import { LINK_KINDS, REFERENCE_KINDS } from "../ingest/mod.ts";
import type { GraphFiles } from "./graph_files.ts";
import { EdgeIndex, type GraphStore } from "./graph_store.ts";
import type { Located, Place, Use } from "./graph_values.ts";

const SAME = LINK_KINDS.indexOf("same");
const OVERRIDES = LINK_KINDS.indexOf("overrides");
const SHAPE = LINK_KINDS.indexOf("shape");
const IMPORT = REFERENCE_KINDS.indexOf("import");
const REEXPORT = REFERENCE_KINDS.indexOf("reexport");
const CALL = REFERENCE_KINDS.indexOf("call");
const IMPLEMENTS = REFERENCE_KINDS.indexOf("implements");

/** See the module text. */
export class CompiledUses {
  readonly #files: GraphFiles;
  readonly #references: GraphStore;
  readonly #edges = new Map<number, EdgeIndex>();

  constructor(files: GraphFiles, references: GraphStore) {
    this.#files = files;
    this.#references = references;
  }

  #edgesOf(id: number): EdgeIndex {
    let index = this.#edges.get(id);
    if (!index) {
      const stored = this.#references.references(id);
      this.#edges.set(id, index = new EdgeIndex(stored?.edges ?? [], stored?.links ?? []));
    }
    return index;
  }

  /** All declarations of the thing that a definition declares. */
  declarations(entry: Located): Located[] {
    const found = [entry];
    for (const place of this.#first(placeOf(entry))) {
      for (const same of [place, ...this.#linked(place, SAME)]) {
        const file = this.#files.byId.get(same.file);
        const definition = file &&
          this.#files.definitionsIn(file.id).find((other) => other.nameStart === same.start);
        if (definition && definition !== entry.definition) found.push({ file, definition });
      }
    }
    return found;
  }

  /** The places that stand for a declaration: the first declarations of the things it declares. */
  #first(place: Place): Place[] {
    const first = this.#edgesOf(place.file).linksFrom(place.start, SAME);
    return first.length > 0 ? first.map((link) => ({ file: link.to, start: link.start })) : [place];
  }

  /** Declarations tied to a place by links of a kind. */
  #linked(place: Place, kind: number): (Place & { line: number })[] {
    return this.#references.reaching(place.file).flatMap((from) =>
      this.#edgesOf(from).linksTo(place, kind).map((link) => ({
        file: from,
        start: link.from,
        line: link.line,
      }))
    );
  }

  /** The uses of a definition, those of members that it overrides and that override it among them. */
  usesOf(entry: Located): Use[] {
    const { definition } = entry;
    if (definition.name === "constructor" && definition.kind === "method") {
      const owner = this.#files.definitionsIn(entry.file.id).findLast((other) =>
        other.kind === "class" && other.start <= definition.start && other.end >= definition.end
      );
      if (owner) {
        return this.usesAt({ file: entry.file.id, start: owner.nameStart }).filter((use) =>
          use.kind === CALL
        );
      }
    }
    return this.usesAt(placeOf(entry));
  }

  /** The uses of what is declared at a place. */
  usesAt(place: Place): Use[] {
    const own = this.#first(place);
    const group = new Map<string, Place>();
    const uses: Use[] = [];
    const add = (next: Place): void => {
      const key = `${next.file}:${next.start}`;
      if (group.has(key)) return;
      group.set(key, next);
      queue.push(next);
    };
    const queue: Place[] = [];
    for (const start of own) add(start);
    // Upwards: what the declarations override; what the type says that a literal's property is written for.
    for (const shape of this.#edgesOf(place.file).linksFrom(place.start, SHAPE)) {
      for (const first of this.#first({ file: shape.to, start: shape.start })) add(first);
    }
    for (let at = queue.pop(); at; at = queue.pop()) {
      for (const declaration of [at, ...this.#linked(at, SAME)]) {
        for (
          const link of this.#edgesOf(declaration.file).linksFrom(declaration.start, OVERRIDES)
        ) {
          for (const first of this.#first({ file: link.to, start: link.start })) add(first);
        }
      }
    }
    // Downwards: what overrides any of them.
    queue.push(...group.values());
    for (let at = queue.pop(); at; at = queue.pop()) {
      for (const declaration of [at, ...this.#linked(at, SAME)]) {
        for (const below of this.#linked(declaration, OVERRIDES)) {
          for (const first of this.#first(below)) {
            add(first);
          }
        }
      }
    }
    const isOwn = new Set(own.map((start) => `${start.file}:${start.start}`));
    for (const [key, member] of group) {
      if (!isOwn.has(key)) {
        for (const declaration of [member, ...this.#linked(member, SAME)]) {
          uses.push({
            file: declaration.file,
            line: this.#files.lineAt(declaration),
            kind: IMPLEMENTS,
          });
        }
      }
      for (const from of this.#references.reaching(member.file)) {
        for (const { line, kind } of this.#edgesOf(from).edgesTo(member)) {
          uses.push({ file: from, line, kind });
        }
      }
    }
    return uses;
  }

  /** What a definition uses. */
  calleesOf(entry: Located): Located[] {
    const { file, definition } = entry;
    const found: Located[] = [];
    for (const edge of this.#edgesOf(file.id).within(definition.startLine, definition.endLine)) {
      if (edge.kind === IMPORT || edge.kind === REEXPORT) continue;
      const target = this.#files.byId.get(edge.to);
      const callee = target &&
        this.#files.definitionsIn(target.id).find((other) => other.nameStart === edge.start);
      if (!callee || !target) continue;
      const isInside = target.id === file.id && callee.start >= definition.start &&
        callee.end <= definition.end;
      if (!isInside) found.push({ file: target, definition: callee });
    }
    return found;
  }
}

function placeOf({ file, definition }: Located): Place {
  return { file: file.id, start: definition.nameStart };
}
