/**
 * The part of the command table that is about the living image.
 *
 * Owns their contract; see `commands.ts` for what must hold. OIDs are decimal strings, values have the form of `image/value_json.ts`.
 */
import { z } from "zod";
import { command, field, foundWhen, repo } from "./entry.ts";

const oid = field(z.string(), "Identity of the object, a decimal number");

const object = field(
  z.string().min(1).max(1000),
  "An OID (12 or @12), or the name that the lobby has for it",
  { placeholder: "OBJECT" },
);

const at = field(
  z.int().min(1).optional(),
  "As of this transaction; by default as it is now",
  { placeholder: "TID" },
);

const tid = z.int().min(0);

const named = z.object({ oid, name: field(z.string(), "Empty where it has none") });

const head = named.extend({
  prototype: field(named.nullable(), "What it delegates to; null for nothing"),
  slots: field(z.int().min(0), "How many slots of its own it has"),
  tid: field(tid, "Transaction that wrote it; 0 for what is only shown in the image"),
  text: field(z.string().optional(), "The beginning of the first words in its slots"),
});

const slot = z.object({
  name: z.string(),
  type: z.enum(["data", "method", "primitive"]),
  value: field(z.unknown().optional(), "Of a data slot"),
  read_only: z.boolean().optional(),
  language: z.string().optional(),
  parameters: z.array(z.string()).optional(),
  source: field(z.string().optional(), "Of a method"),
  hash: z.string().optional(),
  primitive: field(z.string().optional(), "Name of the function of the kernel"),
  holder: field(named.optional(), "The object that it is inherited from"),
});

const transaction = z.object({
  tid,
  time: field(z.string(), "ISO 8601"),
  user: z.string(),
  description: z.string(),
});

const change = z.object({
  oid,
  name: z.string(),
  slot: field(z.string().optional(), "Absent where the whole object came or went"),
  change: z.enum(["added", "changed", "removed"]),
  value: field(z.unknown().optional(), "What a data slot holds now"),
});

/** What a command that writes to the image wrote. */
export const committed = {
  tid: field(tid.nullable(), "The transaction; null where nothing was written"),
  changes: field(z.array(change), "What it wrote"),
};

const counts = {
  objects: z.int().min(0),
  revisions: z.int().min(0),
  blobs: z.int().min(0),
};

const dry_run = field(z.boolean().default(false), "Show what would change, write nothing");

const VALUE =
  'JSON, or text where it is none; @12 or @NAME refers to an object; {"$…": …} says what JSON lacks';

const asText = field(z.boolean().default(false), "Take values as text, whatever they look like");

