/**
 * The questions of this window and their answers.
 *
 * Owns the list of turns, kept for the session of the tab. What must hold: one question runs at a time; one that was cancelled keeps the
 * steps that it took; a reload loses no answer.
 */
/// <reference lib="dom" />
import type { Result, StepProgress } from "../../commands.ts";
import { cancelRun, run } from "./api.ts";
import { kernel, problemText, Store } from "./store.ts";

/** A question and what became of it. */
export interface Turn {
  readonly id: string;
  readonly question: string;
  readonly steps: readonly StepProgress[];
  /** What is being done right now. */
  readonly doing: string | undefined;
  readonly notes: readonly string[];
  readonly answer: Result<"ask"> | undefined;
  readonly problem: string | undefined;
  readonly run: string | undefined;
}

/** As many turns as are kept over a reload: what a person scrolls back to. */
const MAX_KEPT = 20;
/** Field by which a question goes on with the one before, where the kernel has it. */
const FOLLOW_UP = "continue";

/** See the module text. */
export const conversation = new Store<{ readonly turns: readonly Turn[] }>(
  restore(),
);

/** Whether a further question knows the ones before. */
export function rememberedByKernel(): boolean {
  return FOLLOW_UP in (kernel.value.table?.commands.ask?.input.properties ?? {});
}

/** Whether a question is being answered. */
export function isAsking(): boolean {
  return conversation.value.turns.some(isRunning);
}

/** Whether this one is. */
export function isRunning({ answer, problem }: Turn): boolean {
  return answer === undefined && problem === undefined;
}

/** Asks, and shows what happens until there is an answer. */
export async function ask(question: string): Promise<void> {
  const text = question.trim();
  if (text === "" || isAsking()) return;
  const id = crypto.randomUUID();
  const isFollowUp = conversation.value.turns.some(({ answer }) => answer !== undefined);
  const fresh: Turn = {
    id,
    question: text,
    steps: [],
    doing: "Starting",
    notes: [],
    answer: undefined,
    problem: undefined,
    run: undefined,
  };
  conversation.set({ turns: [...conversation.value.turns, fresh] });
  const change = (with_: (turn: Turn) => Partial<Turn>) =>
    conversation.set({
      turns: conversation.value.turns.map((turn) =>
        turn.id === id ? { ...turn, ...with_(turn) } : turn
      ),
    });
  try {
    const input = {
      question: text,
      ...(isFollowUp && rememberedByKernel() && { [FOLLOW_UP]: true }),
    };
    const [answer] = await run("ask", input, {
      onRun: (run) => change(() => ({ run })),
      onProgress: ({ phase, done, total, detail, note, step }) => {
        if (step !== undefined) change(({ steps }) => ({ steps: [...steps, step] }));
        else if (note) change(({ notes }) => ({ notes: [...notes, detail ?? ""] }));
        else {
          const count = total === undefined ? "" : ` ${done} of ${total}`;
          change(() => ({ doing: `${phase}${count}` }));
        }
      },
    });
    change(() => ({ answer: answer!, doing: undefined }));
  } catch (error) {
    change(() => ({ problem: problemText(error), doing: undefined }));
  }
  keep();
}

/** Gives up the question that is being answered. */
export function stopAsking(): void {
  const running = conversation.value.turns.find(isRunning);
  if (running?.run !== undefined) void cancelRun(running.run);
}

/** Begins anew. */
export function forget(): void {
  stopAsking();
  conversation.set({ turns: [] });
  keep();
}

function keep(): void {
  const { turns } = conversation.value;
  try {
    sessionStorage.setItem(
      "conversation",
      JSON.stringify({ turns: turns.filter((turn) => !isRunning(turn)).slice(-MAX_KEPT) }),
    );
  } catch {
    // No room or no permission: then a reload begins anew.
  }
}

function restore(): { turns: Turn[] } {
  try {
    const kept = JSON.parse(sessionStorage.getItem("conversation") ?? "null");
    if (kept !== null) return kept;
  } catch {
    // Of another version, or not permitted.
  }
  return { turns: [] };
}
