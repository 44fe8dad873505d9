/**
 * The pinned corpora: source trees made from npm packages by exact name, version and SHA-512.
 *
 * Owns the cache folder `<user cache>/batos/bench`. What must hold: a package is fetched with the ordinary npm client, its
 * tarball has the pinned hash or is refused; only the globs of `keep` are unpacked into a corpus, so that compiled copies of
 * the same sources do not count; a cached package whose pin or globs changed is made anew.
 */
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import process from "node:process";
import picomatch from "picomatch";
import { REPOSITORY } from "./batos.ts";

/** One package, and which of its files are taken. */
export interface Package {
  readonly name: string;
  readonly version: string;
  /** As npm prints it: `sha512-` and the base64 of the hash of the tarball. */
  readonly integrity: string;
  /** Globs over the paths in the package. */
  readonly keep: readonly string[];
}

const PACKAGES = {
  trpc: {
    name: "@trpc/server",
    version: "11.16.0",
    integrity:
      "sha512-XgGuUMddrUTd04+za/WE5GFuZ1/YU9XQG0t3VL5WOIu2JspkOlq6k4RYEiqS6HSJt+S0RXaPdIoE2anIP/BBRQ==",
    keep: ["src/**", "package.json", "README.md", "LICENSE"],
  },
  zod: {
    name: "zod",
    version: "4.3.6",
    integrity:
      "sha512-rftlrkhHZOcjDwkGlnUtZZkvaPHCsDATp4pGpuOOMDaTdDDXF91wuVDJoWoPsKX/3YPQ5fHuF3STjcYyKr+Qhg==",
    keep: ["src/**", "package.json", "README.md", "LICENSE"],
  },
  axios: {
    name: "axios",
    version: "1.15.0",
    integrity:
      "sha512-wWyJDlAatxk30ZJer+GeCWS209sA42X+N5jU2jy6oHTp7ufw8uzUTVFBX9+wTfAlhiJXGS0Bq7X6efruWjuK9Q==",
    keep: ["lib/**", "index.*", "package.json", "*.md", "LICENSE"],
  },
  express: {
    name: "express",
    version: "5.2.1",
    integrity:
      "sha512-hIS4idWWai69NezIdRt2xFVofaF4j+6INOpJlVOLDO8zXGpUVEVzIYk12UUi2JzjEzWL3IOAxcTubgz9Po0yXw==",
    keep: ["**"],
  },
  viem: {
    name: "viem",
    version: "2.31.0",
    integrity:
      "sha512-U7OMQ6yqK+bRbEIarf2vqxL7unSEQvNxvML/1zG7suAmKuJmipqdVTVJGKBCJiYsm/EremyO2FS4dHIPpGv+eA==",
    keep: ["!(_cjs|_esm|_types)/**/*.ts", "*.ts"],
  },
  effect: {
    name: "effect",
    version: "3.16.0",
    integrity:
      "sha512-97h566lOGsB50e7Iv4R2ZZBg5IXVUgdGgINv7gbrBIM4BOYfTGuIR3xPzhs93A0Jk+ZhfjeWj5wmZJ65a2aQCA==",
    keep: ["src/**/*.ts"],
  },
  cloudflare: {
    name: "cloudflare",
    version: "5.2.0",
    integrity:
      "sha512-dVzqDpPFYR9ApEC9e+JJshFJZXcw4HzM8W+3DHzO5oy9+8rLC53G7x6fEf9A7/gSuSCxuvndzui5qJKftfIM9A==",
    keep: ["src/**/*.ts"],
  },
  rxjs: {
    name: "rxjs",
    version: "7.8.2",
    integrity:
      "sha512-dhKf903U/PQZY6boNNtAGdWbG85WAbjT/1xYoZIC7FAY0yWapOBQVsVrDl58W86//e1VpMNBtRV4MaXfdMySFA==",
    keep: ["src/**/*.ts"],
  },
  openai: {
    name: "openai",
    version: "5.8.2",
    integrity:
      "sha512-8C+nzoHYgyYOXhHGN6r0fcb4SznuEn1R7YZMvlqDbnCuE0FM2mm3T1HiYW6WIcMS/F1Of2up/cSPjLPaWt0X9Q==",
    keep: ["src/**/*.ts"],
  },
  three: {
    name: "three",
    version: "0.176.0",
    integrity:
      "sha512-PWRKYWQo23ojf9oZSlRGH8K09q7nRSWx6LY/HF/UUrMdYgN9i1e2OwJYHoQjwc6HF/4lvvYLC5YC1X8UJL2ZpA==",
    keep: ["src/**/*.js"],
  },
  cesium: {
    name: "@cesium/engine",
    version: "18.0.0",
    integrity:
      "sha512-BmORpS2BVGT/Rd9f591a7PudFxXeCq2agdBAUX6XBhxUboieI9hU5MEC7EjT0sSLGLtwVw9i2hu4/XOXUnFXWg==",
    keep: ["Source/**/*.js"],
  },
  babylonjs: {
    name: "@babylonjs/core",
    version: "8.14.0",
    integrity:
      "sha512-3AYrXyHgqHYbeI6runKAgSGiWB1JwB/eZRw52L6xJVqltXuUcVJAoWQD/iE7RKzK4UWqGqJ8aO5pqi78eNbqjg==",
    keep: ["**/*.js", "**/*.d.ts"],
  },
  googleapis: {
    name: "googleapis",
    version: "150.0.1",
    integrity:
      "sha512-9Wa9vm3WtDpss0VFBHsbZWcoRccpOSWdpz7YIfb1LBXopZJEg/Zc8ymmaSgvDkP4FhN+pqPS9nZjO7REAJWSUg==",
    keep: ["build/src/apis/[a-d]*/**/*.js", "build/src/apis/[a-d]*/**/*.d.ts"],
  },
  "react-native": {
    name: "react-native",
    version: "0.79.2",
    integrity:
      "sha512-AnGzb56JvU5YCL7cAwg10+ewDquzvmgrMddiBM0GAWLwQM/6DJfGd2ZKrMuKKehHerpDDZgG+EY64gk3x3dEkw==",
    keep: ["**/*.{java,kt,h,cpp,mm,m,rb,xml,json,md,js,sh}"],
  },
  "node-gyp": {
    name: "node-gyp",
    version: "11.2.0",
    integrity:
      "sha512-T0S1zqskVUSxcsSTkAsLc7xCycrRYmtDHadDinzocrThjyQCn5kMlEBSj6H4qDbgsIOSLmmlRIeb0lZXj+UArA==",
    keep: ["**/*.{py,js,md,json}"],
  },
} as const satisfies Record<string, Package>;

