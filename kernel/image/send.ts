/**
 * Messages: look up, delegate, run; and what happens when nothing is found.
 *
 * Owns the way of a message from its sender to the slot that answers it. A data slot answers with its value, a primitive with what its
 * function of the kernel gives, a method with what the runner gives that somebody handed in. What was not understood goes to the
 * receiver's `_doesNotUnderstand_`, found by delegation, and is sent again once if that installed a method. What must hold: the
 * receiver stays the same wherever the slot was found, in resends too; a failing hook is the end and not the beginning of another;
 * endless recursion is an error, not a crash.
 */
import { ArgumentCountError, ConflictError, ImageError, NotUnderstoodError } from "./errors.ts";
import type { Found } from "./lookup.ts";
import type { MethodSlot } from "./object_record.ts";
import { FALSE_OID, NIL_OID, PRIMITIVES, TRUE_OID } from "./primitives.ts";
import type { UnitOfWork } from "./unit_of_work.ts";
import { handOut, type Oid, Ref, takeIn, type Value } from "./values.ts";

/** Sends inside sends. Deeper is endless; the frames of so many fit into the stack several times. */
export const DEEPEST_SEND = 500;

/** The slot that is asked when nothing else answers. Its arguments are the selector, the arguments as a list, the holder of a resend or null, and the kind. */
export const NOT_UNDERSTOOD = "_doesNotUnderstand_";

/** What can get a message: an object, or a value whose object genesis knows. */
export type Target = Oid | Ref | boolean | null;

/** Who sends, and what ends the wait. */
export interface SendOptions {
  /** Who sends, for the one who has to make sense of a message that is not understood. */
  readonly sender?: Oid | Ref | null;
  /** Ends waiting, between messages and in those methods that listen. */
  readonly signal?: AbortSignal | undefined;
}

/** How a message was sent. */
export type SendKind = "send" | "resend" | "directed resend";

/** What a running method knows and can do. */
export interface MethodContext {
  readonly unit: UnitOfWork;
  /** The receiver of the message, wherever the method was found. */
  readonly self: Oid;
  /** The object in whose slot the method was found. */
  readonly holder: Oid;
  readonly selector: string;
  readonly args: readonly Value[];
  readonly sender: Oid | null;
  readonly signal: AbortSignal | undefined;
  /** Sends a message; this method's receiver is the sender. */
  send(target: Target, selector: string, args?: readonly unknown[]): Promise<Value>;
  /**
   * Goes on to the method that this one hides: lookup starts at the parents of the holder, the receiver stays.
   * @param args those of this call by default
   * @param parentSlot a parent slot of the holder to go through; all by default
   */
  resend(args?: readonly unknown[], parentSlot?: string): Promise<Value>;
  /** Asks for a method that is missing; see `Author`. Gives undefined where a method was installed, else the author's answer. */
  author(brief: MissionBrief): Promise<Value | undefined>;
}

/** A method of the kernel. */
export interface Primitive {
  /** Number of arguments; undefined for any. */
  readonly arity: number | undefined;
  run(context: MethodContext): unknown;
}

/** Runs methods that are kept as source. */
export interface MethodRunner {
  /** Resolves to the method's value; whatever is no data is refused. */
  run(method: MethodSlot, context: MethodContext): Promise<unknown>;
}

/** What was not understood, as a mission for whoever can write the method. */
export interface MissionBrief {
  readonly target: Oid;
  readonly selector: string;
  readonly args: readonly Value[];
  readonly sender: Oid | null;
  /** The object whose method sent it again; null for a message that was sent. */
  readonly holder: Oid | null;
  readonly kind: SendKind;
}

/**
 * Makes up for a method that is missing: installs one in the unit and gives nothing, whereupon the message is sent again; or gives an
 * answer itself.
 */
export type Author = (
  brief: MissionBrief,
  unit: UnitOfWork,
  options: { signal: AbortSignal | undefined },
) => Promise<unknown>;

