/**
 * The commands about the image and about adapters, which are objects of it.
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
  openImage,
} from "../../kernel/mod.ts";
import { openMemoryIfMade } from "../../rag/mod.ts";
import { locate } from "./place.ts";

/** The handlers. */
export const imageHandlers: Pick<
  Handlers,
  Extract<CommandName, `image_${string}` | `adapter_${string}`>
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
