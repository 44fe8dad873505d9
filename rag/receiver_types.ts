/**
 * What a term is (`ingest/type_terms.ts`), now that imports and the types of all files are known: which types a receiver may have.
 *
 * Owns the evaluation and what it read for it. What must hold: what cannot be known is `unknown`, never the likeliest; evaluation ends, for
 * what is being worked out already is unknown.
 */
import {
  type Definition,
  type FileFacts,
  findTypeFacts,
  folderOf,
  type Import,
  type TypeTerm,
} from "../ingest/mod.ts";
import type { GraphSourceFile } from "./graph_values.ts";

/** What an expression may be. */
export type Known =
  | { readonly is: "value" | "type"; readonly file: number; readonly type: string }
  | { readonly is: "super"; readonly file: number; readonly type: string }
  | { readonly is: "module"; readonly file: number }
  /** `a` of `import a.b`: the module is what the names behind it lead to. */
  | { readonly is: "path"; readonly file: number; readonly path: string }
  | {
    readonly is: "function";
    readonly file: number;
    readonly returns: TypeTerm;
    readonly on?: Known;
  }
  | { readonly is: "list" | "tuple"; readonly of: readonly (readonly Known[])[] }
  | { readonly is: "of"; readonly list: readonly (readonly Known[])[]; readonly name: string }
  /** Something that no file of the workspace defines. */
  | { readonly is: "foreign" }
  | { readonly is: "unknown" };

/** What the evaluation reads of the workspace. */
export interface TypeSource {
  file(id: number): GraphSourceFile | undefined;
  text(id: number): string;
  imports(id: number): readonly Import[];
  /** What files define under a name. */
  defining(name: string): readonly (Definition & { readonly file: number })[];
  /** The files that an import of a file means. */
  targets(id: number, ordinal: number): readonly number[];
}

/** Where a member was found. */
export interface Owner {
  readonly file: number;
  readonly type: string;
}

const UNKNOWN: readonly Known[] = [{ is: "unknown" }];
const FOREIGN: readonly Known[] = [{ is: "foreign" }];
// Languages where the files of a folder see each other's types.
const FOLDER_SCOPED = new Set(["java"]);
const TYPES: ReadonlySet<string> = new Set(["class", "interface", "enum", "type", "struct"]);
// A name is passed on by so many modules at most, an expression is so deep.
const MAX_DEPTH = 24;
// A value that may be of more types says nothing.
const MAX_TYPES = 12;

/** See the module text. */
export class ReceiverTypes {
  readonly #source: TypeSource;
  readonly #facts = new Map<number, FileFacts | undefined>();
  readonly #names = new Map<string, readonly Known[] | "pending">();
  #depth = 0;

  constructor(source: TypeSource) {
    this.#source = source;
  }

