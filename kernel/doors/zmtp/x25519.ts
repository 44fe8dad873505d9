/**
 * Key pairs of Curve25519 and what two of them share (https://www.rfc-editor.org/rfc/rfc7748), by the runtime's own implementation.
 *
 * Owns the way between 32 octets, as CURVE has keys, and the runtime's key objects. In native code, since it takes 80 µs where the libraries in JavaScript
 * that were tried take 450 and 880: it is what a stranger's first message costs. What must hold: a peer's key that shares the same secret with
 * everybody (a point of small order) is refused.
 */
import { Buffer } from "node:buffer";
import {
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  getRandomValues,
  type KeyObject,
} from "node:crypto";

/** Length of a public and of a secret key. */
export const KEY_BYTES = 32;

/** A public key, and the secret that proves to whom it belongs. */
export interface KeyPair {
  readonly publicKey: Uint8Array<ArrayBuffer>;
  readonly secretKey: Uint8Array<ArrayBuffer>;
}

/** What stands in front of the octets of a key in PKCS #8 and in SubjectPublicKeyInfo (RFC 8410). */
const SECRET_PREFIX = Uint8Array.fromHex("302e020100300506032b656e04220420");
const PUBLIC_PREFIX = Uint8Array.fromHex("302a300506032b656e032100");

/** A new key pair. */
export function newKeyPair(): KeyPair {
  const secretKey = getRandomValues(new Uint8Array(KEY_BYTES));
  return { publicKey: publicKeyOf(secretKey), secretKey };
}

/** The public key that belongs to a secret one. */
export function publicKeyOf(secretKey: Uint8Array): Uint8Array<ArrayBuffer> {
  const exported = createPublicKey(privateKeyObject(secretKey)).export({
    format: "der",
    type: "spki",
  });
  return Uint8Array.from(exported.subarray(PUBLIC_PREFIX.length));
}

/**
 * The secret that two key pairs share, before it is made into a key.
 * @returns undefined when the public key is one that no honest peer has
 */
export function sharedSecret(
  secretKey: Uint8Array,
  publicKey: Uint8Array,
): Uint8Array<ArrayBuffer> | undefined {
  const theirs = createPublicKey({
    key: der(PUBLIC_PREFIX, publicKey),
    format: "der",
    type: "spki",
  });
  let secret: Uint8Array;
  try {
    secret = diffieHellman({ privateKey: privateKeyObject(secretKey), publicKey: theirs });
  } catch {
    return undefined; // The runtime refuses points of small order itself.
  }
  return secret.every((octet) => octet === 0) ? undefined : Uint8Array.from(secret);
}

function privateKeyObject(secretKey: Uint8Array): KeyObject {
  const key = der(SECRET_PREFIX, secretKey);
  const object = createPrivateKey({ key, format: "der", type: "pkcs8" });
  key.fill(0);
  return object;
}

/** @throws {RangeError} when it has not the length of a key: the prefixes say how long it is */
function der(prefix: Uint8Array, key: Uint8Array): Buffer {
  if (key.length !== KEY_BYTES) {
    throw new RangeError(`key of ${key.length} octets: expected ${KEY_BYTES}`);
  }
  return Buffer.concat([prefix, key]);
}
