/**
 * What the end-to-end tests share: small repositories on disk and real runs of `main.ts` as a process of its own.
 *
 * Owns temporary folders, which go when they are disposed of. What must hold: no test depends on the environment, the
 * current folder or the git configuration of whoever runs it.
 */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Root of this project. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const MAIN = join(ROOT, "main.ts");
/** The lock file that holds the libraries of models as well. */
export const MODELS_LOCK = join(ROOT, "rag", "embed", "models.lock");

/** Whether permission bits do not bind this process. */
export const IS_ROOT = Deno.build.os !== "windows" && Deno.uid() === 0;

/** Whether a small file system can be made here. */
export function canMount(): boolean {
  return Deno.build.os === "linux" && IS_ROOT &&
    new Deno.Command("unshare", {
      args: ["--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
      stderr: "null",
    }).outputSync()
      .success;
}

/** How a run ended and everything that it wrote. */
export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** Lines of stdout as JSON values. */
  // deno-lint-ignore no-explicit-any
  readonly json: any[];
}

/** Options of a run. */
export interface RunOptions {
  readonly cwd?: string;
  readonly stdin?: string;
  readonly env?: Record<string, string>;
  /** Runs without the right of root to ignore permission bits. */
  readonly unprivileged?: boolean;
}

/** A repository in a temporary folder. */
export class Repository implements Disposable {
  /** Absolute, without symbolic links. */
  readonly path: string;

  /** Makes a folder with these files; `git` makes it a repository with one commit. */
  constructor(files: Record<string, string | Uint8Array> = {}, options: { git?: boolean } = {}) {
    this.path = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "batos_e2e_" }));
    for (const [path, content] of Object.entries(files)) this.write(path, content);
    if (options.git ?? true) {
      this.git("init", "--quiet", "--initial-branch=main");
      this.git("add", "--all");
      this.git("commit", "--quiet", "--allow-empty", "--message", "first");
    }
  }

  /** Absolute path of a file. */
  at(path: string): string {
    return join(this.path, path);
  }

  write(path: string, content: string | Uint8Array): void {
    Deno.mkdirSync(dirname(this.at(path)), { recursive: true });
    if (typeof content === "string") Deno.writeTextFileSync(this.at(path), content);
    else Deno.writeFileSync(this.at(path), content);
  }

  git(...args: string[]): void {
    const { success, stderr } = new Deno.Command("git", {
      args: [
        "-c",
        "user.name=test",
        "-c",
        "user.email=test@example.org",
        "-c",
        "commit.gpgsign=false",
        ...args,
      ],
      cwd: this.path,
      env: { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_SYSTEM: "/dev/null" },
    }).outputSync();
    assert.ok(success, new TextDecoder().decode(stderr));
  }

  /** Runs a command on this repository. */
  async run(words: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return await run(words, { cwd: this.path, ...options });
  }

  /** Ingests and gives the report. */
  async ingest(...words: string[]) {
    const { code, json, err } = await this.run(["ingest", "--json", "--quiet", ...words]);
    assert.equal(code, 0, err);
    return json.at(-1);
  }

  /** What `status --json` says. */
  async status() {
    const { code, json, err } = await this.run(["status", "--json", "--quiet"]);
    assert.equal(code, 0, err);
    return json[0];
  }

  [Symbol.dispose](): void {
    // A test may have taken rights away.
    new Deno.Command("chmod", { args: ["-R", "u+rwX", this.path], stderr: "null" }).outputSync();
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** The command of a run, for tests that want the process itself. */
export function command(words: readonly string[], options: RunOptions = {}): Deno.Command {
  const args = ["run", "-A", `--lock=${MODELS_LOCK}`, MAIN, ...words];
  const bare = options.unprivileged && IS_ROOT;
  const drop = [
    "--inh-caps=-dac_override,-dac_read_search",
    "--bounding-set=-dac_override,-dac_read_search",
  ];
  return new Deno.Command(bare ? "setpriv" : Deno.execPath(), {
    args: bare ? [...drop, Deno.execPath(), ...args] : args,
    cwd: options.cwd ?? ROOT,
    env: { NO_COLOR: "1", BATOS_DEBUG: "", ...options.env },
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  });
}

/** Runs a command line and waits for its end. */
export async function run(words: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const child = command(words, options).spawn();
  if (options.stdin !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(options.stdin));
    await writer.close();
  }
  return outcome(await child.output());
}

