/**
 * MCP over HTTP (Streamable HTTP): a function from requests to responses, which a server mounts at a path of its choice.
 *
 * Owns the sessions, one a client. Who may connect (token, Host, Origin) is decided by the server that mounts it. What must hold:
 * sessions are bounded in number; one that is not used is closed; a request of an unknown session is told to begin again.
 */
// @ts-types="@modelcontextprotocol/sdk/server/webStandardStreamableHttp"
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import { createMcpServer, type McpParts } from "./server.ts";

/** Clients at a time: more than a person runs; the one that was silent longest makes room. */
const MOST_SESSIONS = 32;

/** Silence after which a session is closed, in milliseconds: clients that crash never say goodbye. */
const IDLE_MS = 60 * 60_000;

/** Longest body of a request, in bytes: a question of a million characters fits. */
const MAX_BODY = 8_000_000;

interface Session {
  readonly transport: WebStandardStreamableHTTPServerTransport;
  readonly close: () => Promise<void>;
  /** When it was last used, by the monotonic clock. */
  used: number;
  /** Requests that are being answered. */
  running: number;
}

/** Serves MCP to any number of clients; close it when the server that mounts it ends. */
export class McpHttp {
  readonly #parts: McpParts;
  readonly #sessions = new Map<string, Session>();

  constructor(parts: McpParts) {
    this.#parts = parts;
  }

  /** Number of clients. */
  get sessions(): number {
    return this.#sessions.size;
  }

  /** Answers one request to the path that this is mounted at. */
  async handle(request: Request): Promise<Response> {
    const id = request.headers.get("mcp-session-id");
    if (id === null) return await this.#begin(request);
    const session = this.#sessions.get(id);
    if (session === undefined) {
      // 404 tells a client to begin a new session.
      return refusal(
        404,
        -32001,
        `session "${id.slice(0, 40)}": unknown or ended; initialize again`,
      );
    }
    return await this.#answer(session, request);
  }

  /** Ends all sessions. */
  async close(): Promise<void> {
    await Promise.all([...this.#sessions.values()].map((session) => session.close()));
    this.#sessions.clear();
  }

  /** A request without a session: the transport answers an initialization, and refuses everything else. */
  async #begin(request: Request): Promise<Response> {
    const server = createMcpServer(this.#parts);
    let begun = false;
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => crypto.randomUUID(),
      maxRequestBodySize: MAX_BODY,
      onsessioninitialized: (id) => {
        begun = true;
        this.#sessions.set(id, session);
        return this.#closeSilent();
      },
      onsessionclosed: (id) => {
        this.#sessions.delete(id);
      },
    });
    const session: Session = {
      transport,
      close: () => server.close(),
      used: performance.now(),
      running: 0,
    };
    await server.connect(transport);
    const response = await this.#answer(session, request);
    if (!begun) await server.close();
    return response;
  }

  async #answer(session: Session, request: Request): Promise<Response> {
    session.running++;
    try {
      return await session.transport.handleRequest(request);
    } finally {
      session.running--;
      session.used = performance.now();
    }
  }

  /** Closes sessions that nobody seems to need any more, and as many more as there are too many. */
  async #closeSilent(): Promise<void> {
    const silent = [...this.#sessions].filter(([, { running }]) => running === 0)
      .toSorted(([, one], [, other]) => one.used - other.used);
    const now = performance.now();
    for (const [id, session] of silent) {
      if (now - session.used < IDLE_MS && this.#sessions.size <= MOST_SESSIONS) break;
      this.#sessions.delete(id);
      await session.close();
    }
  }
}

/** An error in the form of JSON-RPC. */
function refusal(status: number, code: number, message: string): Response {
  return Response.json({ jsonrpc: "2.0", error: { code, message }, id: null }, { status });
}
