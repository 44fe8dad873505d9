/**
 * The socket of the HTTP door: requests as `Request`, answers as `Response`, and connections that become something else.
 *
 * Owns node's HTTP server and what a connection may cost before anybody knows who it is. It is that one and not `Deno.serve` because a
 * connection can be taken over here with its bytes, so that what comes over a WebSocket is counted while it comes (`events.ts`);
 * `Deno.upgradeWebSocket` hands out whole messages only, and collects the fragments of one without a limit. What must hold: a head has a length
 * and a time, a body has a time, connections have a number; a body is read no faster than it is asked for, an answer made no faster than it is
 * read; `close` leaves no socket behind.
 */
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
  STATUS_CODES,
} from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

/** A connection whose client asked for another protocol, to be taken over. */
export interface Takeover {
  readonly request: IncomingMessage;
  readonly socket: Socket;
  /** What came after the head of the request. */
  readonly head: Uint8Array;
}

/** How to listen. */
export interface ListenerOptions {
  readonly hostname: string;
  /** 0 takes any that is free. */
  readonly port: number;
  /** The path at which connections may become WebSockets; elsewhere `Upgrade` is ignored, as HTTP permits. */
  readonly upgradePath: string;
  /**
   * Answers a request; does not throw.
   * @param takeover there where the client asked for a WebSocket
   * @returns undefined when the connection was taken over
   */
  readonly answer: (
    request: Request,
    address: string,
    takeover?: Takeover,
  ) => Promise<Response | undefined>;
  /** Is told what goes wrong with the socket itself, such as no file handle being left for a connection; it goes on listening. */
  readonly onError: (error: Error) => void;
}

/** An open socket. */
export interface Listener {
  readonly port: number;
  /** Takes no more connections, and waits for what is being answered; cuts it off when the signal is aborted. */
  close(cutOff: AbortSignal): Promise<void>;
}

/** Connections at a time: a browser has six and one a window, programs have few; more wait for the system to take them. */
const MAX_CONNECTIONS = 256;

/** Longest head of a request, in bytes: the token and some cookies of other programs on this host. */
const MAX_HEAD_BYTES = 32_768;

/** Longest time for a head, and for a whole request: they come from this machine. */
const HEAD_MS = 10_000;
const REQUEST_MS = 60_000;

/** How long a connection may be idle: longer than clients keep one, or it closes under a request that is on its way. */
const IDLE_MS = 75_000;

/** How much of a body that nobody wants is let come, in bytes and milliseconds: more than twice the largest that is taken. */
const MAX_DISCARDED = 20_000_000;
const DISCARD_MS = 5_000;

/** How often these times are looked at. */
const CHECK_MS = 2_000;

/** How often idle connections are looked for while it closes. */
const SWEEP_MS = 20;

/**
 * Opens the socket.
 * @throws the system's error, `code` EADDRINUSE for example
 */
export async function openListener(options: ListenerOptions): Promise<Listener> {
  const { hostname, port, upgradePath } = options;
  const server = createServer({
    maxHeaderSize: MAX_HEAD_BYTES,
    headersTimeout: HEAD_MS,
    requestTimeout: REQUEST_MS,
    keepAliveTimeout: IDLE_MS,
    connectionsCheckingInterval: CHECK_MS,
    // Newer than the types; a `curl --http2` or a client in Java asks for h2c, and is answered as if it had not.
    shouldUpgradeCallback: ({ method, url, headers }: IncomingMessage) =>
      method === "GET" && url?.split("?")[0] === upgradePath &&
      headers.upgrade?.toLowerCase() === "websocket",
  } as ServerOptions);
  server.maxConnections = MAX_CONNECTIONS;
  server.on("request", (incoming, outgoing) => void serve(options, incoming, outgoing));
  server.on(
    "upgrade",
    (request, socket, head) => void upgrade(options, { request, socket: socket as Socket, head }),
  );
  await listening(server, hostname, port);
  server.on("error", options.onError);
  return {
    port: (server.address() as AddressInfo).port,
    close: async (cutOff) => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // A client that has its answer keeps the connection for another question: each goes when it is idle.
      const timer = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
      server.closeIdleConnections();
      const cut = () => server.closeAllConnections();
      if (cutOff.aborted) cut();
      cutOff.addEventListener("abort", cut, { once: true });
      await closed;
      clearInterval(timer);
    },
  };
}

