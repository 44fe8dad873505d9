/**
 * Tells coding agents of the MCP server of this workspace, and takes that back.
 *
 * Owns the way from a wish to changed files: which agents, which files, what changes, the question, the writing, and the record
 * of what was done (`agents.json` in batos' folder of the user's cache), so that it can be taken back to the byte. What must hold:
 * - nothing is written before everything was planned: one file that cannot be parsed, and none is touched;
 * - nothing is written unasked, unless the caller said so;
 * - a file appears whole, keeps its mode, and is written where a link leads; one that changed since it was shown is left alone;
 * - without the record, or after other edits, an entry is still taken out, and nothing else.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { z } from "zod";
import { CommandError, type HandlerContext, type Result } from "../commands.ts";
import { userCache } from "../user_cache.ts";
import {
  type Agent,
  AGENT_NAMES,
  type AgentName,
  agents,
  type Folders,
  type Launch,
} from "./agents.ts";
import { configFormats } from "./config_file.ts";
import { programOnPath } from "./launch.ts";
import { lineDiff } from "./line_diff.ts";

/** Name of the server in every configuration. */
const SERVER = "batos";

/** What to do, where. */
export interface Registration {
  readonly action: "install" | "uninstall";
  /** Empty: those that are here (install), or all (uninstall). */
  readonly agents: readonly AgentName[];
  /** The user's configuration instead of the workspace's. */
  readonly user: boolean;
  /** Say what would stand in the files, write nothing. */
  readonly print: boolean;
  /** Ask nobody. */
  readonly yes: boolean;
  /** Root of the workspace. */
  readonly root: string;
  readonly launch: Launch;
}

type Outcome = Result<"mcp_install">;

/** One file and what becomes of it. */
interface Change {
  readonly agent: AgentName;
  readonly path: string;
  /** Undefined for a file that is not there. */
  readonly before: string | undefined;
  /** Undefined for one that goes. */
  readonly after: string | undefined;
  /** Folders that are made for it, or were: outermost first. */
  readonly folders: readonly string[];
}

/**
 * Plans, shows, asks, writes.
 * @throws {CommandError} when a file cannot be edited, there is no agent, or nobody can be asked; nothing is written then
 */
export async function* register(
  registration: Registration,
  context: HandlerContext,
): AsyncGenerator<Outcome> {
  const { action, user, print, root } = registration;
  const folders: Folders = { root, home: homeFolder(), os: Deno.build.os };
  const names = chosen(registration, folders);
  if (print) {
    for (const name of names) yield printed(name, registration, folders);
    return;
  }
  const record = readRecord();
  const shared = new Set<string>();
  const changes = names.flatMap((agent) => {
    const path = fileOf(agent, user, folders);
    if (path === undefined || shared.has(path)) return [];
    shared.add(path);
    return [
      action === "install"
        ? planInstall(agent, path, registration)
        : planUninstall(agent, path, record[path]),
    ];
  });
  const pending = changes.filter(({ before, after }) => before !== after);
  if (pending.length === 0 && action === "uninstall") {
    context.progress({ phase: "", detail: "no agent was told of it here", note: true });
  }
  await confirmAll(pending, registration, context);
  for (const change of changes) {
    context.signal.throwIfAborted();
    if (!pending.includes(change)) {
      // Files that are not there say nothing, unless somebody asked for them.
      if (change.before !== undefined || registration.agents.length > 0) {
        yield outcome(change, "unchanged", root);
      }
      continue;
    }
    write(change);
    if (action === "install") record[change.path] = entryOf(change, record[change.path]);
    else delete record[change.path];
    writeRecord(record);
    yield outcome(change, verb(change), root);
  }
}

/** Which agents are meant. */
function chosen(
  { action, agents: named, user, print }: Registration,
  folders: Folders,
): AgentName[] {
  const hasFile = (name: AgentName) => fileOf(name, user, folders) !== undefined;
  for (const name of named) {
    if (hasFile(name)) continue;
    throw new CommandError(
      `${name}: ${agents[name].title} has no file for ${
        user ? "all workspaces" : "one workspace"
      }; ` +
        (user ? "leave out --user" : "add --user"),
    );
  }
  if (named.length > 0) return [...new Set(named)];
  const here = AGENT_NAMES.filter((name) =>
    hasFile(name) && (action === "uninstall" || isHere(agents[name], folders))
  );
  if (here.length > 0) return here;
  // Whoever writes by hand may do so for a machine that is elsewhere.
  if (print) return AGENT_NAMES.filter(hasFile);
  throw new CommandError(`no agent was found here; name one of ${AGENT_NAMES.join(", ")}`);
}

