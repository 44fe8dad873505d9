/**
 * The handlers of the command table as a running kernel has them: every call goes to it.
 *
 * Owns the way of one call. What must hold: results come as they are sent, a cancelled call is cancelled at the kernel, and what only a command line
 * can do is refused by name.
 */
import {
  CommandError,
  type CommandName,
  commands,
  type HandlerContext,
  type Handlers,
  type Progress,
  wordsOf,
} from "../../commands.ts";
import type { Message } from "../contract.ts";
import { briefOf, type KernelClient } from "../kernel_client.ts";

/**
 * Handlers over a client; all but notes of their progress goes to `onProgress`.
 * @param conversation that questions go on with which name none, and that is forgotten where none is named
 */
export function remoteHandlers(
  client: KernelClient,
  conversation: string,
  onProgress: (progress: Progress, context: HandlerContext) => void,
): Handlers {
  const handlers: Record<string, unknown> = {};
  for (const name of Object.keys(commands) as CommandName[]) {
    const spoken = wordsOf(name).join(" ");
    handlers[name] = commands[name].local === true
      ? () =>
        Promise.reject(
          new CommandError(`it has no meaning here; leave the console and run "batos ${spoken}"`),
        )
      : (input: Record<string, unknown>, context: HandlerContext) =>
        call(
          client,
          name,
          ofThis(conversation, name, input),
          context,
          onProgress,
        );
  }
  return handlers as unknown as Handlers;
}

/** The input, with the conversation where it names none and means one. */
function ofThis(conversation: string, name: CommandName, input: Record<string, unknown>) {
  if (name === "ask") return { conversation, ...input };
  return name === "conversation_forget" && input.all !== true
    ? { name: conversation, ...input }
    : input;
}

async function* call(
  client: KernelClient,
  name: CommandName,
  input: Record<string, unknown>,
  context: HandlerContext,
  onProgress: (progress: Progress, context: HandlerContext) => void,
): AsyncGenerator<unknown> {
  const arrived: unknown[] = [];
  let wake = () => {};
  let ended = false;
  const onEvent = (message: Message) => {
    if (message.event === "result") arrived.push(message.result);
    else if (message.note === true) context.progress(message as unknown as Progress);
    else onProgress(message as unknown as Progress, context);
    wake();
  };
  const reply = client.call(name, briefOf(name, [], input), { onEvent, signal: context.signal })
    .finally(() => {
      ended = true;
      wake();
    });
  reply.catch(() => {}); // It is awaited below.
  while (!ended || arrived.length > 0) {
    if (arrived.length > 0) yield arrived.shift();
    else await new Promise<void>((done) => wake = done);
  }
  const { result } = await reply;
  if (result !== undefined) yield result;
}
