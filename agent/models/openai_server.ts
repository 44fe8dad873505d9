/**
 * The conversation with a server of chat completions: addresses, the key, refusals in words.
 *
 * Owns what goes over the network and what a status means; what is asked is the matter of `openai.ts`. What must hold: the key goes to
 * the server that was named and to no other, redirects included, and is in no message; no connection is tried that the process
 * was not permitted to open; of an answer no more is read than can be of use.
 */
import { Patience, retryAfter } from "../../kernel/mod.ts";
import { LanguageModelError } from "./language_model.ts";

/** Whether a server is there at all is known sooner. */
const PROBE_MS = 5_000;
/** A server that loads an adapter reads some hundreds of megabytes. */
const POST_MS = 120_000;
/** Of a refusal this much is shown. */
export const SHOWN = 300;
/** Errors longer than this are not read to their end. */
export const MOST_ERROR = 64 * 1024;
/** A longer list of models is none: hosted servers with hundreds send a fraction of it. */
const MOST_LIST = 8 << 20;

/** An attempt that failed in a way that may pass. */
export class Passing extends Error {
  constructor(message: string, readonly retryAfterMs?: number) {
    super(message);
  }
}

/** The base address. @throws {LanguageModelError} when it is none, or holds a password. */
export function addressOf(given: string): URL {
  const url = URL.parse(given.replace(/\/*$/, "/"));
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new LanguageModelError(
      `open the model "openai:${given}": not a web address, expected one such as "http://127.0.0.1:8000/v1"`,
      "unusable",
    );
  }
  if (url.username !== "" || url.password !== "") {
    throw new LanguageModelError(
      `open a model at "${url.host}": the address holds a name or a password; put a key into OPENAI_API_KEY instead`,
      "unusable",
    );
  }
  url.search = "";
  url.hash = "";
  return url;
}

/** A model that a server has. */
export interface Listed {
  readonly id: string;
  readonly window: number | undefined;
}

/** What goes over the network. */
export class Server {
  readonly #base: URL;
  readonly #key: string | undefined;

  constructor(base: URL, key: string | undefined) {
    this.#base = base;
    this.#key = key;
  }

  get name(): string {
    return this.#base.href.replace(/\/$/, "");
  }

  /** One line without the key, even where the server wrote it. */
  error(found: string, kind: LanguageModelError["kind"]): LanguageModelError {
    return new LanguageModelError(`ask the server ${this.name}: ${this.clean(found)}`, kind);
  }

  clean(text: string): string {
    const key = this.#key;
    const safe = key ? text.replaceAll(key, "[key]") : text;
    // Hosted servers show a shortened key.
    return safe.replace(/\b(sk|key|pk)-[\w*.-]{6,}/g, "[key]").replace(/[\p{Cc}\s]+/gu, " ").trim();
  }

  async models(signal: AbortSignal | undefined): Promise<Listed[]> {
    const patience = new Patience(PROBE_MS, signal);
    try {
      const response = await this.#fetch("models", { method: "GET" }, patience);
      if (response.status === 404 || response.status === 405) {
        await response.body?.cancel();
        return [];
      }
      if (!response.ok) throw await this.refusal(response, patience);
      const text = await beginningOf(response, patience, MOST_LIST);
      let data: unknown;
      try {
        data = (JSON.parse(text) as { data?: unknown }).data;
      } catch {
        throw this.error(`it answered ${describeBody(response, text)}, expected JSON`, "unusable");
      }
      if (!Array.isArray(data)) return [];
      return data.flatMap((entry: Record<string, unknown> | null) => {
        if (typeof entry?.id !== "string") return [];
        const meta = entry.meta as { n_ctx?: unknown } | undefined;
        const window = [entry.max_model_len, entry.context_length, meta?.n_ctx].find((value) =>
          typeof value === "number" && Number.isInteger(value) && value > 0
        ) as number | undefined;
        return [{ id: entry.id, window }];
      });
    } catch (error) {
      signal?.throwIfAborted();
      if (patience.isOver) throw this.error(`no answer for ${PROBE_MS / 1000} s`, "unusable");
      if (error instanceof Passing) throw this.error(error.message, "unusable");
      throw error;
    } finally {
      patience.stop();
    }
  }

  /** The answer to a prompt; a status that is no success comes back too. */
  async complete(body: object, patience: Patience): Promise<Response> {
    return await this.#fetch("chat/completions", {
      method: "POST",
      headers: { "content-type": "application/json", accept: "text/event-stream" },
      body: JSON.stringify(body),
    }, patience);
  }

  /**
   * Sends JSON to a path below the base and reads the answer, whatever its status: for what no other method knows.
   * @throws {LanguageModelError} when there is no answer
   * @throws the signal's reason
   */
  async post(
    path: string,
    body: object,
    signal?: AbortSignal,
  ): Promise<{ readonly status: number; readonly text: string }> {
    const patience = new Patience(POST_MS, signal);
    try {
      const response = await this.#fetch(path, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      }, patience);
      return { status: response.status, text: this.clean(await beginningOf(response, patience)) };
    } catch (error) {
      signal?.throwIfAborted();
      if (patience.isOver) throw this.error(`no answer for ${POST_MS / 1000} s`, "failed");
      if (error instanceof Passing) throw this.error(error.message, "failed");
      throw error;
    } finally {
      patience.stop();
    }
  }

  /** What a status that is no success means. */
  async refusal(response: Response, patience: Patience): Promise<LanguageModelError | Passing> {
    const { status, headers } = response;
    const text = await this.#errorText(response, patience);
    const said = text === "" ? `it answered ${status}` : `it answered ${status}: ${text}`;
    if (status === 408 || status === 425 || status === 429 || status >= 500) {
      return new Passing(said, retryAfter(headers.get("retry-after")));
    }
    if (status === 401 || status === 403) {
      return this.error(
        `${said}; ${
          this.#key
            ? "see that the key is right"
            : "put a key into OPENAI_API_KEY, or name its variable as openai:URL?key=VARIABLE#MODEL"
        }`,
        "unusable",
      );
    }
    if (status >= 300 && status < 400) {
      return this.error(`it redirects elsewhere (${status}), expected an answer`, "unusable");
    }
    if (status === 404) {
      return this.error(`${said}; check the address and the model's name`, "unusable");
    }
    const isTooLong = /context|too (long|large)|maximum.*tokens/i.test(text);
    return this.error(said, isTooLong ? "overflow" : "failed");
  }

  async #errorText(response: Response, patience: Patience): Promise<string> {
    // Where it breaks off, the status says enough.
    const text = await beginningOf(response, patience).catch(() => "");
    let said = text;
    try {
      const data = JSON.parse(text) as {
        error?: string | { message?: unknown };
        message?: unknown;
        detail?: unknown;
      };
      const { error } = data;
      const found = typeof error === "object" ? error?.message : error;
      said = String(found ?? data.message ?? data.detail ?? text);
    } catch {
      if (/^\s*</.test(text)) return `a web page`;
    }
    const clean = this.clean(said);
    return clean.length > SHOWN ? `${clean.slice(0, SHOWN)}…` : clean;
  }

  async #fetch(path: string, init: RequestInit, patience: Patience): Promise<Response> {
    const url = new URL(path, this.#base);
    const host = `${url.hostname}:${url.port || (url.protocol === "https:" ? 443 : 80)}`;
    const permission = await Deno.permissions.query({ name: "net", host });
    if (permission.state !== "granted") {
      throw this.error(
        'this process may not connect to it; run it as "deno task with-models …"',
        "unusable",
      );
    }
    const headers = new Headers(init.headers);
    if (this.#key) headers.set("authorization", `Bearer ${this.#key}`);
    try {
      return await patience.wait(
        fetch(url, { ...init, headers, redirect: "manual", signal: patience.signal }),
      );
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      const reason = (error.cause as Error | undefined)?.message ?? error.message;
      const failed = /client error \(Connect\): (.*)$/s.exec(reason)?.[1];
      throw new Passing(
        failed === undefined
          ? "it closed the connection without an answer"
          : `it cannot be reached (${this.clean(failed)})`,
      );
    }
  }
}

/** The bytes of an answer as they come. @throws {Passing} when the connection breaks. */
export async function* bytesOf(response: Response, patience: Patience): AsyncGenerator<Uint8Array> {
  if (response.body === null) return;
  const reader = response.body.getReader();
  try {
    for (;;) {
      const { done, value } = await patience.wait(reader.read());
      if (done) return;
      yield value;
    }
  } catch (error) {
    throw error instanceof TypeError ? new Passing("it closed the connection half way") : error;
  } finally {
    // Whatever is left is not wanted.
    await reader.cancel().catch(() => undefined);
  }
}

/** The text of an answer, up to where it is too long to be one. @throws {Passing} when the connection breaks. */
async function beginningOf(
  response: Response,
  patience: Patience,
  most = MOST_ERROR,
): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of bytesOf(response, patience)) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > most) break;
  }
  return text;
}

/** What an answer is, for a message. */
export function describeBody({ headers }: Response, text: string): string {
  const type = (headers.get("content-type") ?? "").split(";")[0]!.trim();
  if (type === "text/html" || /^\s*</.test(text)) return "a web page";
  return type === "" ? "something without a type" : `something of the type "${type}"`;
}