  /** What a term of a file may be. */
  async of(term: TypeTerm, file: number, on?: Known): Promise<readonly Known[]> {
    if (this.#depth > MAX_DEPTH) return UNKNOWN;
    this.#depth++;
    try {
      return distinct(await this.#of(term, file, on));
    } finally {
      this.#depth--;
    }
  }

  /**
   * The type whose member a name is, looked up in a type and its bases; `"none"` where it has no such member, `"unknown"` where a
   * base is not known.
   */
  async ownerOf(
    file: number,
    type: string,
    name: string,
    from: "type" | "bases" = "type",
    seen: Set<string> = new Set(),
  ): Promise<Owner | "none" | "unknown"> {
    const key = `${file}:${type}`;
    if (seen.has(key)) return "none";
    seen.add(key);
    const facts = (await this.facts(file))?.types.get(type);
    if (!facts) return "unknown";
    const isOwn = from === "type" && facts.members.has(name);
    if (isOwn && !facts.undeclared.has(name)) return { file, type };
    let isOpen = false;
    for (const base of facts.bases) {
      for (const known of await this.of(base, file)) {
        if (known.is === "type") {
          const found = await this.ownerOf(known.file, known.type, name, "type", seen);
          if (typeof found === "object" && !(isOwn && await this.#isUndeclared(found, name))) {
            return found;
          }
          if (found === "unknown") isOpen = true;
        } else if (known.is === "unknown") isOpen = true;
      }
    }
    if (isOwn) return { file, type };
    return isOpen ? "unknown" : "none";
  }

  async #isUndeclared({ file, type }: Owner, name: string): Promise<boolean> {
    return (await this.facts(file))!.types.get(type)!.undeclared.has(name);
  }

  /** Whether a type is another one or built on it. */
  async isBelow(type: Owner, above: Owner, seen: Set<string> = new Set()): Promise<boolean> {
    if (type.file === above.file && type.type === above.type) return true;
    const key = `${type.file}:${type.type}`;
    if (seen.has(key)) return false;
    seen.add(key);
    for (const base of (await this.facts(type.file))?.types.get(type.type)?.bases ?? []) {
      for (const known of await this.of(base, type.file)) {
        if (known.is === "type" && await this.isBelow(known, above, seen)) return true;
      }
    }
    return false;
  }

  async facts(file: number): Promise<FileFacts | undefined> {
    if (!this.#facts.has(file)) {
      const path = this.#source.file(file)?.path;
      this.#facts.set(
        file,
        path === undefined ? undefined : await findTypeFacts(path, this.#source.text(file)),
      );
    }
    return this.#facts.get(file);
  }

  async #of(term: TypeTerm, file: number, on: Known | undefined): Promise<readonly Known[]> {
    switch (term.is) {
      case "unknown":
        return UNKNOWN;
      case "literal":
        return FOREIGN;
      case "name":
        return await this.#named(file, term.name);
      case "bare":
        return await this.#bare(file, term.type, term.name);
      case "self":
        return on?.is === "value" ? [on] : [{ is: "value", file, type: term.type }];
      case "selfType":
        return on?.is === "type" ? [on] : [{ is: "type", file, type: term.type }];
      case "super":
        return [{ is: "super", file, type: term.type }];
      case "function":
        return [{ is: "function", file, returns: term.returns }];
      case "list":
      case "tuple":
        return [{ is: term.is, of: await this.#all(term.of, file, on) }];
      case "either":
        return (await this.#all(term.of, file, on)).flat();
      case "instance": {
        const found: Known[] = [];
        for (const known of await this.of(term.on, file, on)) {
          if (known.is === "type") found.push({ ...known, is: "value" });
          else if (known.is === "foreign" && term.of.length > 0) {
            found.push({ is: "list", of: await this.#all(term.of, file, on) });
          } // A variable may hold a type, or an alias of what an annotation says.
          else if (known.is === "unknown" || known.is === "function") found.push(...UNKNOWN);
          else found.push(known);
        }
        return found;
      }
      case "member":
        return await this.#each(term.on, file, on, (known) => this.#member(known, term.name));
      case "call": {
        const called = await this.#each(term.on, file, on, (known) => this.#called(known));
        // Java says what comes back in files that are not here.
        const isOpen = this.#source.file(file)?.language === "java";
        return isOpen && called.some(({ is }) => is === "foreign") ? UNKNOWN : called;
      }
      case "element":
        return await this.#each(term.on, file, on, (known) => this.#element(known));
      case "item":
        return await this.#each(term.on, file, on, (known) => this.#item(known));
      case "part":
        return await this.#each(
          term.on,
          file,
          on,
          async (known) =>
            known.is === "tuple" ? known.of[term.at] ?? UNKNOWN : await this.#element(known),
        );
      case "entered":
        return await this.#each(term.on, file, on, (known) => this.#entered(known));
    }
  }

  async #all(
    terms: readonly TypeTerm[],
    file: number,
    on: Known | undefined,
  ): Promise<(readonly Known[])[]> {
    const found: (readonly Known[])[] = [];
    for (const term of terms) found.push(await this.of(term, file, on));
    return found;
  }

  async #each(
    term: TypeTerm,
    file: number,
    on: Known | undefined,
    step: (known: Known) => readonly Known[] | Promise<readonly Known[]>,
  ): Promise<Known[]> {
    const found: Known[] = [];
    for (const known of await this.of(term, file, on)) {
      found.push(
        ...known.is === "unknown" ? UNKNOWN : known.is === "foreign" ? FOREIGN : await step(known),
      );
    }
    return found;
  }

  async #named(file: number, name: string): Promise<readonly Known[]> {
    const key = `${file}:${name}`;
    const known = this.#names.get(key);
    if (known === "pending") return UNKNOWN;
    if (known) return known;
    this.#names.set(key, "pending");
    const found = distinct(await this.#lookUp(file, name));
    this.#names.set(key, found);
    return found;
  }

  /** A name inside a type: of the type, of those around it, of the file. */
  async #bare(file: number, type: string, name: string): Promise<readonly Known[]> {
    const facts = await this.facts(file);
    for (let at = type; at !== ""; at = at.slice(0, Math.max(at.lastIndexOf("."), 0))) {
      if (facts?.types.has(`${at}.${name}`)) return [{ is: "type", file, type: `${at}.${name}` }];
      // While the bases of a type are looked up, its members are not asked for.
      const owner = await this.ownerOf(file, at, name);
      if (typeof owner === "object") {
        return await this.#member({ is: "value", file, type: at }, name);
      }
    }
    return await this.#named(file, name);
  }

  /** What files of the same folder define at their top, in languages where that needs no import. */
  #besides(file: number, name: string): Known[] {
    const { language, path } = this.#source.file(file)!;
    if (!FOLDER_SCOPED.has(language)) return [];
    return this.#source.defining(name).flatMap((other): Known[] => {
      const near = this.#source.file(other.file);
      const isNear = near !== undefined && other.container.length === 0 && TYPES.has(other.kind) &&
        near.language === language && folderOf(near.path) === folderOf(path);
      return isNear ? [{ is: "type", file: other.file, type: name }] : [];
    });
  }

  async #lookUp(file: number, name: string): Promise<readonly Known[]> {
    const facts = await this.facts(file);
    if (!facts) return UNKNOWN;
    if (facts.types.has(name)) return [{ is: "type", file, type: name }];
    const found: Known[] = [];
    const term = facts.names.get(name);
    if (term) found.push(...await this.of(term, file));
    let isOpen = false;
    for (const [ordinal, statement] of this.#source.imports(file).entries()) {
      for (const { name: imported, alias } of statement.names) {
        if (alias !== name && alias !== "*") continue;
        const targets = this.#source.targets(file, ordinal);
        if (alias === "*") {
          for (const target of targets) {
            if (target === file) continue;
            const passed = await this.#named(target, name);
            if (passed.every((one) => one.is === "foreign")) continue;
            found.push(...passed);
          }
          if (targets.length === 0) isOpen = true;
        } else if (imported === "*") {
          found.push(...this.#module(file, statement.specifier, name, targets));
        } else if (targets.length === 0) found.push(...FOREIGN);
        else found.push(...await this.#imported(targets, imported));
      }
    }
    if (found.length === 0) found.push(...this.#besides(file, name));
    if (found.length > 0) return found;
    if (this.#source.defining(name).length === 0) return FOREIGN;
    // What no file defines and nothing imports is the language's own.
    return isOpen ? UNKNOWN : FOREIGN;
  }

  #module(file: number, module: string, alias: string, targets: readonly number[]): Known[] {
    if (targets.length === 0) return [...FOREIGN];
    if (module.includes(".") && module.split(".")[0] === alias) {
      return [{ is: "path", file, path: alias }];
    }
    return targets.map((target) => ({ is: "module", file: target }));
  }

  async #imported(targets: readonly number[], name: string): Promise<readonly Known[]> {
    const found: Known[] = [];
    for (const target of targets) {
      const facts = await this.facts(target);
      const isDefined = facts && (facts.types.has(name) || facts.names.has(name));
      if (!isDefined && stemOf(this.#source.file(target)?.path ?? "") === name) {
        found.push({ is: "module", file: target });
      } else {
        const passed = await this.#named(target, name);
        // A package that a submodule is imported from does not define it.
        if (targets.length > 1 && passed.every((one) => one.is === "foreign")) continue;
        found.push(...passed);
      }
    }
    return found.length > 0 ? found : UNKNOWN;
  }

  async #member(known: Known, name: string): Promise<readonly Known[]> {
    switch (known.is) {
      case "module":
        return await this.#named(known.file, name);
      case "path": {
        const path = `${known.path}.${name}`;
        const found: Known[] = [];
        let isLonger = false;
        for (const [ordinal, { specifier: module }] of this.#source.imports(known.file).entries()) {
          if (module === path) {
            const targets = this.#source.targets(known.file, ordinal);
            found.push(...targets.map((target): Known => ({ is: "module", file: target })));
          } else if (module.startsWith(`${path}.`)) isLonger = true;
        }
        if (found.length > 0) return found;
        return isLonger ? [{ is: "path", file: known.file, path }] : UNKNOWN;
      }
      case "value":
      case "type":
      case "super": {
        const nested = `${known.type}.${name}`;
        if ((await this.facts(known.file))?.types.has(nested)) {
          return [{ is: "type", file: known.file, type: nested }];
        }
        const owner = await this.ownerOf(
          known.file,
          known.type,
          name,
          known.is === "super" ? "bases" : "type",
        );
        if (owner === "unknown" || owner === "none") return UNKNOWN;
        const key = `${owner.file}:${owner.type}.${name}:${known.is}:${known.file}:${known.type}`;
        const present = this.#names.get(key);
        if (present === "pending") return UNKNOWN;
        if (present) return present;
        this.#names.set(key, "pending");
        const term = (await this.facts(owner.file))!.types.get(owner.type)!.members.get(name)!;
        const on: Known = known.is === "super" ? { ...known, is: "value" } : known;
        const found = (await this.of(term, owner.file, on)).map((one) =>
          one.is === "function" ? { ...one, on } : one
        );
        this.#names.set(key, found);
        return found;
      }
      case "list":
      case "tuple":
        return [{ is: "of", list: known.of, name }];
      default:
        return UNKNOWN;
    }
  }

  async #called(known: Known): Promise<readonly Known[]> {
    switch (known.is) {
      case "type":
        return [{ ...known, is: "value" }];
      case "function":
        return await this.of(known.returns, known.file, known.on);
      case "value":
        return (await this.#each(
          { is: "member", on: { is: "self", type: known.type }, name: "__call__" },
          known.file,
          known,
          (one) => one.is === "function" ? this.#called(one) : UNKNOWN,
        ));
      case "of":
        return ofContainer(known);
      default:
        return UNKNOWN;
    }
  }

  async #element(known: Known): Promise<readonly Known[]> {
    if (known.is === "list") return known.of[0] ?? UNKNOWN;
    if (known.is === "tuple") return known.of.flat();
    if (known.is !== "value") return UNKNOWN;
    const iterated = await this.#method(known, "__iter__");
    const found: Known[] = [];
    for (const one of iterated) {
      if (one.is === "list" || one.is === "tuple") found.push(...await this.#element(one));
      else found.push(...UNKNOWN);
    }
    return found.length > 0 ? found : UNKNOWN;
  }

  async #item(known: Known): Promise<readonly Known[]> {
    if (known.is === "list") return known.of.at(-1) ?? UNKNOWN;
    if (known.is === "tuple") return known.of.flat();
    // `A[int]` is the type `A`.
    if (known.is === "type") return [known];
    return known.is === "value" ? await this.#method(known, "__getitem__") : UNKNOWN;
  }

  async #entered(known: Known): Promise<readonly Known[]> {
    if (known.is === "list" || known.is === "tuple") return await this.#element(known);
    if (known.is !== "value") return UNKNOWN;
    for (const name of ["__enter__", "__aenter__"]) {
      const owner = await this.ownerOf(known.file, known.type, name);
      if (typeof owner === "object") return await this.#method(known, name);
    }
    return UNKNOWN;
  }

  async #method(known: Known, name: string): Promise<readonly Known[]> {
    const found: Known[] = [];
    for (const one of await this.#member(known, name)) {
      found.push(...one.is === "function" ? await this.#called(one) : UNKNOWN);
    }
    return found;
  }
}

