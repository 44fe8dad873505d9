/** Behaviour of `agent/references.ts`: whether a line can mean the name of an owner. */
import assert from "node:assert/strict";
import { couldMean } from "../../agent/references.ts";

Deno.test("couldMean() looks at what stands before a name, also where the name is an operator", () => {
  const could = (name: string, text: string, owner: string) =>
    couldMean({
      type: "reference",
      name,
      path: "a.rb",
      line: 1,
      text,
      kind: "call",
      within: "",
      resolution: "name",
    }, owner);
  assert.equal(could("replace", "request.replace(1)", "Request"), true);
  assert.equal(could("replace", "text.replace(1)", "Request"), false);
  assert.equal(could("replace", "request.replaced; text.replace(1)", "Request"), false);
  // Ruby names methods so.
  for (const name of ["+", "*", "**", "(", "[]", "<=>"]) {
    assert.equal(could(name, `vector.${name}(other)`, "Vector"), true, name);
  }
});
