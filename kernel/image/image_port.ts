/**
 * The image as the ZeroMQ endpoint serves it: an object's whole state, one property set, a message sent.
 *
 * Owns how the endpoint's plain data become values of the image and back (`value_json.ts`). What must hold: each call is one transaction; a
 * message runs as a cognitive cycle; whoever listens is told of every commit and of every change of state of a cycle.
 */
import type { HandlerContext } from "../commands.ts";
import type { CycleEngine } from "../cycle/cycle_engine.ts";
import { sendInCycle } from "../cycle/message_cycle.ts";
import type { ImagePort } from "../doors/remote_commands.ts";
import type { Image } from "./image.ts";
import { ImageDesk } from "./image_desk.ts";
import type { FindShown } from "./object_names.ts";
import { valueFromJson, valueToJson } from "./value_json.ts";
import { parseOid, type Value } from "./values.ts";

/** A port that tells of changes too. */
export type WatchedImage = ImagePort & {
  /** Calls a listener after every commit and every change of a cycle; returns what ends that. */
  onChange(listener: (state: unknown) => void): () => void;
};

/** The port of an image whose cycles an engine runs. */
export function imagePort(
  image: Image,
  cycles: CycleEngine,
  findShown?: FindShown,
): WatchedImage {
  const desk = new ImageDesk(image, findShown);
  return {
    async fullState(oid) {
      return desk.get({ object: `@${oid}`, at: undefined, inherited: false });
    },

    async updateProperty(oid, name, value) {
      const target = parseOid(oid);
      await image.transact((unit) => unit.set(target, name, taken(value)), {
        user: "endpoint",
        description: `set ${name} of @${oid}`,
      });
      return { oid, property_name: name, property_value: stateOf(image, target, name) };
    },

    async sendMessage(oid, selector, args, kwargs, { progress, signal }: HandlerContext) {
      const given = Object.keys(kwargs).length > 0 ? [...args, kwargs] : args;
      const { value, ...end } = await sendInCycle(
        cycles,
        parseOid(oid),
        selector,
        given.map(taken),
        {
          signal,
          onState: ({ state, persona, text }) =>
            progress({ phase: state.toLowerCase(), detail: text === "" ? persona : text }),
        },
      );
      return { oid, selector, value: valueToJson(value), ...end };
    },

    onChange(listener) {
      const commits = image.onCommit(({ tid, oids, user, description }) =>
        listener({ type: "commit", tid, oids: oids.map(String), user, description })
      );
      const states = cycles.onState((cycle) => listener({ type: "cycle", ...cycle }));
      return () => {
        commits[Symbol.dispose]();
        states[Symbol.dispose]();
      };
    },
  };
}

/** A value from the wire: data as it is (bytes, whole numbers of any size), and the `$…` forms of what it lacks. */
function taken(value: unknown): Value {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    const prototype = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) return value as Value;
  }
  return valueFromJson(value);
}

function stateOf(image: Image, oid: number, name: string): unknown {
  using view = image.view();
  const slot = view.slot(oid, name);
  return slot?.type === "data" ? valueToJson(slot.value) : null;
}
