/**
 * The page's side of the HTTP door: runs commands, hears events.
 *
 * Owns how a run is asked for and read. What must hold: a run that nobody waits for any more is given up on the server too; what goes
 * wrong comes as an `Error` whose message can be shown.
 */
/// <reference lib="dom" />
import type { CommandName, Progress, Result } from "../../commands.ts";
import type { RunView } from "../runs.ts";

/** What the server says about itself. */
export interface Table {
  readonly version: string;
  readonly workspace: { readonly name: string; readonly root: string };
  readonly commands: Readonly<
    Record<string, {
      readonly summary: string;
      readonly doc: string;
      readonly input: { readonly properties: Readonly<Record<string, { description?: string }>> };
    }>
  >;
}

/** What a caller of `run` may want. */
export interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Is told the id by which the run can be cancelled. */
  readonly onRun?: ((id: string) => void) | undefined;
}

/** The key of this page is not, or no longer, that of the server. */
export class LockedOutError extends Error {
  override readonly name = "LockedOutError";
}

/** What there is to run. */
export async function table(): Promise<Table> {
  const response = await fetch("/api");
  if (!response.ok) throw await problemOf(response);
  return await response.json();
}

/** Runs a command and gives all its results. */
export async function run<N extends CommandName>(
  name: N,
  input: Record<string, unknown>,
  options: RunOptions = {},
): Promise<Result<N>[]> {
  return await runAny(name, input, options) as Result<N>[];
}

/** The same for a command whose results are of another version's making. */
export async function runAny(
  name: string,
  input: Record<string, unknown>,
  { signal, onProgress, onRun }: RunOptions = {},
): Promise<unknown[]> {
  const response = await fetch(`/api/${name}`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/x-ndjson" },
    body: JSON.stringify(input),
    signal: signal ?? null,
  });
  if (!response.ok) throw await problemOf(response);
  const results: unknown[] = [];
  let ended = false;
  for await (const line of linesOf(response.body!)) {
    const message = JSON.parse(line);
    if ("run" in message) onRun?.(message.run.id);
    else if ("progress" in message) onProgress?.(message.progress);
    else if ("result" in message) results.push(message.result);
    else if ("error" in message) throw new Error(message.error.message);
    else ended = true;
  }
  if (!ended) throw new Error("the kernel stopped before the end; start it again and retry");
  return results;
}

/** Asks a run to end. */
export async function cancelRun(id: string): Promise<void> {
  await fetch(`/runs/${id}/cancel`, { method: "POST" });
}

/** What `/events` brings. */
export type KernelMessage =
  | { readonly type: "runs"; readonly runs: readonly RunView[] }
  | ({ readonly type: string } & Readonly<Record<string, unknown>>);

/** Shortest and longest wait before the next try to connect. */
const RETRY_MS = 500;
const MAX_RETRY_MS = 10_000;

/**
 * Listens to the kernel, again and again when it goes away.
 * @param onConnection is told whether there is a connection
 */
export function listen(
  onMessage: (message: KernelMessage) => void,
  onConnection: (connected: boolean) => void,
): void {
  let wait = RETRY_MS;
  const connect = () => {
    const socket = new WebSocket(`ws://${location.host}/events`);
    socket.onopen = () => {
      wait = RETRY_MS;
      onConnection(true);
    };
    socket.onmessage = ({ data }) => onMessage(JSON.parse(data));
    socket.onclose = () => {
      onConnection(false);
      setTimeout(connect, wait);
      wait = Math.min(wait * 2, MAX_RETRY_MS);
    };
  };
  connect();
}

async function problemOf(response: Response): Promise<Error> {
  const body = await response.json().catch(() => undefined);
  const message = body?.error?.message ?? `the kernel answered ${response.status}`;
  return response.status === 401 ? new LockedOutError(message) : new Error(message);
}

async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = lines.pop()!;
      yield* lines.filter((line) => line !== "");
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
