/**
 * A server of chat completions on loopback: what is asked of a hosted or a local one, answered over real connections.
 *
 * Owns `/v1/models` and `/v1/chat/completions`, streamed as server-sent events or whole. What it says is decided by a function, or by
 * a model; by default it is a sentence about the question, or the smallest value of the schema that was asked for. What must hold: it
 * keeps to `max_tokens` (a word is a token) unless a test asks for a fault; every request is kept, for tests to look at.
 */
import type { LanguageModel, Message } from "../../agent/models/language_model.ts";

/** A request as it came in. */
export interface ChatRequest {
  readonly path: string;
  readonly authorization: string | null;
  readonly body: {
    readonly model?: string;
    readonly messages?: readonly Message[];
    readonly max_tokens?: number;
    readonly max_completion_tokens?: number;
    readonly stream?: boolean;
    readonly stream_options?: object;
    readonly temperature?: number;
    readonly seed?: number;
    readonly response_format?: {
      readonly type: string;
      readonly json_schema?: { readonly schema: Record<string, unknown> };
    };
  };
}

/** Stands between a request and the right answer, to spoil either. */
export type ChatFault = (
  request: ChatRequest,
  answer: () => Response | Promise<Response>,
) => Response | Promise<Response> | undefined;

/** How the server is. */
export interface ChatServerOptions {
  /** Text of an answer. */
  readonly reply?: (request: ChatRequest) => string;
  /** Writes the answers in place of `reply`. */
  readonly model?: LanguageModel;
  readonly models?: readonly Record<string, unknown>[];
}

/** See the module text. */
export class ChatServer implements AsyncDisposable {
  /** Every request since the start, in order. */
  readonly requests: ChatRequest[] = [];
  /** Called for every request; nothing means the right answer. */
  fault: ChatFault | undefined;
  readonly #options: ChatServerOptions;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #stop = new AbortController();

  constructor(options: ChatServerOptions = {}) {
    this.#options = options;
    this.#server = Deno.serve({
      hostname: "127.0.0.1",
      port: 0,
      onListen: () => {},
      // A connection that was cut on purpose is no error of the server.
      onError: () => new Response(null, { status: 500 }),
    }, (request) => this.#answer(request));
  }

  /** Base address, as `model use` takes it. */
  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/v1`;
  }

  /** Completions that were asked for. */
  get completions(): readonly ChatRequest[] {
    return this.requests.filter(({ path }) => path === "/v1/chat/completions");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#server.shutdown();
  }

  /** An answer that begins with some text, or not at all, and then falls silent until the server is closed. */
  async silence(begin?: string): Promise<Response> {
    const { signal } = this.#stop;
    const closed = new Promise<void>((done) => signal.addEventListener("abort", () => done()));
    if (begin === undefined) {
      await closed;
      return new Response(null, { status: 500 });
    }
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(begin));
        closed.then(() => controller.close()).catch(() => {});
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  }

  async #answer(request: Request): Promise<Response> {
    const seen: ChatRequest = {
      path: new URL(request.url).pathname,
      authorization: request.headers.get("authorization"),
      body: request.method === "POST" ? await request.json() : {},
    };
    this.requests.push(seen);
    const right = () => this.#right(seen);
    return await (this.fault?.(seen, right) ?? right());
  }

  #right(seen: ChatRequest): Response | Promise<Response> {
    if (seen.path === "/v1/models") {
      const data = this.#options.models ?? [{ id: "tiny", max_model_len: 4096 }];
      return Response.json({ object: "list", data });
    }
    if (seen.path !== "/v1/chat/completions") return new Response(null, { status: 404 });
    if (this.#options.model !== undefined) return this.#written(seen, this.#options.model);
    return this.#said(seen);
  }

  #said(seen: ChatRequest): Response {
    const { body } = seen;
    const schema = body.response_format?.json_schema?.schema;
    const question = body.messages?.at(-1)?.content ?? "";
    const text = this.#options.reply?.(seen) ??
      (schema ? JSON.stringify(smallest(schema)) : `You asked: ${question}`);
    const words = text.match(/\s*\S+|\s+$/g) ?? [];
    const most = body.max_tokens ?? body.max_completion_tokens ?? words.length;
    const pieces = words.slice(0, most);
    const usage = {
      prompt_tokens: (body.messages ?? []).reduce(
        (sum, { content }) => sum + Math.ceil(content.length / 4) + 4,
        0,
      ),
      completion_tokens: pieces.length,
    };
    const finish_reason = words.length > most ? "length" : "stop";
    if (body.stream !== true) {
      return Response.json({
        choices: [{ message: { role: "assistant", content: pieces.join("") }, finish_reason }],
        usage,
      });
    }
    return events(pieces, finish_reason, body.stream_options ? usage : undefined);
  }

  async #written(seen: ChatRequest, model: LanguageModel): Promise<Response> {
    const { body } = seen;
    const schema = body.response_format?.json_schema?.schema;
    const pieces: string[] = [];
    const result = await model.generate({
      messages: body.messages!,
      maxTokens: body.max_tokens!,
      signal: this.#stop.signal,
      onText: (piece) => pieces.push(piece),
      ...(schema && { schema }),
      ...(body.temperature !== undefined && { temperature: body.temperature }),
      ...(body.seed !== undefined && { seed: body.seed }),
    });
    return events(pieces, result.stopped === "length" ? "length" : "stop", {
      prompt_tokens: result.tokensIn,
      completion_tokens: result.tokensOut,
    });
  }
}

/** A stream of completion events, cut where the network might. */
export function events(
  pieces: readonly string[],
  finish_reason: string | undefined,
  usage?: object,
): Response {
  const event = (data: object) => `data: ${JSON.stringify(data)}\n\n`;
  const text = [
    event({ choices: [{ delta: { role: "assistant", content: "" }, finish_reason: null }] }),
    ...pieces.map((content) => event({ choices: [{ delta: { content }, finish_reason: null }] })),
    ...(finish_reason ? [event({ choices: [{ delta: {}, finish_reason }] })] : []),
    ...(usage ? [event({ choices: [], usage })] : []),
    ...(finish_reason ? ["data: [DONE]\n\n"] : []),
  ].join(": a comment\r\n\r\n");
  const bytes = new TextEncoder().encode(text);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += 37) parts.push(bytes.subarray(at, at + 37));
  return new Response(ReadableStream.from(parts), {
    headers: { "content-type": "text/event-stream; charset=utf-8" },
  });
}

/** The smallest value that satisfies a schema of the kinds that models are given. */
export function smallest(schema: Record<string, unknown>): unknown {
  const choices = (schema.anyOf ?? schema.oneOf) as Record<string, unknown>[] | undefined;
  if (choices) return smallest(choices[0]!);
  if ("const" in schema) return schema.const;
  if (Array.isArray(schema.enum)) return schema.enum[0];
  switch (schema.type) {
    case "object":
      return Object.fromEntries(
        (schema.required as string[] ?? []).map((key) => [
          key,
          smallest((schema.properties as Record<string, Record<string, unknown>>)[key]!),
        ]),
      );
    case "array":
      return Array.from(
        { length: Number(schema.minItems ?? 0) },
        () => smallest(schema.items as Record<string, unknown>),
      );
    case "string":
      return "a".repeat(Number(schema.minLength ?? 0));
    case "integer":
      return Number(schema.minimum ?? 0);
    default:
      return false;
  }
}