type PackageName = keyof typeof PACKAGES;

const TYPESCRIPT = ["viem", "effect", "cloudflare", "rxjs", "openai"] as const;
const MILLION = [...TYPESCRIPT, "cesium"] as const;

/** What benchmarks run on. */
export const CORPORA = {
  thousand: {
    about: "a repository of about a thousand TypeScript files",
    packages: ["viem"],
  },
  typescript: {
    about: "the TypeScript sources of five packages, 18 MB",
    packages: TYPESCRIPT,
  },
  million: {
    about: "just above a million lines of TypeScript and JavaScript",
    packages: MILLION,
  },
  files: {
    about: "more than 5,000 files of TypeScript and JavaScript",
    packages: [...MILLION, "three"],
  },
  large: {
    about: "more than 100,000 chunks: the million lines, and two packages of long declarations",
    packages: [...MILLION, "three", "babylonjs", "googleapis"],
  },
  languages: {
    about: "what npm packages hold in other languages",
    packages: ["react-native", "node-gyp"],
  },
} as const satisfies Record<string, { about: string; packages: readonly PackageName[] }>;

export type CorpusName = keyof typeof CORPORA;

/** Repositories with published annotations, and where the files of the package stand in the repository. */
const ANNOTATED: Readonly<Record<string, { package: PackageName; under: string }>> = {
  trpc: { package: "trpc", under: "packages/server" },
  zod: { package: "zod", under: "packages/zod" },
  axios: { package: "axios", under: "" },
  express: { package: "express", under: "" },
};

