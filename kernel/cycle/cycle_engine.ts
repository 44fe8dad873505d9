/**
 * Cognitive cycles: a mission on its way through the states, each cycle one unit of work of the image.
 *
 * Owns the machine: how a state's work is found and done, how one state follows another, how a cycle ends. What is done in a state is a
 * function handed in (`CycleWorks`). What must hold:
 * - the state of a cycle is the object that its slot `synthesis_state*` names; to assign that slot is the only transition;
 * - a cycle commits once, at COMPLETE: its objects and whatever joined its unit (memory) appear together, or not at all;
 * - FAILED leaves the reason (an object of its own, in a transaction of its own) and nothing else of the cycle;
 * - nobody waits for a lock while a cycle thinks; several run at once; each can be cancelled in every state;
 * - a process that is killed leaves the image as it was: the trail, which was written along the way, says what was under way.
 */
import type { Recorder } from "../audit/event.ts";
import type { Image } from "../image/image.ts";
import { namedObject } from "../image/genesis.ts";
import type { UnitOfWork } from "../image/unit_of_work.ts";
import { type Oid, Ref } from "../image/values.ts";
import { CycleError } from "./cycle_error.ts";
import {
  CYCLE_PROTOTYPES,
  STATE_SLOT,
  STATE_TABLE,
  type StateName,
  stateObject,
  STATES,
  WORK,
  WORK_PRIMITIVE,
} from "./states.ts";

/** What a cycle is for. */
export interface MissionBrief {
  /** `question`, or another kind that somebody can work on. */
  readonly type: string;
  /** The question, or the message. */
  readonly selector: string;
  /** Data that belongs to it. */
  readonly args?: readonly unknown[];
}

/** A cycle as its works see it. */
export interface CycleContext {
  readonly id: string;
  /** The cycle as an object. */
  readonly oid: Oid;
  readonly unit: UnitOfWork;
  readonly brief: MissionBrief;
  /** Aborted when the cycle is cancelled or its time is over. */
  readonly signal: AbortSignal;
  /** Assigns a slot of the cycle that is cleared when it is complete. */
  temporary(name: string, value: unknown): void;
  /** Tells whoever watches what is happening. */
  tell(text: string): void;
}

/**
 * What is done in the states that do something. Each gives the state that follows; an error leads to FAILED. A mission whose result is to
 * be installed goes by VALIDATING.
 */
export interface CycleWorks {
  DECOMPOSING(cycle: CycleContext): Promise<StateName>;
  DELEGATING(cycle: CycleContext): Promise<StateName>;
  SYNTHESIZING(cycle: CycleContext): Promise<StateName>;
  VALIDATING?(cycle: CycleContext): Promise<StateName>;
}

/** A state that a cycle has been in. */
export interface StateVisit {
  readonly state: StateName;
  /** Milliseconds since the cycle began. */
  readonly at: number;
  /** Milliseconds that it took. */
  readonly ms: number;
}

/** A cycle that is running, for those who watch. */
export interface RunningCycle {
  readonly id: string;
  readonly mission: string;
  readonly state: StateName;
  readonly persona: string;
  /** ISO 8601. */
  readonly since: string;
  /** What is happening now; empty where nothing was said. */
  readonly text: string;
}

/** How a cycle is run. */
export interface CycleOptions {
  /** UUID; a new one by default. */
  readonly id?: string;
  readonly signal?: AbortSignal | undefined;
  /** Notes every change of state. */
  readonly recorder?: Recorder | undefined;
  /** Milliseconds after which the cycle fails, whatever it is doing. */
  readonly deadlineMs?: number;
  /** Called with each change of state, and whenever a work tells something. */
  readonly onState?: (cycle: RunningCycle) => void;
}

/** What is left of a cycle that came to its end. */
export interface CycleEnd {
  readonly id: string;
  /** The cycle as an object of the image. */
  readonly oid: Oid;
  /** The transaction that it was committed in. */
  readonly tid: number;
  readonly states: readonly StateVisit[];
}

/** Longest text of a mission that a cycle keeps in the image; the trail has all of it. */
const LONGEST_KEPT = 2_000;

/** One cycle while it runs. */
interface Running {
  readonly context: CycleContext;
  readonly works: CycleWorks;
  readonly recorder: Recorder | undefined;
  readonly abort: AbortController;
  readonly since: string;
  state: StateName;
  text: string;
}

