/**
 * A client of a kernel's endpoint, over ZeroMQ: requests, their events and replies, and a connection that comes back.
 *
 * Owns the connection and the ids of requests. What must hold: every request ends, with its reply, the kernel's error, or a `DisconnectedError`
 * when the kernel goes; a message that is not signed with the key of the connection file is not believed.
 */
import { readConnection } from "../connection_file.ts";
import type { RemoteKernel } from "../remote_connection.ts";
import {
  type ErrorCode,
  MAX_REPLY_BYTES,
  type Message,
  SIGNATURE_BYTES,
  Signer,
  VERSION,
} from "./contract.ts";
import type { Connection } from "./zmtp/connection.ts";
import { connectDealer, NotAdmittedError } from "./zmtp/dealer.ts";
import type { Mechanism } from "./zmtp/mechanism.ts";

/** Time for the first reply: a kernel answers a ping at once, and one that is busy within a moment. */
const ANSWER_MS = 5_000;

/** Pause between attempts to reach a kernel again: a restart takes some seconds. */
const RETRY_MS = 500;

/** The kernel is not there, or no longer. */
export class DisconnectedError extends Error {
  override readonly name = "DisconnectedError";
}

/** The kernel refused or failed a request. */
export class KernelError extends Error {
  override readonly name = "KernelError";
  constructor(readonly code: ErrorCode, message: string) {
    super(message);
  }
}

/** What a request may say beside its command. */
export interface Call {
  readonly target_oid?: string;
  readonly mission_brief?: {
    readonly type: string;
    readonly selector: string;
    readonly args: readonly unknown[];
    readonly kwargs: Readonly<Record<string, unknown>>;
  };
  readonly property_name?: string;
  readonly property_value?: unknown;
}

/** Where the kernel is: in the folder of a workspace's state there is its connection file; or it is elsewhere. */
export type KernelWhere = { readonly folder: string } | { readonly remote: RemoteKernel };

/** Options of a client. */
export type KernelClientOptions = KernelWhere & {
  /** What this client calls itself; the contract's example is `architect-console-<uuid>`. */
  readonly identity?: string;
  /** Called for events that belong to no request. */
  readonly onEvent?: (event: Message) => void;
  /** Called when the connection is lost. */
  readonly onLost?: () => void;
};

/** Who was reached. */
export interface ReachedKernel {
  readonly version: string;
  /** Its process, where it is on this machine. */
  readonly pid?: number;
}

/** What a connection needs. */
interface Target {
  readonly hostname: string;
  readonly port: number;
  readonly key: Uint8Array<ArrayBuffer>;
  readonly pid?: number;
  readonly mechanism?: Mechanism;
}

interface Waiting {
  readonly onEvent: (event: Message) => void;
  readonly resolve: (reply: Message) => void;
  readonly reject: (error: Error) => void;
}

/** See the module text. */
export class KernelClient implements AsyncDisposable {
  readonly #options: KernelClientOptions;
  readonly #identity: string;
  readonly #waiting = new Map<string, Waiting>();
  #connection: Connection | undefined;
  #signer: Signer | undefined;
  #count = 0;

  constructor(options: KernelClientOptions) {
    this.#options = options;
    this.#identity = options.identity ?? `architect-console-${crypto.randomUUID()}`;
  }

  /** Whether the kernel can be reached now. */
  get isConnected(): boolean {
    return this.#connection?.isReady === true;
  }

