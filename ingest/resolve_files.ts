/**
 * Which file of the workspace a path in JavaScript or TypeScript means, without looking into manifests.
 *
 * Owns the rules of extensions: which may be left out, and which stand for another.
 *
 * After https://www.typescriptlang.org/docs/handbook/modules/reference.html.
 */
import { asRecord, type FileView, folderOf, parseJsonc } from "./resolve_paths.ts";

// Order in which the compiler tries extensions for a specifier that names none; what follows `.jsx` is not the compiler's:
// bundlers and Node take it, and an import that resolves is worth more than a rule kept.
const IMPLIED = [
  ".ts",
  ".tsx",
  ".d.ts",
  ".js",
  ".jsx",
  ".mts",
  ".cts",
  ".mjs",
  ".cjs",
  ".d.mts",
  ".d.cts",
  ".json",
  ".vue",
  ".svelte",
  ".astro",
];

// What a written extension may stand for, in the order of the compiler: the source before what it compiles to.
const REPLACED: readonly (readonly [written: string, tried: readonly string[]])[] = [
  [".js", [".ts", ".tsx", ".d.ts", ".js", ".jsx"]],
  [".ts", [".ts", ".tsx", ".d.ts", ".js", ".jsx"]],
  [".jsx", [".tsx", ".ts", ".d.ts", ".jsx", ".js"]],
  [".tsx", [".tsx", ".ts", ".d.ts", ".jsx", ".js"]],
  [".mjs", [".mts", ".d.mts", ".mjs"]],
  [".mts", [".mts", ".d.mts", ".mjs"]],
  [".cjs", [".cts", ".d.cts", ".cjs"]],
  [".cts", [".cts", ".d.cts", ".cjs"]],
];

const DECLARATION = /\.d\.([cm]?)ts$/;

/** See the module text. */
export class ModuleFiles {
  #folders: Set<string> | undefined;

  /** @param view the workspace */
  constructor(readonly view: FileView) {}

  /** The file that a path means: as written, with what its extension may stand for, or with one that was left out. */
  file(path: string): string | undefined {
    const { paths } = this.view;
    for (const [written, tried] of REPLACED) {
      if (!path.endsWith(written)) continue;
      const stem = path.slice(0, -written.length);
      for (const extension of tried) if (paths.has(stem + extension)) return stem + extension;
    }
    if (paths.has(path)) return path;
    for (const extension of IMPLIED) if (paths.has(path + extension)) return path + extension;
    return undefined;
  }

  /** Whether files are below a path. */
  isFolder(path: string): boolean {
    return this.folders().has(path);
  }

  /** Every folder that files are below, the root (`""`) among them. */
  folders(): ReadonlySet<string> {
    if (!this.#folders) {
      this.#folders = new Set([""]);
      for (const file of this.view.paths) {
        for (let at = folderOf(file); !this.#folders.has(at); at = folderOf(at)) {
          this.#folders.add(at);
        }
      }
    }
    return this.#folders;
  }

  /** The script that a declaration file describes, where both are in the workspace. */
  scriptOf(path: string): string[] {
    const match = DECLARATION.exec(path);
    if (!match) return [];
    const stem = path.slice(0, match.index);
    const scripts = match[1] ? [`.${match[1]}js`] : [".js", ".jsx"];
    return scripts.map((extension) => stem + extension).filter((script) =>
      this.view.paths.has(script)
    );
  }

  /** What a file holds as JSON, comments allowed; undefined where there is no such file or no object in it. */
  json(path: string): Record<string, unknown> | undefined {
    const text = this.view.paths.has(path) ? this.view.read(path) : undefined;
    return text === undefined ? undefined : asRecord(parseJsonc(text));
  }
}