/** See the module text. One for each image. */
export class CycleEngine {
  readonly #image: Image;
  readonly #running = new Map<string, Running>();
  readonly #byUnit = new WeakMap<UnitOfWork, Running>();
  readonly #listeners = new Set<(cycle: RunningCycle) => void>();

  private constructor(image: Image) {
    this.#image = image;
  }

  /** An engine over an image, which gets the prototypes that it lacks. */
  static async on(image: Image): Promise<CycleEngine> {
    await image.defineObjects(CYCLE_PROTOTYPES);
    const engine = new CycleEngine(image);
    image.definePrimitive(WORK_PRIMITIVE, {
      arity: 0,
      run: ({ unit }) => engine.#work(unit),
    });
    return engine;
  }

  /** Cycles that are running, the oldest first. */
  list(): RunningCycle[] {
    return [...this.#running.values()].map(shown);
  }

  /** Cancels a cycle; gives whether there was one of that id. */
  cancel(id: string, reason: unknown = new DOMException("cancelled", "AbortError")): boolean {
    const running = this.#running.get(id);
    running?.abort.abort(reason);
    return running !== undefined;
  }

  /** Calls `listener` with every change of every cycle; dispose of it to end that. */
  onState(listener: (cycle: RunningCycle) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /**
   * Runs a mission to its end.
   * @throws {CycleError} when a state's work failed, or the commit did; the reason is kept
   * @throws the signal's reason when it was cancelled; that is kept as the reason too
   */
  async run(
    brief: MissionBrief,
    works: CycleWorks,
    { id = crypto.randomUUID(), signal, recorder, deadlineMs, onState }: CycleOptions = {},
  ): Promise<CycleEnd> {
    signal?.throwIfAborted();
    const abort = new AbortController();
    const signals = [abort.signal, ...(signal === undefined ? [] : [signal])];
    using deadline = deadlineMs === undefined ? undefined : new Deadline(deadlineMs);
    if (deadline !== undefined) signals.push(deadline.signal);
    const ended = AbortSignal.any(signals);
    using unit = this.#image.begin({ user: "cycle", description: describe(id, brief) });
    const temporary = new Set<string>();
    const oid = unit.create({
      parent: namedObject(unit, "cognitive_cycle"),
      slots: {
        cycle_id: id,
        mission_brief: kept(brief),
        started: new Date(),
        [STATE_SLOT]: new Ref(namedObject(unit, stateObject("IDLE"))),
      },
    });
    const running: Running = {
      context: {
        id,
        oid,
        unit,
        brief,
        signal: ended,
        temporary(name, value) {
          temporary.add(name);
          unit.set(oid, name, value);
        },
        tell: (text) => {
          running.text = text;
          this.#show(running, onState);
        },
      },
      works,
      recorder,
      abort,
      since: new Date().toISOString(),
      state: "IDLE",
      text: "",
    };
    this.#running.set(id, running);
    this.#byUnit.set(unit, running);
    const visits: StateVisit[] = [];
    const begin = performance.now();
    let entered = begin;
    const leave = () => {
      const now = performance.now();
      visits.push({ state: running.state, at: entered - begin, ms: now - entered });
      entered = now;
    };
    try {
      this.#show(running, onState);
      while (running.state !== "COMPLETE") {
        const next = await unit.send(oid, WORK, [], { signal: ended });
        ended.throwIfAborted();
        leave();
        this.#enter(running, requireState(next, running.state));
        this.#show(running, onState);
        await note(running, visits.at(-1)!);
      }
      for (const name of temporary) unit.remove(oid, name);
      unit.set(oid, "ended", new Date());
      const tid = await unit.commit();
      leave();
      return { id, oid, tid, states: visits };
    } catch (error) {
      leave();
      const failed = running.state;
      const reason = ended.aborted ? ended.reason : error;
      running.state = "FAILED";
      running.text = messageOf(reason);
      this.#show(running, onState);
      // Ended for good: whatever its works still do finds no unit to write to.
      unit[Symbol.dispose]();
      await note(running, visits.at(-1)!, failed);
      await this.#keepReason(brief, id, failed, reason);
      if (signal?.aborted || abort.signal.aborted) throw reason;
      throw new CycleError(id, failed, reason);
    } finally {
      this.#running.delete(id);
    }
  }

  /** The work of the state that a cycle is in: what `work` means where it is found by delegation. */
  async #work(unit: UnitOfWork): Promise<StateName> {
    const running = this.#byUnit.get(unit);
    if (running === undefined) {
      throw new Error("work of a cycle: this unit of work runs none; start one");
    }
    const { context, works, state } = running;
    switch (state) {
      case "IDLE":
        return "DECOMPOSING";
      case "DECOMPOSING":
      case "DELEGATING":
      case "SYNTHESIZING":
        return await works[state](context);
      case "VALIDATING":
        if (works.VALIDATING !== undefined) return await works.VALIDATING(context);
        throw new Error("nothing here can validate what would be installed, so it is not");
      default:
        throw new Error(`a cycle in ${state} has no work left`);
    }
  }

  /** Assigns the state. */
  #enter(running: Running, next: StateName): void {
    const { unit, oid } = running.context;
    if (!STATE_TABLE[running.state].then.includes(next)) {
      throw new Error(
        `${next} does not follow ${running.state}; expected ${
          STATE_TABLE[running.state].then.join(" or ")
        }`,
      );
    }
    if (next === "FAILED") throw new Error(`the work of ${running.state} gave up`);
    unit.set(oid, STATE_SLOT, new Ref(namedObject(unit, stateObject(next))));
    running.state = next;
    running.text = "";
  }

