/**
 * The commands about the image, and about adapters and conversations, which are objects of it.
 *
 * Owns how the image is opened for one command, with what memory holds shown in it. What must hold: what only reads opens for reading.
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import {
  CommandError,
  type CommandName,
  type Handlers,
  type Image,
  type ImageDesk,
  imageDesk,
  imageFile,
  imageUpkeep,
  locateModel,
  NoImageError,
  openImage,
  UNNAMED,
} from "../../kernel/mod.ts";
import { openMemoryIfMade } from "../../rag/mod.ts";
import { locate } from "./place.ts";

/** The handlers. */
export const imageHandlers: Pick<
  Handlers,
  Extract<CommandName, `image_${string}` | `adapter_${string}` | `conversation_${string}`>
> = {
  adapter_import: (input, context) =>
    onAdapters(input, "shared", async (image, root) => {
      const { importAndShow } = await import("../mod.ts");
      const folder = context.folder ?? Deno.cwd();
      const isFile = input.model !== undefined && existsSync(resolve(folder, input.model));
      const model = isFile
        ? resolve(folder, input.model!)
        : input.model && await locateModel(input.model, { forms: undefined, root, context });
      const path = resolve(folder, input.path);
      return await importAndShow(image, { ...input, path }, model, context.signal);
    }),

  adapter_list: (input) =>
    onAdapters(input, "read", async (image) => {
      const { listAdapters } = await import("../mod.ts");
      return listAdapters(image);
    }),

  adapter_rm: (input) =>
    onAdapters(input, "shared", async (image) => {
      const { forgetAdapter } = await import("../mod.ts");
      return { name: input.name, removed: await forgetAdapter(image, input.name) };
    }),

  async conversation_list({ repo }, { conversation = "" }) {
    const all = await inImage(repo, "read", async (image) => {
      const { conversationsIn } = await import("../mod.ts");
      return conversationsIn(image);
    });
    return {
      conversations: (all ?? []).map(({ name, questions, time }) => ({
        name: name || UNNAMED,
        own: name === conversation,
        questions,
        time: time.toISOString(),
      })),
    };
  },

  async conversation_forget({ repo, name, all }, { conversation = "" }) {
    const which = all ? undefined : [name === UNNAMED ? "" : name ?? conversation];
    const forgotten = await inImage(repo, "shared", async (image) => {
      const { forgetConversations } = await import("../mod.ts");
      return await forgetConversations(image, which);
    });
    const { conversations, tid, oids } = forgotten ?? { conversations: [], tid: null, oids: [] };
    return {
      conversations: conversations.map((each) => ({ ...each, name: each.name || UNNAMED })),
      tid,
      changes: oids.map((oid) => ({ oid: String(oid) })),
    };
  },

  image_ls: (input) => onImage(input, "read", (desk) => desk.ls(input)),
  image_get: (input) => onImage(input, "read", (desk) => desk.get(input)),
  image_log: (input) => onImage(input, "read", (desk) => desk.log(input)),
  image_new: (input) => onImage(input, "shared", (desk) => desk.create(input)),
  image_set: (input) => onImage(input, "shared", (desk) => desk.set(input)),
  image_rm: (input) => onImage(input, "shared", (desk) => desk.remove(input)),
  image_send: (input, { signal }) => onImage(input, "shared", (desk) => desk.send(input, signal)),
  image_undo: (input) =>
    onImage(input, "shared", async (desk, image) => {
      const undone = await desk.undo(input);
      const { turnChanges } = await import("../mod.ts");
      return { ...undone, turns: turnChanges(image, undone.tid) };
    }),

  image_pack: (input, context) =>
    onImage(
      input,
      "shared",
      async (desk, image) => (await imageUpkeep(image, desk, context)).pack(input),
    ),

  image_check: async ({ repo }, context) =>
    await (await imageFile(locate(repo).folder, context)).check(),

  image_export: async function* (input, context) {
    yield* await onImage(
      input,
      "read",
      async (desk, image) => (await imageUpkeep(image, desk, context)).export(input),
    );
  },

  image_import: (input, context) =>
    onImage(
      input,
      "shared",
      async (desk, image) => (await imageUpkeep(image, desk, context)).import(input),
    ),
};

/** The image with what memory holds shown in it, as the commands about objects see it. */
async function onImage<R>(
  input: { repo?: string | undefined },
  mode: "read" | "shared",
  work: (desk: ImageDesk, image: Image) => R | Promise<R>,
): Promise<R> {
  return await withImage(input, mode, "image new NAME", async (image, root) => {
    using memory = openMemoryIfMade(root);
    if (memory === undefined) return await work(await imageDesk(image), image);
    const { mountMemory } = await import("../mod.ts");
    using mount = await mountMemory(image, memory);
    return await work(await imageDesk(image, mount.find), image);
  });
}

/** The image for a command about adapters. */
function onAdapters<R>(
  input: { repo?: string | undefined },
  mode: "read" | "shared",
  work: (image: Image, root: string) => R | Promise<R>,
): Promise<R> {
  return withImage(input, mode, "adapter import PATH", work);
}

/**
 * Opens the image of the workspace for one command.
 * @param maker the command that makes an image, for whoever wants to read one that is not there
 */
async function withImage<R>(
  { repo }: { repo?: string | undefined },
  mode: "read" | "shared",
  maker: string,
  work: (image: Image, root: string) => R | Promise<R>,
): Promise<R> {
  const workspace = locate(repo);
  if (mode !== "read") workspace.requireWritable();
  const path = join(workspace.folder, "image.db");
  if (mode === "read" && !existsSync(path)) {
    throw new CommandError(
      `"${workspace.root}": it has no image yet; "batos ${maker}" or "batos ask" makes one`,
    );
  }
  using image = await openImage(path, { mode, command: `batos ${maker.split(" ")[0]}` });
  return await work(image, workspace.root);
}

/** The image for a command about conversations; undefined where there is none, and so no conversation. */
async function inImage<R>(
  repo: string | undefined,
  mode: "read" | "shared",
  work: (image: Image) => Promise<R>,
): Promise<R | undefined> {
  if (!existsSync(join(locate(repo).folder, "image.db"))) return undefined;
  try {
    return await withImage({ repo }, mode, "ask", work);
  } catch (error) {
    if (error instanceof NoImageError) return undefined;
    throw error;
  }
}