/** What the methods of lists and mappings give, of Python and of Java. */
function ofContainer({ list, name }: Known & { is: "of" }): readonly Known[] {
  if (ONE.has(name)) return list.at(-1) ?? UNKNOWN;
  if (ITSELF.has(name)) return [{ is: "list", of: list }];
  switch (name) {
    case "values":
      return [{ is: "list", of: [list.at(-1) ?? UNKNOWN] }];
    case "keys":
    case "keySet":
      return [{ is: "list", of: [list[0] ?? UNKNOWN] }];
    case "items":
      return [{ is: "list", of: [[{ is: "tuple", of: list }]] }];
    case "entrySet":
      return [{ is: "list", of: [[{ is: "list", of: list }]] }];
    case "getKey":
      return list[0] ?? UNKNOWN;
    default:
      return UNKNOWN;
  }
}

const ONE = new Set(
  ("get pop popleft popitem setdefault poll peek next orElse orElseThrow orElseGet getFirst getLast remove take first last " +
    "getOrDefault computeIfAbsent getValue").split(" "),
);
const ITSELF = new Set("copy iterator stream filter sorted limit skip".split(" "));

function distinct(all: readonly Known[]): readonly Known[] {
  if (all.length < 2) return all;
  const found = new Map<string, Known>();
  for (const one of all) {
    const isType = one.is === "value" || one.is === "type" || one.is === "super";
    const key = isType ? `${one.is}:${one.file}:${one.type}` : JSON.stringify(one);
    if (!found.has(key)) found.set(key, one);
    if (found.size > MAX_TYPES) return UNKNOWN;
  }
  return [...found.values()];
}

/** What a module is called: the name of its file, or of its folder. */
function stemOf(path: string): string | undefined {
  const segments = path.replace(/\.[^./]+$/, "").split("/");
  return segments.at(-1) === "__init__" ? segments.at(-2) : segments.at(-1);
}
