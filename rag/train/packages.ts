/**
 * The training corpus of the static embedder: the pinned packages, their archives, and the sources in them.
 *
 * Owns `packages.json` and the cache folder `<user cache>/batos/train/packages`. What must hold: an archive that is handed
 * out has the pinned hash, whether it was just fetched or lay in the cache; nothing unfinished ever bears the name of an
 * archive; the files of an archive are the same, in the same order, on every machine.
 */
import { createHash, randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import process from "node:process";
import { gunzipSync } from "node:zlib";
import picomatch from "picomatch";
import { languageOf } from "../../ingest/mod.ts";
import { type ArchiveEntry, readArchive } from "./archive.ts";

/** One package of the list. */
export interface TrainingPackage {
  readonly source: "npm" | "debian";
  readonly name: string;
  readonly version: string;
  /** npm: `sha512-` and the base64 of the tarball's hash, as npm prints it. Debian: its SHA-256 in hexadecimal. */
  readonly hash: string;
  /** An SPDX expression, permissive in every part that applies. */
  readonly licence: string;
  /** Debian: where the archive stands below a mirror, `pool/…`. */
  readonly path?: string;
  /** Globs over the paths that `sourceFiles` would give, and that it leaves out. */
  readonly exclude?: readonly string[];
}

/** A file of a package. */
export interface TrainingFile {
  /** Below the root of the package's sources, `/`-separated. */
  readonly path: string;
  readonly text: string;
}

/** How to fetch. */
export interface FetchOptions {
  /** Debian mirror to fetch from over HTTP; without one apt fetches, from the mirror that it is configured for. */
  readonly mirror?: string;
  readonly signal?: AbortSignal;
}

/** How to fetch many. */
export interface FetchAllOptions extends FetchOptions {
  /** Called after each package, in whatever order they come. */
  readonly onProgress?: (done: number, all: number, pkg: TrainingPackage) => void;
}

/** Requests at a time: more is not faster here, and registries are shared. */
export const PARALLEL = 4;
/** Larger files are tables, bundles or generated. */
const MAX_FILE_BYTES = 400_000;
/** What one package may give, so that none outweighs the others. */
const MAX_PACKAGE_BYTES = 4_000_000;

/** The list as it is pinned, sorted by source and name. */
export function readPackages(): TrainingPackage[] {
  return JSON.parse(readFileSync(new URL("packages.json", import.meta.url), "utf8"));
}

/** The pinned list as text: one package a line, so that a diff names what changed. */
export function formatPackages(packages: readonly TrainingPackage[]): string {
  const lines = [...packages].sort(inOrder).map((one) => JSON.stringify(one));
  return `[\n${lines.map((line) => `  ${line}`).join(",\n")}\n]\n`;
}

/** The order of the list. */
export function inOrder(one: TrainingPackage, other: TrainingPackage): number {
  return compare(one.source, other.source) || compare(one.name, other.name);
}

/** Folder that archives are kept in where nobody names another. */
export function cacheFolder(): string {
  const home = homedir();
  const base = process.platform === "win32"
    ? process.env.LOCALAPPDATA ?? join(home, "AppData", "Local")
    : process.platform === "darwin"
    ? join(home, "Library", "Caches")
    : process.env.XDG_CACHE_HOME || join(home, ".cache");
  return join(base, "batos", "train", "packages");
}

/** File name of a package's archive in the cache. */
export function archiveName(pkg: TrainingPackage): string {
  return pkg.source === "npm"
    ? `${pkg.name.replace("/", "+")}@${pkg.version}.tgz`
    : basename(pkg.path ?? "");
}

/** The hash of an archive as the list has it. */
export function hashOf(source: TrainingPackage["source"], bytes: Uint8Array): string {
  return source === "npm"
    ? `sha512-${createHash("sha512").update(bytes).digest("base64")}`
    : createHash("sha256").update(bytes).digest("hex");
}

/**
 * Path of the verified archive of a package in the cache; fetched first where it is not there, or is damaged.
 * @throws {Error} when the client or the mirror fails, or when what comes does not have the pinned hash.
 */
export async function fetchPackage(
  pkg: TrainingPackage,
  cache = cacheFolder(),
  { mirror, signal }: FetchOptions = {},
): Promise<string> {
  const archive = join(cache, archiveName(pkg));
  if (hashOfFile(pkg.source, archive) === pkg.hash) return archive;
  mkdirSync(cache, { recursive: true });
  const temporary = mkdtempSync(join(cache, ".fetch-"));
  try {
    const arrived = pkg.source === "npm"
      ? (await npmPack(`${pkg.name}@${pkg.version}`, temporary, signal)).file
      : await fetchDebian(pkg.path ?? "", pkg.hash, temporary, { mirror, signal });
    const found = hashOfFile(pkg.source, arrived);
    if (found !== pkg.hash) {
      throw new Error(
        `cannot use "${pkg.name}" ${pkg.version}: the archive has the hash "${found}", "${pkg.hash}" is pinned`,
      );
    }
    renameSync(arrived, archive);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return archive;
}

/**
 * Paths of the verified archives of packages, in their order; a few are fetched at a time, and the first failure ends it.
 * @throws {Error} as `fetchPackage`.
 */
export async function fetchPackages(
  packages: readonly TrainingPackage[],
  cache = cacheFolder(),
  { onProgress, mirror, signal }: FetchAllOptions = {},
): Promise<string[]> {
  const archives: string[] = [];
  const failed = new AbortController();
  const either = AbortSignal.any(signal ? [signal, failed.signal] : [failed.signal]);
  let next = 0;
  let done = 0;
  const work = async () => {
    while (next < packages.length) {
      either.throwIfAborted();
      const at = next++;
      const pkg = packages[at]!;
      archives[at] = await fetchPackage(pkg, cache, { mirror, signal: either });
      onProgress?.(++done, packages.length, pkg);
    }
  };
  const workers = Array.from({ length: PARALLEL }, () =>
    work().catch((error) => {
      failed.abort(error);
      throw error;
    }));
  const ends = await Promise.allSettled(workers);
  if (ends.some((end) => end.status === "rejected")) throw either.reason;
  return archives;
}

/**
 * Fetches a package with the ordinary npm client.
 * @param spec name, or name and version as `koa@2.16.0`.
 * @returns the tarball in `folder`, and the version that npm chose.
 * @throws {Error} when npm fails.
 */
export async function npmPack(
  spec: string,
  folder: string,
  signal?: AbortSignal,
): Promise<{ file: string; version: string }> {
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const told = await run(
    [npm, "pack", spec, "--json", "--ignore-scripts", "--silent", "--pack-destination", folder],
    spec,
    signal,
  );
  const tarball = readdirSync(folder).find((name) => name.endsWith(".tgz"));
  if (!tarball) throw new Error(`cannot fetch "${spec}": npm pack left no tarball`);
  return { file: join(folder, tarball), version: JSON.parse(told)[0].version };
}

/** Fetches a file of a Debian mirror into a folder. */
async function fetchDebian(
  path: string,
  hash: string,
  folder: string,
  { mirror, signal }: FetchOptions,
): Promise<string> {
  const base = (mirror ?? configuredMirror()).replace(/\/+$/, "");
  const url = `${base}/${path.split("/").map(encodeURIComponent).join("/")}`;
  const file = join(folder, randomUUID());
  if (mirror === undefined) {
    // apt's own downloader keeps to the proxies and limits that the machine is set up with.
    await run([APT_HELPER, "download-file", url, file, `SHA256:${hash}`], path, signal);
  } else {
    const answer = await fetch(url, { signal });
    if (!answer.ok) {
      await answer.body?.cancel();
      throw new Error(
        `cannot fetch "${path}": the mirror answered ${answer.status}, expected 200; the release may have moved to an archive, which "mirror" can name`,
      );
    }
    await writeFile(file, new Uint8Array(await answer.arrayBuffer()));
  }
  return file;
}

const APT_HELPER = "/usr/lib/apt/apt-helper";

/**
 * The first mirror in apt's configuration.
 * @param folder of the configuration; a parameter because a machine's own cannot be chosen.
 * @throws {Error} when it names none, as where there is no apt.
 */
export function configuredMirror(folder = "/etc/apt"): string {
  const files = ["sources.list"];
  try {
    files.push(
      ...readdirSync(join(folder, "sources.list.d")).sort().map((name) => `sources.list.d/${name}`),
    );
  } catch {
    // no such folder: the one file is all there may be
  }
  for (const file of files) {
    let text: string;
    try {
      text = readFileSync(join(folder, file), "utf8");
    } catch {
      continue;
    }
    const found = file.endsWith(".sources")
      ? /^URIs:\s*(\S+)/m.exec(text)
      : /^deb(?:-src)?\s+(?:\[[^\]]*\]\s+)?(\S+)/m.exec(text);
    if (found) return found[1]!;
  }
  throw new Error(
    `cannot tell a Debian mirror: "${folder}" names none; give one with --mirror`,
  );
}

async function run(
  command: readonly string[],
  what: string,
  signal?: AbortSignal,
): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command[0]!, {
    args: command.slice(1),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal,
  }).output();
  signal?.throwIfAborted();
  const text = new TextDecoder().decode(stdout);
  if (!success) {
    const said = new TextDecoder().decode(stderr).trim().split("\n").at(-1) || text.trim();
    throw new Error(`cannot fetch "${what}": ${basename(command[0]!)} said: ${said}`);
  }
  return text;
}

