/**
 * The JSON API of the HTTP door, generated from the command table.
 *
 * `GET /api` describes every command that is served; `POST /api/<command>` runs one with the input in its body. What comes back is, by
 * the `Accept` header, one JSON value when the run has ended (`application/json`), or a stream while it runs: a JSON value a line
 * (`application/x-ndjson`) or server-sent events (`text/event-stream`). A stream has these messages, in this order:
 *
 *     {"run": {"id"}}               once, first
 *     {"progress": {…}}             any number; those that nobody had time to read are left out, but for notes, steps and `text`
 *     {"result": …}                 any number, each as the result schema of the command says
 *     {"exit": 0 | 1} or {"error": {"message"}}   once, last
 *
 * `text` of progress is a piece of the answer while it is written, its citations checked; with `restart` what came before is void; with `part`
 * it belongs to one of several parts, in whose place the answer comes.
 *
 * Owns this form and nothing of what commands do. What must hold: input is validated once, here, by the table; a field that names files of
 * the caller's own process is not taken; whoever goes away, or does not read, ends the run.
 */
import {
  CommandError,
  type CommandName,
  commands,
  inputSchema,
  type Progress,
  resultSchema,
} from "../../commands.ts";
import { oneLine } from "../one_line.ts";
import type { Runs } from "../runs.ts";
import { refusal } from "./access.ts";
import { readBody } from "./body.ts";
import { Packed } from "./packed.ts";
import type { Execute } from "./server.ts";

/** Runs of this door at a time: each may hold an index in memory. */
const MAX_RUNS = 16;

/** How long a stream waits for a client that does not read before it ends the run. */
const STALLED_MS = 30_000;

/** Messages that a stream holds for a client before it waits for it. */
const STREAM_QUEUE = 64;

/** What a client may ask for. */
type Form = "json" | "ndjson" | "sse";

/** One message of a stream. */
type Message =
  | { readonly run: { readonly id: string } }
  | { readonly progress: Progress }
  | { readonly result: unknown }
  | { readonly exit: number }
  | { readonly error: { readonly message: string } };

/** What the API needs. */
export interface ApiOptions {
  readonly version: string;
  readonly workspace: { readonly name: string; readonly root: string };
  readonly execute: Execute;
  readonly runs: Runs;
}

/** The commands that doors other than the command line serve. */
export function servedCommands(): CommandName[] {
  return (Object.keys(commands) as CommandName[]).filter((name) => !commands[name].local);
}

/** See the module text. */
export class Api {
  readonly #options: ApiOptions;
  #running = 0;
  #description: Promise<Packed> | undefined;

  constructor(options: ApiOptions) {
    this.#options = options;
  }

  /** What there is: version, workspace, commands with their schemas. */
  async describe(request: Request): Promise<Response> {
    this.#description ??= Packed.of(
      "application/json",
      new TextEncoder().encode(JSON.stringify({
        version: this.#options.version,
        workspace: this.#options.workspace,
        commands: Object.fromEntries(
          servedCommands().map((name) => [name, {
            summary: commands[name].summary,
            doc: commands[name].doc,
            input: servedSchema(name),
            result: resultSchema(name),
          }]),
        ),
      })),
      true,
    );
    return (await this.#description).respond(request);
  }

  /** Runs one command. */
  async run(name: string, request: Request): Promise<Response> {
    if (!(servedCommands() as string[]).includes(name)) {
      return refusal(404, `"${name}": no such command; GET /api lists those there are`);
    }
    const command = name as CommandName;
    const type = request.headers.get("content-type") ?? "";
    // A form of another origin cannot send this type without asking first.
    if (!/^application\/json\s*(;|$)/i.test(type)) {
      return refusal(415, `content-type "${type}": expected application/json`);
    }
    const parsed = parseInput(command, await readBody(request));
    if ("problem" in parsed) return refusal(400, parsed.problem);
    if (this.#running >= MAX_RUNS) {
      return refusal(429, `busy: ${MAX_RUNS} commands are running; wait for one or cancel it`, {
        "retry-after": "1",
      });
    }
    const form = formOf(request);
    return form === "json"
      ? await this.#whole(command, parsed.input, request.signal)
      : this.#stream(command, parsed.input, form);
  }

