/**
 * The tool that makes the list of training packages: resolves names to pinned entries, and looks for files of the benchmark.
 *
 *     deno run -A rag/train/pin.ts npm:koa npm:hono@4.6.0 debian:python3-tornado
 *     deno run -A rag/train/pin.ts --check ../express ../flask [--write]
 *
 * Owns who may enter the list. What must hold: every licence that applies to what is shipped is known and permissive, as
 * the archive itself says; the archive that was looked into is the one whose hash is pinned; nothing that the retrieval
 * benchmark is measured on, nor a copy of it, enters.
 */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, join, relative, sep } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { readArchive } from "./archive.ts";
import { debianLicence, field, npmLicence } from "./licences.ts";
import {
  archiveName,
  cacheFolder,
  type FetchOptions,
  fetchPackage,
  fetchPackages,
  formatPackages,
  hashOf,
  inOrder,
  npmPack,
  PARALLEL,
  readPackages,
  sourceFiles,
  type TrainingPackage,
} from "./packages.ts";

/** What the retrieval benchmark is measured on, as npm, Debian and import paths call it. */
const BENCHMARK =
  /(?:^|[/:@._-])(?:axios|zod|express|trpc|flask|requests|httpx|go-?chi|chi|gin|axum|gson)(?=$|[/@._-])/i;

/** Whether a name is that of a repository of the benchmark, or says that it belongs to one. */
export function isOfBenchmark(name: string): boolean {
  return BENCHMARK.test(name);
}

/** How to pin. */
export interface PinOptions extends FetchOptions {
  /** Globs over the sources that are not to be taken; their licence does not matter then. */
  readonly exclude?: readonly string[];
}

/**
 * Makes the entry of the list for `npm:NAME`, `npm:NAME@VERSION` or `debian:NAME`; its archive lies in the cache then.
 * @throws {Error} when there is no such package, when its licence does not allow it, or when it is of the benchmark.
 */
export async function pin(
  spec: string,
  cache = cacheFolder(),
  options: PinOptions = {},
): Promise<TrainingPackage> {
  const [, source, name, version] = /^(npm|debian):(@?[^@]+)(?:@(.+))?$/.exec(spec) ?? [];
  if (!name) {
    throw new Error(
      `cannot pin "${spec}": expected "npm:NAME", "npm:NAME@VERSION" or "debian:NAME"`,
    );
  }
  if (isOfBenchmark(name)) {
    throw new Error(
      `cannot pin "${spec}": the benchmark is measured on it, expected another package`,
    );
  }
  return source === "npm"
    ? await pinNpm(version ? `${name}@${version}` : name, name, cache, options)
    : await pinDebian(name, cache, options);
}

