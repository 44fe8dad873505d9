/**
 * The kernel: what every other room may lean on and what leans on none of them.
 *
 * Start with `commands.ts`, the closed table of everything that batos can be asked to do; a door such as
 * `doors/cli.ts` serves that table, and handlers for it are handed in by `main.ts`. `workspace.ts` is the folder that is
 * worked on: `workspace_lock.ts` keeps a second writer out of it, `settings.ts` keeps what a person decided about it, `watch.ts`
 * tells what changes in it. `models.ts` is the folder of models that all workspaces share. `doctor.ts` checks what surrounds it.
 * `audit/` is the trail of everything that was asked and done: `event.ts` is its schema, `chain.ts` its format.
 * `doors/service.ts` is the kernel as a service; `doors/contract.ts` says what goes over its wire.
 * `image/` is what the workspace keeps for good: prototype objects, messages, transactions; start with `image/image.ts`.
 *
 * @module
 */
export { type LinePosition, type ReadLines, runAudit } from "./audit/audit_command.ts";
export type { CountedQuestion } from "./audit/drift_report.ts";
export type { EndedQuestion, EntropySources } from "./audit/entropy_report.ts";
export type { ChangedSettings } from "./audit/entropy_object.ts";
export type { EntropySettings } from "./audit/entropy_settings.ts";
export type { RecordObjects } from "./audit/structure_growth.ts";
export { recordCommands, RECORDED } from "./audit/record_commands.ts";
export { recordLogCuts } from "./audit/record_log_cuts.ts";
export { LateTrail, openTrail, type OpenTrailOptions } from "./audit/open_trail.ts";
export { AuditTrail, type AuditTrailOptions } from "./audit/audit_trail.ts";
export {
  listTrailFiles,
  type RawLine,
  TRAIL_NAME,
  TRAIL_PATH,
  type TrailFile,
  trailFileOf,
  type TrailVerdict,
  verifyTrail,
} from "./audit/chain.ts";
export {
  type AuditEvent,
  EVENT,
  EVENT_TYPES,
  type NewEvent,
  parseTrailLine,
  type Recorder,
  TRAIL_LINE,
  type TrailLine,
} from "./audit/event.ts";
export { findTimes, parseTime, TIME_FORMS, type TimeRange } from "./audit/time_range.ts";
export { type Head, readHead, TrailError } from "./audit/trail_files.ts";
export {
  CommandError,
  type CommandName,
  commands,
  type ExitCode,
  type HandlerContext,
  type Handlers,
  type Input,
  inputSchema,
  type Progress,
  type Result,
  resultSchema,
  type StepProgress,
} from "./commands.ts";
export type { KeyDesk } from "./key_desk.ts";
export { type Check, check, checkSurroundings, writeProblem } from "./doctor.ts";
export type { Checkout } from "./agents/launch.ts";
export type { Registration } from "./agents/register.ts";
export { type CommandLineOptions, runCommandLine } from "./doors/cli.ts";
export type { OpenAiParts } from "./doors/http/openai.ts";
export type { McpHttp } from "./doors/mcp/http.ts";
export type { SummarySource, SummaryText } from "./doors/mcp/resources.ts";
export type { McpParts } from "./doors/mcp/server.ts";
export { delegateToKernel, type KernelPlace } from "./doors/delegate.ts";
export { each } from "./doors/results.ts";
export type { ImagePort } from "./doors/remote_commands.ts";
export type { OpenDoor, ServiceContext, ServiceInfo, ServiceOptions } from "./doors/service.ts";
export { RunCancelledError, type Runs, type RunView } from "./doors/runs.ts";
export { UNNAMED } from "./table/conversations.ts";
export { isTerminalName } from "./doors/own_terminal.ts";
export { type Streams } from "./doors/terminal.ts";
export {
  BlobError,
  type BlobErrorKind,
  BlobFolder,
  type BlobSource,
  PendingBlob,
} from "./image/blobs.ts";
export { notChosen, wasChosen } from "./chosen_models.ts";
export { counted } from "./counted.ts";
export {
  chosenModel,
  environment,
  type ModelCommandPorts,
  modelHandlers,
} from "./model_commands.ts";
export { anchorModel, findModel, locateModel, modelReference, modelStore } from "./model_place.ts";
export { CycleError } from "./cycle/cycle_error.ts";
export type {
  CycleContext,
  CycleEnd,
  CycleEngine,
  CycleOptions,
  CycleWorks,
  MissionBrief as CycleMission,
  RunningCycle,
  StateVisit,
} from "./cycle/cycle_engine.ts";
export type { StateName } from "./cycle/states.ts";
export type { DownloadProgress } from "./model_download.ts";
export {
  formatReference,
  ModelError,
  type ModelErrorKind,
  type ModelReference,
  parseReference,
} from "./model_reference.ts";
export type { ModelFiles, ModelStore, ModelStoreOptions, StoredModel } from "./models.ts";
export { Patience, retryAfter, sleep } from "./patience.ts";
export { readQueries } from "./query_file.ts";
export { readSettings, type Settings, writeSettings } from "./settings.ts";
export { watchFolder } from "./watch.ts";
export { findWorkspace, sha256, Workspace } from "./workspace.ts";
export {
  describeHolder,
  type LockHolder,
  WorkspaceLock,
  WorkspaceLockedError,
} from "./workspace_lock.ts";

