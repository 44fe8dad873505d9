/**
 * A kernel with small handlers, served from a temporary folder, for the tests of its endpoint.
 *
 * What commands do is tested elsewhere; everything between these handlers and the wire is real.
 */
import assert from "node:assert/strict";
import type { NewEvent } from "../../../kernel/audit/event.ts";
import type { Handlers } from "../../../kernel/commands.ts";
import { type ConnectionInfo, readConnection } from "../../../kernel/connection_file.ts";
import { type Message, Signer } from "../../../kernel/doors/contract.ts";
import { KernelClient, KernelError } from "../../../kernel/doors/kernel_client.ts";
import {
  serveWorkspace,
  type ServiceInfo,
  type ServiceOptions,
} from "../../../kernel/doors/service.ts";
import { connectDealer } from "../../../kernel/doors/zmtp/dealer.ts";

/** A result of a search. */
export const hit = {
  path: "a.ts",
  start_line: 1,
  end_line: 2,
  score: 1,
  node_type: "function",
  node_name: "a",
  text: "",
};

/** Handlers that show what the door does: `search` yields several results, `refs` waits for its cancellation, `impact` fails. */
export const handlers = {
  async *search({ query }: { query: string }, { progress }: { progress: (p: unknown) => void }) {
    progress({ phase: "searching", done: 1, total: 2, detail: query });
    yield { query: "first", results: [] };
    yield { query, results: [hit] };
  },
  refs(_: unknown, { signal }: { signal: AbortSignal }) {
    waiting.refs++;
    return new Promise((_, reject) => {
      signal.addEventListener("abort", () => {
        waiting.refs--;
        reject(signal.reason);
      });
    });
  },
  impact() {
    return Promise.reject(new Error("no such thing\nat all"));
  },
  read({ place }: { place: string }) {
    return Promise.resolve({
      path: place,
      start_line: 1,
      end_line: 1,
      status: "verified",
      text: "x".repeat(Number(place)),
    });
  },
  ask({ question }: { question: string }) {
    return Promise.resolve({ question, answer: "42", found: true });
  },
} as unknown as Handlers;

/** How many `refs` wait now. */
export const waiting = { refs: 0 };

/** A kernel in a temporary folder. */
export class Kernel implements AsyncDisposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "batos_endpoint_" });
  /** What whoever looks after the kernel is told, and what is noted in the trail. */
  readonly lines: string[] = [];
  readonly events: NewEvent[] = [];
  readonly #abort = new AbortController();
  #ended: Promise<unknown> = Promise.resolve();
  info!: ConnectionInfo;
  /** What it told when its doors were open. */
  told!: ServiceInfo;

  /** @param prepare called with the state folder before the kernel starts */
  static async start(
    options: Partial<ServiceOptions> = {},
    prepare: (folder: string) => unknown = () => {},
  ): Promise<Kernel> {
    const kernel = new Kernel();
    await prepare(kernel.folder);
    const service = serveWorkspace({
      root: "/the/root",
      folder: kernel.folder,
      version: "1.2.3",
      handlers,
      report: (line) => void kernel.lines.push(line),
      record: (event) => void kernel.events.push(event),
      signal: kernel.#abort.signal,
      ...options,
    });
    kernel.told = (await service.next()).value;
    kernel.#ended = service.next();
    kernel.info = readConnection(kernel.folder)!;
    return kernel;
  }

  /** Reasons of what was noted, in order. */
  get reasons(): unknown[] {
    return this.events.map(({ event_data }) => event_data.reason);
  }

  get signer(): Signer {
    return new Signer(Uint8Array.fromHex(this.info.key));
  }

  async client(): Promise<KernelClient> {
    const client = new KernelClient({ folder: this.folder });
    await client.connect();
    return client;
  }

  /** A peer that sends what it likes, and what it received. */
  async peer(identity = `raw-${crypto.randomUUID()}`) {
    const received: Message[] = [];
    const connection = await connectDealer({
      hostname: "127.0.0.1",
      port: this.info.port,
      identity,
      frames: [32, 1e8],
      onMessage: ([signature, payload]) =>
        received.push(this.signer.open(signature!, payload!) as Message),
    });
    return { connection, received };
  }

  request(command: string, fields: Record<string, unknown> = {}) {
    const nonce = crypto.getRandomValues(new Uint8Array(16));
    return { v: 1, id: "1", time: Date.now(), nonce, command, ...fields };
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#ended;
  }

  async [Symbol.asyncDispose]() {
    await this.stop();
    Deno.removeSync(this.folder, { recursive: true });
  }
}

/** Waits until something is so; gives up after five seconds. */
export async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; !condition(); turn++) {
    assert.ok(turn < 1_000, `waited in vain for ${condition}`);
    await new Promise((done) => setTimeout(done, 5));
  }
}

/** The error of a call that has to fail. */
export async function refused(call: Promise<unknown>): Promise<KernelError> {
  try {
    await call;
  } catch (error) {
    assert.ok(error instanceof KernelError, String(error));
    return error;
  }
  assert.fail("it was not refused");
}

/** Writes bytes to a socket, all of them. */
export async function writeAll(socket: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await socket.write(bytes.subarray(at));
}
