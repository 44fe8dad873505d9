/**
 * The box of NaCl: public-key authenticated encryption (Bernstein, "Cryptography in NaCl", 2009), as CURVE uses it.
 *
 * Owns how a shared secret becomes a key, and nothing of nonces: whoever seals never uses one twice with the same key. XSalsa20 and Poly1305 are
 * those of `@noble/ciphers`. What must hold: a box that was changed in any bit, or is for another key or nonce, gives nothing.
 */
import { hsalsa, xsalsa20poly1305 } from "@noble/ciphers/salsa.js";
import { sharedSecret } from "./x25519.ts";

/** Octets by which a box is longer than what is in it: the authenticator. */
export const BOX_BYTES = 16;

/** The constant of Salsa20. Like keys and nonces it is handed over as octets seen as words, in the order of the machine. */
const SIGMA = new Uint32Array(new TextEncoder().encode("expand 32-byte k").buffer);

/**
 * The key of all boxes between two key pairs (`crypto_box_beforenm`).
 * @returns undefined when the public key is one that no honest peer has
 */
export function boxKey(
  secretKey: Uint8Array,
  publicKey: Uint8Array,
): Uint8Array<ArrayBuffer> | undefined {
  const secret = sharedSecret(secretKey, publicKey);
  if (secret === undefined) return undefined;
  const key = new Uint8Array(32);
  hsalsa(SIGMA, new Uint32Array(secret.buffer), new Uint32Array(4), new Uint32Array(key.buffer));
  secret.fill(0);
  return key;
}

/** Puts octets into a box, under a nonce of 24 octets: the authenticator, then the octets encrypted. */
export function sealBox(
  key: Uint8Array,
  nonce: Uint8Array,
  plain: Uint8Array,
): Uint8Array<ArrayBuffer> {
  return xsalsa20poly1305(key, nonce).encrypt(plain) as Uint8Array<ArrayBuffer>;
}

/** What is in a box; undefined when it is not as it was sealed, or was sealed with another key or nonce. */
export function openBox(
  key: Uint8Array,
  nonce: Uint8Array,
  box: Uint8Array,
): Uint8Array<ArrayBuffer> | undefined {
  if (box.length < BOX_BYTES) return undefined;
  try {
    return xsalsa20poly1305(key, nonce).decrypt(box) as Uint8Array<ArrayBuffer>;
  } catch {
    return undefined; // It throws for a wrong authenticator, and there is no other thing that it could throw for.
  }
}