/** What others hand in. */
export interface MessengerPorts {
  runner: MethodRunner | undefined;
  author: Author | undefined;
}

/** A message on its way. */
interface Message {
  readonly unit: UnitOfWork;
  readonly receiver: Oid;
  readonly selector: string;
  readonly args: readonly Value[];
  readonly sender: Oid | null;
  readonly signal: AbortSignal | undefined;
  readonly depth: number;
  /** Whether it was sent while another was not understood. */
  readonly inHook: boolean;
  readonly kind: SendKind;
  /** Where a resend starts: above this object, perhaps through one parent slot. */
  readonly above: { readonly holder: Oid; readonly parentSlot: string | undefined } | undefined;
}

/** See the module text. */
export class Messenger {
  readonly ports: MessengerPorts = { runner: undefined, author: undefined };
  readonly #primitives = new Map<string, Primitive>(Object.entries(PRIMITIVES));

  /**
   * Makes a function of the kernel known under a name that slots may hold.
   * @throws {TypeError} when the name is taken
   */
  definePrimitive(name: string, primitive: Primitive): void {
    if (this.#primitives.has(name)) {
      throw new TypeError(`define primitive ${JSON.stringify(name)}: there is one of that name`);
    }
    this.#primitives.set(name, primitive);
  }

  hasPrimitive(name: string): boolean {
    return this.#primitives.has(name);
  }

