/**
 * What the doors of a kernel turned away, and what they could not deliver: as events of the trail and as lines for whoever looks after it.
 *
 * Owns how many of them are written. What must hold:
 * - one refusal is one event and one line, at once;
 * - a flood of them becomes a few events with counts, however long it lasts and however many peers take part: there is a bound for each reason, and
 *   the reasons are a closed list;
 * - what a peer sent is not in them, but for the names that it gave itself or asked for, shortened and made printable; no key and no signature is.
 */
import type { NewEvent } from "./event.ts";

/** Doors of a kernel. */
export type DoorName = "endpoint" | "remote" | "mail" | "http";

/** Why something was turned away. Each has bounds of its own: a list that is open would have none. */
export type RefusalReason =
  /** The first bytes are not those of the protocol, or of its version. */
  | "bad_greeting"
  /** A peer that cannot be one: another kind of socket, another mechanism. */
  | "bad_handshake"
  /** The handshake did not end in time. */
  | "slow_handshake"
  /** Frames break the format or a limit. */
  | "bad_frames"
  /** A key that is not on the list. */
  | "not_admitted"
  /** As many connections as there may be. */
  | "too_many_connections"
  | "bad_signature"
  /** The payload is no MessagePack, or not of the contract. */
  | "bad_message"
  /** Another time than the kernel's. */
  | "bad_time"
  | "replayed"
  | "busy"
  | "unknown_command"
  /** Known and not done here. */
  | "refused"
  /** Nobody listens any more to who was wrong so often. */
  | "dismissed"
  /** A peer that stopped answering. */
  | "no_sign_of_life"
  /** A peer that does not read what it is sent. */
  | "does_not_read"
  /** `Host` is no name of this machine. */
  | "foreign_host"
  /** A page of another origin asked. */
  | "foreign_origin"
  | "bad_token"
  /** A body or a message over the limit, or one that does not end. */
  | "too_large"
  /** More messages in a time than allowed. */
  | "flood"
  /** A reply found nobody. */
  | "undelivered";

/** Something that a door turned away, or could not deliver. */
export interface Refusal {
  readonly door: DoorName;
  readonly reason: RefusalReason;
  /** In words of ours. */
  readonly detail: string;
  /** Where the peer is, `127.0.0.1:50123` for example. */
  readonly address?: string | undefined;
  /** What the peer calls itself. */
  readonly peer?: string | undefined;
}

/** Takes what the doors turn away. */
export interface RefusalNotes {
  note(refusal: Refusal): void;
}

/** Where it is written. */
export interface RefusalLogOptions {
  /** Notes an event in the trail. */
  readonly record?: ((event: NewEvent) => void) | undefined;
  /** Takes one line. */
  readonly report: (line: string) => void;
  /** Length of the first window of a reason, for tests. */
  readonly windowMs?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** Refusals of one reason that are written one by one in a window: a person who tries things sees each of them. */
const SINGLES = 4;
/** The window: somebody who comes to look finds the count soon. */
const WINDOW_MS = 60_000;
/** A flood that goes on is told of half as often each time, down to this: about thirty lines a day. */
const MAX_WINDOW_MS = 3_600_000;
/** Addresses and names that are counted apart. */
const MAX_PEERS = 1_000;
/** Longest words of a peer's, and longest detail, in characters. */
const MAX_NAME = 80;
const MAX_DETAIL = 240;

/** What is held back of one reason. */
interface Window {
  /** Its end, by the clock of `performance.now()`. */
  ends: number;
  readonly length: number;
  singles: number;
  held: number;
  since: number;
  last: Refusal | undefined;
  readonly peers: Set<string>;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** See the module text. */
export class RefusalLog implements RefusalNotes, Disposable {
  readonly #options: RefusalLogOptions;
  readonly #windows = new Map<string, Window>();
  #closed = false;

  constructor(options: RefusalLogOptions) {
    this.#options = options;
  }

  /** Writes a refusal, or counts it where many came before. Never throws. */
  note(refusal: Refusal): void {
    if (this.#closed) return;
    const key = `${refusal.door} ${refusal.reason}`;
    const now = performance.now();
    let window = this.#windows.get(key);
    if (window === undefined || (now >= window.ends && window.held === 0)) {
      window = this.#open(key, now, this.#options.windowMs ?? WINDOW_MS, SINGLES);
    }
    if (window.singles > 0) {
      window.singles--;
      return this.#write(refusal, undefined);
    }
    if (window.held++ === 0) {
      window.since = this.#now();
      window.timer = setTimeout(() => this.#turn(key), Math.max(0, window.ends - now));
    }
    window.last = refusal;
    if (window.peers.size < MAX_PEERS) window.peers.add(hostOf(refusal));
  }

  /** Writes what is held back; nothing is taken from then on. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const window of this.#windows.values()) {
      clearTimeout(window.timer);
      if (window.last !== undefined) this.#write(window.last, window);
    }
    this.#windows.clear();
  }

  #open(key: string, now: number, length: number, singles: number): Window {
    const window: Window = {
      ends: now + length,
      length,
      singles,
      held: 0,
      since: 0,
      last: undefined,
      peers: new Set(),
      timer: undefined,
    };
    this.#windows.set(key, window);
    return window;
  }

  /** The end of a window that held something back: the next one is longer, and begins without singles. */
  #turn(key: string): void {
    const window = this.#windows.get(key);
    if (window?.last === undefined) return;
    this.#open(key, performance.now(), Math.min(window.length * 2, MAX_WINDOW_MS), 0);
    this.#write(window.last, window);
  }

  #write(refusal: Refusal, many: Window | undefined): void {
    const { door, reason } = refusal;
    const detail = printable(refusal.detail, MAX_DETAIL);
    const peer = refusal.peer && printable(refusal.peer, MAX_NAME);
    const address = refusal.address && printable(refusal.address, MAX_NAME);
    const who = [peer, address && `at ${address}`].filter(Boolean).join(" ") || "somebody";
    this.#options.report(
      many === undefined
        ? `${door}: ${who}: ${reason}: ${detail}`
        : `${door}: ${reason}: ${many.held} more since ${
          new Date(many.since).toISOString()
        }, from ${peersOf(many)}; the last: ${who}: ${detail}`,
    );
    this.#options.record?.({
      cycle_id: crypto.randomUUID(),
      psm_state: "IDLE",
      active_persona: "ALFRED",
      event_type: reason === "undelivered" ? "UNDELIVERED" : "REFUSAL",
      event_data: {
        door,
        reason,
        detail,
        ...peer && { peer },
        ...address && { address },
        count: many?.held ?? 1,
        ...many !== undefined &&
          { since: new Date(many.since).toISOString(), peers: peersOf(many) },
      },
      status: "FAILURE",
    });
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }
}

function peersOf({ peers: { size } }: Window): string {
  return size >= MAX_PEERS
    ? `${MAX_PEERS} addresses or more`
    : `${size} address${size === 1 ? "" : "es"}`;
}

/** The address without its port, which every connection has a new one of. */
function hostOf({ address, peer = "" }: Refusal): string {
  return address?.replace(/:\d+$/, "") ?? peer;
}

/** Text that can stand in a line: what cannot is a question mark. */
function printable(text: string, longest: number): string {
  const plain = text.replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, "?");
  return plain.length <= longest ? plain : `${plain.slice(0, longest)}…`;
}
