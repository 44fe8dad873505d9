/**
 * The part of the command table that is about models.
 *
 * Owns their contract; see `commands.ts` for what must hold.
 */
import { z } from "zod";
import { command, field, foundWhen, repo } from "./entry.ts";

/** A model as a person names it. */
const modelName = (description: string, placeholder: string) =>
  field(z.string().min(1).max(4096), description, { placeholder });

/** The entries, in the order of `--help`. */
export const modelCommands = {
  model_pull: command({
    summary: "Bring a model to this machine",
    doc:
      "From a hub, from an address, or a file that is here. An interrupted download goes on where it stopped; what came is " +
      "checked against its digest. Needs the network: run it as `deno task with-models model pull …`.",
    examples: [
      ["model pull hf:OWNER/REPO/FILE.gguf", "from the hub"],
      ["model pull https://HOST/FILE.gguf", "from an address"],
    ],
    positionals: ["model"],
    input: z.object({
      model: modelName("What to bring", "hf:OWNER/REPO/FILE.gguf|URL|PATH"),
      repo,
    }),
    result: z.object({
      reference: field(z.string(), "Name by which other commands take it"),
      path: z.string(),
      bytes: z.int().min(0),
      sha256: field(z.string().optional(), "Of the file, where it was brought here"),
      pulled: field(z.boolean(), "False where it was here already"),
    }),
    exit: () => 0,
  }),

  model_list: command({
    summary: "List the models that are on this machine",
    doc:
      "All workspaces share them. A model that is marked unfinished goes on where it stopped when it is pulled again. Names " +
      "to begin with follow, by the memory that they need.",
    examples: [["model list", "references, sizes, whether they are whole, which is in use"]],
    positionals: [],
    input: z.object({ repo }),
    result: z.object({
      folder: field(z.string(), "Where the models lie"),
      in_use: field(z.string(), "What `ask` reasons with here: `extractive` is no model"),
      chosen_by: field(z.string(), "Who says so: BATOS_MODEL, settings, default"),
      models: z.array(z.object({
        reference: field(z.string(), "Name by which other commands take it"),
        path: z.string(),
        bytes: field(z.int().min(0), "On disk, parts of an unfinished pull included"),
        complete: field(z.boolean(), "Whether it can be used as it is"),
        in_use: z.boolean(),
      })),
      recommended: field(
        z.array(z.object({
          reference: z.string(),
          gigabytes: z.number(),
          memory_gigabytes: z.number(),
          fits: field(z.boolean().optional(), "Whether the machine has that much memory"),
        })),
        "Names and sizes as their publisher states them; none was tried by the makers of batos",
      ),
    }),
    exit: foundWhen((result) => result.models.length > 0),
  }),

  model_use: command({
    summary: "Choose what `ask` reasons with in this workspace",
    doc:
      "A GGUF file by its reference or path, a model at a server that speaks OpenAI's API, or none. BATOS_MODEL and `ask --model` " +
      "override it. A key of a server is read from OPENAI_API_KEY, or from the variable named by ?key=.",
    examples: [
      ["model use llama:hf:OWNER/REPO/FILE.gguf", "a model that was pulled"],
      ["model use llama:./models/mine.gguf", "a file of your own"],
      ["model use openai:http://127.0.0.1:8000/v1#NAME", "vLLM, llama.cpp's server, Ollama, …"],
      ["model use none", "answers without a model"],
    ],
    positionals: ["model"],
    input: z.object({ model: modelName("What to use", "NAME|none"), repo }),
    result: z.object({ model: z.string(), previous: z.string().nullable() }),
    exit: () => 0,
  }),

  model_rm: command({
    summary: "Remove a model from this machine",
    doc:
      "Takes the files of a pulled model away, of an unfinished one too. Files of your own are left alone.",
    examples: [["model rm hf:OWNER/REPO/FILE.gguf", "its files are gone"]],
    positionals: ["model"],
    input: z.object({ model: modelName("What to remove", "REFERENCE"), repo }),
    result: z.object({
      reference: z.string(),
      removed: field(z.boolean(), "False where there was none"),
      bytes: field(z.int().min(0), "That were freed"),
    }),
    exit: foundWhen((result) => result.removed),
  }),
};
