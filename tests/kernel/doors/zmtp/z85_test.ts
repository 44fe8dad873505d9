/** Z85: the examples of its specification, and that a text stands for one key alone. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeZ85, encodeZ85 } from "../../../../kernel/doors/zmtp/z85.ts";

Deno.test("the examples of RFC 32 and of libzmq's manual are written and read", () => {
  const examples = {
    "864fd26fb559f75b": "HelloWorld",
    "bb88471d65e2659b30c55a5321cebb5aab2b70a398645c26dca2b2fcb43fc518":
      "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID",
    "7bb864b489afa3671fbe69101f94b38972f24816dfb01b51656b3fec8dfd0888":
      "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs",
  };
  for (const [hex, text] of Object.entries(examples)) {
    assert.equal(encodeZ85(Uint8Array.fromHex(hex)), text);
    assert.equal(decodeZ85(text)?.toHex(), hex);
  }
});

Deno.test("what is written is read back", () => {
  fc.assert(fc.property(fc.array(fc.uint8Array({ minLength: 4, maxLength: 4 })), (words) => {
    const bytes = new Uint8Array(words.flatMap((word) => [...word]));
    assert.deepEqual(decodeZ85(encodeZ85(bytes)), bytes);
  }));
  assert.throws(() => encodeZ85(new Uint8Array(5)), /5 octets as Z85: expected a multiple of four/);
});

Deno.test("a text that is read is written the same again, or it is not read at all", () => {
  const alphabet = "0123456789abcXYZ.-:+=^!/*?&<>()[]{}@%$# \"'\\~é";
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...alphabet), maxLength: 20 }), (text) => {
      const bytes = decodeZ85(text);
      if (bytes !== undefined) assert.equal(encodeZ85(bytes), text);
      else assert.ok(text.length % 5 !== 0 || /[ "'\\~é]|[#$%@]/.test(text), text);
    }),
    { numRuns: 2_000 },
  );
  // 2^32 and more in five digits.
  assert.equal(decodeZ85("#####"), undefined);
});
