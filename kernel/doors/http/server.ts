/**
 * The HTTP door: the page, the JSON API, events, and what other parts hang on it, on loopback only.
 *
 * Owns which path goes where; `listener.ts` has the socket, `access.ts` says who may come in, `api.ts` runs commands, `events.ts` tells
 * what happens, `assets.ts` holds the page. What must hold: every request passes the checks before anything is done for it; a fault in one
 * request is answered and harms no other; `stop` leaves no socket and no run behind.
 */
import type { RefusalNotes, RefusalReason } from "../../audit/refusal_log.ts";
import type { CommandName, HandlerContext } from "../../commands.ts";
import { CommandError } from "../../commands.ts";
import { Runs } from "../runs.ts";
import { Access, newToken, refusal } from "./access.ts";
import { Api } from "./api.ts";
import { Assets } from "./assets.ts";
import { BodyError, limitBody, refuseLength } from "./body.ts";
import { Events, type ListenToKernel } from "./events.ts";
import { type Listener, type ListenerOptions, openListener, type Takeover } from "./listener.ts";

/** Runs one command of the table with parsed input, and hands out its results. */
export type Execute = (
  name: CommandName,
  input: Record<string, unknown>,
  context: HandlerContext & { readonly door: string; readonly onStart: (id: string) => void },
) => AsyncIterable<unknown>;

/** What answers the requests below a path. It is asked only for requests that have the token. */
export type HttpMount = (request: Request) => Response | Promise<Response>;

/** How to open the door. */
export interface HttpOptions {
  readonly version: string;
  /** What is worked on: as the page shows it, and as clients may compare it. */
  readonly workspace: { readonly name: string; readonly root: string };
  readonly execute: Execute;
  /** What runs in the whole kernel; the door's own runs only when absent. */
  readonly runs?: Runs;
  /** A name of this machine for itself; 127.0.0.1 by default. */
  readonly hostname?: string;
  /** 0, the default, takes any that is free. */
  readonly port?: number;
  /** A fresh one by default. */
  readonly token?: string;
  /** Events of the kernel, for `/events`. */
  readonly listen?: ListenToKernel;
  /** Handlers by the first segment of the path, such as `v1` or `mcp`. */
  readonly mounts?: Readonly<Record<string, HttpMount>>;
  /** Stops the door when it is aborted. */
  readonly signal?: AbortSignal;
  /** Is told about faults; they go to stderr by default. */
  readonly onFault?: (error: unknown) => void;
  /** Takes what is turned away: strangers, pages of other origins, tokens that are none, bodies without end. */
  readonly refusals?: RefusalNotes;
  /** Milliseconds that a client of `/events` may stay behind, and between two signs of its life, for tests. */
  readonly slowMs?: number;
  readonly pingMs?: number;
}

/** An open door. */
export interface HttpDoor {
  readonly hostname: string;
  readonly port: number;
  readonly token: string;
  /** Address that lets a browser in: it holds the token. */
  readonly url: string;
  /** Address without the token, for programs that send it themselves. */
  readonly base: string;
  /** Ends connections and runs, and waits for them. */
  stop(): Promise<void>;
}

/** Names that mean this machine, and the address that each is bound to. */
const LOOPBACK: Readonly<Record<string, string>> = {
  "127.0.0.1": "127.0.0.1",
  "localhost": "127.0.0.1",
  "::1": "::1",
};

/** How long `stop` waits for requests in flight before it cuts them off. */
const STOP_MS = 3_000;

/** The path of the WebSocket. */
const EVENTS = "/events";

/** Names in the first segment of a path that are the door's own. */
const OWN = ["", "api", "events", "runs"];

/**
 * Opens the door.
 *
 * @throws {CommandError} when the address is not this machine's own, or the port is taken
 * @throws {TypeError} when a mount would hide a path of the door
 */
