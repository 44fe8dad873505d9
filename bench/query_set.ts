/**
 * The questions that timing is done with: sentences, symbols, and phrases from the code's own comments.
 *
 * What must hold: no question occurs twice in a set, because a repeated one may be answered from a cache; the same index
 * gives the same set in every run.
 */
import type { Memory } from "../rag/mod.ts";
import { seeded } from "./metrics.ts";

/** What people ask; by repository where the corpus is one, and of every kind for a corpus of many. */
const SENTENCES: Readonly<Record<string, readonly string[]>> = {
  viem: [
    "how does the client wait until a transaction is confirmed",
    "where are gas fees estimated for a transaction",
    "retry a failed request with exponential backoff",
    "how are requests batched over http",
    "decode the error data that a contract returned",
    "what happens when the websocket connection drops",
    "how is a private key turned into an account",
    "encode the arguments of a contract call",
    "watch for new blocks by polling",
    "resolve an ens name to an address",
    "which chains have a multicall contract",
    "sign typed data as eip 712 says",
    "verify a message that a smart contract wallet signed",
    "how does the fallback transport rank its transports",
    "convert between wei and ether",
    "parse a serialized transaction",
    "where is the checksum of an address computed",
    "how are event logs filtered by their arguments",
    "simulate a contract call before it is written",
    "how is the nonce of an account managed",
    "cache the result of a promise for some time",
    "where is the default polling interval defined",
    "how are blobs committed and proven",
    "bundle user operations for account abstraction",
    "withdraw from a rollup to the main chain",
    "what does the public client decorate itself with",
    "how are readContract results formatted",
    "errors that the rpc returns and their codes",
    "compute the address of a contract before it is created",
    "recover the public key from a signature",
    "how to pad and trim hex strings",
    "hash a message with its ethereum prefix",
    "deduplicate observers of the same event",
    "offchain lookup of ccip",
    "access list creation for a transaction",
    "read a storage slot",
    "switch the chain of a wallet",
    "estimate fees per gas with a base fee multiplier",
    "test client that mines blocks and sets balances",
    "human readable abi parsing",
    "assert that a chain id matches",
    "detect whether a block number is in the past for state overrides",
    "siwe message creation and validation",
    "subscribe to pending transactions",
    "format units of a token",
    "type of a transaction request with blobs",
    "deposit tokens to zksync",
    "authorization list of eip 7702",
    "proof of withdrawal on op stack",
    "get the l1 fee of an op stack transaction",
  ],
  mixed: [
    "schedule a retry with exponential backoff and jitter",
    "how are errors of a fiber propagated to its parent",
    "interrupt a running computation and release its resources",
    "decode json against a schema and collect all problems",
    "merge two streams and keep the order of arrival",
    "share one subscription among several subscribers",
    "debounce user input before a request is sent",
    "upload a file in several parts",
    "list dns records of a zone with pages",
    "create a firewall rule for an account",
    "purge the cache of a website",
    "stream the tokens of a chat completion",
    "parse partial json while it arrives",
    "how are rate limits handled by the client",
    "compute the shadow map of a directional light",
    "merge vertices of a geometry",
    "how is a texture uploaded to the graphics card",
    "cull objects outside of the camera",
    "ray against triangle intersection",
    "quaternion interpolation between two rotations",
    "load terrain tiles at the right level of detail",
    "convert latitude and longitude to cartesian coordinates",
    "interpolate the position of a satellite over time",
    "draw a polyline that clings to the ground",
    "parse a geojson file into entities",
    "where is the request throttled by server",
    "pick the feature under the mouse",
    "compile a shader and report its errors",
    "animate a skeleton with blended weights",
    "physics impostor of a mesh",
    "post process with depth of field",
    "serialize a scene and load it again",
    "particle system that emits from a mesh",
    "gamepad input in virtual reality",
    "list messages of a mailbox",
    "send an email through the api",
    "create an event in a calendar",
    "share a file with another user",
    "insert rows into a table of the data warehouse",
    "start a virtual machine instance",
    "set access policy of a bucket",
    "translate text into another language",
    "recognise speech from an audio file",
    "detect faces in an image",
    "manage subscriptions of a message queue",
    "rotate the version of a secret",
    "update the cluster of containers",
    "list comments of a video",
    "read cells of a spreadsheet",
    "refresh the access token of a user",
    "queue that blocks when it is full",
    "software transactional memory with retry",
    "find the shortest difference between two lists",
    "lazy sequence that is memoised",
    "measure how long an effect takes and record it in a histogram",
    "layer that provides a service to a program",
    "compare two values structurally",
    "format a duration for people",
    "encode bytes as base64",
    "remove listeners when an object is disposed",
  ],
};

/** One question, and which kind it is. */
export interface Question {
  readonly kind: "sentence" | "comment" | "symbol";
  readonly text: string;
}

/** Phrases from comments must read like a question: not a word, not a paragraph. */
const MIN_WORDS = 4;
const MAX_WORDS = 16;

/**
 * Questions for an index: written sentences, phrases from comments, names of symbols.
 * @param written which list of sentences; `mixed` for anything but `viem`.
 * @param each how many phrases, and how many symbols.
 */
export function questionsFor(memory: Memory, written: "viem" | "mixed", each: number): Question[] {
  const random = seeded(7);
  const paths = memory.paths();
  const comments = new Set<string>();
  const symbols = new Set<string>();
  // A small repository may not have so many of either: every path is looked at twice on average, no more.
  for (let tries = paths.length * 2; tries > 0; tries--) {
    if (comments.size >= each && symbols.size >= each) break;
    const outline = memory.outline(paths[Math.floor(random() * paths.length)]!);
    const entry = outline[Math.floor(random() * outline.length)];
    if (!entry) continue;
    const phrase = entry.doc.split(/[.\n](?:\s|$)/)[0]!.replace(/\s+/g, " ").trim();
    const words = phrase.split(" ").length;
    if (comments.size < each && words >= MIN_WORDS && words <= MAX_WORDS) comments.add(phrase);
    else if (symbols.size < each && entry.name.length > 5) symbols.add(entry.name);
  }
  return [
    ...SENTENCES[written]!.map((text) => ({ kind: "sentence" as const, text })),
    ...[...comments].map((text) => ({ kind: "comment" as const, text })),
    ...[...symbols].map((text) => ({ kind: "symbol" as const, text })),
  ];
}
