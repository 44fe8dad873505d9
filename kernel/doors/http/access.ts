/**
 * Who may speak with the HTTP door: this machine, this page or a program that has the token.
 *
 * Owns the checks before any work is done for a request, and the headers of every response. The threats: a page of another origin in the
 * same browser (Origin, `Sec-Fetch-Site`, a cookie that other sites do not send), a name that was made to point at loopback (Host), another
 * user of the machine (token). What must hold: no response but the static files of the page leaves without the token; ports are part
 * of an origin here, since cookies are shared by all ports of a host; the token is compared in constant time.
 */
import { timingSafeEqual } from "node:crypto";

/** Bytes of randomness in a token: beyond guessing. */
const TOKEN_BYTES = 32;

/** Shortest token that a caller may choose, in characters: 128 bits as hexadecimal. */
const SHORTEST_TOKEN = 32;

/** Names of this machine as a browser may write them. */
const LOOPBACK_NAMES = ["127.0.0.1", "localhost", "[::1]"];

/** Scripts and styles come from this door alone and none stand in the page; nobody may frame it. */
const HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

/** A token that nobody can guess. */
export function newToken(): string {
  return crypto.getRandomValues(new Uint8Array(TOKEN_BYTES)).toHex();
}

/** An answer in the form that all errors of this door have. */
export function refusal(
  status: number,
  message: string,
  headers: Record<string, string> = {},
): Response {
  return Response.json({ error: { message } }, {
    status,
    headers: { "cache-control": "no-store", ...headers },
  });
}

/** Why a request is turned away before anything is done for it. */
export interface Stranger {
  readonly status: 403 | 421;
  readonly reason: "foreign_host" | "foreign_origin";
  readonly message: string;
}

/** See the module text. */
export class Access {
  readonly #token: Uint8Array;
  readonly #port: () => number;

  /**
   * @param port of the listening socket, known once it listens
   * @throws {RangeError} when the token could be guessed
   */
  constructor(token: string, port: () => number) {
    if (token.length < SHORTEST_TOKEN) {
      throw new RangeError(
        `token of ${token.length} characters: at least ${SHORTEST_TOKEN} keep it from being guessed`,
      );
    }
    this.#token = new TextEncoder().encode(token);
    this.#port = port;
  }

  /** Why a request is not from here; undefined when it may be. Holds for static files too. */
  refuseStranger(request: Request): Stranger | undefined {
    const host = request.headers.get("host") ?? "";
    if (!this.#hosts().includes(host.toLowerCase())) {
      const message = `Host "${host}": this server answers to ${this.#hosts().join(", ")}`;
      return { status: 421, reason: "foreign_host", message };
    }
    const foreign = (header: string, value: string): Stranger => ({
      status: 403,
      reason: "foreign_origin",
      message: `${header} "${value}": only the page of this server may ask it`,
    });
    const origin = request.headers.get("origin");
    if (origin !== null && origin !== `http://${host.toLowerCase()}`) {
      return foreign("Origin", origin);
    }
    // Sent by browsers alone; "none" is an address that a person typed.
    const site = request.headers.get("sec-fetch-site");
    const isNavigation = request.headers.get("sec-fetch-mode") === "navigate" &&
      request.method === "GET";
    if (site !== null && site !== "same-origin" && site !== "none" && !isNavigation) {
      return foreign("Sec-Fetch-Site", site);
    }
  }

  /** Whether a request brings the token: as `Authorization: Bearer`, or as the cookie of the page. */
  isPermitted(request: Request): boolean {
    const [scheme, bearer] = (request.headers.get("authorization") ?? "").split(" ", 2);
    if (scheme?.toLowerCase() === "bearer" && bearer !== undefined) return this.isToken(bearer);
    const cookies = (request.headers.get("cookie") ?? "").split(/;\s*/);
    const prefix = `${this.#cookie()}=`;
    return cookies.some((cookie) =>
      cookie.startsWith(prefix) && this.isToken(cookie.slice(prefix.length))
    );
  }

  /** Whether a text is the token. */
  isToken(given: string): boolean {
    const bytes = new TextEncoder().encode(given);
    return bytes.length === this.#token.length && timingSafeEqual(bytes, this.#token);
  }

  /** Puts the token from the address into a cookie that scripts cannot read and other sites do not send. */
  admit(): Response {
    const token = new TextDecoder().decode(this.#token);
    return new Response(null, {
      status: 303,
      headers: {
        location: "/",
        "cache-control": "no-store",
        "set-cookie": `${this.#cookie()}=${token}; HttpOnly; SameSite=Strict; Path=/`,
      },
    });
  }

  /** A response with the headers that every one has. */
  secure(response: Response): Response {
    for (const [name, value] of Object.entries(HEADERS)) response.headers.set(name, value);
    return response;
  }

  #hosts(): string[] {
    const port = this.#port();
    return LOOPBACK_NAMES.flatMap((name) => port === 80 ? [name, `${name}:80`] : `${name}:${port}`);
  }

  /** Browsers share cookies among the ports of a host: two workspaces would take each other's. */
  #cookie(): string {
    return `batos_${this.#port()}`;
  }
}