function hashOfFile(source: TrainingPackage["source"], file: string): string | undefined {
  try {
    return hashOf(source, readFileSync(file));
  } catch {
    return undefined;
  }
}

/**
 * The sources of a package in the order of their paths: UTF-8, of languages that are parsed or Markdown, without copies
 * of others, compiled, generated and minified files, and test data; at most `MAX_PACKAGE_BYTES` of them.
 * @param seen hashes of texts that are left out as copies, and to which those given are added; one for several packages
 *   leaves out what two of them share.
 * @throws {Error} when the archive is damaged or of an unknown kind.
 */
export async function* sourceFiles(
  archive: string,
  pkg: TrainingPackage,
  seen: Set<string> = new Set(),
): AsyncGenerator<TrainingFile> {
  const excluded = pkg.exclude?.length ? picomatch([...pkg.exclude], { dot: true }) : () => false;
  const entries = (await readArchive(archive))
    .map((entry) => sourceEntry(pkg, entry))
    .filter((entry) => entry !== undefined)
    .filter(({ path }) => wantedPath(path) && !excluded(path))
    .sort((one, other) => compare(one.path, other.path));
  const paths = new Set(entries.map((entry) => entry.path));
  const hasSources = pkg.source === "npm" &&
    entries.some(({ path }) =>
      /^(?:src|source)\//.test(path) && SCRIPT.test(path) && !DECLARATION.test(path)
    );
  const files: (TrainingFile & { order: string; bytes: number })[] = [];
  for (const { path, bytes } of entries) {
    if (hasSources && COMPILED_FOLDER.test(path)) continue;
    if (hasBetterSibling(path, paths)) continue;
    const text = sourceText(path, bytes);
    if (text === undefined) continue;
    const hash = createHash("sha256").update(text).digest("hex");
    if (seen.has(hash)) continue;
    seen.add(hash);
    files.push({ path, text, order: hash, bytes: bytes.length });
  }
  yield* withinLimit(files);
}

