/**
 * The HTTP door of a kernel that serves a workspace: its port, its key, what is mounted.
 *
 * Owns `.batos/page.json` (mode 0600): port and key of the last time, taken again, so that a page that is open, a bookmark and a chat program
 * that was told the key go on working when the kernel is started again. What must hold: only the owner can read the file, at every
 * moment; deleting it gives a new key; commands run in the workspace that is served, whatever a request says.
 */
import { basename, join } from "node:path";
import { z } from "zod";
import { CommandError } from "../../commands.ts";
import type { Runs } from "../runs.ts";
import type { OpenDoor, ServiceContext } from "../service.ts";
import { newToken } from "./access.ts";
import { type HttpMount, startHttp } from "./server.ts";

/** Port when nobody names one: the one after the endpoint's. */
const DEFAULT_PORT = 5556;

/** What is remembered. */
const remembered = z.object({
  port: z.int().min(1).max(65_535),
  token: z.string().regex(/^[0-9a-f]{64}$/),
});

/** How to open it. */
export interface WorkspaceDoorOptions {
  /** Folder of the workspace's state. */
  readonly folder: string;
  /** Undefined takes that of the last time, or the default, or one that is free. */
  readonly port?: number | undefined;
  /** What runs in the whole kernel. */
  readonly runs: Runs;
  /** Handlers by the first segment of the path; each is closed with the door. */
  readonly mounts?: Readonly<Record<string, HttpMount>>;
}

/**
 * Opens the door.
 * @throws {CommandError} when the port that was named is taken
 */
export async function openWorkspaceDoor(
  { root, version, handlers, signal, report, refusals, listen }: ServiceContext,
  { folder, port, runs, mounts = {} }: WorkspaceDoorOptions,
): Promise<OpenDoor> {
  const path = join(folder, "page.json");
  const last = recall(path);
  const open = (port: number) =>
    startHttp({
      version,
      workspace: { name: basename(root), root },
      // Relative paths are meant from the root: nobody on the other side knows where this process was started.
      execute: (name, input, context) =>
        runs.execute(handlers, name, { ...input, repo: root }, { ...context, folder: root }),
      runs,
      hostname: "127.0.0.1",
      port,
      token: last?.token ?? newToken(),
      listen: (listener) => listen((state) => listener({ type: "uvm_state_update", state })),
      mounts,
      signal,
      refusals,
      onFault: (error) =>
        report(`http: a defect: ${error instanceof Error ? error.stack ?? error.message : error}`),
    });
  const door = await firstOpen(port === undefined ? [last?.port ?? DEFAULT_PORT, 0] : [port], open);
  remember(path, { port: door.port, token: door.token });
  return { address: door.url, close: () => door.stop() };
}

/** The door at the first port that is free. */
async function firstOpen<D>(
  [port, ...others]: readonly number[],
  open: (port: number) => Promise<D>,
): Promise<D> {
  try {
    return await open(port!);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    if (others.length === 0) {
      throw new CommandError(
        `--page-port ${port}: in use; name another one, or leave it out for one that is free`,
        { cause: error },
      );
    }
    return await firstOpen(others, open);
  }
}

function recall(path: string): z.output<typeof remembered> | undefined {
  try {
    return remembered.parse(JSON.parse(Deno.readTextFileSync(path)));
  } catch {
    return undefined; // None yet, or not ours.
  }
}

/** Written beside and moved: nobody reads half of it, and it never has other permissions. */
function remember(path: string, value: z.output<typeof remembered>): void {
  const draft = `${path}.${crypto.randomUUID()}`;
  Deno.writeTextFileSync(draft, JSON.stringify(value) + "\n", { mode: 0o600, createNew: true });
  Deno.renameSync(draft, path);
}
