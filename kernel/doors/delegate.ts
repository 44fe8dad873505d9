/**
 * Hands a command to the kernel that runs in its workspace, or does it alone.
 *
 * Owns that decision. What must hold: without a kernel that runs, answers and is of the same version, the command is done alone, with the
 * same results; a kernel that dies in the middle costs time and no answer; what changes the image is never done twice; where there is no kernel, looking for one costs a system call or two.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  CommandError,
  type CommandName,
  type HandlerContext,
  type Handlers,
  type Progress,
} from "../commands.ts";
import { chosenModel, NO_MODEL } from "../model_commands.ts";
import type { Workspace } from "../workspace.ts";
import { type ConnectionInfo, kernelHolder, readConnection } from "../connection_file.ts";
import { WRITING } from "./image_changes.ts";
import { KernelGoneError } from "./kernel_gone.ts";
import { each } from "./results.ts";

/**
 * Commands that a kernel answers sooner, since it has open what they need. Done twice they leave no more behind than a turn of a conversation.
 */
const SOONER: readonly CommandName[] = ["ask", "search", "refs", "impact", "outline"];

/** What is left to a kernel: these, and those whose changes it tells to whoever watches; the others gain nothing. */
const DELEGATED: readonly CommandName[] = [...SOONER, ...WRITING];

/** Where the kernel of a command is looked for. */
export interface KernelPlace {
  /** Folder of the workspace's state, for an input that may name a repository. */
  readonly locate: (repo: string | undefined) => Pick<Workspace, "root" | "folder" | "model">;
  /** Version of this program: a kernel of another one may answer otherwise. */
  readonly version: string;
}

/** Handlers that ask a running kernel first and do the work themselves where there is none. */
export function delegateToKernel(handlers: Handlers, place: KernelPlace): Handlers {
  const wrapped: Record<string, unknown> = { ...handlers };
  for (const name of DELEGATED) {
    const handler = handlers[name] as (
      input: unknown,
      context: HandlerContext,
    ) => Promise<unknown> | AsyncIterable<unknown>;
    wrapped[name] = async function* (input: Record<string, unknown>, context: HandlerContext) {
      let given = 0;
      let hasText = false;
      const progress = (each: Progress) => {
        hasText ||= each.text !== undefined;
        context.progress(each);
      };
      try {
        const kernel = findKernel(input, place, context);
        if (kernel !== undefined) {
          const { requestByMail } = await import("./mail_request.ts");
          const { folder, info } = kernel;
          for await (
            const result of requestByMail(folder, info.key, name, input, { ...context, progress })
          ) {
            given++;
            yield result;
          }
          return;
        }
      } catch (error) {
        if (!(error instanceof KernelGoneError) || given > 0) throw error;
        if (error.mayHaveBegun && WRITING.includes(name)) {
          throw new CommandError(
            `${error.message} while it did this, perhaps after it was done; "batos image log" shows whether it was, if not run the command again`,
            { cause: error },
          );
        }
        // What it wrote is not what will be written here.
        if (hasText) context.progress({ phase: "", text: "", restart: true });
        note(context, `${error.message}; working without it`);
      }
      yield* each(handler(input, context));
    };
  }
  return wrapped as unknown as Handlers;
}

function note({ progress }: HandlerContext, detail: string): void {
  progress({ phase: "", detail, note: true });
}

/** A kernel that runs. */
interface Kernel {
  readonly folder: string;
  readonly info: ConnectionInfo;
}

/** The kernel that may do this command; undefined when there is none. */
function findKernel(
  input: Record<string, unknown>,
  { locate, version }: KernelPlace,
  context: HandlerContext,
): Kernel | undefined {
  // Lines of standard input, or of a file, are read where they are.
  if (input.queries !== undefined) return undefined;
  const workspace = locate(input.repo as string | undefined);
  const { folder } = workspace;
  if (input.question !== undefined && reasonsHere(input, workspace)) return undefined;
  try {
    if (!existsSync(join(folder, "mail")) || kernelHolder(folder) === undefined) return undefined;
  } catch {
    return undefined; // Its files are not ours to read.
  }
  const info = readConnection(folder);
  if (info === undefined) return undefined;
  if (info.version !== version) {
    note(context, `the kernel here is version ${info.version}, not ${version}; working without it`);
    return undefined;
  }
  return { folder, info };
}

/**
 * Whether a question goes to a model from here: one that was named for it, and one that was chosen where this process was started with
 * the right to run native code and the kernel may not have been.
 */
function reasonsHere(
  { model }: Record<string, unknown>,
  workspace: Parameters<typeof chosenModel>[0],
): boolean {
  if (model !== undefined) return true;
  return chosenModel(workspace).name !== NO_MODEL &&
    Deno.permissions.querySync({ name: "ffi" }).state === "granted";
}
