/** Behaviour of `rag/doc_text.ts`: doc comments in words. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { commentText, opening, withoutMarkup } from "../../rag/doc_text.ts";

Deno.test("withoutMarkup() reads documentation in XML, whose parts become tags", () => {
  const doc = commentText(`/// <summary>
/// Reads a <see cref="T:Shop.Order"/> by <paramref name="id"/>, or <c>null</c>;
/// see <see cref="Order.Total()">its total</see>.
/// </summary>
/// <param name="id">The id of the order.</param>
/// <returns>The order.</returns>`);
  assert.equal(
    withoutMarkup(doc),
    "Reads a `Shop.Order` by `id`, or `null`;\nsee its total.\n\n@param id The id of the order.\n\n@return The order.",
  );
  assert.equal(
    opening(withoutMarkup(doc)),
    "Reads a `Shop.Order` by `id`, or `null`; see its total.",
  );
});

Deno.test("withoutMarkup() leaves nothing of a remark that only inherits, and reads entities", () => {
  for (const doc of ["{@inheritdoc}", "{@inheritDoc}", "@inheritdoc", "<inheritdoc cref='X'/>"]) {
    assert.equal(withoutMarkup(doc), "", doc);
  }
  assert.equal(
    withoutMarkup("A &#064;Body of List&lt;Part&gt; &amp; more&#x41;"),
    "A @Body of List<Part> & moreA",
  );
});

Deno.test("withoutMarkup() leaves other text alone, whatever it holds", () => {
  for (
    const doc of ["", "Less than: a < b && c > d.", "A Map<string, number>.", "@param a first"]
  ) {
    assert.equal(withoutMarkup(doc), doc);
  }
  fc.assert(fc.property(fc.integer({ min: 0, max: 0x11ffff }), (code) => {
    assert.doesNotMatch(
      withoutMarkup(`a&#${code};b &#x${code.toString(16)};`),
      /(?!\n)\p{Cc}|\p{Cs}/u,
    );
  }));
});
