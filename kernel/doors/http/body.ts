/**
 * Bodies of requests, bounded.
 *
 * Owns the limits on what a client may send. What must hold: a body that says it is too large is refused before a byte of it is read; one
 * that does not say so is given up at the limit; nobody waits for a body forever.
 */

/** Largest body: a question may have a million characters, of up to four bytes each; a chat sends its whole past each time. */
export const MAX_BODY_BYTES = 8_000_000;

/** Longest time that a body may take: it comes from this machine. */
const BODY_TIMEOUT_MS = 30_000;

/** A body over the limit, or one that does not end. */
export class BodyError extends Error {
  override readonly name = "BodyError";
  constructor(readonly status: 408 | 413, message: string) {
    super(message);
  }
}

/** Why a body is refused unread; undefined when it may be read. */
export function refuseLength(request: Request): BodyError | undefined {
  const length = Number(request.headers.get("content-length") ?? 0);
  if (length <= MAX_BODY_BYTES) return undefined;
  return new BodyError(
    413,
    `body of ${length} bytes: at most ${MAX_BODY_BYTES} are taken`,
  );
}

/** The same request with a body that ends in an error at the limit; for handlers that read it themselves. */
export function limitBody(request: Request): Request {
  if (request.body === null) return request;
  let seen = 0;
  const body = request.body.pipeThrough(
    new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform(chunk, controller) {
        seen += chunk.length;
        if (seen > MAX_BODY_BYTES) controller.error(tooLong());
        else controller.enqueue(chunk);
      },
    }),
  );
  return new Request(request.url, {
    method: request.method,
    headers: request.headers,
    signal: request.signal,
    body,
  });
}

/**
 * The text of a body.
 * @throws {BodyError}
 */
export async function readBody(request: Request): Promise<string> {
  if (request.body === null) return "";
  const reader = request.body.getReader();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    reader.cancel().catch(() => {});
  }, BODY_TIMEOUT_MS);
  const decoder = new TextDecoder();
  let text = "";
  let seen = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (late) {
        throw new BodyError(408, `body not complete after ${BODY_TIMEOUT_MS} ms: given up`);
      }
      if (done) return text + decoder.decode();
      seen += value.length;
      if (seen > MAX_BODY_BYTES) throw tooLong();
      text += decoder.decode(value, { stream: true });
    }
  } finally {
    clearTimeout(timer);
    reader.cancel().catch(() => {});
  }
}

function tooLong(): BodyError {
  return new BodyError(413, `body of more than ${MAX_BODY_BYTES} bytes: at most that is taken`);
}
