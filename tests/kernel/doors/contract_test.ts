/** Signatures are HMAC-SHA256 as everybody else computes it, at every size; one bit that differs is one too many. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import fc from "fast-check";
import { Signer } from "../../../kernel/doors/contract.ts";

const key = crypto.getRandomValues(new Uint8Array(32));
const signer = new Signer(key);

Deno.test("a signature is HMAC-SHA256 of the payload, short or long, whatever was signed before", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 5_000 }), { maxLength: 12 }), (sizes) => {
      for (const size of sizes) {
        const [signature, payload] = signer.seal("x".repeat(size));
        const expected = createHmac("sha256", key).update(payload).digest();
        assert.equal(signature.toHex(), expected.toString("hex"), `${size} bytes`);
        assert.ok(signer.verify(signature, payload));
      }
    }),
    { numRuns: 50 },
  );
});

Deno.test("a bit that differs, in signature or payload, and another length are refused", () => {
  const [signature, payload] = signer.seal({ command: "ping", text: "é".repeat(40) });
  for (const bytes of [signature, payload]) {
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      assert.ok(!signer.verify(signature, payload), `bit ${bit}`);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
    }
  }
  assert.ok(signer.verify(signature, payload));
  assert.ok(!signer.verify(signature.subarray(0, 31), payload));
  assert.ok(!signer.verify(new Uint8Array([...signature, 0]), payload));
  assert.ok(!signer.verify(new Uint8Array(), payload));
  assert.equal(signer.open(new Uint8Array(32), payload), undefined);
});

Deno.test("a key that changes after it was taken in changes nothing", () => {
  const own = new Uint8Array(32).fill(7);
  const careful = new Signer(own);
  const [before] = careful.seal("x".repeat(5_000));
  own.fill(0);
  const [after, payload] = careful.seal("x".repeat(5_000));
  assert.deepEqual(after, before);
  assert.ok(careful.verify(after, payload));
});
