/**
 * The codebase as a chat model: the part of OpenAI's HTTP API that chat front ends speak, as a function from requests to responses.
 *
 * Owns the wire form of `/v1/models` and `/v1/chat/completions` (https://platform.openai.com/docs/api-reference/chat), plain and
 * streamed. Who may connect is decided by the server that mounts it. What must hold: a conversation becomes one `ask` of the command
 * table and nothing else; a client that goes away ends the work; every error is in the form that clients of that API read.
 */
import { z } from "zod";
import {
  commands,
  type HandlerContext,
  type Handlers,
  type Progress,
  type Result,
} from "../../commands.ts";
import type { Look } from "../look.ts";
import { charactersOf } from "../fit.ts";
import { oneLine } from "../one_line.ts";
import { render } from "../render.ts";
import { allOf } from "../results.ts";
import { colours, progressText } from "../terminal.ts";
import { BodyError, readBody } from "./body.ts";
import { SaidText } from "./said_text.ts";

/** What the handler works with. */
export interface OpenAiParts {
  readonly handlers: Pick<Handlers, "ask">;
  /** Root of the workspace that is asked. */
  readonly repo: string;
  /** Aborts whatever runs. */
  readonly signal?: AbortSignal;
}

/** The one model there is. */
export const MODEL = "batos";

/** Silence after which a comment keeps a stream open, in milliseconds: proxies close silent ones after half a minute. */
const KEEP_ALIVE_MS = 15_000;

/** A question with fewer words that say something leans on what was asked before. */
const FEWEST_WORDS = 3;

/** Their turns come with each request; that the image keeps one is not to disturb others. */
const CONVERSATION = "chat completions";

const PLAIN: Look = { colours: colours(false, () => undefined), columns: undefined, full: false };

const part = z.object({ type: z.string(), text: z.string().optional() });
const message = z.object({
  role: z.enum(["system", "developer", "user", "assistant", "tool", "function"]),
  content: z.union([z.string(), z.array(part), z.null()]).optional(),
});
const completionRequest = z.object({
  model: z.string(),
  messages: z.array(message).min(1),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  n: z.int().nullish(),
  max_tokens: z.int().min(1).nullish(),
  max_completion_tokens: z.int().min(1).nullish(),
});

type Message = z.output<typeof message>;
type CompletionRequest = z.output<typeof completionRequest>;

/** What is wrong with a request, in the words and with the status of the API. */
class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  readonly code: string | null;
  readonly param: string | null;

  constructor(
    status: number,
    message: string,
    code: string | null = null,
    param: string | null = null,
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.param = param;
  }
}

/** Makes the handler of all paths below `/v1/`. It never rejects. */
export function openAiHandler(parts: OpenAiParts): (request: Request) => Promise<Response> {
  const began = Math.floor(Date.now() / 1000);
  const model = { id: MODEL, object: "model", created: began, owned_by: "batos" };
  return async (request) => {
    try {
      const path = new URL(request.url).pathname.replace(/\/+$/, "");
      if (path === "/v1/models") {
        requireMethod(request, "GET");
        return Response.json({ object: "list", data: [model] });
      }
      if (path.startsWith("/v1/models/")) {
        requireMethod(request, "GET");
        requireModel(nameIn(path.slice("/v1/models/".length)));
        return Response.json(model);
      }
      if (path === "/v1/chat/completions") {
        requireMethod(request, "POST");
        return await complete(await readRequest(request), request.signal, parts);
      }
      throw new ApiError(
        404,
        `${request.method} "${path}": no such path; there are /v1/models and /v1/chat/completions`,
      );
    } catch (error) {
      const status = error instanceof ApiError ? error.status : 500;
      return Response.json(errorBody(error), { status });
    }
  };
}

function requireMethod(request: Request, method: string): void {
  if (request.method === method) return;
  throw new ApiError(405, `${request.method}: not for this path; use ${method}`);
}