async function pinNpm(
  spec: string,
  name: string,
  cache: string,
  { signal, exclude }: PinOptions,
): Promise<TrainingPackage> {
  mkdirSync(cache, { recursive: true });
  const temporary = mkdtempSync(join(cache, ".pin-"));
  try {
    const { file, version } = await npmPack(spec, temporary, signal);
    const licence = npmLicence(name, await readArchive(file));
    const hash = hashOf("npm", readFileSync(file));
    const pinned: TrainingPackage = {
      source: "npm",
      name,
      version,
      hash,
      licence,
      ...exclude?.length ? { exclude } : {},
    };
    renameSync(file, join(cache, archiveName(pinned)));
    return pinned;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

async function pinDebian(
  name: string,
  cache: string,
  { exclude, ...options }: PinOptions,
): Promise<TrainingPackage> {
  const { stdout } = await new Deno.Command("apt-cache", {
    args: ["show", "--all-versions", name],
    stdin: "null",
    stderr: "null",
  }).output();
  const records = new TextDecoder().decode(stdout).split("\n\n").map((record) => ({
    version: field(record, "Version"),
    path: field(record, "Filename"),
    hash: field(record, "SHA256"),
  }));
  // Security updates stand in a pool of their own, and each goes when the next one comes.
  const record = records.find(({ path }) => path?.startsWith("pool/main/"));
  const { version, path, hash } = record ?? {};
  if (!version || !path || !hash) {
    throw new Error(
      `cannot pin "debian:${name}": apt knows no such package in the release's own pool`,
    );
  }
  const pinned: TrainingPackage = {
    source: "debian",
    name,
    version,
    hash,
    licence: "",
    path,
    ...exclude?.length ? { exclude } : {},
  };
  const archive = await fetchPackage(pinned, cache, options);
  const sources: string[] = [];
  for await (const file of sourceFiles(archive, pinned)) sources.push(file.path);
  return { ...pinned, licence: debianLicence(name, await readArchive(archive), sources) };
}

/** A file of the corpus that has much of a repository of the benchmark. */
export interface Overlap {
  readonly package: TrainingPackage;
  readonly path: string;
  /** The repository's folder. */
  readonly tree: string;
  /** Part of the file's lines of `LINE` and more characters that stand in the repository too. */
  readonly share: number;
}

/** Shorter lines stand everywhere. */
const LINE = 40;
const SHARE = 0.25;

/** Finds the files of packages of whose long lines more than a quarter stand in one of the trees. */
export async function* findOverlaps(
  packages: readonly TrainingPackage[],
  archives: readonly string[],
  trees: readonly string[],
): AsyncGenerator<Overlap> {
  const known = trees.map((tree) => ({ tree, lines: linesBelow(tree) }));
  for (const [at, one] of packages.entries()) {
    for await (const { path, text } of sourceFiles(archives[at]!, one)) {
      const lines = longLines(text);
      for (const { tree, lines: theirs } of known) {
        const shared = lines.filter((line) => theirs.has(line)).length;
        if (shared <= lines.length * SHARE) continue;
        yield { package: one, path, tree: basename(tree), share: shared / lines.length };
        break;
      }
    }
  }
}

function linesBelow(folder: string): Set<string> {
  const lines = new Set<string>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = relative(folder, join(entry.parentPath, entry.name)).split(sep);
    if (!entry.isFile() || path.includes(".git") || path.includes("node_modules")) continue;
    const text = readFileSync(join(folder, ...path), "utf8");
    if (!text.includes("\0")) { for (const line of longLines(text)) lines.add(line); }
  }
  return lines;
}

/** The notice that opens a file is that of its licence: the same in repositories that share nothing else. */
const NOTICE = /^(?:\s*(?:\/\*[\s\S]*?\*\/|(?:(?:\/\/|#).*\n)+))*/;

function longLines(text: string): string[] {
  const notice = NOTICE.exec(text)?.[0] ?? "";
  const body = /licen[cs]e|copyright/i.test(notice) ? text.slice(notice.length) : text;
  return body.split("\n").map((line) => line.trim()).filter((line) => line.length >= LINE);
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      check: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
      cache: { type: "string", default: cacheFolder() },
      mirror: { type: "string" },
      exclude: { type: "string", multiple: true },
    },
  });
  process.exitCode = values.check
    ? await check(positionals, values.cache, values.mirror, values.write)
    : await add(positionals, values.cache, { mirror: values.mirror, exclude: values.exclude });
}

function save(packages: readonly TrainingPackage[]): void {
  const list = new URL("packages.json", import.meta.url);
  const unfinished = new URL(`.packages-${process.pid}.json`, import.meta.url);
  writeFileSync(unfinished, formatPackages(packages));
  renameSync(unfinished, list);
}

/** Pins names into the list; says of each what became of it. */
async function add(
  specs: readonly string[],
  cache: string,
  options: PinOptions,
): Promise<number> {
  let failed = 0;
  const queue = [...new Set(specs)];
  const work = async () => {
    for (let spec = queue.shift(); spec !== undefined; spec = queue.shift()) {
      try {
        const known = readPackages().find((one) => `${one.source}:${one.name}` === spec);
        const pinned = await pin(spec, cache, {
          ...options,
          exclude: options.exclude ?? known?.exclude,
        });
        let files = 0;
        let characters = 0;
        for await (const { text } of sourceFiles(join(cache, archiveName(pinned)), pinned)) {
          files++;
          characters += text.length;
        }
        if (files === 0) throw new Error(`cannot take "${spec}": it ships no sources`);
        // Read only now: other workers may have saved theirs in the meantime.
        save([...readPackages().filter((one) => inOrder(one, pinned) !== 0), pinned]);
        console.log(
          `${spec}\t${pinned.version}\t${pinned.licence}\t${files} files\t${characters} characters`,
        );
      } catch (error) {
        failed++;
        console.error((error as Error).message);
      }
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
  return failed > 0 ? 1 : 0;
}

/** Reports the files that are partly of the benchmark, and with `write` excludes them. */
async function check(
  trees: readonly string[],
  cache: string,
  mirror: string | undefined,
  write: boolean,
): Promise<number> {
  const packages = readPackages();
  const archives = await fetchPackages(packages, cache, { mirror });
  const found = new Map<TrainingPackage, string[]>();
  for await (const one of findOverlaps(packages, archives, trees)) {
    console.log(
      `${one.package.source}:${one.package.name}\t${one.path}\t${one.tree}\t${
        (one.share * 100).toFixed(0)
      } %`,
    );
    found.set(one.package, [...found.get(one.package) ?? [], one.path]);
  }
  if (write) {
    save(packages.map((one) => {
      const exclude = [...new Set([...one.exclude ?? [], ...found.get(one) ?? []])].sort();
      return exclude.length > 0 ? { ...one, exclude } : one;
    }));
    return 0;
  }
  return found.size > 0 ? 1 : 0;
}