function listening(server: Server, hostname: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, hostname, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

async function serve(
  { answer }: ListenerOptions,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  // Whoever reads or writes hears of it; where nobody does, it is no more than a client that went away.
  incoming.on("error", () => {});
  outgoing.on("error", () => {});
  const gone = new AbortController();
  outgoing.once("close", () => {
    if (!outgoing.writableFinished) {
      gone.abort(new DOMException("the client has closed the connection", "AbortError"));
    }
  });
  try {
    const body = new Body(incoming);
    const request = requestOf(incoming, gone.signal, body);
    const response = request === undefined
      ? malformed()
      : (await answer(request, addressOf(incoming)))!;
    body.discard();
    await send(response, incoming, outgoing);
  } catch {
    // The client went away, or what was to be sent ended in an error: it sees that the answer is not whole.
    outgoing.destroy();
  }
}

async function upgrade({ answer }: ListenerOptions, takeover: Takeover): Promise<void> {
  const { socket } = takeover;
  const drop = () => void socket.destroy();
  socket.on("error", drop);
  try {
    const response = await answerTo(answer, takeover);
    if (response === undefined) return void socket.off("error", drop);
    socket.end(await wholeOf(response), drop);
  } catch {
    drop();
  }
}

async function answerTo(
  answer: ListenerOptions["answer"],
  takeover: Takeover,
): Promise<Response | undefined> {
  const request = requestOf(takeover.request, AbortSignal.any([]));
  return request === undefined
    ? malformed()
    : await answer(request, addressOf(takeover.request), takeover);
}

/** A response as bytes, for a connection that no server looks after any more. */
async function wholeOf(response: Response): Promise<Uint8Array> {
  const body = new Uint8Array(await response.arrayBuffer());
  const lines = [
    `HTTP/1.1 ${response.status} ${STATUS_CODES[response.status] ?? ""}`,
    ...[...response.headers].map(([name, value]) => `${name}: ${value}`),
    "connection: close",
    `content-length: ${body.length}`,
  ];
  const head = new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`);
  return new Uint8Array([...head, ...body]);
}

/** What `Request` takes, and no more: CONNECT and TRACE are for proxies. */
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/** A request as the rest of the door knows it; undefined where it names no path, or two hosts. */
function requestOf(
  incoming: IncomingMessage,
  signal: AbortSignal,
  sent?: Body,
): Request | undefined {
  const { method = "GET", url = "", rawHeaders } = incoming;
  const names = rawHeaders.filter((_, place) => place % 2 === 0);
  const hosts = names.filter((name) => name.toLowerCase() === "host").length;
  // Whom it is for stands in `Host`, which is looked at by itself.
  const address = `http://127.0.0.1${url}`;
  if (!METHODS.includes(method) || hosts > 1) return undefined;
  if (!url.startsWith("/") || !URL.canParse(address)) return undefined;
  const headers = new Headers();
  names.forEach((name, place) => headers.append(name, rawHeaders[2 * place + 1]!));
  const body = method === "GET" || method === "HEAD" ? null : sent?.stream ?? null;
  return new Request(address, { method, headers, signal, body });
}

function malformed(): Response {
  return Response.json({
    error: {
      message: "request: expected a method such as GET, a path that begins with / and one Host",
    },
  }, { status: 400 });
}

/** What a client sends: read when somebody asks for it, thrown away when nobody does. */
class Body {
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly #incoming: IncomingMessage;
  #isBegun = false;
  /** Whether there is nothing more to be had of it. */
  #isOver = false;

  constructor(incoming: IncomingMessage) {
    this.#incoming = incoming;
    this.stream = new ReadableStream({
      pull: (controller) => {
        if (!this.#isBegun) this.#begin(controller);
        incoming.resume();
      },
      cancel: () => void (this.#isOver = true),
    }, { highWaterMark: 0 });
  }

  #begin(controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>): void {
    this.#isBegun = true;
    const end = (how: () => void) => {
      if (this.#isOver) return;
      this.#isOver = true;
      how();
    };
    this.#incoming.on("data", (chunk: Uint8Array) => {
      if (this.#isOver) return;
      this.#incoming.pause();
      controller.enqueue(new Uint8Array(chunk));
    });
    this.#incoming.once("end", () => end(() => controller.close()));
    const broken = () => end(() => controller.error(new TypeError("the body is not whole")));
    this.#incoming.once("error", broken);
    this.#incoming.once("close", broken);
  }

  /**
   * Lets the rest come and go, so that a client which sends all of it before it reads can read why it was refused; and so that what it asks next
   * can be told from it. Who sends too much is cut off.
   */
  discard(): void {
    const incoming = this.#incoming;
    if (incoming.readableEnded) return;
    this.#isOver = true;
    const cut = () => void incoming.socket.destroy();
    const late = setTimeout(cut, DISCARD_MS);
    for (const end of ["end", "close"]) incoming.once(end, () => clearTimeout(late));
    let left = MAX_DISCARDED;
    incoming.on("data", ({ length }: Uint8Array) => {
      if ((left -= length) < 0) cut();
    });
    incoming.resume();
  }
}

async function send(
  response: Response,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  outgoing.statusCode = response.status;
  for (const [name, value] of response.headers) outgoing.appendHeader(name, value);
  if (response.body === null || incoming.method === "HEAD") {
    await response.body?.cancel();
    outgoing.end();
    return;
  }
  // Of a stream the head goes at once: the first message may be long in coming.
  if (!response.headers.has("content-length")) outgoing.flushHeaders();
  // deno-lint-ignore no-explicit-any -- two declarations of one type
  await pipeline(Readable.fromWeb(response.body as any), outgoing);
}

function addressOf({ socket }: IncomingMessage): string {
  return `${socket.remoteAddress}:${socket.remotePort}`;
}