/** The name that a path has; as it stands there where a percent sign begins no character. */
function nameIn(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function requireModel(name: string): void {
  if (name === MODEL) return;
  throw new ApiError(
    404,
    `model "${name}": there is none of that name; use "${MODEL}"`,
    "model_not_found",
    "model",
  );
}

/** Reads and checks the body of a completion request. */
async function readRequest(request: Request): Promise<CompletionRequest> {
  let given: unknown;
  try {
    given = JSON.parse(await readBody(request));
  } catch (error) {
    if (error instanceof BodyError) {
      throw new ApiError(error.status, `${error.message}; send a shorter conversation`);
    }
    throw new ApiError(400, `body: it is no JSON: ${oneLine((error as Error).message)}`);
  }
  const parsed = completionRequest.safeParse(given);
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!;
    const param = path.join(".");
    throw new ApiError(400, `"${param}": ${message}`, null, param === "" ? null : param);
  }
  requireModel(parsed.data.model);
  if ((parsed.data.n ?? 1) !== 1) {
    throw new ApiError(400, `"n": one answer is all there is; use 1`, null, "n");
  }
  return parsed.data;
}

/** Answers a conversation. */
async function complete(
  request: CompletionRequest,
  gone: AbortSignal,
  { handlers, repo, signal: ended }: OpenAiParts,
): Promise<Response> {
  const question = questionOf(request.messages);
  const input = commands.ask.input.safeParse({ question, repo });
  if (!input.success) {
    throw new ApiError(400, `"messages": ${input.error.issues[0]!.message}`, null, "messages");
  }
  const signals = ended === undefined ? [gone] : [gone, ended];
  const answer = async (context: HandlerContext) => {
    const [result] = await allOf<Result<"ask">>(
      handlers.ask(input.data, { ...context, conversation: CONVERSATION }),
    );
    return answerOf(result!);
  };
  const head = {
    id: `chatcmpl-${crypto.randomUUID().replaceAll("-", "")}`,
    created: Math.floor(Date.now() / 1000),
    model: MODEL,
  };
  if (request.stream) return streamed(request, head, signals, answer);
  const reasoning: string[] = [];
  const { text, usage } = await answer({
    signal: AbortSignal.any(signals),
    progress: stepsOf((line) => reasoning.push(line)),
  });
  let content = "";
  const isWhole = new SaidText((piece) => content += piece, limitOf(request)).end(text);
  const said = {
    role: "assistant",
    content,
    refusal: null,
    reasoning_content: reasoning.join(""),
  };
  return Response.json({
    ...head,
    object: "chat.completion",
    choices: [{ index: 0, message: said, logprobs: null, finish_reason: reasonOf(isWhole) }],
    usage,
  });
}

/** Most characters that a client allows, where it says so. */
function limitOf({ max_tokens, max_completion_tokens }: CompletionRequest): number | undefined {
  const tokens = max_completion_tokens ?? max_tokens ?? undefined;
  return tokens === undefined ? undefined : charactersOf(tokens);
}

/** Why a text ends where it does. */
function reasonOf(isWhole: boolean): "stop" | "length" {
  return isWhole ? "stop" : "length";
}

interface AnswerText {
  readonly text: string;
  readonly usage: { prompt_tokens: number; completion_tokens: number; total_tokens: number };
}

/** The text that a person reads, citations included. */
function answerOf(result: Result<"ask">): AnswerText {
  const read = result.context.included.reduce((sum, { tokens }) => sum + tokens, 0);
  const total = Math.max(result.tokens, read);
  return {
    text: render("ask", result, PLAIN).trimEnd(),
    usage: { prompt_tokens: read, completion_tokens: total - read, total_tokens: total },
  };
}