/** The entries, in the order of `--help`. */
export const imageCommands = {
  image_ls: command({
    summary: "List the objects of the image",
    doc:
      "With PATTERN those whose name, prototype, slot names or texts contain it; * and ? stand for any text and any character.",
    examples: [
      ["image ls", "the first fifty objects"],
      ["image ls 'state_*'", "those with such a name, prototype or slot"],
      ["image ls --prototype list", 'what delegates to the object "list"'],
    ],
    positionals: ["pattern"],
    input: z.object({
      pattern: field(z.string().min(1).max(1000).optional(), "What to look for", {
        placeholder: "PATTERN",
      }),
      repo,
      prototype: field(z.string().min(1).optional(), "Only what delegates directly to this", {
        placeholder: "OBJECT",
      }),
      at,
      limit: field(z.int().min(1).max(10_000).default(50), "How many at most", {
        placeholder: "N",
        short: "k",
      }),
      after: field(z.string().optional(), "Go on behind this OID", { placeholder: "OID" }),
    }),
    result: z.object({
      objects: z.array(head),
      next: field(
        z.string().optional(),
        "The last OID shown, where there may be more: --after goes on",
      ),
    }),
    exit: foundWhen((result) => result.objects.length > 0),
  }),

  image_get: command({
    summary: "Show an object with its slots",
    doc:
      "Its own slots, and with --inherited those that it finds by delegation. Chunks, summaries and fractals of memory are objects too.",
    examples: [
      ["image get lobby", "the names of the image"],
      ["image get @12 --inherited", "everything that object 12 understands"],
      ["image get todo --at 40", "as it was after transaction 40"],
    ],
    positionals: ["object"],
    input: z.object({
      object,
      repo,
      at,
      inherited: field(z.boolean().default(false), "Inherited slots too"),
    }),
    result: head.extend({
      kind: field(z.string(), "How conflicts are resolved; empty for not at all"),
      parents: z.array(named.extend({ slot: z.string() })),
      slots: z.array(slot),
      transaction: field(transaction.nullable(), "Who wrote it; null for what is only shown"),
    }),
    exit: () => 0,
  }),

  image_new: command({
    summary: "Make an object that delegates to another",
    doc:
      `Slots are given as NAME=VALUE. A value is ${VALUE}. With --name the lobby knows it, so that it is kept by "image pack".`,
    examples: [
      ["image new list --name todo", 'an empty list, found as "todo"'],
      ["image new name=Ada born=1815", "an object with two slots"],
    ],
    positionals: ["prototype", "slots"],
    input: z.object({
      prototype: field(z.string().min(1).default("traits"), "What it delegates to", {
        placeholder: "PROTOTYPE",
      }),
      slots: field(z.array(z.string()).default([]), "Its slots", { placeholder: "NAME=VALUE" }),
      repo,
      name: field(z.string().min(1).max(1000).optional(), "Name in the lobby", {
        placeholder: "NAME",
      }),
      text: asText,
    }),
    result: named.extend(committed),
    exit: () => 0,
  }),

  image_set: command({
    summary: "Assign a slot of an object",
    doc:
      `The value is ${VALUE}. What was inherited becomes the object's own; its parents stay as they are. ` +
      "A slot whose name ends in * names a parent.",
    examples: [
      ["image set todo owner Ada", "a text"],
      ['image set @12 sizes \'[1, 2.5, {"$bigint": "3"}]\'', "a list"],
      ["image set @12 'parent*' @list", "another parent"],
    ],
    positionals: ["object", "slot", "value"],
    input: z.object({
      object,
      slot: field(z.string().min(1).max(1000), "Name of the slot", { placeholder: "SLOT" }),
      value: field(z.string(), "What it is to hold", { placeholder: "VALUE" }),
      repo,
      text: asText,
      force: field(z.boolean().default(false), "Even where it is read-only, or a method"),
      dry_run,
    }),
    result: named.extend(committed),
    exit: () => 0,
  }),

  image_rm: command({
    summary: "Remove a slot, or a name from the lobby",
    doc:
      'With SLOT the object loses its own slot, and an inherited one shows again. Without, the lobby forgets the object: "image pack" then ' +
      "removes it where nothing else refers to it.",
    examples: [
      ["image rm todo owner", 'the slot "owner"'],
      ["image rm todo", 'the name "todo"'],
    ],
    positionals: ["object", "slot"],
    input: z.object({
      object,
      slot: field(z.string().min(1).max(1000).optional(), "Name of the slot", {
        placeholder: "SLOT",
      }),
      repo,
      dry_run,
    }),
    result: named.extend(committed),
    exit: foundWhen((result) => result.changes.length > 0),
  }),

  image_send: command({
    summary: "Send a message to an object",
    doc:
      `Finds the slot by delegation and runs it; what it changed is committed in one transaction. An argument is ${VALUE}.`,
    examples: [
      ["image send todo add: 'write tests'", "one argument"],
      ["image send todo size", "none"],
      ["image send true ifTrue:ifFalse: yes no", "two arguments"],
    ],
    positionals: ["object", "selector", "args"],
    input: z.object({
      object,
      selector: field(z.string().min(1).max(1000), "The message", { placeholder: "SELECTOR" }),
      args: field(z.array(z.string()).default([]), "Its arguments", { placeholder: "ARG" }),
      repo,
      text: asText,
      dry_run,
    }),
    result: named.extend({ selector: z.string(), value: z.unknown(), ...committed }),
    exit: () => 0,
  }),

  image_log: command({
    summary: "Show transactions, or the history of an object",
    doc: "Newest first. Of an object it shows what each transaction did to its slots.",
    examples: [
      ["image log", "the last transactions"],
      ["image log todo", "what happened to one object"],
    ],
    positionals: ["object"],
    input: z.object({
      object: field(z.string().min(1).max(1000).optional(), "An OID, or a name of the lobby", {
        placeholder: "OBJECT",
      }),
      repo,
      limit: field(z.int().min(1).max(10_000).default(20), "How many at most", {
        placeholder: "N",
        short: "k",
      }),
      before: field(z.int().min(1).optional(), "Only transactions before this one", {
        placeholder: "TID",
      }),
    }),
    result: z.object({
      object: named.optional(),
      transactions: z.array(transaction.extend({
        objects: field(z.array(named), "What it wrote"),
        changes: field(z.array(change).optional(), "Of one object: what became of its slots"),
      })),
    }),
    exit: foundWhen((result) => result.transactions.length > 0),
  }),

  image_undo: command({
    summary: "Take back transactions, in a new one",
    doc:
      "Refused where a later change rests on one of them: then undo that too, or first. An undo is a transaction and can be undone. " +
      "Of a question it takes back the turn of its conversation too, and says so.",
    examples: [["image undo 41", "what transaction 41 did"], ["image undo 41 42", "both"]],
    positionals: ["tids"],
    input: z.object({
      tids: field(
        z.array(z.string().regex(/^[1-9]\d{0,14}$/, "expected the number of a transaction")).min(1),
        'Transactions, as "image log" shows them',
        { placeholder: "TID" },
      ),
      repo,
    }),
    result: z.object({
      undone: z.array(tid),
      ...committed,
      tid: field(tid, "The transaction"),
      turns: field(
        z.array(z.object({
          conversation: field(z.string(), "Its name; empty for the one that has none"),
          question: z.string(),
          change: z.enum(["added", "removed"]),
        })),
        "Questions that conversations no longer go on with, or do again",
      ),
    }),
    exit: () => 0,
  }),

  image_pack: command({
    summary: "Forget the past, and what nothing leads to",
    doc:
      "Removes old revisions, objects that nothing leads to any more, and their blobs. What is " +
      "forgotten can be neither seen nor undone. Without --keep or --before all of the past is, if you say yes. Others may write meanwhile.",
    examples: [
      ["image pack --keep 30", "keep the past of 30 days"],
      [
        "image pack --before 41",
        "keep transaction 41, which can still be undone, and what came after",
      ],
      ["image pack", "keep the present alone; asks first"],
    ],
    positionals: [],
    input: z.object({
      keep: field(z.number().min(0).max(36_500).optional(), "Keep the past of so many days", {
        placeholder: "DAYS",
      }),
      before: field(z.int().min(1).optional(), "Forget what was before this transaction", {
        placeholder: "TID",
      }),
      yes: field(z.boolean().default(false), "Forget all of the past without asking"),
      repo,
    }).refine(({ keep, before }) => keep === undefined || before === undefined, {
      error: "give either --keep DAYS or --before TID",
    }),
    result: z.object({
      up_to: field(tid, "The past before this transaction is gone"),
      ...counts,
      transactions: z.int().min(0),
      bytes_before: field(z.int().min(0), "Of the file, index included, and the blobs"),
      bytes_after: z.int().min(0),
    }),
    exit: () => 0,
  }),

  image_check: command({
    summary: "Read everything in the image and list damage",
    doc:
      "Reads every record and blob and compares them with their checksums; finds references to what is missing. Changes nothing. " +
      'Exit code 1 when something is wrong. "batos ingest --rebuild" saves what can be read of a damaged file.',
    examples: [
      ["image check", "what is wrong, by object and transaction"],
      ["image check --json --quiet", "for programs"],
    ],
    positionals: [],
    input: z.object({ repo }),
    result: z.object({
      ...counts,
      transactions: z.int().min(0),
      problems: field(
        z.array(z.object({
          oid: oid.optional(),
          tid: tid.optional(),
          problem: field(
            z.string(),
            "What is wrong with it; with the file as a whole, where it has neither",
          ),
        })),
        "Empty where nothing is wrong",
      ),
      tail: field(
        z.object({
          frames: field(z.int().min(0), "Pages, the last of which may be a part of one"),
          bytes: z.int().min(1),
          detail: field(z.string(), "The same in words"),
        }).optional(),
        "What a process that died left behind the last transaction; it counts for nothing",
      ),
    }),
    exit: (results) => results.some(({ problems }) => problems.length > 0) ? 1 : 0,
  }),

  // These two are local: they read and write files wherever their caller may, and standard input and output. Who comes through another
  // door has no files here, and reads objects with "image get".
  image_export: command({
    summary: "Write an object and all that it leads to into a file",
    doc:
      "Lines of JSON, blobs included. What the lobby knows by name, such as prototypes, is linked by name and not taken along.",
    examples: [
      ["image export todo todo.jsonl", 'the object "todo"'],
      ["image export @12 - | gzip > 12.gz", "through a pipe"],
    ],
    positionals: ["object", "file"],
    local: true,
    input: z.object({
      object,
      file: field(z.string().min(1), "The file to make, `-` for stdout", { placeholder: "FILE" }),
      repo,
      at,
      force: field(z.boolean().default(false), "Even where there is a file of that name"),
    }),
    result: named.extend({
      file: z.string(),
      objects: z.int().min(0),
      blobs: z.int().min(0),
      bytes: z.int().min(0),
    }),
    exit: () => 0,
  }),

  image_import: command({
    summary: "Make the objects that an export wrote",
    doc:
      "All of them in one transaction, or none. They are new objects with OIDs of their own; prototypes are found by their names.",
    examples: [
      ["image import todo.jsonl --name todo", 'found as "todo"'],
      ["image import - < todo.jsonl", "from standard input"],
    ],
    positionals: ["file"],
    local: true,
    input: z.object({
      file: field(z.string().min(1), "The file to read, `-` for stdin", { placeholder: "FILE" }),
      repo,
      name: field(z.string().min(1).max(1000).optional(), "Name in the lobby", {
        placeholder: "NAME",
      }),
    }),
    result: named.extend({
      file: z.string(),
      objects: z.int().min(0),
      blobs: z.int().min(0),
      tid,
    }),
    exit: () => 0,
  }),
};
