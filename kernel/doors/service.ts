/**
 * The kernel as a service of one workspace: opens the doors, keeps the index current, ends cleanly.
 *
 * Owns the life of the doors and of the connection file. What must hold:
 * - one kernel a workspace: a second one is refused and told who is first;
 * - when it ends, what was running has ended before the doors close, and nothing of it is left on disk but what was committed;
 * - what a door cannot do (a port that is taken) is known before anybody is told that the kernel is there.
 */
import type { NewEvent } from "../audit/event.ts";
import { RefusalLog, type RefusalNotes } from "../audit/refusal_log.ts";
import { CommandError, commands, type Handlers, type Progress } from "../commands.ts";
import {
  type ConnectionInfo,
  connectionPath,
  kernelLockPath,
  removeConnection,
  writeConnection,
} from "../connection_file.ts";
import { WorkspaceLock, WorkspaceLockedError } from "../workspace_lock.ts";
import { MIN_KEY_BYTES, Signer } from "./contract.ts";
import { Endpoint } from "./endpoint.ts";
import { tellChanges } from "./image_changes.ts";
import { MailDesk } from "./mail_desk.ts";
import { oneLine } from "./one_line.ts";
import { listenForPeers } from "./peers.ts";
import { describeHolder } from "./port_holder.ts";
import type { ImagePort } from "./remote_commands.ts";
import type { RemoteDoor } from "./remote_door.ts";
import { each } from "./results.ts";
import { Runs } from "./runs.ts";
import type { Router } from "./zmtp/router.ts";

/** Port that is taken when nobody names one; another one when it is in use. */
export const DEFAULT_PORT = 5555;

/** Address that it listens on: this machine's own. */
const LOOPBACK = "127.0.0.1";

/** Time in which another process may look at the lock without being taken for a kernel. */
const LOCK_PATIENCE_MS = 300;

/** What a further door is told about the service that it belongs to. */
export interface ServiceContext {
  readonly root: string;
  readonly version: string;
  readonly handlers: Handlers;
  /** Aborted when the service ends. */
  readonly signal: AbortSignal;
  readonly report: (line: string) => void;
  /** Takes what the door turns away. */
  readonly refusals: RefusalNotes;
  /** Gives changes of the image's state to a listener; returns what ends that. */
  readonly listen: (listener: (state: unknown) => void) => () => void;
  /** What runs, through whatever door: a door adds its own runs, and may show and cancel those of others. */
  readonly runs: Runs;
}

/** A door beside the endpoint, for example the web page's. */
export interface OpenDoor {
  /** Where it is, for people: `http://127.0.0.1:5556/…`. */
  readonly address: string;
  close(): Promise<void>;
}

/** What a service needs. */
export interface ServiceOptions {
  readonly root: string;
  /** Folder of the workspace's state. */
  readonly folder: string;
  readonly version: string;
  readonly handlers: Handlers;
  /** Port of the endpoint; undefined takes the default one, or a free one when that is in use. */
  readonly port?: number;
  /** Address of a further endpoint, for clients elsewhere that are on the list: `tcp://HOST:PORT`. */
  readonly listen?: string;
  readonly image?: ImagePort & {
    /** Calls a listener after every change of the image; returns what ends that. */
    onChange(listener: (state: unknown) => void): () => void;
  };
  /** Opens a further door. */
  readonly startHttp?: (context: ServiceContext) => Promise<OpenDoor>;
  /** Whether changed files are taken into the index as they change. */
  readonly watch?: boolean;
  /** Notes events in the audit trail: what the doors turned away, what they could not deliver. */
  readonly record?: (event: NewEvent) => void;
  /** Takes one line for whoever looks after the kernel. */
  readonly report: (line: string) => void;
  /** Aborted when the kernel is to end. */
  readonly signal: AbortSignal;
}

/** What a kernel tells when all its doors are open. */
export interface ServiceInfo {
  readonly root: string;
  readonly version: string;
  readonly pid: number;
  readonly endpoint: string;
  readonly connection_file: string;
  readonly page?: string;
  /** The endpoint for clients elsewhere, its key, and how many are admitted. */
  readonly remote?: {
    readonly endpoint: string;
    readonly server_key: string;
    readonly clients: number;
  };
}

/**
 * Serves a workspace until the signal is aborted. Yields once, when everything is open.
 * @throws {CommandError} when a kernel serves it already, the port that was named is in use, or nobody is admitted who could come in from elsewhere
 */
