/**
 * Bytes that are served again and again: compressed once, sent only to who does not have them.
 *
 * Owns compressing and naming them. What must hold: what is sent is what the headers say; a client that has the bytes, by their tag, is not
 * sent them again.
 */
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

/** How hard brotli tries: as hard as it can for files, less for what is made while somebody waits (a few milliseconds instead of a hundred). */
const BEST = 11;
const QUICK = 5;

/** See the module text. */
export class Packed {
  readonly #type: string;
  readonly #tag: string;
  readonly #plain: Uint8Array<ArrayBuffer>;
  readonly #br: Uint8Array<ArrayBuffer>;
  readonly #gzip: Uint8Array<ArrayBuffer>;

  private constructor(
    type: string,
    plain: Uint8Array<ArrayBuffer>,
    br: Uint8Array,
    gzip: Uint8Array,
  ) {
    this.#type = type;
    this.#plain = plain;
    this.#br = new Uint8Array(br);
    this.#gzip = new Uint8Array(gzip);
    this.#tag = `"${createHash("sha256").update(plain).digest("base64url").slice(0, 22)}"`;
  }

  /**
   * Compresses bytes.
   * @param type content type
   * @param quickly whether somebody waits for it
   */
  static async of(
    type: string,
    plain: Uint8Array<ArrayBuffer>,
    quickly = false,
  ): Promise<Packed> {
    const [br, gz] = await Promise.all([
      promisify(brotliCompress)(plain, {
        params: {
          [constants.BROTLI_PARAM_SIZE_HINT]: plain.length,
          [constants.BROTLI_PARAM_QUALITY]: quickly ? QUICK : BEST,
        },
      }),
      promisify(gzip)(plain),
    ]);
    return new Packed(type, plain, br, gz);
  }

  /** A response in the best form that the client takes; without the bytes where it has them, and to HEAD. */
  respond(request: Request, status = 200): Response {
    const headers = new Headers({
      "content-type": this.#type,
      // Asked again each time, answered by its tag: a new version shows at once.
      "cache-control": "no-cache",
      "etag": this.#tag,
      "vary": "accept-encoding, cookie",
    });
    if (status === 200 && request.headers.get("if-none-match") === this.#tag) {
      return new Response(null, { status: 304, headers });
    }
    const accepted = (request.headers.get("accept-encoding") ?? "").split(/\s*,\s*/)
      .map((coding) => coding.split(";")[0]);
    const coding = accepted.includes("br") ? "br" : accepted.includes("gzip") ? "gzip" : undefined;
    if (coding !== undefined) headers.set("content-encoding", coding);
    const body = coding === "br" ? this.#br : coding === "gzip" ? this.#gzip : this.#plain;
    headers.set("content-length", String(body.length));
    return new Response(request.method === "HEAD" ? null : body, { status, headers });
  }
}
