/**
 * `deno run -A tests/support/trim_lock.ts`: takes out of the lock files what nobody needs, since Deno fetches what a lock file names.
 *
 * `deno.lock` is what every task fetches, `rag/embed/models.lock` what tests and `with-models` fetch: it holds the same, and the
 * libraries of models. Out of both go:
 * - what node-llama-cpp needs for CUDA (538 MB; NVIDIA's GPUs are used through Vulkan as well; who wants CUDA runs with `--no-lock`)
 *   and for boards nobody has;
 * - what Kotlin's grammar needs to be compiled: its WebAssembly is all that is loaded;
 * - of the MCP SDK, its web frameworks and its way of signing in: some eighty packages that a server on standard input never loads. The
 *   tests, which have its client, need a few more.
 *
 * Out of `deno.lock` goes as well what is loaded by a computed name: by tests and benchmarks alone, or by who meets a file of that
 * language. It stands in scopes of the import map, and in the other lock file.
 *
 * To be run when Deno has written a lock file anew, as it does after a dependency was added; tests remind of it. What must
 * hold: nothing else changes.
 */
import { fileURLToPath } from "node:url";

/** Optional packages that are left out. */
const UNWANTED = /^@node-llama-cpp\/(?:.*-cuda(?:-ext)?|linux-armv7l|linux-riscv64)@/;

/** Packages of which no dependency is loaded. */
const ALONE = ["@tree-sitter-grammars/tree-sitter-kotlin"];
/** What the lock file of users does not name. */
const NOT_FOR_USERS = [...ALONE, "@langchain/textsplitters", "gpt-tokenizer"];

const SDK = "@modelcontextprotocol/sdk";
/** What the SDK's server imports, and what its client does beside that. */
const SERVER = ["ajv", "ajv-formats", "content-type", "zod", "zod-to-json-schema"];
const CLIENT = ["cross-spawn", "eventsource-parser", "pkce-challenge"];

interface Entry {
  dependencies?: string[];
  optionalDependencies?: string[];
}

interface Lock {
  readonly specifiers: Record<string, string>;
  readonly npm: Record<string, Entry>;
}

trim("../../deno.lock", SERVER, NOT_FOR_USERS);
trim("../../rag/embed/models.lock", [...SERVER, ...CLIENT], []);

function trim(path: string, neededBySdk: readonly string[], leftOut: readonly string[]): void {
  const file = new URL(path, import.meta.url);
  const lock = JSON.parse(Deno.readTextFileSync(file)) as Lock;
  for (const specifier of Object.keys(lock.specifiers)) {
    if (leftOut.includes(nameOf(specifier.replace(/^npm:/, "")))) delete lock.specifiers[specifier];
  }
  for (const [name, entry] of Object.entries(lock.npm)) {
    entry.optionalDependencies = entry.optionalDependencies?.filter((each) =>
      !UNWANTED.test(keyOf(lock, each))
    );
    if (ALONE.includes(nameOf(name))) delete entry.dependencies;
    if (nameOf(name) === SDK) {
      entry.dependencies = entry.dependencies?.filter((each) => neededBySdk.includes(nameOf(each)));
    }
  }
  const kept = reachable(lock);
  const dropped = Object.keys(lock.npm).filter((key) => !kept.has(key));
  for (const key of dropped) delete lock.npm[key];
  if (dropped.length > 0) {
    // Deno writes these lists on one line.
    const written = JSON.stringify(lock, null, 2).replace(
      /"(os|cpu|libc)": \[([^\]]*)\]/g,
      (_, key, list: string) =>
        `"${key}": [${list.split(",").map((each) => each.trim()).join(", ")}]`,
    );
    Deno.writeTextFileSync(file, written + "\n");
  }
  const what = dropped.length === 0 ? "nothing to take out" : `taken out: ${dropped.join(", ")}`;
  console.log(`${fileURLToPath(file)}: ${what}`);
}

/** Keys of all packages that something in the lock file leads to. */
function reachable(lock: Lock): Set<string> {
  const kept = new Set<string>();
  const open = Object.entries(lock.specifiers).map(([specifier, version]) =>
    `${nameOf(specifier.replace(/^npm:/, ""))}@${version}`
  );
  for (let key = open.pop(); key !== undefined; key = open.pop()) {
    if (kept.has(key)) continue;
    kept.add(key);
    const { dependencies = [], optionalDependencies = [] } = lock.npm[key] ?? {};
    open.push(...[...dependencies, ...optionalDependencies].map((each) => keyOf(lock, each)));
  }
  return kept;
}

/** The key of what a dependency list names, with its version only where there are several. */
function keyOf(lock: Lock, dependency: string): string {
  if (dependency in lock.npm) return dependency;
  const begin = nameOf(dependency) === dependency ? `${dependency}@` : `${dependency}_`;
  return Object.keys(lock.npm).find((key) => key.startsWith(begin)) ?? dependency;
}

/** `@scope/name` of `@scope/name@1.2.3_peer@4`. */
function nameOf(key: string): string {
  const at = key.indexOf("@", 1);
  return at < 0 ? key : key.slice(0, at);
}
