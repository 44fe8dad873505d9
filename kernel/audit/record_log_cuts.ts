/**
 * Writes that a process died in, told before the first command after it opens the file: SQLite cuts them off without a word.
 *
 * Owns when that is looked for, and who is told. What must hold: each is told once, to whoever runs the command and in the trail; nothing
 * is touched while somebody writes, nor by a command that only looks; what goes wrong with it harms no command.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type CommandName, commands, type HandlerContext, type Handlers } from "../commands.ts";
import { each } from "../doors/results.ts";
import type { LogCut } from "../image/log_tail.ts";
import { WorkspaceLock } from "../workspace_lock.ts";
import { openTrail, type OpenTrailOptions } from "./open_trail.ts";

/** Commands that change nothing; the first two say themselves what they find. */
const LOOKING: readonly CommandName[] = ["doctor", "image_check", "status"];

type Handler = (
  input: { repo?: string; audit?: boolean },
  context: HandlerContext,
) => Promise<unknown> | AsyncIterable<unknown>;

/**
 * The same handlers; those that work in a workspace look first what was left there.
 *
 * @param folderOf as for `recordCommands`
 */
export function recordLogCuts(
  handlers: Handlers,
  folderOf: (repo: string | undefined) => string,
  redactor: OpenTrailOptions["redactor"],
): Handlers {
  /** State folders that this process has looked at: whatever is left behind later, it left itself. */
  const known = new Set<string>();
  const look = async (
    name: CommandName,
    { repo, audit }: Parameters<Handler>[0],
    context: HandlerContext,
  ) => {
    try {
      const folder = folderOf(repo);
      if (known.has(folder)) return;
      known.add(folder);
      const cut = await cutLogOf(folder, name);
      if (cut === undefined) return;
      const { describeTail } = await import("../image/log_tail.ts");
      const { progress } = context;
      progress({ phase: "", detail: describeTail(cut, cut.transaction), note: true });
      if (audit === false) return;
      await using trail = await openTrail(folder, { redactor, text: "", progress });
      trail?.record({
        cycle_id: crypto.randomUUID(),
        psm_state: "IDLE",
        active_persona: "ALFRED",
        event_type: "IMAGE_LOG_CUT",
        event_data: { ...cut },
        status: "FAILURE",
      });
    } catch {
      // No workspace, no right to write, a damaged file, somebody who writes: the command itself says so where it matters.
    }
  };
  const looking = (name: CommandName, handler: Handler): Handler =>
    async function* (input, context) {
      await look(name, input, context);
      yield* each(handler(input, context));
    };
  const names = Object.keys(handlers) as CommandName[];
  return Object.fromEntries(names.map((name) => {
    const works = "repo" in commands[name].input.shape && !LOOKING.includes(name);
    const handler = handlers[name] as unknown as Handler;
    return [name, works ? looking(name, handler) : handler];
  })) as unknown as Handlers;
}

/** Cuts off what was left at the end of the log of a workspace, if nobody writes there. */
async function cutLogOf(folder: string, command: string): Promise<LogCut | undefined> {
  const path = join(folder, "image.db");
  // Whoever closes the file last takes the log away, so mostly there is none.
  if (!existsSync(`${path}-wal`)) return undefined;
  const { cutLog, logTail } = await import("../image/log_tail.ts");
  if (logTail(path) === undefined) return undefined;
  using _lock = await WorkspaceLock.acquire(join(folder, "lock"), {
    command: `batos ${command}`,
    timeoutMs: 0,
  });
  return cutLog(path);
}