/** A folder of sources to run on. */
export interface Corpus {
  readonly name: string;
  readonly folder: string;
  /** Package name, version and hash, or empty where the folder was given by the user. */
  readonly packages: readonly { name: string; version: string; integrity: string }[];
}

/** Says what is going on; a line without its end. */
export type Log = (text: string) => void;

/** Folder that holds everything which benchmarks fetch. */
export function cacheFolder(): string {
  const home = homedir();
  const base = process.platform === "win32"
    ? process.env.LOCALAPPDATA ?? join(home, "AppData", "Local")
    : process.platform === "darwin"
    ? join(home, "Library", "Caches")
    : process.env.XDG_CACHE_HOME || join(home, ".cache");
  return join(base, "batos", "bench");
}

/** The ordinary npm client. */
export const NPM = process.platform === "win32" ? "npm.cmd" : "npm";

/** Whether a path of a package is taken, by its globs. */
export function keeper(keep: readonly string[]): (path: string) => boolean {
  return picomatch([...keep]);
}

/** A corpus in the cache; fetched first where it is not there yet. */
export async function corpus(name: CorpusName, log: Log): Promise<Corpus> {
  const names: readonly PackageName[] = CORPORA[name].packages;
  const folder = join(cacheFolder(), "corpora", name);
  const recipe = JSON.stringify(names.map((one) => PACKAGES[one]));
  const done = `${folder}.json`;
  if (!existsSync(folder) || !existsSync(done) || readFileSync(done, "utf8") !== recipe) {
    rmSync(folder, { recursive: true, force: true });
    for (const one of names) {
      cpSync(await fetchPackage(PACKAGES[one], log), join(folder, one), { recursive: true });
    }
    writeFileSync(done, recipe);
  }
  return { name, folder, packages: names.map((one) => pin(PACKAGES[one])) };
}

/** Folder of the checkouts that `annotatedCheckout` makes, one a repository. */
export function annotatedFolder(): string {
  return join(cacheFolder(), "annotated");
}

/**
 * Makes the checkout of an annotated repository in `annotatedFolder()`: this repository's from its own files, others from
 * their npm package.
 * @returns false where npm has no package with its sources.
 */
export async function annotatedCheckout(repo: string, log: Log): Promise<boolean> {
  const folder = join(annotatedFolder(), repo);
  if (repo === "batos") {
    rmSync(folder, { recursive: true, force: true });
    copySources(REPOSITORY, folder, OWN_FIGURES);
    return true;
  }
  const entry = ANNOTATED[repo];
  if (!entry) return false;
  const recipe = JSON.stringify([PACKAGES[entry.package], entry.under]);
  const done = `${folder}.json`;
  if (!existsSync(folder) || !existsSync(done) || readFileSync(done, "utf8") !== recipe) {
    rmSync(folder, { recursive: true, force: true });
    cpSync(await fetchPackage(PACKAGES[entry.package], log), join(folder, entry.under), {
      recursive: true,
    });
    writeFileSync(done, recipe);
  }
  return true;
}

/** Questions of this repository's own set would answer themselves, and results are not sources. */
const OWN_FIGURES = ["bench/queries", "bench/results"];

