/**
 * The conversation with a hub: questions over redirects, patience with a slow or busy server, and what an answer means.
 *
 * Owns what goes over the network. What must hold:
 * - the token goes to the origin of the hub and to no other, and is in no message;
 * - digests are believed of the hub alone;
 * - no connection is tried that the process was not permitted to open, none to what is no web address;
 * - nothing waits for ever: silence ends an attempt, and attempts that do not get on are counted.
 */
import { ModelError } from "./model_reference.ts";
import { Patience, retryAfter, sleep } from "./patience.ts";

/** Where files come from, and with how much patience. */
export interface HubOptions {
  /** Base address of the hub, which gets the token and whose digests are believed. */
  readonly hub: URL;
  readonly token?: string;
  /** What to do where the process may not connect or write; put behind a semicolon in the error. */
  readonly howToPermit?: string;
  /** Without a byte for this long, the download ends. 30 s by default. */
  readonly stallMs?: number;
  /** How often a broken connection or a busy server is tried again without getting on. 5 by default. */
  readonly retries?: number;
  /** Wait before the first repetition; each further one waits twice as long. 1 s by default. */
  readonly retryMs?: number;
}

/** What is asked for. */
export interface FileRequest {
  readonly url: URL;
  /** What messages call the model, and the file of it. */
  readonly model: string;
  readonly file: string;
  readonly signal?: AbortSignal;
}

/** What a server says about a file before its first byte. */
export interface RemoteFile {
  readonly size?: number;
  /** Lower-case hexadecimal; of the hub only, whose tags of 64 digits are digests. */
  readonly sha256?: string;
  /** Of the repository at the hub. */
  readonly commit?: string;
  /** Names a version byte for byte. */
  readonly etag?: string;
}

const STALL_MS = 30_000;
const RETRIES = 5;
const RETRY_MS = 1000;
/** Longest wait of our own; a server that names a longer one gets it up to `MAX_RETRY_AFTER_MS`. */
const MAX_RETRY_MS = 30_000;
/** Beyond this a person would rather be told than wait. */
const MAX_RETRY_AFTER_MS = 120_000;
/** An attempt that brought this much got on: a connection that breaks every minute still brings a large model home. */
const GOT_ON_BYTES = 4 * 1024 * 1024;
/** Hubs need two or three. */
const MAX_REDIRECTS = 10;

/** An attempt that failed in a way that may pass. */
export class Interrupted extends Error {
  /** Bytes that the attempt brought. */
  received = 0;
  constructor(message: string, readonly retryAfterMs?: number) {
    super(message);
  }
}

/** See the module text. */
export class Hub {
  readonly #options: HubOptions;

  constructor(options: HubOptions) {
    this.#options = options;
  }

  /**
   * What is said about a file, without the file; nothing where the server does not answer such questions.
   * @throws {ModelError}
   */
  async look(request: FileRequest): Promise<RemoteFile> {
    return await this.patiently(request, async (patience) => {
      const { response, facts } = await this.open("HEAD", request, patience);
      if (response.status === 405 || response.status === 501) return {};
      if (response.status < 300 || response.status > 399) this.requireFile(response, request);
      return facts;
    });
  }

  /**
   * Repeats what may pass, waits between, and gives up in words.
   *
   * @param attempt throws {Interrupted} for what may pass
   * @param isKept whether what has come is there for the next time
   * @throws {ModelError} when it did not pass
   * @throws the reason of the signal
   */
  async patiently<T>(
    { model, file, signal }: FileRequest,
    attempt: (patience: Patience) => Promise<T>,
    isKept: () => boolean = () => false,
  ): Promise<T> {
    const { stallMs = STALL_MS, retries = RETRIES, retryMs = RETRY_MS } = this.#options;
    const nextTime = () =>
      isKept() ? "what has come is kept, and the next pull goes on from there" : "pull again later";
    for (let failures = 0;;) {
      signal?.throwIfAborted();
      const patience = new Patience(stallMs, signal);
      try {
        return await attempt(patience);
      } catch (error) {
        signal?.throwIfAborted();
        if (patience.isOver) {
          throw new ModelError(
            `pull "${model}": nothing of "${file}" came for ${stallMs / 1000} s; ${nextTime()}`,
            "unreachable",
          );
        }
        if (error instanceof ModelError && error.kind === "unreachable" && isKept()) {
          throw new ModelError(`${error.message}; ${nextTime()}`, error.kind);
        }
        if (!(error instanceof Interrupted)) throw error;
        if (error.received >= GOT_ON_BYTES) failures = 0;
        const wait = error.retryAfterMs ?? Math.min(retryMs * 2 ** failures, MAX_RETRY_MS);
        failures++;
        if (failures > retries || wait > MAX_RETRY_AFTER_MS) {
          const later = wait > MAX_RETRY_AFTER_MS
            ? ` and wants to be left alone for ${Math.round(wait / 1000)} s`
            : failures > 1
            ? ` (tried ${failures} times)`
            : "";
          throw new ModelError(
            `pull "${model}": "${file}": ${error.message}${later}; ${nextTime()}`,
          );
        }
        await sleep(wait, signal);
      } finally {
        patience.stop();
      }
    }
  }

