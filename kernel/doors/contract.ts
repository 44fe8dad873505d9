/**
 * The contract of the endpoint: what goes over the wire between a kernel and its clients, whatever carries it.
 *
 * Owns the two frames, the signature and the schemas. What must hold:
 * - a signature is compared in constant time before anything is decoded;
 * - field names are wire format: they change only with `VERSION`.
 *
 * A message has two frames: the signature (32 octets, HMAC-SHA256 of the second frame with the key of the kernel) and the payload (a
 * MessagePack map). A client sends requests:
 *
 *     { v: 1, id, time, nonce, command, target_oid?, mission_brief?: { type, selector, args, kwargs },
 *       property_name?, property_value?, method_name?, method_code? }
 *
 * `id` is any text of the client's, `time` its clock in milliseconds since 1970, `nonce` 16 random octets. A kernel sends, for each request,
 * any number of events and then one reply or one error:
 *
 *     { v: 1, re: id, type: "event", event: "progress", phase, done?, total?, detail?, note?, state?, persona?,
 *       text?, restart?, part? }
 *     { v: 1, re: id, type: "event", event: "result", result }          every result but the last of a command that has several
 *     { v: 1, re: id, type: "reply", result, exit?, … }
 *     { v: 1, re: id, type: "error", code, message }
 *
 * `text` is a piece of the answer while it is written: put together, from the last one with `restart: true` on, the pieces are what the answer
 * begins with, its citations checked, and in the end its text. `restart` says that what came before is void, `part` that
 * a piece belongs to one of several parts of the question: the answer is made of them, and begins with a `restart`.
 *
 * Without a request, whoever subscribed is sent `{ v: 1, re: null, type: "event", event: "uvm_state_update", state }`. `re` is null too in an error about
 * a message whose `id` could not be read.
 *
 * For clients elsewhere (`remote_door.ts`) the same two frames go within CURVE, and the key is that of their own connection file.
 */
import { createHmac } from "node:crypto";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { z } from "zod";
import { packMessage, unpackMessage } from "./message_pack.ts";

/** Version of the contract, in every message as `v`. */
export const VERSION = 1;

/** Length of the first frame. */
export const SIGNATURE_BYTES = 32;

/** Most bytes of a payload from a client: a question of a million characters, written in any script. */
export const MAX_REQUEST_BYTES = 4_194_304;

/** Most bytes of a payload from a kernel: whatever a command may result in. */
export const MAX_REPLY_BYTES = 67_108_864;

/** Fewest octets of a key: what HMAC-SHA256 gives no less than. */
export const MIN_KEY_BYTES = 32;

/** Most characters of names and ids. */
const MAX_NAME = 256;

/** Why a request was refused or failed. */
export type ErrorCode =
  /** The two frames are not there, or a limit is exceeded. */
  | "bad_frames"
  /** The signature does not belong to the payload and the key. */
  | "bad_signature"
  /** The payload is no MessagePack, or not of this contract. */
  | "bad_message"
  /** `time` is too far from the kernel's clock. */
  | "bad_time"
  /** The same message came before. */
  | "replayed"
  /** Too much at once: try again later. */
  | "busy"
  /** No such command. */
  | "unknown_command"
  /** The input of the command is refused. */
  | "bad_input"
  /** The command is known and is not done here; the message says why. */
  | "refused"
  /** The command was cancelled. */
  | "cancelled"
  /** The command failed. */
  | "failed";

const name = z.string().min(1).max(MAX_NAME);

/** What a client sends. */
export const requestSchema = z.object({
  v: z.literal(VERSION),
  id: name,
  time: z.number(),
  nonce: z.instanceof(Uint8Array).refine((nonce) => nonce.length === 16, "expected 16 octets"),
  command: name,
  target_oid: name.optional(),
  mission_brief: z.object({
    type: z.string().max(MAX_NAME).default(""),
    selector: z.string().max(MAX_NAME).default(""),
    args: z.array(z.unknown()).default([]),
    kwargs: z.record(z.string(), z.unknown()).default({}),
  }).optional(),
  property_name: name.optional(),
  property_value: z.unknown().optional(),
  method_name: name.optional(),
  method_code: z.string().optional(),
}).refine((request) => request.time > 0, "time: expected milliseconds since 1970");

/** A request, validated. */
export type Request = z.output<typeof requestSchema>;

/** A message from a kernel. Each kind has more fields of its own. */
export interface Message extends Readonly<Record<string, unknown>> {
  readonly v: number;
  readonly re: string | null;
  readonly type: "reply" | "event" | "error";
}

/** Payloads above this many bytes are signed by native code, smaller ones in JavaScript: a native signature costs more to begin and less to go on. */
const NATIVE_FROM = 2_048;

/** Signs and opens messages with one key. */
export class Signer {
  readonly #key: Uint8Array;
  /** Has taken in the key already. */
  readonly #keyed: ReturnType<typeof hmac.create>;
  /** Becomes a copy of that for each message: making one costs as much as signing a short message. */
  readonly #scratch: ReturnType<typeof hmac.create>;
  readonly #expected = new Uint8Array(SIGNATURE_BYTES);

  /** @throws {RangeError} when the key is too short to protect anything */
  constructor(key: Uint8Array) {
    if (key.length < MIN_KEY_BYTES) {
      throw new RangeError(
        `key of ${key.length} octets: at least ${MIN_KEY_BYTES} are needed to sign messages`,
      );
    }
    this.#key = key.slice();
    this.#keyed = hmac.create(sha256, key);
    this.#scratch = hmac.create(sha256, key);
  }

  /** A payload as two frames. */
  seal(value: unknown): [Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>] {
    const payload = packMessage(value);
    const signature = new Uint8Array(SIGNATURE_BYTES);
    this.#sign(payload, signature);
    return [signature, payload];
  }

  /** Whether two frames belong together. */
  verify(signature: Uint8Array, payload: Uint8Array): boolean {
    if (signature.length !== SIGNATURE_BYTES) return false;
    this.#sign(payload, this.#expected);
    // Takes as long wherever they differ.
    let difference = 0;
    for (let at = 0; at < SIGNATURE_BYTES; at++) difference |= signature[at]! ^ this.#expected[at]!;
    return difference === 0;
  }

  /**
   * The value in two frames.
   * @returns undefined when the signature is wrong
   * @throws {MessagePackError} when the payload cannot be decoded
   */
  open(signature: Uint8Array, payload: Uint8Array): unknown {
    return this.verify(signature, payload) ? unpackMessage(payload) : undefined;
  }

  #sign(payload: Uint8Array, signature: Uint8Array): void {
    if (payload.length > NATIVE_FROM) {
      signature.set(createHmac("sha256", this.#key).update(payload).digest());
    } else this.#keyed._cloneInto(this.#scratch).update(payload).digestInto(signature);
  }
}