export async function* serveWorkspace(options: ServiceOptions): AsyncGenerator<ServiceInfo> {
  const { root, folder, version, image, report, signal } = options;
  using _lock = await lockKernel(options);
  using refusals = new RefusalLog(options);
  const key = crypto.getRandomValues(new Uint8Array(MIN_KEY_BYTES));
  const runs = new Runs();
  const listeners = new Set<(state: unknown) => void>();
  const tell = (state: unknown) => {
    for (const listener of listeners) {
      try {
        listener(state);
      } catch (error) {
        // What changed has changed, whoever hears of it.
        report(`telling of a change: ${oneLine(error)}`);
      }
    }
  };
  const handlers = tellChanges(options.handlers, tell);
  const endpointFor = (signer: Signer, door: string) =>
    new Endpoint({ signer, version, handlers: runs.track(handlers, door), root, image, refusals });
  const endpoint = endpointFor(new Signer(key), "endpoint");
  const router = await listen(options, endpoint, refusals);
  listeners.add((state) => endpoint.publish("uvm_state_update", { state }));
  const unhook = image?.onChange(tell);
  let door: OpenDoor | undefined;
  let remote: RemoteDoor | undefined;
  let mail: MailDesk | undefined;
  try {
    if (options.listen !== undefined) {
      remote = await openRemoteDoor(options.listen, folder, endpointFor, { report, refusals });
      listeners.add((state) => remote?.publish("uvm_state_update", { state }));
    }
    door = await options.startHttp?.({
      root,
      version,
      handlers,
      signal,
      report,
      refusals,
      listen(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      runs,
    });
    mail = new MailDesk(folder, endpoint, refusals);
    const info: ConnectionInfo = {
      transport: "tcp",
      ip: LOOPBACK,
      port: router.address.port,
      key: key.toHex(),
      signature_scheme: "hmac-sha256",
      version,
      pid: Deno.pid,
    };
    writeConnection(folder, info);
    const watching = keepCurrent(options);
    yield {
      root,
      version,
      pid: Deno.pid,
      endpoint: `tcp://${LOOPBACK}:${info.port}`,
      connection_file: connectionPath(folder),
      page: door?.address,
      remote: remote && {
        endpoint: remote.address,
        server_key: remote.serverKey,
        clients: remote.clients,
      },
    };
    if (!signal.aborted) {
      await new Promise((done) => signal.addEventListener("abort", done, { once: true }));
    }
    await watching;
  } finally {
    // New requests are refused first, then what runs ends, then those who wait for it are told, then the doors close.
    removeConnection(folder, Deno.pid);
    await Promise.all([endpoint.stop(), remote?.stop()]);
    await mail?.close();
    await door?.close();
    await remote?.close();
    await router.close();
    unhook?.();
  }
}

/** Opens the door for clients elsewhere; what it needs is loaded for it alone. */
async function openRemoteDoor(
  listen: string,
  folder: string,
  endpointFor: (signer: Signer, door: string) => Endpoint,
  told: Pick<ServiceContext, "report" | "refusals">,
): Promise<RemoteDoor> {
  const { RemoteDoor } = await import("./remote_door.ts");
  const endpoint = (signer: Signer) => endpointFor(signer, "remote");
  return await RemoteDoor.open({ listen, folder, endpoint, ...told });
}

async function lockKernel({ root, folder, signal }: ServiceOptions): Promise<WorkspaceLock> {
  try {
    return await WorkspaceLock.acquire(kernelLockPath(folder), {
      command: "batos serve",
      timeoutMs: LOCK_PATIENCE_MS,
      signal,
    });
  } catch (error) {
    if (!(error instanceof WorkspaceLockedError)) throw error;
    const { holder } = error;
    const who = holder === undefined
      ? "another process"
      : `process ${holder.pid}, since ${holder.since}`;
    throw new CommandError(
      `"${root}": served already by ${who}; use that one ("batos console"), or end it first`,
      { cause: error },
    );
  }
}

async function listen(
  { port, report }: ServiceOptions,
  endpoint: Endpoint,
  refusals: RefusalNotes,
): Promise<Router> {
  const open = (port: number) =>
    listenForPeers(endpoint, { door: "endpoint", hostname: LOOPBACK, port, report, refusals });
  try {
    return open(port ?? DEFAULT_PORT);
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    if (port === undefined) return open(0);
    throw new CommandError(
      `--port ${port}: in use by ${await describeHolder(
        LOOPBACK,
        port,
      )}; name another one, or leave it out for one that is free`,
      { cause: error },
    );
  }
}

/** Watches for changed files; what goes wrong there is told, and ends the watching alone. */
async function keepCurrent(options: ServiceOptions): Promise<void> {
  const { root, handlers, watch, signal, report } = options;
  if (!watch) return;
  const progress = ({ note, phase, detail }: Progress) => {
    if (note) report(detail ?? phase);
  };
  try {
    const input = commands.ingest.input.parse({ repo: root, watch: true });
    for await (const _ of each(handlers.ingest(input, { signal, progress })));
  } catch (error) {
    if (signal.aborted) return;
    report(`watching has ended: ${oneLine(error)}; "ask" still reads changed files first`);
  }
}
