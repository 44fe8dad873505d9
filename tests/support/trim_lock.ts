/**
 * `deno run -A tests/support/trim_lock.ts`: takes out of `rag/embed/models.lock` what node-llama-cpp needs for CUDA and for boards nobody has.
 *
 * Deno fetches every optional dependency that the lock file names: 538 MB of CUDA libraries for everyone who uses a GGUF model. NVIDIA's
 * GPUs are used through Vulkan as well; who wants CUDA runs with `--no-lock`. That lock file is `deno.lock` and the
 * libraries of models, which `deno.lock` leaves out because a task fetches everything that is in it. To be run when Deno has written it
 * anew, as it does after a dependency was added; a test reminds of it. What must hold: nothing else in the file changes.
 */
const LOCK = new URL("../../rag/embed/models.lock", import.meta.url);
const UNWANTED = /^@node-llama-cpp\/(?:.*-cuda(?:-ext)?|linux-armv7l|linux-riscv64)@/;

interface Lock {
  readonly npm: Record<string, { optionalDependencies?: string[] }>;
}

const text = Deno.readTextFileSync(LOCK);
const lock = JSON.parse(text) as Lock;
const dropped = Object.keys(lock.npm).filter((name) => UNWANTED.test(name));
const names = new Set(dropped.map((name) => name.slice(0, name.lastIndexOf("@"))));
for (const name of dropped) delete lock.npm[name];
for (const entry of Object.values(lock.npm)) {
  entry.optionalDependencies = entry.optionalDependencies?.filter((name) => !names.has(name));
}
if (dropped.length > 0) {
  // Deno writes these lists on one line.
  const written = JSON.stringify(lock, null, 2).replace(
    /"(os|cpu|libc)": \[([^\]]*)\]/g,
    (_, key, list: string) =>
      `"${key}": [${list.split(",").map((each) => each.trim()).join(", ")}]`,
  );
  Deno.writeTextFileSync(LOCK, written + "\n");
}
console.log(dropped.length === 0 ? "nothing to take out" : `taken out: ${dropped.join(", ")}`);