export async function startHttp(options: HttpOptions): Promise<HttpDoor> {
  const { hostname: given = "127.0.0.1", port: wanted = 0, mounts = {}, onFault = console.error } =
    options;
  const hostname = Object.hasOwn(LOOPBACK, given) ? LOOPBACK[given] : undefined;
  if (hostname === undefined) {
    throw new CommandError(
      `host "${given}": the page and the API are served to this machine only; use ${
        Object.keys(LOOPBACK).join(", ")
      }`,
    );
  }
  const hidden = Object.keys(mounts).find((name) => OWN.includes(name));
  if (hidden !== undefined) throw new TypeError(`mount "${hidden}": the path is the door's own`);

  const token = options.token ?? newToken();
  const runs = options.runs ?? new Runs();
  let port = wanted;
  const access = new Access(token, () => port);
  const api = new Api({ ...options, execute: endable(options.execute), runs });
  const note = (reason: RefusalReason, detail: string, address: string) =>
    options.refusals?.note({ door: "http", reason, detail, address });
  const events = new Events({ ...options, runs, note });
  const assets = new Assets();
  const stopping = new AbortController();

  /** A run ends with the door. */
  function endable(execute: Execute): Execute {
    return (name, input, context) =>
      execute(name, input, {
        ...context,
        signal: AbortSignal.any([context.signal, stopping.signal]),
      });
  }

  async function route(
    request: Request,
    address: string,
    takeover: Takeover | undefined,
  ): Promise<Response | undefined> {
    const stranger = access.refuseStranger(request);
    if (stranger !== undefined) {
      note(stranger.reason, stranger.message, address);
      return refusal(stranger.status, stranger.message);
    }
    const tooLong = refuseLength(request);
    if (tooLong !== undefined) throw tooLong;
    const { pathname, searchParams } = new URL(request.url);
    const isReading = request.method === "GET" || request.method === "HEAD";
    const asset = isReading ? await assets.serve(pathname, request) : undefined;
    if (asset !== undefined) return asset;
    const isPermitted = access.isPermitted(request);
    if (pathname === "/" && isReading) {
      const brought = searchParams.get("token");
      if (brought !== null && !access.isToken(brought.trim())) {
        note("bad_token", "the page, with a token that is not this kernel's", address);
      }
      if (brought !== null && access.isToken(brought.trim())) return access.admit();
      return isPermitted && brought === null
        ? await assets.page(request)
        : await assets.locked(request, brought !== null);
    }
    if (!isPermitted) {
      note("bad_token", `${request.method} ${pathname}, without the token`, address);
      return refusal(
        401,
        'no token: send "Authorization: Bearer …", or open the address that was printed',
        {
          "www-authenticate": "Bearer",
        },
      );
    }
    const [, first = "", second, third] = pathname.split("/");
    const isPlain = pathname.split("/").length <= 3;
    if (first === "api" && second === undefined) {
      return await allow(request, "GET", () => api.describe(request));
    }
    if (first === "api" && second !== undefined && isPlain) {
      return await allow(request, "POST", () => api.run(second, request));
    }
    if (pathname === EVENTS) return await events.upgrade(address, takeover);
    if (pathname === "/runs") {
      return await allow(request, "GET", () => Response.json({ runs: runs.list() }));
    }
    if (first === "runs" && second !== undefined && third === "cancel") {
      return await allow(
        request,
        "POST",
        () =>
          runs.cancel(second)
            ? Response.json({ cancelled: second })
            : refusal(404, `run "${second}": it has ended, or there was none`),
      );
    }
    const mount = Object.hasOwn(mounts, first) ? mounts[first] : undefined;
    if (mount !== undefined) return await mount(limitBody(request));
    return refusal(404, `"${pathname}": nothing is there; GET /api lists the commands`);
  }

  const answer: ListenerOptions["answer"] = async (request, address, takeover) => {
    try {
      const response = await route(request, address, takeover);
      return response && access.secure(response);
    } catch (error) {
      if (error instanceof BodyError) {
        note("too_large", error.message, address);
        return access.secure(refusal(error.status, error.message));
      }
      if (!request.signal.aborted) onFault(error);
      return access.secure(refusal(500, "a defect of batos; the kernel's own output says where"));
    }
  };

  const listener = await listen({
    hostname,
    port: wanted,
    upgradePath: EVENTS,
    answer,
    onError: onFault,
  });
  port = listener.port;
  const base = `http://${hostname === "::1" ? "[::1]" : hostname}:${port}`;
  let stopped: Promise<void> | undefined;
  const stop = () =>
    stopped ??= (async () => {
      stopping.abort(new DOMException("the kernel stops", "AbortError"));
      events[Symbol.dispose]();
      const cutOff = new AbortController();
      const cut = setTimeout(() => cutOff.abort(), STOP_MS);
      try {
        await listener.close(cutOff.signal);
      } finally {
        clearTimeout(cut);
      }
    })();
  options.signal?.addEventListener("abort", () => void stop(), { once: true });
  if (options.signal?.aborted) void stop();
  return { hostname, port, token, base, url: `${base}/?token=${token}`, stop };
}

async function listen(options: ListenerOptions): Promise<Listener> {
  try {
    return await openListener(options);
  } catch (error) {
    if ((error as { code?: string }).code !== "EADDRINUSE") throw error;
    throw new CommandError(
      `port ${options.port}: another program listens there; choose one with --port, or 0 for any`,
      { cause: error },
    );
  }
}

async function allow(
  request: Request,
  method: string,
  serve: () => Response | Promise<Response>,
): Promise<Response> {
  if (request.method === method || (request.method === "HEAD" && method === "GET")) {
    return await serve();
  }
  return refusal(405, `${request.method}: this path takes ${method}`, { allow: method });
}