  #show(running: Running, onState: CycleOptions["onState"]): void {
    const cycle = shown(running);
    onState?.(cycle);
    for (const listener of this.#listeners) {
      try {
        listener(cycle);
      } catch (error) {
        // Who only watches harms no cycle.
        console.error("a listener of cycles failed:", error);
      }
    }
  }

  /** What survives a failure: an object that says what was wanted and why it did not come about. */
  async #keepReason(
    brief: MissionBrief,
    id: string,
    failed: StateName,
    reason: unknown,
  ): Promise<void> {
    try {
      await this.#image.transact((unit) => {
        unit.create({
          parent: namedObject(unit, "cognitive_cycle"),
          slots: {
            cycle_id: id,
            mission_brief: kept(brief),
            ended: new Date(),
            failed_in: failed,
            reason: messageOf(reason).slice(0, LONGEST_KEPT),
            [STATE_SLOT]: new Ref(namedObject(unit, stateObject("FAILED"))),
          },
        });
      }, { user: "cycle", description: `${describe(id, brief)}: FAILED` });
    } catch {
      // The image itself may be what failed; the trail has the reason, and so has whoever started the cycle.
    }
  }
}

/** Notes that a cycle went from one state to the next. */
async function note(running: Running, visit: StateVisit, failed?: StateName): Promise<void> {
  const { state, context, recorder } = running;
  await recorder?.record({
    cycle_id: context.id,
    psm_state: state,
    active_persona: STATE_TABLE[state].persona,
    event_type: "STATE_TRANSITION",
    event_data: {
      from: visit.state,
      to: state,
      ms: Math.round(visit.ms * 10) / 10,
      ...(failed !== undefined && { reason: running.text }),
    },
    status: state === "FAILED" ? "FAILURE" : state === "COMPLETE" ? "SUCCESS" : "IN_PROGRESS",
  });
}

/** A time limit. */
class Deadline implements Disposable {
  readonly #abort = new AbortController();
  readonly #timer: ReturnType<typeof setTimeout>;

  constructor(ms: number) {
    this.#timer = setTimeout(
      () => this.#abort.abort(new DOMException(`its ${ms} ms are over`, "TimeoutError")),
      ms,
    );
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

function shown({ context, state, since, text }: Running): RunningCycle {
  return {
    id: context.id,
    mission: context.brief.selector,
    state,
    persona: STATE_TABLE[state].persona,
    since,
    text,
  };
}

function requireState(value: unknown, from: StateName): StateName {
  if ((STATES as readonly unknown[]).includes(value)) return value as StateName;
  throw new Error(`the work of ${from} gave ${JSON.stringify(value)}; expected the next state`);
}

/** The brief as a slot holds it. */
function kept({ type, selector, args = [] }: MissionBrief): Record<string, unknown> {
  return { type, selector: selector.slice(0, LONGEST_KEPT), args: [...args] };
}

function describe(id: string, { type, selector }: MissionBrief): string {
  return `cycle ${id}: ${type} ${JSON.stringify(selector.slice(0, 100))}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(error);
}
