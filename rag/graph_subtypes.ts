/**
 * What is built on a type, and what overrides a member: implementers, heirs, overrides.
 *
 * Owns the reading of heritage from uses, and of types that implement by their shape alone. What must hold: a use counts as heritage
 * only where it stands in the head of a declaration, or where the language declares it in the body; what only names and numbers of
 * parameters tell is `likely`, never `certain`; a cycle of heirs ends.
 */
import { type Definition, folderOf, isCompiled, Pause, REFERENCE_KINDS } from "../ingest/mod.ts";
import type { GraphFiles } from "./graph_files.ts";
import {
  byPlace,
  family,
  type GraphSourceFile,
  type Located,
  shown,
  type Subtype,
  type Use,
} from "./graph_values.ts";

const EXTENDS = REFERENCE_KINDS.indexOf("extends");
const IMPLEMENTS = REFERENCE_KINDS.indexOf("implements");

/** Kinds of definitions that others can be built on: Ruby mixes modules in, Elixir's behaviours are modules. */
const TYPES = new Set(["class", "interface", "trait", "struct", "enum", "type", "module"]);
const MEMBERS = new Set(["method", "property"]);
/** The lines in the body of a type that say what it is built on: embedded fields, mixins, traits, behaviours. */
const HERITAGE_IN_BODY: Readonly<Record<string, RegExp>> = {
  go: /^/,
  ruby: /^\s*(?:include|extend|prepend)\b/,
  php: /^\s*use\s/,
  elixir: /^\s*(?:@behaviour|use)\s/,
};
/** Languages whose types say in their heads alone what they are built on; PHP's traits are taken in inside of bodies. */
const HERITAGE_IN_HEAD = new Set(["python", "java", "kotlin", "scala", "csharp", "cpp", "php"]);
/** Languages whose types have their members in other places than the type: `impl`, receivers, extensions, partial classes. */
const SCATTERED = new Set(["go", "rust", "swift", "csharp", "cpp", "c"]);
/** The type that takes a trait, a class or a protocol: `impl Trait for Type`, `instance Class Type`, `defimpl P, for: Type`. */
const TAKERS: Readonly<Record<string, RegExp>> = {
  rust:
    /^\s*(?:unsafe\s+)?impl\b[^{;]*?\sfor\s+(?:&\s*(?:'\w+\s+)?(?:mut\s+)?|dyn\s+)*([\w:]+|[([][^{]*?(?=\s*(?:\{|where\b)))/,
  haskell: /^\s*instance\s+(?:.*?=>\s*)?[\w.']+\s+\(?([\w.']+)/,
  elixir: /^\s*defimpl\s+[\w.]+\s*,\s*for:\s*([\w.]+)/,
  swift: /^\s*(?:@\w+\s+|public\s+|private\s+|internal\s+|fileprivate\s+)*extension\s+([\w.]+)/,
};
/** An `impl` whose head is broken over lines is read so far, in characters: more would be another declaration. */
const LONGEST_HEAD = 400;
/** Fewest methods by which an interface is known whose other ones, embedded from another package, are not. */
const LEAST_KNOWN_METHODS = 2;
/** Steps from a type to its heirs: no hierarchy that people wrote is deeper, and a wrong edge by name must not lead everywhere. */
const MOST_STEPS = 16;

/** A heir and how it is one. */
interface Heir {
  readonly entry: Located;
  readonly relation: "extends" | "implements";
  readonly isCertain: boolean;
  readonly clause: { readonly path: string; readonly line: number } | undefined;
}

/** Finds them in one index. */
export class GraphSubtypes {
  readonly #files: GraphFiles;
  readonly #usesOf: (entry: Located) => Promise<readonly Use[]>;
  #baseNames: ReadonlySet<string> | undefined;

  /** @param usesOf the uses of a definition, as `SymbolGraph.uses` gives them; of TypeScript the graph is built already */
  constructor(files: GraphFiles, usesOf: (entry: Located) => Promise<readonly Use[]>) {
    this.#files = files;
    this.#usesOf = usesOf;
  }

  /**
   * What is built on the types among `targets`, and what overrides the members among them, nearest first.
   *
   * @param transitive whether heirs of heirs are followed too; else only those one step away
   * @param signal ends it between two types; throws what it was aborted with
   */
  async of(
    targets: readonly Located[],
    transitive: boolean,
    signal?: AbortSignal,
  ): Promise<Subtype[]> {
    const found = new Map<string, Subtype>();
    const pause = new Pause(signal);
    for (const target of targets) {
      const isMember = MEMBERS.has(target.definition.kind);
      const type = isMember ? this.#ownerOf(target) : target;
      if (!type || !TYPES.has(type.definition.kind)) continue;
      // Looking for heirs reads every file that has the name of the type.
      if (isMember && !this.#hasNamesakes(target)) continue;
      const seen = new Set([keyOf(type)]);
      let level: { entry: Located; isCertain: boolean }[] = [{ entry: type, isCertain: true }];
      for (let distance = 1; level.length > 0 && distance <= MOST_STEPS; distance++) {
        const next: typeof level = [];
        for (const { entry: base, isCertain } of level) {
          if (pause.due()) await pause.take();
          // Most heirs have none, and to look for uses of each of them takes long.
          if (distance > 1 && !this.#mayHaveHeirs(base)) continue;
          for (const heir of await this.#heirsOf(base)) {
            if (seen.has(keyOf(heir.entry))) continue;
            seen.add(keyOf(heir.entry));
            const certain = isCertain && heir.isCertain;
            next.push({ entry: heir.entry, isCertain: certain });
            const certainty = certain ? "certain" : "likely";
            const of = base.definition.name;
            if (isMember) {
              for (const member of this.#membersOf(heir.entry, target.definition.name)) {
                found.set(keyOf(member), {
                  ...shown(member),
                  relation: "overrides",
                  of: `${type.definition.name}.${target.definition.name}`,
                  distance,
                  certainty,
                });
              }
            } else {
              const { relation, clause } = heir;
              found.set(keyOf(heir.entry), {
                ...shown(heir.entry),
                relation,
                of,
                distance,
                certainty,
                ...clause && { clause },
              });
            }
          }
        }
        level = transitive ? next : [];
      }
    }
    return [...found.values()].sort((a, b) => a.distance - b.distance || byPlace(a, b));
  }

  /** Whether any type may be built on this one, as far as the words in the heads of types tell. */
  #mayHaveHeirs({ file, definition }: Located): boolean {
    if (!HERITAGE_IN_HEAD.has(file.language) || definition.kind === "trait") return true;
    return (this.#baseNames ??= this.#namesInHeads()).has(definition.name);
  }

  /** The words in the heads of types, and under which names those are imported that are aliases. */
  #namesInHeads(): Set<string> {
    const names = new Set<string>();
    const { source, list } = this.#files;
    const files = list.filter((file) => HERITAGE_IN_HEAD.has(file.language));
    for (const { id } of files) {
      const text = source.text(id);
      for (const { kind, name, nameStart, body } of this.#files.definitionsIn(id)) {
        if (!TYPES.has(kind)) continue;
        const head = text.slice(nameStart + name.length, body);
        for (const [word] of head.matchAll(/[\p{L}_$][\p{L}\p{N}_$]*/gu)) names.add(word);
      }
    }
    const aliases = files.flatMap(({ id }) => source.imports(id).flatMap((one) => one.names));
    // An alias may be imported under another alias.
    for (let before = -1; before !== names.size;) {
      before = names.size;
      for (const { name, alias } of aliases) if (names.has(alias)) names.add(name);
    }
    return names;
  }

  /** What is one step below a type. */
  async #heirsOf(base: Located): Promise<Heir[]> {
    const heirs = new Map<string, Heir>();
    const { name } = base.definition;
    const { language } = base.file;
    const namesakes = this.#files.source.definitionsNamed(name).filter((other) =>
      TYPES.has(other.kind) &&
      family(this.#files.byId.get(other.file)?.language ?? "") === family(language)
    );
    for (const use of await this.#usesOf(base)) {
      const isHeritage = use.kind === EXTENDS || use.kind === IMPLEMENTS;
      if (!isHeritage || use.doubt === "possible") continue;
      const file = this.#files.byId.get(use.file);
      const heir = file && this.#declaredAt(file, use.line);
      if (!file || !heir || keyOf(heir.entry) === keyOf(base)) continue;
      const { entry, isSure } = heir;
      // Kotlin and C# have one list for both: what the base is tells them apart.
      const isImplemented = use.kind === IMPLEMENTS ||
        (base.definition.kind === "interface" && entry.definition.kind !== "interface");
      heirs.set(keyOf(entry), {
        entry,
        relation: isImplemented ? "implements" : "extends",
        // Found by name, it is this type where there is no other, or the other ones stand in other files.
        isCertain: isCompiled(file.path) ||
          (isSure && use.doubt === undefined && (namesakes.length === 1 ||
            (use.file === base.file.id &&
              namesakes.filter((other) => other.file === use.file).length === 1))),
        clause: { path: file.path, line: use.line },
      });
    }
    for (const entry of this.#alikeTo(base)) {
      if (heirs.has(keyOf(entry)) || keyOf(entry) === keyOf(base)) continue;
      heirs.set(keyOf(entry), {
        entry,
        relation: "implements",
        isCertain: false,
        clause: undefined,
      });
    }
    return [...heirs.values()];
  }

  /** The type whose declaration says on a line what it is built on; whether it is sure to be that one. */
  #declaredAt(
    file: GraphSourceFile,
    line: number,
  ): { entry: Located; isSure: boolean } | undefined {
    const text = this.#files.source.text(file.id);
    const start = offsetOf(text, line);
    const taker = TAKERS[file.language]?.exec(text.slice(start, start + LONGEST_HEAD))?.[1];
    if (taker !== undefined) return this.#taker(file, line, taker);
    let best: Definition | undefined;
    for (const definition of this.#files.definitionsIn(file.id)) {
      if (!TYPES.has(definition.kind)) continue;
      if (definition.startLine > line || definition.endLine < line) continue;
      if (!best || definition.end - definition.start <= best.end - best.start) best = definition;
    }
    // What stands in a body belongs to something without a name there, unless the language declares heritage in bodies.
    if (!best) return undefined;
    const end = text.indexOf("\n", start);
    const said = text.slice(start, end < 0 ? text.length : end);
    return start <= best.body || HERITAGE_IN_BODY[file.language]?.test(said)
      ? { entry: { file, definition: best }, isSure: true }
      : undefined;
  }

  /** The type of a name that stands in a declaration apart from it; one of another package has only the line that names it. */
  #taker(
    file: GraphSourceFile,
    line: number,
    written: string,
  ): { entry: Located; isSure: boolean } {
    const name = /^[([]/.test(written) ? written : written.split(/::|\./).at(-1)!;
    const text = this.#files.source.text(file.id);
    const start = offsetOf(text, line);
    // `impl<T> Trait for T` is about no type of that name.
    const isParameter = new RegExp(
      `^\\s*(?:unsafe\\s+)?impl\\s*<[^{]*?\\b${name}\\b[^{]*?\\sfor\\s`,
    )
      .test(/^\w+$/.test(name) ? text.slice(start, start + LONGEST_HEAD) : "");
    const named = isParameter ? [] : this.#typesNamed(name, file.language);
    const near = named.find((entry) => entry.file.id === file.id) ??
      named.find((entry) => folderOf(entry.file.path) === folderOf(file.path));
    const known = near ?? named[0];
    if (known) return { entry: known, isSure: near !== undefined || named.length === 1 };
    const place = { start, declaration: start, nameStart: start, body: start, end: start };
    const lines = { startLine: line, endLine: line };
    const definition: Definition = {
      name,
      kind: "type",
      container: [],
      exported: false,
      ...place,
      ...lines,
    };
    return { entry: { file, definition }, isSure: true };
  }

  #typesNamed(name: string, language: string): Located[] {
    return this.#files.source.definitionsNamed(name).flatMap((definition) => {
      const file = this.#files.byId.get(definition.file);
      return file && TYPES.has(definition.kind) && family(file.language) === family(language)
        ? [{ file, definition }]
        : [];
    });
  }

  /** The type that a member belongs to. */
  #ownerOf({ file, definition }: Located): Located | undefined {
    const name = definition.container.at(-1);
    if (name === undefined) return undefined;
    const around = this.#files.definitionsIn(file.id).findLast((other) =>
      other.name === name && TYPES.has(other.kind) && other.start <= definition.start &&
      other.end >= definition.end
    );
    if (around) return { file, definition: around };
    if (!SCATTERED.has(file.language)) return undefined;
    const named = this.#typesNamed(name, file.language);
    return named.find((entry) => folderOf(entry.file.path) === folderOf(file.path)) ?? named[0];
  }

  /** Whether a member of another type has the name, too. */
  #hasNamesakes({ file, definition }: Located): boolean {
    return this.#files.source.definitionsNamed(definition.name).some((other) =>
      MEMBERS.has(other.kind) && (other.file !== file.id || other.start !== definition.start)
    );
  }

  /** The members of a type that have a name. */
  #membersOf({ file, definition: type }: Located, name: string): Located[] {
    return this.#files.source.definitionsNamed(name).flatMap((definition) => {
      if (!MEMBERS.has(definition.kind) || definition.container.at(-1) !== type.name) return [];
      const at = this.#files.byId.get(definition.file);
      if (!at || family(at.language) !== family(file.language)) return [];
      const isInside = at.id === file.id && definition.start >= type.start &&
        definition.end <= type.end;
      const isScattered = SCATTERED.has(file.language) &&
        (folderOf(at.path) === folderOf(file.path) ||
          this.#typesNamed(type.name, file.language).length === 1);
      return isInside || isScattered ? [{ file: at, definition }] : [];
    });
  }

  // ---- types that implement without saying so: Go's interfaces, Python's protocols --------------------------------------

  #alikeTo(base: Located): Located[] {
    const wanted = this.#shapeOf(base, 0);
    if (wanted.size === 0) return [];
    // The name that the fewest types have leads to them all.
    const byName = [...wanted.keys()].map((name) => this.#methodsNamed(name, base.file.language));
    const fewest = byName.reduce((best, next) => next.length < best.length ? next : best);
    const found = new Map<string, Located>();
    for (const method of fewest) {
      const type = this.#ownerOf(method);
      if (!type || type.definition.kind === "interface" || this.#isProtocol(type)) continue;
      const has = [...wanted].every(([name, shape]) =>
        this.#membersOf(type, name).some((member) =>
          member.definition.kind === "method" && this.#fitsShape(member, shape)
        )
      );
      if (has) found.set(keyOf(type), type);
    }
    return [...found.values()];
  }

  /** The methods that a type must have to implement `base`, with the shape of their signatures. */
  #shapeOf(base: Located, depth: number): Map<string, string> {
    const shape = new Map<string, string>();
    const { file, definition: type } = base;
    const isInterface = file.language === "go" && type.kind === "interface";
    if (depth >= MOST_STEPS || !isInterface && !this.#isProtocol(base)) return shape;
    for (const definition of this.#files.definitionsIn(file.id)) {
      const isOwn = definition.kind === "method" && definition.container.at(-1) === type.name &&
        definition.start >= type.start && definition.end <= type.end;
      if (isOwn) shape.set(definition.name, this.#signatureOf({ file, definition }));
    }
    if (!isInterface) return shape;
    let isWhole = true;
    const body = this.#files.source.text(file.id).slice(type.body, type.end);
    for (const [, path] of body.matchAll(/^[ \t]*((?:\w+\.)?\w+)[ \t]*(?:\/\/.*)?$/gm)) {
      const name = path!.split(".").at(-1)!;
      const inner = this.#typesNamed(name, file.language).find((entry) =>
        entry.definition.kind === "interface" && keyOf(entry) !== keyOf(base) &&
        (path!.includes(".") || folderOf(entry.file.path) === folderOf(file.path))
      );
      if (!inner) isWhole = false;
      else for (const [method, said] of this.#shapeOf(inner, depth + 1)) shape.set(method, said);
    }
    // What is embedded from another package has methods that nobody here knows.
    return isWhole || shape.size >= LEAST_KNOWN_METHODS ? shape : new Map();
  }

  #isProtocol({ file, definition }: Located): boolean {
    if (file.language !== "python" || definition.kind !== "class") return false;
    const head = this.#files.source.text(file.id).slice(definition.nameStart, definition.body);
    return /^\w+\s*\([^)]*\bProtocol\b/.test(head);
  }

  #methodsNamed(name: string, language: string): Located[] {
    return this.#files.source.definitionsNamed(name).flatMap((definition) => {
      const file = this.#files.byId.get(definition.file);
      return file?.language === language && definition.kind === "method"
        ? [{ file, definition }]
        : [];
    });
  }

  /** Whether a method has as many parameters and results as are wanted; Python's defaults leave that open. */
  #fitsShape(method: Located, shape: string): boolean {
    return method.file.language !== "go" || this.#signatureOf(method) === shape;
  }

  /** `parameters/results`, as numbers: all that a signature of Go tells without its types. */
  #signatureOf({ file, definition }: Located): string {
    const end = definition.body > definition.nameStart ? definition.body : definition.end;
    const text = this.#files.source.text(file.id)
      .slice(definition.nameStart + definition.name.length, end);
    const parameters = groupAt(text, text.indexOf("("));
    const rest = text.slice(parameters.end).replace(/[{/].*$/s, "").trim();
    const results = rest === "" ? 0 : rest.startsWith("(") ? groupAt(rest, 0).count : 1;
    return `${parameters.count}/${results}`;
  }
}

/** How many entries the group of parentheses at `open` has, and where it ends. */
function groupAt(text: string, open: number): { count: number; end: number } {
  if (open < 0) return { count: 0, end: 0 };
  let depth = 0, commas = 0, isEmpty = true, isTrailing = false;
  for (let at = open; at < text.length; at++) {
    const character = text[at]!;
    if ("([{".includes(character)) depth++;
    else if (")]}".includes(character) && --depth === 0) {
      return { count: isEmpty ? 0 : commas + (isTrailing ? 0 : 1), end: at + 1 };
    }
    if (at === open || /\s/.test(character)) continue;
    isEmpty = false;
    isTrailing = depth === 1 && character === ",";
    if (isTrailing) commas++;
  }
  return { count: 0, end: text.length };
}

function keyOf({ file, definition }: Located): string {
  return `${file.id}:${definition.nameStart}:${definition.name}`;
}

/** Where a line begins. */
function offsetOf(text: string, line: number): number {
  let at = 0;
  for (let before = 1; before < line; before++) {
    const end = text.indexOf("\n", at);
    if (end < 0) return text.length;
    at = end + 1;
  }
  return at;
}
