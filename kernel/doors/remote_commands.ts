/**
 * The commands that can be sent to a running kernel: those of the table that are not a command line's own, and those about the image.
 *
 * Owns the explicit list that names from outside are looked up in, and how a request becomes the input of a command. What must hold:
 * - a name that is not in the list runs nothing, whatever objects have by that name (`constructor`, `__proto__`);
 * - input is validated by the schema of the table, as at every door; what only a command line can mean is refused;
 * - a kernel serves one workspace: a request that names another one is refused.
 */
import type { z } from "zod";
import {
  type CommandName,
  commands,
  type ExitCode,
  type HandlerContext,
  type Handlers,
} from "../commands.ts";
import type { ErrorCode, Request } from "./contract.ts";
import { oneLine } from "./one_line.ts";
import { each } from "./results.ts";

/** The image, as far as messages reach it. `main.ts` hands it in. */
export interface ImagePort {
  /** An object with all its slots, as plain data. */
  fullState(oid: string): Promise<unknown>;
  /** Sets one slot in a transaction of its own. */
  updateProperty(oid: string, name: string, value: unknown): Promise<unknown>;
  /** Sends a message to an object; what is not understood goes the way of the image. */
  sendMessage(
    oid: string,
    selector: string,
    args: readonly unknown[],
    kwargs: Readonly<Record<string, unknown>>,
    context: HandlerContext,
  ): Promise<unknown>;
  /** Writes a method into an object; undefined where nothing may vet it. */
  createMethod?(oid: string, name: string, code: string): Promise<unknown>;
}

/** A refusal with the code that goes over the wire. */
export class RequestError extends Error {
  override readonly name = "RequestError";
  constructor(readonly code: ErrorCode, message: string) {
    super(message);
  }
}

/** What running a command needs. */
export interface RemoteOptions {
  readonly handlers: Handlers;
  /** Root of the workspace that is served. */
  readonly root: string;
  readonly image?: ImagePort;
}

/** Runs a request: yields its results, and the exit code of the command with the last of them. */
export type RemoteCommand = (
  request: Request,
  context: HandlerContext,
) => AsyncGenerator<unknown, ExitCode>;

/** The list. */
export function remoteCommands(options: RemoteOptions): ReadonlyMap<string, RemoteCommand> {
  const list = new Map<string, RemoteCommand>();
  for (const name of Object.keys(commands) as CommandName[]) {
    if (commands[name].local !== true) {
      list.set(
        name,
        (request, context) => runCommand(name, inputOf(name, request), options, context),
      );
    }
  }
  list.set("initiate_cognitive_cycle", (request, context) => runCycle(request, options, context));
  list.set("get_full_state", single((request) => imageOf(options).fullState(targetOf(request))));
  list.set(
    "update_property",
    single((request) => {
      const { property_name } = request;
      if (property_name === undefined) throw missing("property_name");
      if (!("property_value" in request)) throw missing("property_value");
      return imageOf(options).updateProperty(
        targetOf(request),
        property_name,
        request.property_value,
      );
    }),
  );
  list.set(
    "create_method",
    single((request) => {
      const { method_name, method_code } = request;
      if (method_name === undefined) throw missing("method_name");
      if (method_code === undefined) throw missing("method_code");
      const create = options.image?.createMethod;
      if (create === undefined) {
        throw new RequestError(
          "refused",
          `create method "${method_name}": there is no guardian here to vet code, so no code is taken in`,
        );
      }
      return create.call(options.image, targetOf(request), method_name, method_code);
    }),
  );
  return list;
}

/** A command with one result, done when there is one. */
function single(
  run: (request: Request, context: HandlerContext) => Promise<unknown>,
): RemoteCommand {
  return async function* (request, context) {
    yield await run(request, context);
    return 0;
  };
}

function imageOf({ image }: RemoteOptions): ImagePort {
  if (image === undefined) throw new RequestError("refused", "this kernel has no image open");
  return image;
}

function targetOf({ target_oid = "0" }: Request): string {
  if (!/^\d{1,16}$/.test(target_oid)) {
    throw new RequestError(
      "bad_input",
      `target_oid "${target_oid}": expected digits, "0" is the root`,
    );
  }
  return target_oid;
}

