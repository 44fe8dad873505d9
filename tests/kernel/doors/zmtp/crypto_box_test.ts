/** The box of NaCl: its published example, and that nothing but the right key, nonce and octets opens it. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { BOX_BYTES, boxKey, openBox, sealBox } from "../../../../kernel/doors/zmtp/crypto_box.ts";
import { newKeyPair, publicKeyOf, sharedSecret } from "../../../../kernel/doors/zmtp/x25519.ts";

const hex = Uint8Array.fromHex;

/** The example of Bernstein, "Cryptography in NaCl" (2009), also in the tests of the NaCl distribution. */
const EXAMPLE = {
  aliceSecret: hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"),
  bobPublic: hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"),
  shared: "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742",
  key: "1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389",
  nonce: hex("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37"),
  plain: hex(
    "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c61296c" +
      "dc3c01233561f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde0489" +
      "77eb48f59ffd4924ca1c60902e52f0a089bc76897040e082f937763848645e0705",
  ),
  box:
    "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186ac0" +
    "dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae9022" +
    "4368517acfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74e355a5",
};

Deno.test("the example of the NaCl paper: the secret, the key, the box", () => {
  const { aliceSecret, bobPublic, nonce, plain } = EXAMPLE;
  assert.equal(sharedSecret(aliceSecret, bobPublic)?.toHex(), EXAMPLE.shared);
  const key = boxKey(aliceSecret, bobPublic)!;
  assert.equal(key.toHex(), EXAMPLE.key);
  const box = sealBox(key, nonce, plain);
  assert.equal(box.toHex(), EXAMPLE.box);
  assert.deepEqual(openBox(key, nonce, box), plain);
});

Deno.test("both ends have the same key, and nobody else has it", () => {
  const [alice, bob, eve] = [newKeyPair(), newKeyPair(), newKeyPair()];
  const key = boxKey(alice.secretKey, bob.publicKey);
  assert.deepEqual(boxKey(bob.secretKey, alice.publicKey), key);
  assert.notDeepEqual(boxKey(eve.secretKey, bob.publicKey), key);
  assert.deepEqual(publicKeyOf(alice.secretKey), alice.publicKey);
});

Deno.test("points of small order, which share the same secret with everybody, give no key", () => {
  const { secretKey } = newKeyPair();
  const small = [
    "00".repeat(32),
    "01" + "00".repeat(31),
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  ];
  for (const point of small) assert.equal(boxKey(secretKey, hex(point)), undefined, point);
  assert.throws(() => boxKey(secretKey, new Uint8Array(31)), /key of 31 octets: expected 32/);
});

const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
const nonce = fc.uint8Array({ minLength: 24, maxLength: 24 });

Deno.test("what was sealed is opened; with one bit changed, cut off or added, nothing is", () => {
  fc.assert(
    fc.property(
      key,
      nonce,
      fc.uint8Array({ maxLength: 300 }),
      fc.nat(),
      (key, nonce, plain, at) => {
        const box = sealBox(key, nonce, plain);
        assert.equal(box.length, plain.length + BOX_BYTES);
        assert.deepEqual(openBox(key, nonce, box), plain);
        const flip = (bytes: Uint8Array) => {
          const changed = Uint8Array.from(bytes);
          changed[(at >> 3) % changed.length]! ^= 1 << (at & 7);
          return changed;
        };
        assert.equal(openBox(key, nonce, flip(box)), undefined);
        assert.equal(openBox(key, flip(nonce), box), undefined);
        assert.equal(openBox(flip(key), nonce, box), undefined);
        assert.equal(openBox(key, nonce, box.subarray(0, at % box.length)), undefined);
        assert.equal(openBox(key, nonce, Uint8Array.of(...box, 0)), undefined);
      },
    ),
    { numRuns: 300 },
  );
});