  /**
   * Asks for a file, over redirects; gathers what the hub on the way and the last server say about it. Any status comes back.
   *
   * @param begun what is here of which version: only the rest of that is asked for
   * @throws {ModelError} when nobody may be asked or reached, {Interrupted} when there is no answer
   */
  async open(
    method: "GET" | "HEAD",
    { url, model, file }: FileRequest,
    patience: Patience,
    begun?: { readonly from: number; readonly etag?: string },
  ): Promise<{ response: Response; facts: RemoteFile }> {
    let at = url;
    let facts: RemoteFile = {};
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      const atHub = at.origin === this.#options.hub.origin;
      // Compressed bytes could neither be counted against the size nor be resumed.
      const headers = new Headers({ "accept-encoding": "identity", "user-agent": "batos" });
      if (atHub && this.#options.token) {
        headers.set("authorization", `Bearer ${this.#options.token}`);
      }
      if (begun !== undefined) {
        headers.set("range", `bytes=${begun.from}-`);
        if (begun.etag !== undefined) headers.set("if-range", begun.etag);
      }
      const response = await this.#fetch(
        at,
        { method, headers, redirect: "manual" },
        model,
        patience,
      );
      if (atHub) facts = { ...facts, ...hubFacts(response) };
      const location = response.headers.get("location");
      if (response.status < 300 || response.status > 399 || location === null) {
        const last = lastFacts(response);
        if (
          method === "GET" && response.ok && facts.size !== undefined && last.size !== undefined &&
          facts.size !== last.size
        ) {
          throw new ModelError(
            `pull "${model}": "${file}" has ${facts.size} bytes by the word of the hub, and ${last.size} where ${at.host} serves it; pull again later`,
          );
        }
        return { response, facts: { ...last, ...facts } };
      }
      await response.body?.cancel();
      // The hub has said all; storage behind it may not answer questions without a body.
      if (method === "HEAD" && facts.size !== undefined) return { response, facts };
      const next = URL.parse(location, at);
      if (next === null || !/^https?:$/.test(next.protocol) || isDowngrade(at, next)) {
        throw new ModelError(
          `pull "${model}": "${file}" is redirected from ${shown(at)} to "${
            next === null ? location : next.protocol + "//" + next.host
          }"; refused, an address as safe as the first was expected`,
        );
      }
      at = next;
    }
    throw new ModelError(
      `pull "${model}": "${file}" was redirected ${MAX_REDIRECTS} times, the last time by ${at.host}`,
    );
  }

  async #fetch(
    at: URL,
    init: RequestInit,
    model: string,
    patience: Patience,
  ): Promise<Response> {
    const host = `${at.hostname}:${at.port || (at.protocol === "https:" ? 443 : 80)}`;
    if (Deno.permissions.querySync({ name: "net", host }).state !== "granted") {
      throw new ModelError(
        `pull "${model}": this process may not connect to "${at.host}"; ${
          this.#options.howToPermit ?? `start it with --allow-net=${at.host}`
        }`,
        "denied",
      );
    }
    try {
      return await patience.wait(fetch(at, { ...init, signal: patience.signal }));
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      const reason = (error.cause as Error | undefined)?.message ?? error.message;
      const failedToConnect = /client error \(Connect\): (.*)$/s.exec(reason)?.[1];
      if (failedToConnect === undefined && /client error|connection/.test(reason)) {
        throw new Interrupted(`${at.host} closed the connection without an answer`);
      }
      throw new ModelError(
        `pull "${model}": cannot reach ${at.host} (${
          oneLine(failedToConnect ?? reason.replace(/ for url \(.*?\)/, ""))
        })`,
        "unreachable",
      );
    }
  }

  /**
   * Lets through an answer that holds the whole file.
   * @throws {ModelError} that says what it holds instead, {Interrupted} when that may pass
   */
  requireFile(response: Response, { url, model, file }: FileRequest): void {
    const { status, headers } = response;
    const { hub, token } = this.#options;
    const { host, origin } = new URL(response.url);
    if (status === 200) {
      const encoding = headers.get("content-encoding") ?? "identity";
      if (/^\s*text\/html\b/i.test(headers.get("content-type") ?? "") && !/\.html?$/i.test(file)) {
        throw new ModelError(
          `pull "${model}": ${host} answered with a web page instead of "${file}"; check the address, and whether this network wants a sign-in`,
        );
      }
      if (encoding !== "identity") {
        throw new ModelError(
          `pull "${model}": ${host} sent "${file}" in the encoding "${encoding}", expected the bytes as they are`,
        );
      }
      return;
    }
    if (status === 401 || status === 403) {
      const page = origin === hub.origin
        ? `open ${hub.origin}${url.pathname.replace(/\/resolve\/.*$/, "")} to accept its terms`
        : "look at its page for terms to accept";
      throw new ModelError(
        `pull "${model}": ${host} answered ${status} for "${file}"; the model may be private, missing, or want its terms accepted: ${page}, and ${
          token ? "see that the token in HF_TOKEN may read it" : "put a token of yours in HF_TOKEN"
        }`,
        "denied",
      );
    }
    if (status === 404 || status === 410) {
      const what = {
        RepoNotFound: "no such model",
        RevisionNotFound: "no such revision",
      }[headers.get("x-error-code") ?? ""] ?? `no file "${file}"`;
      throw new ModelError(
        `pull "${model}": ${what} at ${
          shown(url)
        } (${host} answered ${status}); check the spelling`,
        "missing",
      );
    }
    if (status === 408 || status === 425 || status === 429 || status >= 500) {
      throw new Interrupted(
        `${host} answered ${status}${status === 429 ? " (too many requests)" : ""}`,
        retryAfter(headers.get("retry-after")),
      );
    }
    throw new ModelError(
      `pull "${model}": ${host} answered ${status} for "${file}", expected 200`,
    );
  }
}