export type { CheckOptions, CheckReport, CopyReport } from "./image/check.ts";
export type { Mount, MountedObject } from "./image/committed_state.ts";
export {
  AmbiguousSelectorError,
  ArgumentCountError,
  ConflictError,
  DamagedImageError,
  ImageError,
  NewerImageError,
  NoImageError,
  NoSuchObjectError,
  NotUnderstoodError,
  PackedError,
  ReadOnlyError,
  UndoError,
} from "./image/errors.ts";
export type { GenesisDefinition } from "./image/genesis.ts";
export type { ObjectRevision } from "./image/history.ts";
export type { Image, TransactOptions } from "./image/image.ts";
export type { ImageDesk } from "./image/image_desk.ts";
export type { FindShown } from "./image/object_names.ts";
export type { WatchedImage } from "./image/image_port.ts";
export type { ImageFile } from "./image/image_file.ts";
export { retried } from "./image/retried.ts";
export type { ImageUpkeep } from "./image/image_upkeep.ts";
export type { StoredTransaction, StoreProblem, TransactionInfo } from "./image/image_store.ts";
export type { Found } from "./image/lookup.ts";
export type { ConflictResolver } from "./image/merge.ts";
export type { DataSlot, MethodSlot, PrimitiveSlot, Slot } from "./image/object_record.ts";
export type { ImageMode, OpenImageOptions } from "./image/open_image.ts";
export type { PackOptions, PackReport } from "./image/pack.ts";
export { LOBBY_OID } from "./image/primitives.ts";
export type {
  Author,
  MethodContext,
  MethodRunner,
  MissionBrief,
  Primitive,
  SendKind,
  SendOptions,
  Target,
} from "./image/send.ts";
export { method, primitive, readOnly, type SlotSpec, type SlotSpecs } from "./image/slot_spec.ts";
export type { TransferReport } from "./image/transfer.ts";
export type { Savepoint } from "./image/changes.ts";
export type { UnitOfWork } from "./image/unit_of_work.ts";
export type { Commit, ObjectSpec, Participant, UnitOptions } from "./image/unit_parts.ts";
export {
  BlobRef,
  FIRST_MOUNTED_OID,
  isOid,
  type Oid,
  parseOid,
  Ref,
  type Value,
  type ValueMap,
} from "./image/values.ts";

