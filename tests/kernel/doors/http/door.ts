/**
 * What the tests of the HTTP door share: an open door over handlers that are given, and requests as bytes on a socket, since `fetch` does
 * not let anyone lie about Host or stop in the middle of a body.
 */
import { type CommandName, commands, type Handlers } from "../../../../kernel/commands.ts";
import {
  type HttpDoor,
  type HttpOptions,
  startHttp,
} from "../../../../kernel/doors/http/server.ts";
import { Runs } from "../../../../kernel/doors/runs.ts";

/** Some handlers, as loosely typed as a test wants them; every other command refuses. */
export type SomeHandlers = {
  [N in CommandName]?: (...given: Parameters<Handlers[N]>) => unknown;
};

/** An open door that closes at the end of the test. */
export async function openDoor(
  some: SomeHandlers,
  options: Partial<HttpOptions> = {},
): Promise<HttpDoor & { runs: Runs; faults: unknown[] } & AsyncDisposable> {
  const entries = (Object.keys(commands) as CommandName[]).map((name) => [
    name,
    some[name] ?? (() => Promise.reject(new Error(`no handler for "${name}" in this test`))),
  ]);
  const handlers = Object.fromEntries(entries) as Handlers;
  const runs = new Runs();
  const faults: unknown[] = [];
  const door = await startHttp({
    version: "1.2.3",
    workspace: { name: "sample", root: "/somewhere/sample" },
    execute: (name, input, context) => runs.execute(handlers, name, input, context),
    runs,
    onFault: (error) => faults.push(error),
    ...options,
  });
  return { ...door, runs, faults, [Symbol.asyncDispose]: () => door.stop() };
}

/** Headers of a program that has the token. */
export function bearer({ token }: HttpDoor, more: Record<string, string> = {}) {
  return { authorization: `Bearer ${token}`, ...more };
}

/** Runs a command and gives the response. */
export function post(
  door: HttpDoor,
  command: string,
  input: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${door.base}/api/${command}`, {
    method: "POST",
    headers: bearer(door, { "content-type": "application/json", ...headers }),
    body: JSON.stringify(input),
  });
}

/** The messages of a stream in lines of JSON. */
export async function lines(response: Response): Promise<Record<string, unknown>[]> {
  return (await response.text()).split("\n").filter((line) => line !== "").map((line) =>
    JSON.parse(line)
  );
}

/** Sends a head as it is, and gives what comes first. */
export async function raw(door: HttpDoor, head: string[]): Promise<string> {
  using connection = await Deno.connect({ hostname: door.hostname, port: door.port });
  await connection.write(new TextEncoder().encode(head.join("\r\n") + "\r\n\r\n"));
  const buffer = new Uint8Array(4096);
  const read = await connection.read(buffer);
  return new TextDecoder().decode(buffer.subarray(0, read ?? 0));
}

/** Waits until something holds; fails after some seconds. */
export async function until(holds: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`waited in vain for: ${what}`);
}

/** The head of a request for `/events`, as bytes, for sockets that send what no WebSocket object would. */
export function upgradeHead(door: HttpDoor, ...more: readonly string[]): Uint8Array<ArrayBuffer> {
  const head = [
    "GET /events HTTP/1.1",
    `Host: 127.0.0.1:${door.port}`,
    `Authorization: Bearer ${door.token}`,
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ...more,
  ];
  return new TextEncoder().encode(`${head.join("\r\n")}\r\n\r\n`);
}