/** A fair sample of the files where they are more than a package may give: by their hash, not by their name. */
function* withinLimit(
  files: readonly (TrainingFile & { order: string; bytes: number })[],
): Generator<TrainingFile> {
  let left = MAX_PACKAGE_BYTES;
  const taken = new Set<string>();
  for (const file of [...files].sort((one, other) => compare(one.order, other.order))) {
    if (file.bytes > left) continue;
    left -= file.bytes;
    taken.add(file.path);
  }
  for (const { path, text } of files) if (taken.has(path)) yield { path, text };
}

const LANGUAGES = new Set(
  `typescript tsx javascript jsx vue svelte astro python go rust java kotlin c cpp csharp ruby php bash markdown`
    .split(" "),
);
const SCRIPT = /\.(?:[cm]?[jt]s|[jt]sx)$/;
const DECLARATION = /\.d\.[cm]?ts$/;
/** What compilers write beside the sources in an npm package. */
const COMPILED_FOLDER =
  /^(?:lib|libs|build|es|esm|cjs|mjs|umd|out|output|types|typings|module|commonjs|compiled|bundles|f?esm?\d+|esnext|_cjs|_esm|_types|(?:lib|build|types)[-.][^/]*)\//;
/** Folders of others' sources, of compiled ones, and of data that tests read. */
const LEFT_OUT_FOLDER =
  /(?:^|\/)(?:dist|dist[-.][^/]*|vendor|vendored|_vendor|third[-_]?party|node_modules|bower_components|__?fixtures?__?|fixtures?|test[-_]?data|__snapshots__|snapshots?|__generated__|generated|coverage|\.[^/]+)\//i;
