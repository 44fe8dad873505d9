/**
 * The built files of the page, as they go over the wire.
 *
 * Owns reading, compressing and naming them (`kernel/doors/web/built/`, which `deno task build-web` writes). What must hold: they hold
 * nothing of a workspace, so those that the page names need no token; each is read and compressed once; a browser that has one is
 * not sent it again.
 */
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

/** What is served: the name in the address, its file and its type. */
const FILES: Readonly<Record<string, readonly [file: string, type: string]>> = {
  "/page.js": ["page.js", "text/javascript; charset=utf-8"],
  "/page.css": ["page.css", "text/css; charset=utf-8"],
  "/icon.svg": ["icon.svg", "image/svg+xml"],
};

const PAGE = ["page.html", "text/html; charset=utf-8"] as const;
const LOCKED = ["locked.html", "text/html; charset=utf-8"] as const;

interface Asset {
  readonly type: string;
  readonly tag: string;
  readonly plain: Uint8Array<ArrayBuffer>;
  readonly br: Uint8Array<ArrayBuffer>;
  readonly gzip: Uint8Array<ArrayBuffer>;
}

/** See the module text. */
export class Assets {
  readonly #loaded = new Map<string, Promise<Asset>>();

  /** A static file, undefined when the path names none. */
  async serve(pathname: string, request: Request): Promise<Response | undefined> {
    const entry = Object.hasOwn(FILES, pathname) ? FILES[pathname] : undefined;
    return entry && await this.#respond(entry, request, 200);
  }

  /** The page. */
  async page(request: Request): Promise<Response> {
    return await this.#respond(PAGE, request, 200);
  }

  /**
   * What somebody sees who has no token.
   * @param wasWrong whether one was given
   */
  async locked(request: Request, wasWrong: boolean): Promise<Response> {
    return await this.#respond(LOCKED, request, wasWrong ? 403 : 401);
  }

  async #respond(
    [file, type]: readonly [file: string, type: string],
    request: Request,
    status: number,
  ): Promise<Response> {
    if (!this.#loaded.has(file)) this.#loaded.set(file, load(file, type));
    const asset = await this.#loaded.get(file)!;
    const headers = new Headers({
      "content-type": asset.type,
      // Asked again each time, answered by its tag: a new version shows at once.
      "cache-control": "no-cache",
      "etag": asset.tag,
      "vary": "accept-encoding, cookie",
    });
    if (status === 200 && request.headers.get("if-none-match") === asset.tag) {
      return new Response(null, { status: 304, headers });
    }
    const accepted = (request.headers.get("accept-encoding") ?? "").split(/\s*,\s*/)
      .map((coding) => coding.split(";")[0]);
    const coding = accepted.includes("br") ? "br" : accepted.includes("gzip") ? "gzip" : undefined;
    if (coding !== undefined) headers.set("content-encoding", coding);
    const body = coding === undefined ? asset.plain : asset[coding];
    headers.set("content-length", String(body.length));
    return new Response(request.method === "HEAD" ? null : body, { status, headers });
  }
}

async function load(file: string, type: string): Promise<Asset> {
  const plain = await Deno.readFile(new URL(`../web/built/${file}`, import.meta.url));
  const [br, gz] = await Promise.all([
    promisify(brotliCompress)(plain, {
      params: { [constants.BROTLI_PARAM_SIZE_HINT]: plain.length },
    }),
    promisify(gzip)(plain),
  ]);
  const tag = `"${createHash("sha256").update(plain).digest("base64url").slice(0, 22)}"`;
  return { type, tag, plain, br: new Uint8Array(br), gzip: new Uint8Array(gz) };
}