  /** One value when all is done. */
  async #whole(
    name: CommandName,
    input: Record<string, unknown>,
    signal: AbortSignal,
  ): Promise<Response> {
    const results: unknown[] = [];
    const notes: string[] = [];
    let failure: string | undefined;
    let exit = 2;
    for await (const message of this.#messages(name, input, signal, () => true)) {
      if ("result" in message) results.push(message.result);
      else if ("progress" in message && message.progress.note) {
        notes.push(message.progress.detail ?? "");
      } else if ("error" in message) failure = message.error.message;
      else if ("exit" in message) exit = message.exit;
    }
    if (failure !== undefined) return refusal(422, failure);
    return Response.json({ results, exit, notes }, { headers: { "cache-control": "no-store" } });
  }

  /** The messages as they come. */
  #stream(name: CommandName, input: Record<string, unknown>, form: "ndjson" | "sse"): Response {
    const gone = new AbortController();
    const encoder = new TextEncoder();
    const { readable, writable } = new TransformStream<Message, Uint8Array<ArrayBuffer>>(
      {
        transform(message, controller) {
          const json = JSON.stringify(message);
          const [kind] = Object.keys(message);
          controller.enqueue(
            encoder.encode(form === "ndjson" ? `${json}\n` : `event: ${kind}\ndata: ${json}\n\n`),
          );
        },
      },
      new CountQueuingStrategy({ highWaterMark: STREAM_QUEUE }),
    );
    const writer = writable.getWriter();
    writer.closed.catch((error) => gone.abort(error));
    const pump = async () => {
      const hasRoom = () => (writer.desiredSize ?? 0) > STREAM_QUEUE / 2;
      for await (const message of this.#messages(name, input, gone.signal, hasRoom)) {
        await inTime(writer.ready, STALLED_MS);
        writer.write(message).catch(() => {}); // closed tells
      }
      await inTime(writer.close(), STALLED_MS);
    };
    pump().catch((error) => {
      gone.abort(error);
      writer.abort(error).catch(() => {});
    });
    return new Response(readable, {
      headers: {
        "content-type": form === "ndjson" ? "application/x-ndjson" : "text/event-stream",
        "cache-control": "no-store",
      },
    });
  }

  /** A run as messages. Progress waits in a queue of its own, since it comes by itself. */
  async *#messages(
    name: CommandName,
    input: Record<string, unknown>,
    signal: AbortSignal,
    hasRoom: () => boolean,
  ): AsyncGenerator<Message> {
    const waiting: Message[] = [];
    let wake = () => {};
    let makeRoom = () => {};
    const put = (message: Message) => {
      waiting.push(message);
      wake();
    };
    const abort = new AbortController();
    const results: unknown[] = [];
    this.#running++;
    const run = (async () => {
      try {
        const outcome = this.#options.execute(name, input, {
          door: "http",
          signal: AbortSignal.any([signal, abort.signal]),
          onStart: (id) => put({ run: { id } }),
          progress: (progress) => {
            const { note, step, text } = progress;
            if (note || step !== undefined || text !== undefined || hasRoom()) put({ progress });
          },
        });
        for await (const result of outcome) {
          results.push(result);
          put({ result });
          // Results are made no faster than they are read.
          while (waiting.length > STREAM_QUEUE && !abort.signal.aborted) {
            await new Promise<void>((resolve) => makeRoom = resolve);
          }
        }
        const exit = commands[name].exit as (results: readonly unknown[]) => number;
        put({ exit: exit(results) });
      } catch (error) {
        put({ error: { message: oneLine(error) } });
      } finally {
        this.#running--;
      }
    })();
    let ended = false;
    run.finally(() => {
      ended = true;
      wake();
    });
    try {
      while (!ended || waiting.length > 0) {
        const message = waiting.shift();
        makeRoom();
        if (message !== undefined) yield message;
        else await new Promise<void>((resolve) => wake = resolve);
      }
    } finally {
      abort.abort(new DOMException("nobody reads the results any more", "AbortError"));
      makeRoom();
      await run;
    }
  }
}

/** The schema of what this door takes. */
function servedSchema(name: CommandName): Record<string, unknown> {
  const schema = inputSchema(name) as { properties: Record<string, { local?: boolean }> };
  const properties = Object.entries(schema.properties).filter(([, field]) => !field.local);
  return { ...schema, properties: Object.fromEntries(properties) };
}

/** The input of a command, validated; or what is wrong with it. */
function parseInput(
  name: CommandName,
  body: string,
): { readonly input: Record<string, unknown> } | { readonly problem: string } {
  let given: unknown;
  try {
    given = body.trim() === "" ? {} : JSON.parse(body);
  } catch (error) {
    return { problem: `body: no JSON: ${(error as Error).message}` };
  }
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    return { problem: "body: expected a JSON object with the input of the command" };
  }
  const known = Object.keys((servedSchema(name) as { properties: object }).properties);
  const stranger = Object.keys(given).find((field) => !known.includes(field));
  if (stranger !== undefined) {
    return {
      problem: `"${stranger}": not taken by ${name} here; it takes ${
        known.join(", ") || "nothing"
      }`,
    };
  }
  const parsed = commands[name].input.safeParse(given);
  if (parsed.success) return { input: parsed.data };
  const [issue] = parsed.error.issues;
  const place = issue!.path.join(".");
  return { problem: place === "" ? issue!.message : `${place}: ${issue!.message}` };
}

function formOf(request: Request): Form {
  const accept = request.headers.get("accept") ?? "";
  if (accept.includes("application/x-ndjson")) return "ndjson";
  return accept.includes("text/event-stream") ? "sse" : "json";
}

/** The value, unless it takes too long. */
async function inTime<T>(value: Promise<T>, ms: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new CommandError(`client did not read for ${ms} ms: the run was ended`)),
      ms,
    );
  });
  try {
    return await Promise.race([value, late]);
  } finally {
    clearTimeout(timer);
  }
}
