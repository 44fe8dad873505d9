/**
 * Results of the commands about conversations, as text for people.
 *
 * Owns the looks of `table/conversations.ts`; see `render.ts` for what must hold.
 */
import { counted } from "../counted.ts";
import { type conversationCommands, UNNAMED } from "../table/conversations.ts";
import { fit, type Look, type Renderers, safe } from "./look.ts";

/** One function a command. */
export const conversationRenderers: Renderers<keyof typeof conversationCommands> = {
  conversation_list({ conversations }, look: Look) {
    const { bold, dim } = look.colours;
    if (conversations.length === 0) return dim("no conversation to go on with");
    return conversations.map(({ name, own, questions, time }) => {
      const facts = `${counted(questions.length, "question")}, the last ${time.slice(0, 16)}${
        own ? ", yours" : ""
      }`;
      return [
        `${bold(safe(name, look))}  ${dim(facts.replace("T", " "))}`,
        ...questions.map((question) => `  ${fit(safe(question, look), 2, look)}`),
      ].join("\n");
    }).join("\n");
  },

  conversation_forget({ conversations, tid }, look: Look) {
    const { bold, dim } = look.colours;
    if (tid === null) return dim("there was nothing to forget");
    const questions = conversations.reduce((sum, each) => sum + each.questions, 0);
    const [only] = conversations;
    const what = conversations.length > 1
      ? `${conversations.length} conversations`
      : only!.name === UNNAMED
      ? "the conversation without a name"
      : `the conversation "${safe(only!.name, look)}"`;
    return [
      `forgot ${bold(what)}, ${counted(questions, "question")}`,
      dim(`"batos image undo ${tid}" brings back what "batos image pack" has not yet taken away;`),
      dim("the audit trail keeps what was asked"),
    ].join("\n");
  },
};
