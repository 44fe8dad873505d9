/**
 * What the commands about models do: bring, list, choose, remove.
 *
 * Owns the handlers of `table/models.ts`. What must hold: a model is chosen only when it is here or at a server; removing one that is in
 * use says so; what names mean is not decided here, whoever wires the program hands that in.
 */
import { notChosen, wasChosen } from "./chosen_models.ts";
import type { HandlerContext, Handlers, Result } from "./commands.ts";
import { anchorModel, findModel, locateModel, modelReference, modelStore } from "./model_place.ts";
import { machineMemory, RECOMMENDED_MODELS } from "./recommended_models.ts";
import type { Workspace } from "./workspace.ts";

/** Overrides the model that was chosen for a workspace. */
const MODEL_VARIABLE = "BATOS_MODEL";
/** What stands for no model. */
export const NO_MODEL = "extractive";

/** A model, and who says that it answers. */
export interface ChosenModel {
  readonly name: string;
  readonly by: string;
  /** Why another that the settings name does not. */
  readonly problem?: string;
}

/** Which model answers: the one that the environment names, else the one that was chosen for the workspace, else none does. */
export function chosenModel(
  workspace: Pick<Workspace, "root" | "folder" | "model"> | undefined,
): ChosenModel {
  const variable = environment(MODEL_VARIABLE);
  if (variable) return { name: variable, by: MODEL_VARIABLE };
  const none = { name: NO_MODEL, by: "default" };
  const setting = workspace?.model;
  if (!setting) return none;
  if (wasChosen(setting, workspace!.root)) return { name: setting, by: "settings" };
  const remedy = `batos model use ${setting}`;
  return { ...none, problem: notChosen(setting, workspace!.folder, remedy) };
}

/** Value of an environment variable; undefined too where reading it is not permitted. */
export function environment(name: string): string | undefined {
  try {
    return Deno.env.get(name);
  } catch {
    return undefined;
  }
}

/** What the handlers need of whoever wires the program. */
export interface ModelCommandPorts {
  readonly locate: (repo: string | undefined) => Workspace;
  /**
   * What a name means: the reference of a model file, or nothing where it is no file.
   * @throws when it is no name
   */
  readonly parse: (name: string) => Promise<{ name: string; reference?: string }>;
}

/** The handlers, for the table. */
export function modelHandlers(
  ports: ModelCommandPorts,
): Pick<Handlers, "model_list" | "model_pull" | "model_use" | "model_rm"> {
  const workspaceIfAny = (repo: string | undefined) => {
    try {
      return ports.locate(repo);
    } catch (error) {
      // The models are those of the machine: they can be looked at from anywhere.
      if (repo !== undefined) throw error;
      return undefined;
    }
  };
  return {
    async model_list({ repo }, { progress }): Promise<Result<"model_list">> {
      const store = await modelStore();
      const { name, by, problem } = chosenModel(workspaceIfAny(repo));
      if (problem !== undefined) progress({ phase: "", detail: problem, note: true });
      const memory = machineMemory();
      return {
        folder: store.path,
        in_use: name,
        chosen_by: by,
        models: store.list().map(({ reference, path, bytes, complete }) => ({
          reference,
          path,
          bytes,
          complete,
          in_use: name === `llama:${reference}`,
        })),
        recommended: RECOMMENDED_MODELS.map(({ reference, gigabytes, memoryGigabytes }) => ({
          reference,
          gigabytes,
          memory_gigabytes: memoryGigabytes,
          ...(memory !== undefined && { fits: memoryGigabytes * 1e9 <= memory }),
        })),
      };
    },

    async model_pull({ model }, context: HandlerContext): Promise<Result<"model_pull">> {
      const store = await modelStore();
      const given = withoutKind(model);
      const reference = modelReference(given, Deno.cwd());
      const before = store.find(reference);
      const path = before ??
        await locateModel(given, { forms: undefined, root: Deno.cwd(), context });
      const known = store.list().find((each) => each.path === path);
      return {
        reference: known?.reference ?? path,
        path,
        bytes: known?.bytes ?? Deno.statSync(path).size,
        sha256: known?.files.find((file) => path.endsWith(file.path))?.sha256,
        pulled: before === undefined,
      };
    },

    async model_use({ model, repo }): Promise<Result<"model_use">> {
      const workspace = ports.locate(repo);
      workspace.requireWritable();
      const { name, reference } = await ports.parse(anchorModel(withKind(model), workspace.root));
      if (reference !== undefined) await findModel(reference, workspace.root);
      const previous = workspace.model ?? null;
      workspace.model = name;
      return { model: name, previous };
    },

    async model_rm({ model, repo }, { progress }): Promise<Result<"model_rm">> {
      const store = await modelStore();
      const reference = modelReference(withoutKind(model), Deno.cwd());
      const bytes = store.list().find((each) => each.reference === reference)?.bytes ?? 0;
      const removed = await store.remove(reference);
      const { name } = chosenModel(workspaceIfAny(repo));
      if (removed && name === `llama:${reference}`) {
        progress({
          phase: "",
          detail: `it is the model in use here; "batos model use none" goes on without one`,
          note: true,
        });
      }
      return { reference, removed, bytes: removed ? bytes : 0 };
    },
  };
}

/** A file or a reference is meant for llama.cpp. */
function withKind(model: string): string {
  return /^(?:hf:|[.~/\\])|\.gguf$/i.test(model) && !/^(?:llama|openai):/.test(model)
    ? `llama:${model}`
    : model;
}

function withoutKind(model: string): string {
  return model.replace(/^llama:/, "");
}