import type { Checkout } from "./agents/launch.ts";
import type { Registration } from "./agents/register.ts";
import type { HandlerContext, Result } from "./commands.ts";
import type { CycleEngine } from "./cycle/cycle_engine.ts";
import type { OpenAiParts } from "./doors/http/openai.ts";
import type { McpHttp } from "./doors/mcp/http.ts";
import type { ConsoleOptions } from "./doors/console/console.ts";
import type { OpenDoor, ServiceContext, ServiceInfo, ServiceOptions } from "./doors/service.ts";
import type { McpParts } from "./doors/mcp/server.ts";
import type { Image } from "./image/image.ts";
import type { KeyDesk } from "./key_desk.ts";
import type { ImageDesk } from "./image/image_desk.ts";
import type { FindShown } from "./image/object_names.ts";
import type { WatchedImage } from "./image/image_port.ts";
import type { ImageFile } from "./image/image_file.ts";
import type { ImageUpkeep } from "./image/image_upkeep.ts";
import type { OpenImageOptions } from "./image/open_image.ts";

/**
 * Opens the image in a file, usually `.batos/image.db`, loaded when it is first needed; see `image/open_image.ts`. Dispose of it.
 *
 * @throws {WorkspaceLockedError} in mode `exclusive`, when another process holds the lock
 * @throws {ImageError} when there is none to be read, a later version wrote it, or it is damaged
 */
export async function openImage(path: string, options: OpenImageOptions): Promise<Image> {
  const { openImage } = await import("./image/open_image.ts");
  return await openImage(path, options);
}

/** An image that lives as long as the process: for examples and tests. */
export async function openMemoryImage(): Promise<Image> {
  const { openMemoryImage } = await import("./image/open_image.ts");
  return await openMemoryImage();
}

/**
 * Serves the coding agent that started this process, on its standard input and output, until it is gone.
 * @throws the signal's reason
 */
export async function serveMcp(parts: McpParts & { readonly signal: AbortSignal }): Promise<void> {
  const { serveMcpStdio } = await import("./doors/mcp/stdio.ts");
  await serveMcpStdio(parts);
}

/** MCP for a server to mount: `handle` takes requests, `close` ends all sessions. */
export async function openMcpHttp(parts: McpParts): Promise<McpHttp> {
  const { McpHttp } = await import("./doors/mcp/http.ts");
  return new McpHttp(parts);
}

/**
 * Tells coding agents of this program as an MCP server, or takes that back: a result for each of their files.
 * @param checkout where this program is, for agents to start it
 * @throws {CommandError} before anything is written: a file that cannot be edited, no agent, nobody to ask
 */
export async function* registerAgents(
  registration: Omit<Registration, "launch">,
  checkout: Checkout,
  context: HandlerContext,
): AsyncGenerator<Result<"mcp_install">> {
  const { launchOf } = await import("./agents/launch.ts");
  const { register } = await import("./agents/register.ts");
  yield* register({ ...registration, launch: launchOf(checkout, registration.user) }, context);
}

/**
 * What the commands `key …` do, loaded when one of them is given.
 * @param folder state folder of the workspace
 */
export async function keyDesk(folder: string): Promise<KeyDesk> {
  const { KeyDesk } = await import("./key_desk.ts");
  return new KeyDesk(folder);
}

/**
 * Makes a key pair for a client, in a file.
 * @throws {CommandError} when the file is there, or cannot be written
 */
export async function makeKeyFile(file: string): Promise<Result<"key_new">> {
  const { makeKeyFile } = await import("./key_desk.ts");
  return makeKeyFile(file);
}

/** What the commands `image …` do with an image, loaded when it is first needed. */
export async function imageDesk(image: Image, findShown?: FindShown): Promise<ImageDesk> {
  const { ImageDesk } = await import("./image/image_desk.ts");
  return new ImageDesk(image, findShown);
}

/** The Composite Entropy Metric with its windows and settings, and drift; loaded when somebody asks for either. */
export interface EntropyDesk {
  readonly windowOf: typeof import("./audit/entropy_report.ts").windowOf;
  readonly questionsRead: typeof import("./audit/entropy_report.ts").questionsRead;
  readonly entropyReport: typeof import("./audit/entropy_report.ts").entropyReport;
  readonly driftReads: typeof import("./audit/drift_report.ts").driftReads;
  readonly driftReport: typeof import("./audit/drift_report.ts").driftReport;
  readonly readEntropySettings: typeof import("./audit/entropy_object.ts").readEntropySettings;
  readonly changeEntropySettings: typeof import("./audit/entropy_object.ts").changeEntropySettings;
}

