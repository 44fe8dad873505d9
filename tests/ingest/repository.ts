/** Real repositories in temporary folders, for the tests of ingest. */
import { dirname, join } from "node:path";

export interface TestRepository extends AsyncDisposable {
  /** Absolute path. */
  readonly root: string;
  /** Writes a file and the folders around it. */
  write(path: string, content: string | Uint8Array): Promise<void>;
  /** Runs git in a folder of it and gives back its output. */
  git(args: readonly string[], input?: string, folder?: string): Promise<string>;
}

/** Independent of the configuration of whoever runs the tests. */
const GIT_ENVIRONMENT = { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1", LC_ALL: "C" };

/** Makes a folder with these files; a git repository unless told otherwise. Disposing it removes it. */
export async function makeRepository(
  options: { files?: Record<string, string | Uint8Array>; plain?: boolean } = {},
): Promise<TestRepository> {
  const root = await Deno.realPath(await Deno.makeTempDir({ prefix: "batos-test-" }));
  const repository: TestRepository = {
    root,
    async write(path, content) {
      const file = join(root, path);
      await Deno.mkdir(dirname(file), { recursive: true });
      if (typeof content === "string") await Deno.writeTextFile(file, content);
      else await Deno.writeFile(file, content);
    },
    async git(args, input = "", folder = "") {
      const child = new Deno.Command("git", {
        args: [
          "-c",
          "user.name=t",
          "-c",
          "user.email=t@t",
          "-c",
          "protocol.file.allow=always",
          ...args,
        ],
        cwd: join(root, folder),
        env: GIT_ENVIRONMENT,
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      const writer = child.stdin.getWriter();
      const [{ code, stdout, stderr }] = await Promise.all([
        child.output(),
        writer.write(new TextEncoder().encode(input)).then(() => writer.close()).catch(() => {}),
      ]);
      // `check-ignore` exits with 1 when nothing is ignored.
      if (code > 1) throw new Error(`git ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
      return new TextDecoder().decode(stdout);
    },
    async [Symbol.asyncDispose]() {
      await Deno.remove(root, { recursive: true });
    },
  };
  if (!options.plain) await repository.git(["init", "-q"]);
  for (const [path, content] of Object.entries(options.files ?? {})) {
    await repository.write(path, content);
  }
  return repository;
}

/** Runs a program that must succeed; its standard output. */
export async function run(program: string, args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args: [...args] }).output();
  if (!success) throw new Error(`${program} failed: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

/**
 * Runs a module, given as text, in a process that the rights of files bind; its standard output.
 *
 * The administrator may read everything, so there the capability to do so is given up first. Undefined, and tests that
 * need it are ignored, where neither is possible.
 */
export const withoutPrivileges = await findUnprivileged();

async function findUnprivileged() {
  if (Deno.build.os === "windows") return undefined;
  const start = Deno.uid() === 0
    ? ["setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search"]
    : ["env"];
  const runModule = (module: string) =>
    run(start[0]!, [...start.slice(1), Deno.execPath(), "eval", "--ext=ts", module]);
  const file = await Deno.makeTempFile();
  await Deno.chmod(file, 0);
  const probe = `await Deno.readFile(${JSON.stringify(file)}).catch(() => console.log("bound"))`;
  const answer = await runModule(probe).catch(() => "");
  await Deno.remove(file);
  return answer.trim() === "bound" ? runModule : undefined;
}