const LEFT_OUT_NAME =
  /(?:[.-]min|\.bundle|\.umd|\.global|\.iife|\.prod(?:uction)?)\.[cm]?js$|(?:^|\/)(?:change(?:s|log)|history|news|licen[cs]e|copying|code[-_]of[-_]conduct|contributors|authors|security)[^/]*\.md$|\.pb\.go$|_pb2(?:_grpc)?\.pyi?$|(?:^|\/)zz_generated[^/]*$/i;

function wantedPath(path: string): boolean {
  return !LEFT_OUT_FOLDER.test(path) && !LEFT_OUT_NAME.test(path) &&
    (LANGUAGES.has(languageOf(path)) || !basename(path).includes("."));
}

/** Of files that differ in their ending alone, the one that a person wrote is taken. */
const PREFERRED = ["ts", "tsx", "mts", "cts", "jsx", "js", "mjs", "cjs", "d.ts", "d.mts", "d.cts"];

function hasBetterSibling(path: string, paths: ReadonlySet<string>): boolean {
  const ending = DECLARATION.exec(path)?.[0] ?? SCRIPT.exec(path)?.[0];
  if (!ending) return false;
  const stem = path.slice(0, -ending.length);
  const place = PREFERRED.indexOf(ending.slice(1));
  return PREFERRED.slice(0, place).some((better) => paths.has(`${stem}.${better}`));
}

/** Where Debian puts sources; what is matched goes, what stays is the path in the package's own repository, or near it. */
const DEBIAN_ROOTS: readonly RegExp[] = [
  /^usr\/lib\/python3\/dist-packages\//,
  /^usr\/share\/gocode\/src\/[^/]+\/(?:[^/]+\/(?=[^/]+\/))?/,
  /^usr\/share\/cargo\/registry\/[^/]+\//,
  /^usr\/share\/nodejs\//,
  /^usr\/share\/rubygems-integration\/[^/]+\/gems\/[^/]+\//,
  /^usr\/lib\/ruby\/vendor_ruby\//,
  /^usr\/share\/php\//,
  /^usr\/include\/(?:[a-z0-9_]+-linux-gnu\/)?/,
  /^usr\/share\/doc\/[^/]+\//,
  /^usr\/share\//,
  /^usr\/(?:lib|bin)\//,
];

/** An entry under the path that the corpus knows it by; nothing where the package has no sources there. */
function sourceEntry(
  pkg: TrainingPackage,
  { path, bytes }: ArchiveEntry,
): ArchiveEntry | undefined {
  if (pkg.source === "npm" || !pkg.path?.endsWith(".deb")) {
    return { path: path.slice(path.indexOf("/") + 1), bytes };
  }
  const root = DEBIAN_ROOTS.find((one) => one.test(path));
  if (!root) return undefined;
  const inside = path.replace(root, "");
  return inside.endsWith(".md.gz")
    ? { path: inside.slice(0, -3), bytes: gunzipSync(bytes) }
    : { path: inside, bytes };
}

/** The text of a source that a person wrote; nothing for all else. */
function sourceText(path: string, bytes: Uint8Array): string | undefined {
  if (bytes.length > MAX_FILE_BYTES) return undefined;
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
  if (text.includes("\0") || !LANGUAGES.has(languageOf(path, text))) return undefined;
  return isGenerated(text) || isData(text) ? undefined : text;
}

/** Where generators say that they were there: at the beginning of a line, as texts about generators do not. */
const HEAD = 2_000;
const GENERATED =
  /@generated\b|"__esModule"|__webpack_|^\W*do not (?:edit|modify)\b|^\W*(?:this (?:file|code|module|source) (?:is|was|has been) |file |code )?(?:automatically |auto-?)?generated\b/im;
const LONG_LINE = 500;
const LONG_SHARE = 0.2;

function isGenerated(text: string): boolean {
  if (GENERATED.test(text.slice(0, HEAD)) || /[#@] sourceMappingURL=/.test(text.slice(-HEAD))) {
    return true;
  }
  let long = 0;
  for (const line of text.split("\n")) if (line.length > LONG_LINE) long += line.length;
  return long > text.length * LONG_SHARE;
}

/** Less of it is letters in tables of numbers, code points and escapes than in any code. */
const LETTER_SHARE = 0.4;

function isData(text: string): boolean {
  const dense = text.replace(/\s+/g, "").length;
  const letters = text.replace(/\b\d\w*|\P{L}+/gu, "").length;
  return dense === 0 || letters < dense * LETTER_SHARE;
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