function missing(field: string): RequestError {
  return new RequestError("bad_input", `${field}: it is missing`);
}

/** A mission: a question is asked, a message that nobody understood is sent to its target. */
async function* runCycle(
  request: Request,
  options: RemoteOptions,
  context: HandlerContext,
): AsyncGenerator<unknown, ExitCode> {
  const brief = request.mission_brief;
  if (brief === undefined) throw missing("mission_brief");
  const { type, selector, args, kwargs } = brief;
  if (type === "question") {
    const [question = kwargs.question] = args;
    return yield* runCommand("ask", { ...kwargs, question }, options, context);
  }
  if (type === "unhandled_message") {
    if (selector === "") throw missing("mission_brief.selector");
    yield await imageOf(options).sendMessage(targetOf(request), selector, args, kwargs, context);
    return 0;
  }
  throw new RequestError(
    "bad_input",
    `mission_brief.type "${type}": expected "question" or "unhandled_message"`,
  );
}

/** The input in a request: positional arguments in the order of the command line, the rest by name. */
function inputOf(name: CommandName, request: Request): Record<string, unknown> {
  const { args = [], kwargs = {} } = request.mission_brief ?? {};
  const positionals: readonly string[] = commands[name].positionals;
  const fields: Record<string, z.ZodType> = commands[name].input.shape;
  const input = { ...kwargs };
  args.forEach((value, index) => {
    const field = positionals[Math.min(index, positionals.length - 1)];
    if (field === undefined) {
      throw new RequestError("bad_input", `${name} takes no arguments in order, give kwargs`);
    }
    if (Object.hasOwn(input, field) && index < positionals.length) {
      throw new RequestError("bad_input", `${field}: given twice, in args and in kwargs`);
    }
    // The last positional may take many: `impact a.ts b.ts`.
    if (isList(fields[field]!)) input[field] = [...(input[field] as unknown[] ?? []), value];
    else if (index >= positionals.length) {
      throw new RequestError("bad_input", `${name} takes ${positionals.length} arguments in order`);
    } else input[field] = value;
  });
  return input;
}

/** Whether a field takes a list. */
function isList(field: z.ZodType): boolean {
  return field.safeParse(["a"]).success && !field.safeParse("a").success;
}

async function* runCommand<N extends CommandName>(
  name: N,
  given: Record<string, unknown>,
  { handlers, root }: RemoteOptions,
  context: HandlerContext,
): AsyncGenerator<unknown, ExitCode> {
  const { input, exit } = commands[name];
  const fields: Record<string, z.ZodType> = input.shape;
  if (given.repo !== undefined && given.repo !== root) {
    throw new RequestError("bad_input", `repo: this kernel serves "${root}" alone`);
  }
  for (const [field, value] of Object.entries(given)) {
    if (field === "repo") continue;
    if (!Object.hasOwn(fields, field)) {
      throw new RequestError(
        "bad_input",
        `${name}: no field "${field.slice(0, 40)}"; there are ${Object.keys(fields).join(", ")}`,
      );
    }
    if (value !== undefined && fields[field]!.meta()?.local === true) {
      throw new RequestError("bad_input", `${field}: only a command line can do that`);
    }
  }
  const parsed = input.safeParse({ ...given, repo: root });
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!;
    throw new RequestError(
      "bad_input",
      path.length === 0 ? message : `${path.join(".")}: ${message}`,
    );
  }
  const results: unknown[] = [];
  const handler = handlers[name] as (
    input: unknown,
    context: HandlerContext,
  ) => Promise<unknown> | AsyncIterable<unknown>;
  for await (const result of each(handler(parsed.data, context))) {
    results.push(result);
    yield result;
  }
  return (exit as (results: readonly unknown[]) => ExitCode)(results);
}

/** What went wrong, as it goes over the wire: one line. */
export function describeError(
  error: unknown,
  cancelled: boolean,
): { code: ErrorCode; message: string } {
  if (cancelled) return { code: "cancelled", message: "cancelled" };
  return { code: error instanceof RequestError ? error.code : "failed", message: oneLine(error) };
}
