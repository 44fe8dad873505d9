/**
 * The conversations of this browser: questions and their answers.
 *
 * Owns the conversation of this window, and the list of recent ones, which all windows of the workspace share (`localStorage`). The kernel
 * keeps by name what a follow-up needs; the name is the id here. What must hold: two windows never mix their conversations; one question
 * runs at a time in a window; one that was cancelled keeps the steps that it took, and what was written; a reload loses no answer;
 * nothing of another workspace is shown, though it may have had the same address; what is forgotten leaves the kernel first, then every window.
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
  /** The answer as far as it is written; its citations were checked. */
  readonly draft?: string | undefined;
  readonly answer: Result<"ask"> | undefined;
  readonly problem: string | undefined;
  readonly run: string | undefined;
}

/** A conversation as the list of recent ones has it. */
export interface Recent {
  readonly id: string;
  /** Its first question. */
  readonly title: string;
  readonly questions: number;
  /** When its last question ended, in milliseconds. */
  readonly time: number;
}

/** What is kept in this browser. */
interface Kept {
  readonly id: string;
  readonly root: string;
  readonly turns: readonly Turn[];
}

/** As many turns as are kept over a reload: what a person scrolls back to. */
const MAX_KEPT = 20;
/** Conversations in the list: as many as one looks through; browsers have room for some megabytes. */
const MAX_RECENT = 12;
/** Longest title of one. */
const MAX_TITLE = 120;

/** The conversation of this window. */
export const conversation = new Store<{ readonly id: string; readonly turns: readonly Turn[] }>(
  restore(),
);

/** Those of this workspace that can be gone on with, the latest first. */
export const recent = new Store<{ readonly list: readonly Recent[] }>({ list: [] });

/** What became of the last one that was to be forgotten, in words; empty where there is nothing to say. */
export const forgetting = new Store<{ readonly words: string }>({ words: "" });

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
  forgetting.set({ words: "" });
  const id = crypto.randomUUID();
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
  const draft = new Draft((draft) => change(() => ({ draft, doing: WRITING })));
  try {
    const input = { question: text, conversation: conversation.value.id };
    const [answer] = await run("ask", input, {
      onRun: (run) => change(() => ({ run })),
      onProgress: ({ phase, done, total, detail, note, step, text, restart }) => {
        if (text !== undefined) draft.write(text, restart);
        else if (step !== undefined) change(({ steps }) => ({ steps: [...steps, step] }));
        else if (note) change(({ notes }) => ({ notes: [...notes, detail ?? ""] }));
        else if (phase !== WRITES) {
          const count = total === undefined ? "" : ` ${done} of ${total}`;
          change(() => ({ doing: `${phase}${count}` }));
        }
      },
    });
    draft.end();
    change(() => ({ answer: answer!, draft: undefined, doing: undefined }));
  } catch (error) {
    change(() => ({ draft: draft.end(), problem: problemText(error), doing: undefined }));
  }
  keep();
}

/** What progress calls it when a model writes, and what the page does: it is read out once, not with each character. */
const WRITES = "writing, characters";
const WRITING = "Writing the answer";

/** An answer that is being written: shown once a frame, however many pieces come. */
class Draft {
  readonly #show: (text: string) => void;
  #text = "";
  #frame: number | undefined;

  constructor(show: (text: string) => void) {
    this.#show = show;
  }

  write(piece: string, restart = false): void {
    this.#text = (restart ? "" : this.#text) + piece;
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = undefined;
      this.#show(this.#text);
    });
  }

  /** Shows nothing more; gives what was written. */
  end(): string {
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
    return this.#text;
  }
}

/** Gives up the question that is being answered. */
export function stopAsking(): void {
  const running = conversation.value.turns.find(isRunning);
  if (running?.run !== undefined) void cancelRun(running.run);
}

/** Begins anew; the conversation of before stays in the list. */
export function begin(): void {
  stopAsking();
  forgetting.set({ words: "" });
  conversation.set({ id: crypto.randomUUID(), turns: [] });
  keepHere();
}

/** Goes on with a conversation of the list. */
export function resume(id: string): void {
  const kept = read(localStorage, keyOf(id));
  if (kept === undefined) return list();
  stopAsking();
  conversation.set({ id, turns: kept.turns });
  keepHere();
}

