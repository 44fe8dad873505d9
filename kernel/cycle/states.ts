/**
 * The states of a cognitive cycle, and the objects of the image that stand for them.
 *
 * Owns which states there are, whose persona acts in them, and which may follow. Pure. What must hold: a state may only be left for one
 * that its entry names; COMPLETE and FAILED are left for none.
 */
import type { GenesisDefinition } from "../image/genesis.ts";
import { primitive, readOnly } from "../image/slot_spec.ts";

/** The states, in the order of an undisturbed cycle. */
export const STATES = [
  "IDLE",
  "DECOMPOSING",
  "DELEGATING",
  "SYNTHESIZING",
  "VALIDATING",
  "COMPLETE",
  "FAILED",
] as const;

/** Name of a state. */
export type StateName = (typeof STATES)[number];

/** What is known of a state. */
export interface State {
  /** Who acts in it. */
  readonly persona: string;
  /** What happens in it, for people. */
  readonly does: string;
  /** The states that may follow. */
  readonly then: readonly StateName[];
}

/** The machine. FAILED may follow wherever something is done. */
export const STATE_TABLE: Readonly<Record<StateName, State>> = {
  IDLE: {
    persona: "ORCHESTRATOR",
    does: "keeps the mission brief and starts the clock",
    then: ["DECOMPOSING", "FAILED"],
  },
  DECOMPOSING: {
    persona: "BRICK",
    does: "makes a plan of the mission",
    then: ["DELEGATING", "FAILED"],
  },
  DELEGATING: {
    persona: "BABS",
    does: "does the parts of the plan",
    then: ["SYNTHESIZING", "FAILED"],
  },
  SYNTHESIZING: {
    persona: "ROBIN",
    does: "weaves the parts into a result",
    then: ["VALIDATING", "COMPLETE", "FAILED"],
  },
  VALIDATING: {
    persona: "ALFRED",
    does: "tries what would be installed",
    then: ["COMPLETE", "FAILED"],
  },
  COMPLETE: { persona: "ORCHESTRATOR", does: "clears what was temporary and commits", then: [] },
  FAILED: { persona: "ORCHESTRATOR", does: "keeps the reason and nothing else", then: [] },
};

/** Name of the object that stands for a state, in the lobby. */
export function stateObject(state: StateName): string {
  return `state_${state.toLowerCase()}`;
}

/** Name of the slot by which a cycle delegates to its state: to assign it is to change state, and nothing else is. */
export const STATE_SLOT = "synthesis_state*";

/** Name of the method that does the work of a state; a cycle finds it by delegation. */
export const WORK = "work";

/** Name of the primitive behind it. */
export const WORK_PRIMITIVE = "cycleWork";

/** Prototypes: of states, each state, and of cycles. */
export const CYCLE_PROTOTYPES: readonly GenesisDefinition[] = [
  { name: "cycle_state", slots: { [WORK]: primitive(WORK_PRIMITIVE) } },
  ...STATES.map((state): GenesisDefinition => ({
    name: stateObject(state),
    parent: "cycle_state",
    slots: {
      state: readOnly(state),
      persona: readOnly(STATE_TABLE[state].persona),
      does: readOnly(STATE_TABLE[state].does),
      then: readOnly(STATE_TABLE[state].then),
    },
  })),
  // No state of its own: a cycle has one, and a second way to another would make its messages ambiguous.
  { name: "cognitive_cycle", slots: { [STATE_SLOT]: null } },
];
