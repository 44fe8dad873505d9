/**
 * A QueryMorph as an object of the image: its four slots, kept as it goes.
 *
 * Owns the prototype and the form of the slots. What must hold: what was retrieved is referred to, never copied (chunks are objects of
 * memory), and is gone from the object when its cycle is complete; the log stays, in a few words a step.
 */
import { type GenesisDefinition, type Oid, Ref, type UnitOfWork } from "../kernel/mod.ts";
import { MemoryRef } from "../rag/mod.ts";
import { memoryOid } from "./memory_mount.ts";
import type { QueryMorph } from "./query_morph.ts";

/** The prototype. */
export const QUERY_MORPH: GenesisDefinition = {
  name: "query_morph",
  slots: { initial_prompt: "", refined_query: null, retrieved_context: [], reasoning_log: [] },
};

/** Longest text of a slot; the trail has the whole. */
const LONGEST = 500;

/** See the module text. */
export class MorphObject {
  readonly #unit: UnitOfWork;
  readonly oid: Oid;

  constructor(unit: UnitOfWork, prototype: Oid, question: string) {
    this.#unit = unit;
    this.oid = unit.create({ parent: prototype, slots: { initial_prompt: clip(question) } });
  }

  /** After a step. */
  update({ refined_query, retrieved_context, reasoning_log }: QueryMorph): void {
    const set = (slot: string, value: unknown) => this.#unit.set(this.oid, slot, value);
    set("refined_query", { ...refined_query, text: clip(refined_query.text) });
    set(
      "retrieved_context",
      retrieved_context.map((item) =>
        item.type === "chunk"
          ? new Ref(memoryOid(new MemoryRef("memory_chunk", item.hit.oid)))
          : item.type === "summary"
          ? item.summary.path
          : item.type === "cycle"
          ? item.fractal.cycle
          : item.type === "spelling"
          ? item.to
          : item.type === "absent"
          ? item.word
          : item.path
      ),
    );
    set(
      "reasoning_log",
      reasoning_log.map(({ thought, action, observation }) => ({
        thought: clip(thought),
        action,
        observation: clip(observation),
      })),
    );
  }

  /** The cycle is about to be complete. */
  end(): void {
    this.#unit.remove(this.oid, "retrieved_context");
  }
}

function clip(text: string): string {
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST)}…`;
}