/** What a finished process wrote. */
export function outcome({ code, stdout, stderr }: Deno.CommandOutput): Outcome {
  const out = new TextDecoder().decode(stdout);
  return {
    code,
    out,
    err: new TextDecoder().decode(stderr),
    get json() {
      return out.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
    },
  };
}

/** Asserts a refusal: nothing on stdout, one line `batos: …` on stderr that says what is expected, exit code 2. */
export function assertRefused({ code, out, err }: Outcome, expected: RegExp): void {
  assert.equal(out, "");
  assert.match(err, /^batos: [^\n]+\n$/);
  assert.match(err, expected);
  assert.doesNotMatch(err, /\.\n$|defect of batos/);
  assert.equal(code, 2);
}

/** Asserts that a run ended well enough: no error, and no word about a defect. */
export function assertDone({ code, err }: Outcome, codes: readonly number[] = [0]): void {
  assert.ok(codes.includes(code), `exit code ${code}: ${err}`);
  assert.doesNotMatch(err, /defect of batos|^\s+at /m);
}

/** A small project with imports, calls, a class, tests and prose. */
export const PROJECT: Record<string, string> = {
  "README.md":
    "# Parcels\n\nTracks parcels.\n\n## Retry\n\nFailed deliveries are tried again with a growing delay.\n",
  "package.json": '{ "name": "parcels", "type": "module", "main": "src/index.ts" }\n',
  "src/index.ts":
    'export { Tracker } from "./tracker.ts";\nexport type { Parcel } from "./parcel.ts";\n',
  "src/parcel.ts": [
    "/** Something on its way. */",
    "export interface Parcel {",
    "  readonly id: string;",
    "  readonly weight: number;",
    "}",
    "",
    "/** Price of a parcel in cents, by weight in grams. */",
    "export function postage(parcel: Parcel): number {",
    "  return parcel.weight <= 500 ? 190 : 490;",
    "}",
    "",
  ].join("\n"),
  "src/backoff.ts": [
    "/** Longest pause between two attempts, in milliseconds. */",
    "export const MAX_DELAY = 30_000;",
    "",
    "/** Pause before the next attempt: it doubles with every failure, up to a limit. */",
    "export function retryDelay(attempt: number): number {",
    "  return Math.min(MAX_DELAY, 100 * 2 ** attempt);",
    "}",
    "",
  ].join("\n"),
  "src/tracker.ts": [
    'import { retryDelay } from "./backoff.ts";',
    'import { type Parcel, postage } from "./parcel.ts";',
    "",
    "/** Follows parcels until they arrive. */",
    "export class Tracker {",
    "  #parcels = new Map<string, Parcel>();",
    "",
    "  /** Starts to follow a parcel and gives its price. */",
    "  add(parcel: Parcel): number {",
    "    this.#parcels.set(parcel.id, parcel);",
    "    return postage(parcel);",
    "  }",
    "",
    "  /** When to try a failed delivery again, in milliseconds from now. */",
    "  nextAttempt(failures: number): number {",
    "    return retryDelay(failures);",
    "  }",
    "}",
    "",
  ].join("\n"),
  "tests/backoff_test.ts": [
    'import { retryDelay } from "../src/backoff.ts";',
    "",
    'Deno.test("the delay doubles", () => {',
    '  if (retryDelay(1) !== 2 * retryDelay(0)) throw new Error("it does not");',
    "});",
    "",
  ].join("\n"),
  "tools/report.py": [
    '"""Reports on parcels."""',
    "",
    "",
    "class Report:",
    '    """Counts parcels by state."""',
    "",
    "    def summarize(self, parcels):",
    "        return {p.state: 1 for p in parcels}",
    "",
  ].join("\n"),
  ".gitignore": "build/\n",
  "build/out.js": "ignored();\n",
};
