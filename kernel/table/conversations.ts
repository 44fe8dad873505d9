/**
 * The part of the command table that is about conversations: what questions go on with.
 *
 * Owns their contract; see `commands.ts` for what must hold.
 */
import { z } from "zod";
import { command, field, foundWhen, repo } from "./entry.ts";

/** Stands on a command line for the conversation that has no name. */
export const UNNAMED = "-";

/** The entries, in the order of `--help`. */
export const conversationCommands = {
  conversation_list: command({
    summary: "List the conversations that can be gone on with",
    doc:
      "Each terminal, window of the page, console and client has one, and those that were given a name with `ask --conversation`. " +
      'Of a conversation the last eight questions are kept. "-" is the one of command lines that were at no terminal.',
    examples: [
      ["conversation list", "names and questions, the latest first"],
      ["conversation list --json", "for programs"],
    ],
    positionals: [],
    input: z.object({ repo }),
    result: z.object({
      conversations: z.array(z.object({
        name: field(z.string(), "As `ask --conversation` takes it; - for the one that has none"),
        own: field(z.boolean(), "Whether it is that of whoever asks for the list"),
        questions: field(z.array(z.string()), "What was asked, the oldest first"),
        time: field(z.string(), "When the last question was answered, ISO 8601"),
      })),
    }),
    exit: foundWhen((result) => result.conversations.length > 0),
  }),

  conversation_forget: command({
    summary: "Forget a conversation",
    doc:
      "Takes its questions and answers out of the image, those of the cycles that answered them included. Without NAME it is that of this " +
      "terminal. The past of the image has them, and `image undo` brings them back, until `image pack`; the audit trail keeps what was asked.",
    examples: [
      ["conversation forget", "what was asked at this terminal"],
      ["conversation forget retries", "the conversation of that name"],
      ["conversation forget --all", "all of them"],
    ],
    positionals: ["name"],
    input: z.object({
      name: field(
        z.string().min(1).max(1_000).optional(),
        "Which one, as `conversation list` says; - for the one that has none",
        { placeholder: "NAME", words: true },
      ),
      all: field(z.boolean().default(false), "All of them"),
      repo,
    }).refine(({ name, all }) => name === undefined || !all, {
      error: "give either a NAME or --all",
    }),
    result: z.object({
      conversations: field(
        z.array(z.object({ name: z.string(), questions: z.int().min(0) })),
        "What was forgotten; empty where there was nothing",
      ),
      tid: field(z.int().min(0).nullable(), "The transaction, which can be undone until a pack"),
      changes: field(z.array(z.object({ oid: z.string() })), "The objects that were emptied"),
    }),
    exit: foundWhen((result) => result.conversations.length > 0),
  }),
};