/** Forgets a conversation: in the kernel, and then in this browser with all its windows. */
export async function forget(id: string): Promise<void> {
  let words = "Forgotten in this browser; the kernel had nothing of it any more";
  try {
    const [result] = await run("conversation_forget", { name: id });
    if (typeof result?.tid === "number") {
      words =
        "Forgotten, in this browser and in the image. Until “batos image pack” its past has it, " +
        `and “batos image undo ${result.tid}” brings it back there`;
    }
  } catch (error) {
    forgetting.set({ words: `Not forgotten: ${problemText(error)}` });
    return;
  }
  attempt(() => localStorage.removeItem(keyOf(id)));
  windows.postMessage(id);
  list();
  forgetting.set({ words: `${words}. The audit trail keeps what was asked.` });
}

/** Tells the other windows what was forgotten. */
const windows = new BroadcastChannel("forgotten conversations");
windows.onmessage = ({ data: id }) => {
  // Its next question would have nothing to go on with, and would put it into the list again.
  if (id === conversation.value.id) begin();
  list();
};

const PREFIX = "conversation ";

function keyOf(id: string): string {
  return PREFIX + id;
}

/** What is to be kept of this window; undefined before the workspace is known, and where there is nothing. */
function ended(): Kept | undefined {
  const root = kernel.value.table?.workspace.root;
  const { id, turns } = conversation.value;
  const whole = turns.filter((turn) => !isRunning(turn)).slice(-MAX_KEPT);
  return root === undefined ? undefined : { id, root, turns: whole };
}

function keepHere(): void {
  const kept = ended();
  if (kept !== undefined) {
    attempt(() => sessionStorage.setItem("conversation", JSON.stringify(kept)));
  }
}

function keep(): void {
  keepHere();
  const kept = ended();
  if (kept === undefined || kept.turns.length === 0) return;
  const entry = JSON.stringify({ ...kept, time: Date.now() });
  const others = everything().filter(({ id }) => id !== kept.id);
  // What has no room makes the oldest go, until it has.
  for (let room = MAX_RECENT - 1; room >= 0; room--) {
    for (const { id } of others.splice(room)) attempt(() => localStorage.removeItem(keyOf(id)));
    if (attempt(() => localStorage.setItem(keyOf(kept.id), entry))) break;
  }
  list();
}

/** All conversations of this browser at this address, the latest first. */
function everything(): (Kept & { readonly time: number })[] {
  const found: (Kept & { readonly time: number })[] = [];
  attempt(() => {
    for (const key of Object.keys(localStorage)) {
      const kept = key.startsWith(PREFIX) ? read(localStorage, key) : undefined;
      if (kept !== undefined) found.push(kept);
    }
  });
  return found.sort((a, b) => b.time - a.time);
}

function list(): void {
  const root = kernel.value.table?.workspace.root;
  recent.set({
    list: everything().filter((kept) => kept.root === root && kept.turns.length > 0).map((
      { id, turns, time },
    ) => ({
      id,
      title: turns[0]!.question.slice(0, MAX_TITLE),
      questions: turns.length,
      time,
    })),
  });
}

function read(storage: Storage, key: string): (Kept & { readonly time: number }) | undefined {
  let kept: (Kept & { readonly time: number }) | null = null;
  attempt(() => kept = JSON.parse(storage.getItem(key) ?? "null"));
  // Of this version, as far as one can see.
  kept = kept as (Kept & { readonly time: number }) | null;
  return typeof kept?.id === "string" && typeof kept.root === "string" && Array.isArray(kept.turns)
    ? { ...kept, time: Number(kept.time ?? 0) }
    : undefined;
}

/** Storage may be full, or not permitted: then a reload begins anew. */
function attempt(work: () => void): boolean {
  try {
    work();
    return true;
  } catch {
    return false;
  }
}

function restore(): { id: string; turns: readonly Turn[] } {
  let kept: Kept | undefined;
  attempt(() => kept = read(sessionStorage, "conversation"));
  return kept ?? { id: crypto.randomUUID(), turns: [] };
}

/** The workspace is known, or another one has the address of the one before. */
let known: string | undefined;
kernel.listen(() => {
  const root = kernel.value.table?.workspace.root;
  if (root === undefined || root === known) return;
  known = root;
  let kept: Kept | undefined;
  attempt(() => kept = read(sessionStorage, "conversation"));
  if (kept !== undefined && kept.root !== root) {
    conversation.set({ id: crypto.randomUUID(), turns: [] });
  }
  list();
});

// Another window has kept something: perhaps a turn of the conversation that is open here too.
addEventListener("storage", ({ key }) => {
  if (key?.startsWith(PREFIX) !== true) return;
  const { id } = conversation.value;
  const kept = key === keyOf(id) && !isAsking() ? read(localStorage, key) : undefined;
  if (kept !== undefined && kept.turns.length > conversation.value.turns.length) {
    conversation.set({ turns: kept.turns });
    keepHere();
  }
  list();
});
