/**
 * A hub of models on loopback: what is asked of a public hub, answered over real connections.
 *
 * Owns the two servers: the hub itself (`/<owner>/<repo>/resolve/<revision>/<file>`) and, on an origin of its own, the storage
 * that it redirects large files to. What must hold: ranges, tags and digests are right unless a test asks for a fault;
 * every request is kept, for tests to look at.
 */
import { createHash } from "node:crypto";

/** A request as it came in. */
export interface HubRequest {
  readonly host: "hub" | "storage";
  readonly method: string;
  /** Decoded, without the query. */
  readonly path: string;
  readonly range: string | null;
  readonly ifRange: string | null;
  readonly authorization: string | null;
}

/** Stands between a request and the right answer, to spoil either. */
export type HubFault = (
  request: HubRequest,
  answer: () => Response,
) => Response | Promise<Response> | undefined;

/** See the module text. */
export class LoopbackHub implements AsyncDisposable {
  /** By `owner/repo/file`; may be changed while the hub runs. */
  readonly files: Map<string, Uint8Array<ArrayBuffer>>;
  /** Every request since the start, in order. */
  readonly requests: HubRequest[] = [];
  /** Called for every request; nothing means the right answer. */
  fault: HubFault | undefined;
  /** What every revision resolves to; undefined for a server that is no hub. */
  commit: string | undefined = "0123456789abcdef0123456789abcdef01234567";
  readonly #hub: Deno.HttpServer<Deno.NetAddr>;
  readonly #storage: Deno.HttpServer<Deno.NetAddr>;
  readonly #stop = new AbortController();
  readonly #isLarge: (file: string) => boolean;

  /**
   * @param files content by `owner/repo/file`
   * @param isLarge which files are kept in the storage behind the hub; none by default
   */
  constructor(
    files: Readonly<Record<string, Uint8Array<ArrayBuffer> | string>>,
    isLarge: (file: string) => boolean = () => false,
  ) {
    this.files = new Map(
      Object.entries(files).map(([path, content]) => [
        path,
        typeof content === "string" ? new TextEncoder().encode(content) : content,
      ]),
    );
    this.#isLarge = isLarge;
    const serve = (host: HubRequest["host"]) =>
      Deno.serve({
        hostname: "127.0.0.1",
        port: 0,
        onListen: () => {},
        // A connection that was cut on purpose is no error of the server.
        onError: () => new Response(null, { status: 500 }),
      }, (request) => this.#answer(host, request));
    this.#hub = serve("hub");
    this.#storage = serve("storage");
  }

  /** Base address. */
  get url(): string {
    return `http://127.0.0.1:${this.#hub.addr.port}`;
  }

  /** Base address of the storage. */
  get storageUrl(): string {
    return `http://127.0.0.1:${this.#storage.addr.port}`;
  }

  /** Cuts what is open and ends both servers. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.all([this.#hub.shutdown(), this.#storage.shutdown()]);
  }

  /** The same answer, whose connection is cut after some bytes of the body. */
  async cut(answer: Response, bytes: number): Promise<Response> {
    const body = new Uint8Array(await answer.arrayBuffer()).subarray(0, bytes);
    // Fewer bytes than the header says: the server sends these and ends the connection.
    return new Response(ReadableStream.from([body]), answer);
  }

  /** The same answer, which falls silent after some bytes of the body until the hub is closed or nobody listens. */
  async stall(answer: Response, bytes: number): Promise<Response> {
    const body = new Uint8Array(await answer.arrayBuffer()).subarray(0, bytes);
    const { signal } = this.#stop;
    return new Response(
      new ReadableStream({
        start(controller) {
          controller.enqueue(body);
          signal.addEventListener("abort", () => {
            try {
              controller.error(new Error("closed"));
            } catch {
              // Nobody listens any more.
            }
          });
        },
      }),
      answer,
    );
  }

  async #answer(host: HubRequest["host"], request: Request): Promise<Response> {
    const seen: HubRequest = {
      host,
      method: request.method,
      path: decodeURIComponent(new URL(request.url).pathname),
      range: request.headers.get("range"),
      ifRange: request.headers.get("if-range"),
      authorization: request.headers.get("authorization"),
    };
    this.requests.push(seen);
    const right = () => this.#right(seen);
    return await (this.fault?.(seen, right) ?? right());
  }

  #right({ host, method, path, range, ifRange }: HubRequest): Response {
    const [, repo, file] = host === "storage"
      ? /^\/([^/]+\/[^/]+)\/(.+)$/.exec(path) ?? []
      : /^\/([^/]+\/[^/]+)\/resolve\/[^/]+\/(.+)$/.exec(path) ?? [];
    const key = `${repo}/${file}`;
    const bytes = this.files.get(key);
    if (bytes === undefined) {
      const isKnown = [...this.files.keys()].some((name) => name.startsWith(`${repo}/`));
      const code = isKnown ? "EntryNotFound" : "RepoNotFound";
      return new Response(null, { status: 404, headers: { "x-error-code": code } });
    }
    const headers = new Headers();
    if (host === "hub" && this.commit !== undefined) headers.set("x-repo-commit", this.commit);
    if (host === "hub" && this.#isLarge(key)) {
      headers.set("x-linked-etag", `"${digest("sha256", bytes)}"`);
      headers.set("x-linked-size", String(bytes.length));
      headers.set("location", `${this.storageUrl}/${key}?signature=secret`);
      return new Response(null, { status: 302, headers });
    }
    const etag = `"${digest("sha1", bytes)}"`;
    headers.set("etag", etag);
    headers.set("accept-ranges", "bytes");
    headers.set("content-type", "application/octet-stream");
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0);
    const isPart = range !== null && (ifRange === null || ifRange === etag);
    if (isPart && from >= bytes.length) {
      headers.set("content-range", `bytes */${bytes.length}`);
      return new Response(null, { status: 416, headers });
    }
    const body = isPart ? bytes.subarray(from) : bytes;
    if (isPart) {
      headers.set("content-range", `bytes ${from}-${bytes.length - 1}/${bytes.length}`);
    }
    headers.set("content-length", String(body.length));
    return new Response(method === "HEAD" ? null : body, { status: isPart ? 206 : 200, headers });
  }
}

function digest(algorithm: "sha1" | "sha256", bytes: Uint8Array): string {
  return createHash(algorithm).update(bytes).digest("hex");
}
