/**
 * What tests of models share: a file of weights, an impatient store over a hub on loopback, and the form that every refusal has.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ModelError } from "../../kernel/mod.ts";
import { ModelStore } from "../../kernel/models.ts";
import type { HubFault, HubRequest, LoopbackHub } from "./hub.ts";

/** Larger than what one read of a socket brings, so that a cut falls within. */
export const WEIGHTS = pattern(300_000, 1);
export const HALF = 150_000;
export const FILE = "hf:acme/tiny/weights.gguf";
/** Of the repository. */
export const CONFIG = fileURLToPath(new URL("../../deno.json", import.meta.url));
export const TOKEN = "hf_a_secret_of_the_user";

export function pattern(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let at = 0, state = seed; at < length; at++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    bytes[at] = state >>> 16;
  }
  return bytes;
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** A file has these bytes; by digest, as a difference of so many would take minutes to print. */
export function holds(path: string, bytes: Uint8Array): void {
  assert.equal(sha256(Deno.readFileSync(path)), sha256(bytes));
}

/** A folder that is gone after the test. */
export function temporaryFolder(): { path: string } & Disposable {
  const path = Deno.makeTempDirSync({ prefix: "batos_models_" });
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

/** A store that asks a hub, impatient so that tests are quick. */
export function storeOf(
  hub: LoopbackHub,
  folder: string,
  options: ConstructorParameters<typeof ModelStore>[0] = {},
): ModelStore {
  return new ModelStore({
    folder,
    hub: hub.url,
    token: TOKEN,
    retries: 0,
    retryMs: 5,
    freeBytes: () => Promise.resolve(1e12),
    ...options,
  });
}

/** Everything below a folder but lock files and folders themselves. */
export function filesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].filter(({ name }) => name !== ".locks").flatMap((entry) =>
    entry.isDirectory
      ? filesIn(join(folder, entry.name)).map((inner) => `${entry.name}/${inner}`)
      : [entry.name]
  ).map((path) => path.replace(/^[^/]*-[0-9a-f]{12}\//, "")).sort();
}

/** Another process that pulls the file. */
export function pullingProcess(hub: LoopbackHub, folder: string): Deno.Command {
  const module = new URL("../../kernel/models.ts", import.meta.url).href;
  const code = `import { ModelStore } from "${module}";
    const store = new ModelStore({ folder: ${JSON.stringify(folder)}, hub: "${hub.url}" });
    console.log(await store.pull("${FILE}"));`;
  return new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-lock", `--config=${CONFIG}`, code],
    stdout: "piped",
    stderr: "piped",
  });
}

/** Waits until half of the file is on disk. */
export async function beganIn(store: ModelStore): Promise<void> {
  while ((store.list()[0]?.bytes ?? 0) < HALF) await new Promise((done) => setTimeout(done, 5));
}

/** Rejected with one line for a person, without the token, that says all of this. */
export async function refuses(work: Promise<unknown>, ...expected: RegExp[]): Promise<ModelError> {
  const error = await work.then(() => assert.fail("it was not refused"), (reason) => reason);
  assert.ok(error instanceof ModelError, String(error?.stack ?? error));
  assert.doesNotMatch(error.message, /\n|\.$/);
  assert.ok(!Deno.inspect(error).includes(TOKEN), error.message);
  for (const pattern of expected) assert.match(error.message, pattern);
  return error;
}

/** The first requests that `of` picks get this; the rest the right answer. */
export function firstTimes(
  times: number,
  of: (request: HubRequest) => boolean,
  spoil: (answer: Response) => Response | Promise<Response>,
): HubFault {
  let left = times;
  return (request, answer) => of(request) && left-- > 0 ? spoil(answer()) : undefined;
}

export const isGet = ({ method }: HubRequest) => method === "GET";