  /**
   * Connects to the kernel that was named.
   * @throws {DisconnectedError} when there is none, or it does not answer
   * @throws {NotAdmittedError} when it does not admit the key of this client
   */
  async connect(): Promise<ReachedKernel> {
    const { onLost } = this.#options;
    const { key, pid, ...place } = await this.#target();
    const signer = new Signer(key);
    let connection: Connection | undefined;
    const stranger = Promise.withResolvers<never>();
    const where = `"${place.hostname}:${place.port}"`;
    const timer = setTimeout(
      () => stranger.reject(new DisconnectedError(`${where} does not answer`)),
      ANSWER_MS,
    );
    stranger.promise.catch(() => {});
    try {
      const opened = connection = await connectDealer({
        ...place,
        identity: this.#identity,
        frames: [SIGNATURE_BYTES, MAX_REPLY_BYTES],
        onMessage: (parts) => {
          if (this.#take(signer, parts)) return;
          stranger.reject(
            new DisconnectedError(
              `what answers at ${where} is not the kernel that was there: it has another key`,
            ),
          );
        },
      });
      this.#connection = connection;
      this.#signer = signer;
      void connection.ended.then(() => {
        if (this.#connection !== opened) return;
        this.#connection = undefined;
        this.#abandon();
        onLost?.();
      });
      // Something else may listen on the port of a kernel that died.
      const { result } = await Promise.race([this.call("ping"), stranger.promise]);
      return { version: String((result as { version?: unknown }).version), pid };
    } catch (error) {
      this.#connection = undefined;
      this.#abandon();
      void connection?.close(true);
      if (error instanceof NotAdmittedError) throw error;
      throw new DisconnectedError((error as Error).message, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  async #target(): Promise<Target> {
    if ("folder" in this.#options) {
      const info = readConnection(this.#options.folder);
      if (info === undefined) {
        throw new DisconnectedError(`no kernel is running here: start one with "deno task serve"`);
      }
      const { ip, port, key, pid } = info;
      return { hostname: ip, port, key: Uint8Array.fromHex(key), pid };
    }
    const { hostname, port, signingKey, serverKey, pair } = this.#options.remote;
    const { CurveClient } = await import("./zmtp/curve.ts");
    const mechanism = new CurveClient({ keys: pair, serverKey });
    return { hostname, port, key: signingKey, mechanism };
  }

  /**
   * Connects, again and again, until it succeeds.
   * @throws {NotAdmittedError} when the kernel does not admit the key of this client: that is no matter of time
   * @throws the signal's reason
   */
  async reconnect(signal: AbortSignal): Promise<ReachedKernel> {
    for (;;) {
      signal.throwIfAborted();
      try {
        return await this.connect();
      } catch (error) {
        if (!(error instanceof DisconnectedError)) throw error;
      }
      await new Promise((done) => setTimeout(done, RETRY_MS));
    }
  }

  /**
   * One request.
   *
   * @param options `onEvent` gets its events; aborting `signal` cancels it at the kernel
   * @returns the reply
   * @throws {KernelError} when the kernel refuses it or fails
   * @throws {DisconnectedError} when the kernel cannot be reached, or goes
   */
  async call(
    command: string,
    fields: Call = {},
    options: { onEvent?: (event: Message) => void; signal?: AbortSignal } = {},
  ): Promise<Message> {
    const id = `${++this.#count}`;
    const { signal, onEvent = () => {} } = options;
    signal?.throwIfAborted();
    const reply = new Promise<Message>((resolve, reject) => {
      this.#waiting.set(id, { onEvent, resolve, reject });
    });
    const cancel = () => this.#post(crypto.randomUUID(), "cancel", briefOf("cancel", [id]));
    signal?.addEventListener("abort", cancel);
    try {
      if (!this.#post(id, command, fields)) {
        throw new DisconnectedError("the kernel cannot be reached");
      }
      return await reply;
    } finally {
      signal?.removeEventListener("abort", cancel);
      this.#waiting.delete(id);
    }
  }

  /** Closes the connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#abandon();
    await connection?.close();
  }

  #post(id: string, command: string, fields: Call): boolean {
    const request = {
      v: VERSION,
      id,
      time: Date.now(),
      nonce: crypto.getRandomValues(new Uint8Array(16)),
      command,
      ...fields,
    };
    return this.#signer !== undefined &&
      this.#connection?.send(this.#signer.seal(request)) === true;
  }

  /** @returns whether it came from the kernel whose key we have */
  #take(signer: Signer, [signature, payload]: readonly Uint8Array<ArrayBuffer>[]): boolean {
    if (signature === undefined || payload === undefined) return false;
    const message = signer.open(signature, payload) as Message | undefined;
    if (message === undefined) return false;
    const waiting = message.re === null ? undefined : this.#waiting.get(message.re);
    // What comes behind the end of its request is nobody's.
    const onEvent = message.re === null ? this.#options.onEvent : waiting?.onEvent;
    if (message.type === "event") onEvent?.(message);
    else if (message.type === "reply") waiting?.resolve(message);
    else waiting?.reject(new KernelError(message.code as ErrorCode, String(message.message)));
    return true;
  }

  #abandon(): void {
    for (const { reject } of this.#waiting.values()) {
      reject(new DisconnectedError("the kernel has gone"));
    }
    this.#waiting.clear();
  }
}

/** A brief for a command of the table. */
export function briefOf(
  selector: string,
  args: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>> = {},
): Call {
  return { mission_brief: { type: "command", selector, args, kwargs } };
}