/** The same answer as server-sent events: what is done as reasoning, the text as it is written. */
function streamed(
  request: CompletionRequest,
  head: { id: string; created: number; model: string },
  signals: readonly AbortSignal[],
  answer: (context: HandlerContext) => Promise<AnswerText>,
): Response {
  const encoder = new TextEncoder();
  const left = new AbortController();
  const signal = AbortSignal.any([...signals, left.signal]);
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      const write = (text: string) => {
        if (!signal.aborted) controller.enqueue(encoder.encode(text));
      };
      const send = (value: unknown) => write(`data: ${JSON.stringify(value)}\n\n`);
      const chunk = (delta: Record<string, unknown>, finish: string | null = null) =>
        send({
          ...head,
          object: "chat.completion.chunk",
          choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
        });
      const beat = setInterval(() => write(": working\n\n"), KEEP_ALIVE_MS);
      try {
        chunk({ role: "assistant", content: "" });
        const said = new SaidText((piece) => chunk({ content: piece }), limitOf(request));
        const steps = stepsOf((line) => chunk({ reasoning_content: line }));
        const progress = (each: Progress) => {
          steps(each);
          // A part is no beginning of the answer, and nothing can be taken back here: the steps towards it are shown, as reasoning.
          if (each.text !== undefined && !each.part) said.write(each.text, each.restart);
        };
        const { text, usage } = await answer({ signal, progress });
        chunk({}, reasonOf(said.end(text)));
        if (request.stream_options?.include_usage) {
          send({ ...head, object: "chat.completion.chunk", choices: [], usage });
        }
        write("data: [DONE]\n\n");
      } catch (error) {
        send(errorBody(error));
      } finally {
        clearInterval(beat);
        if (!left.signal.aborted) controller.close();
      }
    },
    cancel(reason) {
      left.abort(reason);
    },
  });
  const headers = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
  };
  return new Response(body, { headers });
}

/** Progress as lines of reasoning: every step and note, and of what counts only that it began. */
function stepsOf(write: (line: string) => void): (progress: Progress) => void {
  let phase = "";
  return (progress) => {
    if (progress.text !== undefined) return;
    const isStep = progress.note || progress.total === undefined && progress.detail !== undefined;
    if (!isStep && progress.phase === phase) return;
    phase = progress.phase;
    write(`${isStep ? progressText(progress) : progress.phase}\n`);
  };
}

/** Words that point at something said before, or that say nothing by themselves. */
const LEANING = new Set(
  ("it its itself that this these those they them their there then same such one ones he she him her former latter above " +
    "also and but or so more else again what which who where when why how about is are was were does do did the a an of in on " +
    "for to with from by can could would should please tell me show explain").split(" "),
);
const POINTING =
  /\b(it|its|that|this|these|those|they|them|their|there|same|above|former|latter)\b|^(and|but|so|also|what about|how about)\b/i;

/** A place as answers cite it. */
const CITED = /([\w@.+-]+(?:\/[\w@.+-]+)*\.\w+):\d+-\d+/;

/**
 * The question that a conversation ends with. A follow-up that leans on what was said before ("and where is it tested?") is read
 * together with the last question that did not, and the file that the last answer cited first; one that stands on its own is not,
 * so that a change of subject is one.
 * @throws {ApiError} when there is nothing to answer
 */
export function questionOf(messages: readonly Message[]): string {
  const asked = messages.filter(({ role }) => role === "user").map((each) => textOf(each).trim());
  const last = asked.pop() ?? "";
  if (last === "") {
    throw new ApiError(
      400,
      `"messages": the last message of the user is empty; ask something`,
      null,
      "messages",
    );
  }
  if (!leans(last)) return last;
  const subject = asked.findLast((text) => text !== "" && !leans(text));
  const answer = messages.findLast(({ role }) => role === "assistant");
  const [, path] = (answer && CITED.exec(textOf(answer))) ?? [];
  const about = [path, subject].filter((each) => each !== undefined).join(": ");
  return about === "" ? last : `${last} (${about})`;
}

/** Whether a question cannot be understood without what came before it. */
function leans(question: string): boolean {
  const words = (question.match(/[\p{L}\p{N}_$.]+/gu) ?? []).filter((word) =>
    !LEANING.has(word.toLowerCase())
  );
  return POINTING.test(question) || words.length < FEWEST_WORDS;
}

function textOf({ content }: Message): string {
  if (content === null || content === undefined) return "";
  if (typeof content === "string") return content;
  const other = content.find(({ type }) => type !== "text" && type !== "input_text");
  if (other !== undefined) {
    throw new ApiError(
      400,
      `"messages": content of type "${other.type}"; only text can be read`,
      null,
      "messages",
    );
  }
  return content.map(({ text = "" }) => text).join("\n");
}

function errorBody(error: unknown) {
  const isTheirs = error instanceof ApiError;
  return {
    error: {
      message: oneLine(error),
      type: isTheirs ? "invalid_request_error" : "server_error",
      param: isTheirs ? error.param : null,
      code: isTheirs ? error.code : null,
    },
  };
}