/** That metric; see `audit/entropy_report.ts`. */
export async function entropyDesk(): Promise<EntropyDesk> {
  return {
    ...await import("./audit/drift_report.ts"),
    ...await import("./audit/entropy_report.ts"),
    ...await import("./audit/entropy_object.ts"),
  };
}

/** What keeps an image in order, as the commands about it do; loaded when it is first needed. */
export async function imageUpkeep(
  image: Image,
  desk: ImageDesk,
  context: HandlerContext,
): Promise<ImageUpkeep> {
  const { ImageUpkeep } = await import("./image/image_upkeep.ts");
  return new ImageUpkeep(image, desk, context);
}

/**
 * The file of a workspace's image, for commands that look at it without opening the image.
 * @param folder state folder of the workspace
 */
export async function imageFile(folder: string, context: HandlerContext): Promise<ImageFile> {
  const { ImageFile } = await import("./image/image_file.ts");
  return new ImageFile(folder, context);
}

/** The codebase as a chat model, for a server to mount at `/v1/`: a function that answers requests and never rejects. */
export async function openChatApi(
  parts: OpenAiParts,
): Promise<(request: Request) => Promise<Response>> {
  const { openAiHandler } = await import("./doors/http/openai.ts");
  return openAiHandler(parts);
}

/**
 * Serves a workspace until the signal is aborted: the endpoint, and what else the options open. Yields once, when all doors are open.
 * @throws {CommandError} when a kernel serves it already, or the port that was named is in use
 */
export async function* serve(options: ServiceOptions): AsyncGenerator<ServiceInfo> {
  const { serveWorkspace } = await import("./doors/service.ts");
  yield* serveWorkspace(options);
}

/**
 * Opens the HTTP door of a kernel: the page, the JSON API and events, MCP at `/mcp`, chat completions below `/v1/`.
 * @throws {CommandError} when the port that was named is taken
 */
export async function openPage(
  context: ServiceContext,
  options: { readonly folder: string; readonly port?: number | undefined; readonly mcp: McpParts },
): Promise<OpenDoor> {
  const { openWorkspaceDoor } = await import("./doors/http/workspace_door.ts");
  const { root, handlers, signal, runs } = context;
  const tracked = runs.track(handlers, "chat");
  const mcp = await openMcpHttp({ ...options.mcp, repo: root });
  const door = await openWorkspaceDoor(context, {
    ...options,
    runs,
    mounts: {
      mcp: (request) => mcp.handle(request),
      v1: await openChatApi({ handlers: tracked, repo: root, signal }),
    },
  });
  return {
    address: door.address,
    async close() {
      await mcp.close();
      await door.close();
    },
  };
}

/**
 * Talks to the running kernel of a workspace at the terminal of this process, until the person leaves or input ends.
 * @returns how many lines failed
 * @throws {CommandError} when no kernel is running
 */
export async function runConsole(options: ConsoleOptions): Promise<number> {
  const { runConsole } = await import("./doors/console/console.ts");
  return await runConsole(options);
}

/** Runs cognitive cycles over an image, loaded when it is first needed; see `cycle/cycle_engine.ts`. One for each image. */
export async function cyclesOn(image: Image): Promise<CycleEngine> {
  const { CycleEngine } = await import("./cycle/cycle_engine.ts");
  return await CycleEngine.on(image);
}

/** An image as the endpoint of a kernel serves it, loaded when it is first needed. */
export async function openImagePort(
  image: Image,
  cycles: CycleEngine,
  findShown?: FindShown,
): Promise<WatchedImage> {
  const { imagePort } = await import("./image/image_port.ts");
  return imagePort(image, cycles, findShown);
}