/**
 * The bytes of an answer as they come.
 * @throws {Interrupted} when the connection breaks
 */
export async function* chunksOf(
  response: Response,
  patience: Patience,
): AsyncGenerator<Uint8Array> {
  if (response.body === null) return;
  const reader = response.body.getReader();
  for (;;) {
    let next;
    try {
      next = await patience.wait(reader.read());
    } catch (error) {
      throw error instanceof TypeError ? new Interrupted("the connection broke half way") : error;
    }
    if (next.done) return;
    yield next.value;
  }
}

function hubFacts(response: Response): RemoteFile {
  const { headers } = response;
  const facts: { -readonly [K in keyof RemoteFile]: RemoteFile[K] } = {};
  const commit = headers.get("x-repo-commit");
  if (commit !== null && /^[0-9a-f]{40,64}$/.test(commit)) facts.commit = commit;
  const tag = headers.get("x-linked-etag") ?? headers.get("etag") ?? "";
  const digest = /^(?:W\/)?"?([0-9a-f]{64})"?$/i.exec(tag)?.[1];
  if (digest !== undefined) facts.sha256 = digest.toLowerCase();
  const size = wholeNumber(headers.get("x-linked-size"));
  if (size !== undefined) facts.size = size;
  return facts;
}

/** What the server that has the bytes says. A weak tag does not name bytes. */
function lastFacts(response: Response): RemoteFile {
  const { headers, status } = response;
  const size = status === 206
    ? contentRange(response)?.total
    : wholeNumber(headers.get("content-length"));
  const etag = headers.get("etag") ?? undefined;
  return { size, etag: etag?.startsWith('"') ? etag : undefined };
}

/** Which bytes an answer holds; nothing where it does not say. */
export function contentRange(response: Response): { from: number; total: number } | undefined {
  const match = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers.get("content-range") ?? "");
  return match === null ? undefined : { from: Number(match[1]), total: Number(match[2]) };
}

function wholeNumber(text: string | null): number | undefined {
  return text !== null && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** An address without its query, which may hold a key. */
function shown(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

function isDowngrade(from: URL, to: URL): boolean {
  return from.protocol === "https:" && to.protocol !== "https:";
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}
