/** Errors in one line: whoever reads it knows what to do. */
import assert from "node:assert/strict";
import { oneLine } from "../../../kernel/doors/one_line.ts";

Deno.test("a right that the process lacks is named, with what would give it", () => {
  const { NotCapable } = Deno.errors;
  assert.equal(
    oneLine(
      new NotCapable(
        'Requires net access to "127.0.0.1:5555", run again with the --allow-net flag',
      ),
    ),
    'this process was started without net access to "127.0.0.1:5555"; in the checkout "deno task COMMAND" gives each command what it needs (--repo DIR names the repository)',
  );
  assert.match(oneLine(new NotCapable("Requires ffi access, run again")), /without ffi access; in/);
  // What says something else stays as it is.
  assert.equal(oneLine(new NotCapable("no such thing.")), "no such thing");
});

Deno.test("an error of several lines is one; a defect says that it is one", () => {
  assert.equal(oneLine(new Error("read it:\n  not there.\n")), "read it:; not there");
  assert.match(oneLine(new TypeError("x is undefined")), /^a defect of batos: x is undefined;/);
  assert.equal(oneLine("as it is"), "as it is");
});