  /** As `UnitOfWork.send`. */
  async send(
    unit: UnitOfWork,
    target: Target,
    selector: string,
    args: readonly unknown[],
    { sender = null, signal }: SendOptions,
  ): Promise<Value> {
    return await this.#deliver({
      unit,
      receiver: receiverOf(target),
      selector,
      args: takeArguments(args, selector),
      sender: sender instanceof Ref ? sender.oid : sender,
      signal,
      depth: 1,
      inHook: false,
      kind: "send",
      above: undefined,
    });
  }

  async #deliver(message: Message): Promise<Value> {
    const { receiver, selector, depth, signal } = message;
    signal?.throwIfAborted();
    if (depth > DEEPEST_SEND) {
      throw new ImageError(
        `send ${
          JSON.stringify(selector)
        } to object ${receiver}: ${DEEPEST_SEND} messages inside each other; a method sends itself without end`,
      );
    }
    const found = find(message);
    return found !== undefined
      ? await this.#perform(message, found)
      : await this.#notUnderstood(message);
  }

  async #perform(message: Message, { holder, slot }: Found): Promise<Value> {
    const { receiver, selector, args } = message;
    const requireCount = (expected: number | undefined) => {
      if (expected !== undefined && args.length !== expected) {
        throw new ArgumentCountError(receiver, selector, expected, args.length);
      }
    };
    const where = `the result of ${JSON.stringify(selector)} sent to object ${receiver}`;
    switch (slot.type) {
      case "data":
        requireCount(0);
        return handOut(slot.value);
      case "primitive": {
        const primitive = this.#primitives.get(slot.name);
        if (primitive === undefined) {
          throw new ImageError(
            `send ${JSON.stringify(selector)} to object ${receiver}: its method is the primitive ${
              JSON.stringify(slot.name)
            }, which this program does not have; start the version that does`,
          );
        }
        requireCount(primitive.arity);
        const result = await primitive.run(this.#context(message, holder));
        return result === undefined ? null : takeIn(result, where);
      }
      case "method": {
        requireCount(slot.parameters.length);
        const { runner } = this.ports;
        if (runner === undefined) {
          throw new ImageError(
            `send ${JSON.stringify(selector)} to object ${receiver}: its method is source in ${
              JSON.stringify(slot.language)
            }, and nothing here runs methods; open the image with a method runner`,
          );
        }
        const result = await runner.run(slot, this.#context(message, holder));
        return result === undefined ? null : takeIn(result, where);
      }
    }
  }

  #context(message: Message, holder: Oid): MethodContext {
    const { unit, receiver, selector, args, sender, signal, depth, inHook } = message;
    const inner = { unit, signal, depth: depth + 1, inHook };
    return {
      unit,
      self: receiver,
      holder,
      selector,
      args,
      sender,
      signal,
      send: (target, selector, args = []) =>
        this.#deliver({
          ...inner,
          receiver: receiverOf(target),
          selector,
          args: takeArguments(args, selector),
          sender: receiver,
          kind: "send",
          above: undefined,
        }),
      resend: (given, parentSlot) =>
        this.#deliver({
          ...inner,
          receiver,
          selector,
          args: given === undefined ? args : takeArguments(given, selector),
          sender,
          kind: parentSlot === undefined ? "resend" : "directed resend",
          above: { holder, parentSlot },
        }),
      author: (brief) => this.#author(brief, unit, signal),
    };
  }

  /** Asks the receiver's hook, and sends the message again if that helped. */
  async #notUnderstood(message: Message): Promise<Value> {
    const { unit, receiver, selector, args, kind, above, inHook } = message;
    if (inHook) {
      throw new NotUnderstoodError(
        receiver,
        selector,
        `it was sent while another message was not understood, so nobody is asked again`,
      );
    }
    const hook = unit.lookup(receiver, NOT_UNDERSTOOD);
    if (hook === undefined) {
      throw new NotUnderstoodError(
        receiver,
        selector,
        `neither it nor its parents have that slot, or "${NOT_UNDERSTOOD}"; define the slot`,
      );
    }
    const holder = above === undefined ? null : new Ref(above.holder);
    let answer: Value;
    try {
      answer = await this.#perform({
        ...message,
        selector: NOT_UNDERSTOOD,
        args: [selector, args, holder, kind],
        inHook: true,
        above: undefined,
        kind: "send",
        depth: message.depth + 1,
      }, hook);
    } catch (error) {
      if (isFinal(error, message)) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new NotUnderstoodError(
        receiver,
        selector,
        `its "${NOT_UNDERSTOOD}" failed: ${reason}`,
        { cause: error },
      );
    }
    const installed = find(message);
    return installed === undefined ? answer : await this.#perform(message, installed);
  }

  async #author(
    brief: MissionBrief,
    unit: UnitOfWork,
    signal: AbortSignal | undefined,
  ): Promise<Value | undefined> {
    const { target, selector } = brief;
    const { author } = this.ports;
    if (author === undefined) {
      throw new NotUnderstoodError(
        target,
        selector,
        "neither it nor its parents have that slot, and nothing here can author a method; define the slot, or start with an author",
      );
    }
    const answer = await author(brief, unit, { signal });
    if (unit.lookup(target, selector) !== undefined) return undefined;
    if (answer === undefined) {
      throw new NotUnderstoodError(
        target,
        selector,
        "the author neither installed it nor answered",
      );
    }
    return takeIn(answer, `the author's answer to ${JSON.stringify(selector)}`);
  }
}

function find({ unit, receiver, selector, above }: Message): Found | undefined {
  return above === undefined
    ? unit.lookup(receiver, selector)
    : unit.lookupAbove(above.holder, selector, above.parentSlot);
}

function takeArguments(args: readonly unknown[], selector: string): readonly Value[] {
  return args.map((value, at) =>
    takeIn(value, `argument ${at + 1} of ${JSON.stringify(selector)}`)
  );
}

/** Errors that say more than that the hook failed. */
function isFinal(error: unknown, { receiver, selector, signal }: Message): boolean {
  return signal?.aborted === true || error instanceof ConflictError ||
    (error instanceof NotUnderstoodError && error.oid === receiver && error.selector === selector);
}

/** The object that answers for a value. */
export function receiverOf(target: Target): Oid {
  if (target === null) return NIL_OID;
  if (target === true) return TRUE_OID;
  if (target === false) return FALSE_OID;
  return target instanceof Ref ? target.oid : new Ref(target).oid;
}