/** Whether somebody uses this agent on this machine, or in this workspace. */
function isHere({ traces, programs }: Agent, { home, root }: Folders): boolean {
  return traces.home.some((path) => existsSync(join(home, path))) ||
    traces.root.some((path) => existsSync(join(root, path))) ||
    programs.some((program) => programOnPath(program) !== undefined);
}

function fileOf(name: AgentName, user: boolean, folders: Folders): string | undefined {
  const agent: Agent = agents[name];
  return (user ? agent.user : agent.project)?.(folders);
}

function keysOf(name: AgentName): string[] {
  return [...agents[name].keys, SERVER];
}

function valueOf(name: AgentName, { launch, user }: Registration): Record<string, unknown> {
  const agent: Agent = agents[name];
  const { command, args } = launch;
  return agent.entry?.(launch, user ? "user" : "project") ?? { command, args };
}

function printed(name: AgentName, registration: Registration, folders: Folders): Outcome {
  const path = fileOf(name, registration.user, folders)!;
  const format = configFormats[agents[name].format];
  const text = format.write("", keysOf(name), valueOf(name, registration)).trimEnd();
  return { agent: name, path: shown(path, folders.root), change: "printed", text };
}

function planInstall(agent: AgentName, path: string, registration: Registration): Change {
  const before = readText(path);
  const value = valueOf(agent, registration);
  const after = edit(path, (format) => format.write(before ?? "", keysOf(agent), value), agent);
  return { agent, path, before, after, folders: missingFolders(path) };
}

function planUninstall(agent: AgentName, path: string, done: RecordEntry | undefined): Change {
  const before = readText(path);
  if (before === undefined) return { agent, path, before, after: undefined, folders: [] };
  const folders = done?.folders ?? [];
  if (done !== undefined && done.after === sha256Of(before)) {
    return { agent, path, before, after: undone(before, done), folders };
  }
  const keys = keysOf(agent);
  const isThere = edit(path, (format) => format.read(before, keys), agent) !== undefined;
  if (!isThere) return { agent, path, before, after: before, folders: [] };
  const rest = edit(path, (format) => format.remove(before, keys), agent);
  return { agent, path, before, after: rest === "" ? undefined : rest, folders };
}

/** An edit of a file's text; what cannot be edited says which file, and what to do by hand. */
function edit<T>(
  path: string,
  work: (format: (typeof configFormats)["json" | "toml"]) => T,
  agent: AgentName,
): T {
  try {
    return work(configFormats[agents[agent].format]);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new CommandError(
      `"${path}": cannot be edited: ${error.message}; nothing was written; correct it, or add by hand what --print shows`,
      { cause: error },
    );
  }
}

/** Shows what would change, and asks. */
async function confirmAll(
  pending: readonly Change[],
  { yes, root }: Registration,
  { progress, confirm }: HandlerContext,
): Promise<void> {
  if (pending.length === 0) return;
  for (const { path, before, after } of pending) {
    progress({ phase: "", detail: lineDiff(shown(path, root), before, after), note: true });
  }
  if (yes) return;
  const files = pending.length === 1 ? "this file" : `these ${pending.length} files`;
  if (confirm === undefined) {
    throw new CommandError(
      `cannot ask whether to write ${files}: there is no terminal; --yes writes without asking`,
    );
  }
  if (!await confirm(`Write ${files}?`)) throw new CommandError("declined; nothing was written");
}

function verb({ before, after }: Change): "created" | "edited" | "deleted" {
  return before === undefined ? "created" : after === undefined ? "deleted" : "edited";
}

function outcome(change: Change, what: Outcome["change"], root: string): Outcome {
  const { agent, path, before, after } = change;
  return {
    agent,
    path: shown(path, root),
    change: what,
    text: lineDiff(shown(path, root), before, after),
  };
}

/** A path as people read it: relative where it is in the workspace. */
function shown(path: string, root: string): string {
  const inner = relative(root, path);
  return /^\.\.(?:[/\\]|$)/.test(inner) ? path : inner.replaceAll("\\", "/");
}

function readText(path: string): string | undefined {
  try {
    const bytes = Deno.readFileSync(path);
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    const reason = error instanceof TypeError ? "it is no UTF-8 text" : (error as Error).message;
    throw new CommandError(`"${path}": cannot be read: ${reason}; nothing was written`, {
      cause: error,
    });
  }
}

