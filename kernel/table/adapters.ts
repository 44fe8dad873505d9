/**
 * The part of the command table that is about LoRA adapters.
 *
 * Owns their contract; see `commands.ts` for what must hold.
 */
import { z } from "zod";
import { command, field, foundWhen, repo } from "./entry.ts";

const name = field(z.string().min(1).max(64), "What the adapter is called", {
  placeholder: "NAME",
});

const adapter = z.object({
  oid: field(z.string(), "Its object in the image"),
  name: z.string(),
  scale: field(z.number(), "What its change is multiplied by"),
  base: field(z.string().nullable(), "What it was trained on, as its trainer called it"),
  forms: field(
    z.array(z.enum(["gguf", "peft"])),
    "gguf: for models of this process; peft: for servers",
  ),
  bytes: field(z.int().min(0), "Of its files"),
});

/** The entries, in the order of `--help`. */
export const adapterCommands = {
  adapter_import: command({
    summary: "Bring a LoRA adapter into the image",
    doc:
      "Takes the folder that PEFT's save_pretrained wrote (safetensors), or a GGUF adapter. With --model the folder is converted for " +
      "llama.cpp as well, and everything is compared with that model first. One of the same name is replaced.",
    examples: [
      [
        "adapter import out/brick_1 --model ./llama.gguf",
        "converted for that model, called brick_1",
      ],
      ["adapter import out/brick_1 --name brick", "as it is, for a vLLM server"],
      ["adapter import brick.gguf --model ./llama.gguf --scale 0.5", "a GGUF adapter, at half"],
    ],
    positionals: ["path"],
    local: true,
    input: z.object({
      path: field(z.string().min(1), "Folder that PEFT saved, or GGUF file", {
        placeholder: "PATH",
      }),
      name: field(name.optional(), "What to call it (default: the name of the folder or file)", {
        placeholder: "NAME",
      }),
      model: field(z.string().min(1).optional(), "GGUF file of the model that it is for", {
        placeholder: "MODEL",
      }),
      scale: field(z.number().default(1), "What its change is multiplied by", {
        placeholder: "FACTOR",
      }),
      repo,
    }),
    result: adapter,
    exit: () => 0,
  }),

  adapter_list: command({
    summary: "List the adapters of the image",
    doc: "By name, with what they were trained on and where they can be used.",
    examples: [["adapter list", "names, sizes, forms"]],
    positionals: [],
    input: z.object({ repo }),
    result: z.object({ adapters: z.array(adapter) }),
    exit: foundWhen((result) => result.adapters.length > 0),
  }),

  adapter_rm: command({
    summary: "Forget an adapter",
    doc: 'The image keeps its past; "image pack" deletes its files once nothing leads to them.',
    examples: [["adapter rm brick_1", "by name"]],
    positionals: ["name"],
    input: z.object({ name, repo }),
    result: z.object({ name: z.string(), removed: z.boolean() }),
    exit: foundWhen((result) => result.removed),
  }),
};