/** A temporary copy of a folder, without what is never source; it goes when it is disposed of. */
export class CorpusCopy implements Corpus, Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "batos-bench-"));

  constructor(
    from: string,
    readonly name: string = basename(resolve(from)),
    readonly packages: Corpus["packages"] = [],
  ) {
    copySources(from, this.folder);
  }

  /** A copy of a pinned corpus: two runs at once do not meet in it. */
  static async ofPinned(name: CorpusName, log: Log): Promise<CorpusCopy> {
    const { folder, packages } = await corpus(name, log);
    return new CorpusCopy(folder, name, packages);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A temporary copy of a folder of the user's. */
export function copyOf(folder: string): CorpusCopy {
  return new CorpusCopy(folder);
}

/** Folders with the state of tools and the sources of others. */
const UNCOPIED = new Set([".git", ".batos", ".codegraph", "node_modules"]);

/** Copies a folder without the state of tools, and without the relative paths of `except`. */
function copySources(from: string, to: string, except: readonly string[] = []): void {
  cpSync(from, to, {
    recursive: true,
    filter: (path) =>
      !UNCOPIED.has(basename(path)) && !except.includes(relative(from, path).split(sep).join("/")),
  });
}

function pin({ name, version, integrity }: Package) {
  return { name, version, integrity };
}

/**
 * Folder with the kept files of a package; fetched through npm where the cache does not have it.
 * @throws {Error} when npm fails, or when the tarball does not have the pinned hash.
 */
export async function fetchPackage(wanted: Package, log: Log): Promise<string> {
  const id = `${wanted.name}@${wanted.version}`;
  const folder = join(cacheFolder(), "packages", id.replace("/", "+"));
  const recipe = JSON.stringify(wanted);
  const done = `${folder}.json`;
  if (existsSync(folder) && existsSync(done) && readFileSync(done, "utf8") === recipe) {
    return folder;
  }
  log(`fetching ${id} from npm`);
  mkdirSync(dirname(folder), { recursive: true });
  const temporary = mkdtempSync(join(dirname(folder), ".fetch-"));
  try {
    await run([NPM, "pack", id, "--pack-destination", temporary, "--silent"], id);
    const tarball = readdirSync(temporary).find((name) => name.endsWith(".tgz"));
    if (!tarball) throw new Error(`cannot fetch "${id}": npm pack left no tarball`);
    const found = "sha512-" +
      createHash("sha512").update(readFileSync(join(temporary, tarball))).digest("base64");
    if (found !== wanted.integrity) {
      throw new Error(
        `cannot use "${id}": its tarball has the hash "${found}", "${wanted.integrity}" is pinned`,
      );
    }
    const unpacked = join(temporary, "unpacked");
    mkdirSync(unpacked);
    await run(["tar", "-xzf", join(temporary, tarball), "-C", unpacked], id);
    // npm packs everything into one folder, whose name is not always `package`.
    const root = join(unpacked, readdirSync(unpacked)[0]!);
    const result = join(temporary, "kept");
    const keeps = keeper(wanted.keep);
    for (const path of filesBelow(root)) {
      if (keeps(path)) cpSync(join(root, path), join(result, path));
    }
    rmSync(folder, { recursive: true, force: true });
    renameSync(result, folder);
    writeFileSync(done, recipe);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return folder;
}

/** Runs the client of a registry, or what unpacks; throws its last line when it fails. */
export async function run(command: readonly string[], id: string): Promise<void> {
  const { success, stderr } = await new Deno.Command(command[0]!, {
    args: command.slice(1),
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) {
    throw new Error(
      `cannot fetch "${id}": ${command[0]} said: ${
        new TextDecoder().decode(stderr).trim().split("\n").at(-1)
      }`,
    );
  }
}

/** Paths of all files below a folder, relative, `/`-separated, in order. */
export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .sort();
}

/** Bytes of all files below a folder; 0 when there is none. */
export function sizeBelow(folder: string): number {
  if (!existsSync(folder)) return 0;
  return filesBelow(folder).reduce((sum, path) => sum + statSync(join(folder, path)).size, 0);
}

/** Removes the state that tools left in a corpus, so that the next run starts cold. */
export function removeState(folder: string): void {
  for (const name of [".batos", ".codegraph"]) {
    rmSync(join(folder, name), { recursive: true, force: true });
  }
}