/** Folders above a file that are not there, outermost first. */
function missingFolders(path: string): string[] {
  const missing: string[] = [];
  for (let folder = dirname(path); !existsSync(folder); folder = dirname(folder)) {
    missing.unshift(folder);
  }
  return missing;
}

function write({ path, before, after, folders }: Change): void {
  if (readText(path) !== before) {
    throw new CommandError(`"${path}": it was changed in the meantime; run the command again`);
  }
  if (after === undefined) {
    Deno.removeSync(path);
    for (const folder of folders.toReversed()) {
      try {
        Deno.removeSync(folder);
      } catch {
        break; // something else is in it by now
      }
    }
    return;
  }
  Deno.mkdirSync(dirname(path), { recursive: true });
  const target = before === undefined ? path : Deno.realPathSync(path);
  const temporary = `${target}.${crypto.randomUUID()}.tmp`;
  try {
    const mode = before === undefined ? null : Deno.statSync(target).mode;
    if (mode === null) Deno.writeTextFileSync(temporary, after, { createNew: true });
    else {
      // Never open to more people than the file is, for it may hold somebody's tokens. The mode of a new file is cut by the umask.
      Deno.writeTextFileSync(temporary, after, { createNew: true, mode: mode & 0o777 });
      Deno.chmodSync(temporary, mode & 0o777);
    }
    Deno.renameSync(temporary, target);
  } catch (error) {
    if (existsSync(temporary)) Deno.removeSync(temporary);
    throw error;
  }
}

/** What was done to files, by path: enough to take it back, and none of their contents but what was replaced. */
const recordSchema = z.record(
  z.string(),
  z.object({
    /** SHA-256 of the text that was written. */
    after: z.string(),
    /** What to put in place of the characters from `start` to `end`; absent when the file was made. */
    undo: z.object({ start: z.int().min(0), end: z.int().min(0), text: z.string() }).optional(),
    /** Folders that were made for it. */
    folders: z.array(z.string()),
  }),
);

type RecordFile = z.output<typeof recordSchema>;
type RecordEntry = RecordFile[string];

/** The record of a change; one that comes on top of another leads back to before both. */
function entryOf(
  { before, after, folders }: Change,
  earlier: RecordEntry | undefined,
): RecordEntry {
  const isOnTop = before !== undefined && earlier?.after === sha256Of(before);
  const origin = isOnTop ? undone(before, earlier) : before;
  return {
    after: sha256Of(after!),
    folders: [...isOnTop ? earlier.folders : folders],
    ...(origin !== undefined && { undo: undoOf(origin, after!) }),
  };
}

function undone(text: string, { undo }: RecordEntry): string | undefined {
  if (undo === undefined) return undefined;
  return text.slice(0, undo.start) + undo.text + text.slice(undo.end);
}

function undoOf(before: string, after: string): NonNullable<RecordEntry["undo"]> {
  const most = Math.min(before.length, after.length);
  let start = 0;
  while (start < most && before[start] === after[start]) start++;
  let tail = 0;
  while (tail < most - start && before.at(-1 - tail) === after.at(-1 - tail)) tail++;
  return { start, end: after.length - tail, text: before.slice(start, before.length - tail) };
}

function sha256Of(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Where the record is; undefined where the environment names no place. */
function recordPath(): string | undefined {
  try {
    return join(userCache(), "agents.json");
  } catch {
    return undefined;
  }
}

/** The record; empty when it is missing or cannot be understood: entries are then taken out by their name. */
function readRecord(): RecordFile {
  const path = recordPath();
  if (path === undefined) return {};
  try {
    return recordSchema.parse(JSON.parse(Deno.readTextFileSync(path)));
  } catch {
    return {};
  }
}

function writeRecord(record: RecordFile): void {
  const path = recordPath();
  if (path === undefined) return;
  Deno.mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${Deno.pid}`;
  Deno.writeTextFileSync(temporary, JSON.stringify(record, null, 2) + "\n", { mode: 0o600 });
  Deno.renameSync(temporary, path);
}

function homeFolder(): string {
  const home = Deno.env.get("HOME") ?? Deno.env.get("USERPROFILE");
  if (home !== undefined && home !== "") return home;
  throw new CommandError("find the configuration of agents: HOME is not set; set it");
}
