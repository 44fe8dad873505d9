/**
 * From what people type to definitions: `name`, `Class.method`, `module.fn`, `path:line`, `path`.
 *
 * Owns what such words may mean, and what is said where they mean nothing. What must hold: words before a name narrow it down and never
 * find more; a line means what begins on it, or else what is around it.
 */
import type { GraphFiles } from "./graph_files.ts";
import { type GraphSourceFile, innermost, isSymbol, type Located } from "./graph_values.ts";
import { nearNames } from "./near_names.ts";

/** Files that are suggested for one that is not there. */
const MOST_FILES = 5;

/** See the module text. */
export class GraphTargets {
  readonly #files: GraphFiles;

  constructor(files: GraphFiles) {
    this.#files = files;
  }

  /** The file that a target is the path of. */
  fileOf(target: string): GraphSourceFile | undefined {
    return this.#files.byPath.get(normal(target));
  }

  /** The definitions that a target means; none where it is a file, or nothing is called that. */
  locate(target: string): Located[] {
    const place = this.#place(target);
    if (place) return this.#atLine(place.file, place.line);
    const parts = target.trim().replace(/\(\)$/, "").split(/\.|::|#|->|\\/).filter((part) =>
      part !== ""
    );
    const name = parts.at(-1) ?? "";
    // A name may hold dots itself: an npm script, a key, a test.
    const whole = this.#named(target.trim());
    if (whole.length > 0) return whole;
    const qualifiers = parts.slice(0, -1);
    return this.#named(name).filter((entry) => qualifies(entry, qualifiers));
  }

  /** The line of a file that a target `path:line` or `path:line:column` means. */
  #place(target: string): { file: GraphSourceFile; line: number } | undefined {
    const place = /^(.+?):(\d+)(?::\d+)?$/.exec(target);
    const file = place && this.#files.byPath.get(normal(place[1]!));
    return file ? { file, line: Number(place[2]) } : undefined;
  }

  /** Why a place in a file that is there leads to nothing. */
  explain(target: string): { reason?: string } {
    const place = this.#place(target);
    if (!place) return {};
    const { file: { path, lines }, line } = place;
    if (line >= 1 && line <= lines) {
      return { reason: `no definition stands on or around line ${line} of "${path}"` };
    }
    const size = lines === 0 ? "is empty" : `has the lines 1 to ${lines}`;
    return { reason: `there is no line ${line}: "${path}" ${size}` };
  }

  #named(name: string): Located[] {
    const found = this.#files.source.definitionsNamed(name).flatMap((definition) => {
      const file = this.#files.byId.get(definition.file);
      return file ? [{ file, definition }] : [];
    });
    const symbols = found.filter((entry) => isSymbol(entry.definition));
    return symbols.length > 0 ? symbols : found;
  }

  /** The definitions that begin on a line; where none does, the innermost one around it. */
  #atLine(file: GraphSourceFile, line: number): Located[] {
    const definitions = this.#files.definitionsIn(file.id).filter(isSymbol);
    const starting = definitions.filter((definition) => definition.startLine === line);
    if (starting.length > 0) {
      const outermost = Math.min(...starting.map((definition) => definition.container.length));
      return starting.filter((definition) => definition.container.length === outermost)
        .map((definition) => ({ file, definition }));
    }
    const around = innermost(definitions, line);
    return around ? [{ file, definition: around }] : [];
  }

  /** Names near one that nothing has, or files near one that is not there. */
  suggest(target: string): string[] {
    const [, file, extension] = /^(.+)\.(\w+)(?::\d+)*$/.exec(normal(target)) ?? [];
    const paths = file === undefined ? [] : this.#files.list.map(({ path }) => path);
    if (paths.some((path) => path.endsWith(`.${extension}`))) {
      const stemOf = (path: string) => path.replace(/^.*\//, "").replace(/\.\w+$/, "");
      const near = nearNames(stemOf(file!), paths.map(stemOf));
      return near.flatMap((stem) => paths.filter((path) => stemOf(path) === stem)).slice(
        0,
        MOST_FILES,
      );
    }
    const name = target.split(/\.|::|#|\//).at(-1) ?? target;
    return nearNames(name, this.#files.source.definitionNames());
  }
}

function normal(path: string): string {
  return path.replace(/^\.\//, "").replaceAll("\\", "/");
}

/** Whether the words before a name fit its scopes, or the file and folders it stands in. */
function qualifies({ file, definition }: Located, qualifiers: readonly string[]): boolean {
  const scopes = [...file.path.replace(/\.[^/.]+$/, "").split("/"), ...definition.container];
  let at = scopes.length - 1;
  for (let i = qualifiers.length - 1; i >= 0; i--) {
    while (at >= 0 && scopes[at] !== qualifiers[i]) at--;
    if (at-- < 0) return false;
  }
  return true;
}
