/** Behaviour of `ingest/macro_gaps.ts`: C and C++ that the preprocessor completes are read, and every offset stays what it was. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { closeMacroGaps } from "../../ingest/macro_gaps.ts";
import { parse } from "../../ingest/parse.ts";
import { outline } from "./outline.ts";

Deno.test("closeMacroGaps() keeps the length and the line ends of every text", () => {
  const piece = fc.oneof(
    fc.constantFrom(
      "#if A\r\n",
      "#ifdef B\n",
      "# elif C \\\n D\n",
      "#else\n",
      "#endif\n",
      "namespace a {",
      "int f() {",
      "}",
      "(",
      ")",
      "'{'",
      '"}"',
      "// {\n",
      "/* } */",
      "\nBEGIN_SCOPE\n",
      "\nDEPRECATED_FOR(1, f())\n",
      "\nBOOL WINAPI f(",
      "\n",
      "😀",
    ),
    fc.string({ unit: "binary", maxLength: 6 }),
  );
  const text = fc.array(piece, { maxLength: 20 }).map((pieces) => pieces.join(""));
  fc.assert(
    fc.property(text, (given) => {
      const known = closeMacroGaps(given);
      assert.equal(known.length, given.length);
      for (let at = 0; at < given.length; at++) {
        if (known[at] === given[at]) continue;
        assert.equal(known[at], " ");
        assert.ok(given[at] !== "\r" && given[at] !== "\n");
      }
    }),
    { numRuns: 1000 },
  );
});

Deno.test("conditionals that cut code lose all but their first branch; those among declarations stay", () => {
  const kept = `#ifdef A
int f(void);
#else
int g(void);
#endif
`;
  assert.equal(closeMacroGaps(kept), kept);
  const cut = closeMacroGaps(`#ifdef A
int f(void) {
#else
int g(void) {
#endif
  return h(1,
#ifdef B
    2
#else
    3
#endif
  );
}
`);
  assert.deepEqual(cut.split("\n").map((line) => line.trim()).filter((line) => line !== ""), [
    "int f(void) {",
    "return h(1,",
    "2",
    ");",
    "}",
  ]);
});

Deno.test("comments over several lines hide what is in them", () => {
  const text = `/* {
 ( {
*/
#ifdef A
int f(void);
#else
int g(void);
#endif
`;
  assert.equal(closeMacroGaps(text), text);
});

Deno.test("text without an end to its comments, strings and lines takes a few passes", () => {
  for (const piece of ["#/*", "/*", '"', "'", "(", "{", "#if\n", "A_B\n", "A_B(", "class "]) {
    const text = piece.repeat(100_000);
    assert.equal(closeMacroGaps(text).length, text.length);
  }
  const deep = "(".repeat(50_000) + "\n#if A\n".repeat(50_000);
  assert.equal(closeMacroGaps(deep), deep);
});

Deno.test("macros stay in expressions, calls and definitions of macros", () => {
  const text = `#define TWICE(a) \\
  MORE_THAN(a) \\
  MORE_THAN(a)
int a =
  SOME_VALUE
  + OTHER_VALUE;
int b = a *
  SOME_VALUE
int c;
void f() { CHECK_IT(a); }
TEST_CASE(one)
{
}
`;
  assert.equal(closeMacroGaps(text), text);
});

Deno.test("parse() names what stands behind conditionals that cut declarations in two", async () => {
  const text = `#ifdef HAVE_ALLOCA
# include <alloca.h>
#elif !defined alloca
# ifdef __cplusplus
extern "C"
# endif
void *alloca (size_t);
#endif
#ifdef WIN32
int umain(int argc, char* argv[]) {
#else
int main(int argc, char* argv[]) {
#endif
  return run(argc,
#ifdef LONG
    1
#else
    0
#endif
  );
}
BOOL WINAPI DllMain(HINSTANCE dll, DWORD why) {
  return 1;
}
static int add(int a, int b) { return a + b; }
`;
  const { chunks } = await parse("main.c", text, { maxSize: 40 });
  assert.equal(chunks.map(({ start, end }) => text.slice(start, end)).join(""), text);
  const names = await outline("main.c", text);
  for (const name of ["+function umain", "+function DllMain", "-function add"]) {
    assert.ok(names.includes(name), `${name} among\n${names.join("\n")}`);
  }
});

Deno.test("parse() names the class and its methods behind macros on lines of their own", async () => {
  const text = `LIBRARY_NAMESPACE_BEGIN
LIBRARY_TEMPLATE_DECLARATION
class value // NOLINT(some-check)
    : public detail::base<T>
{
  public:
    LIBRARY_WARN_UNUSED_RESULT
    static value array(int init = 0)
    {
        LIBRARY_TRY
        {
            return value(init);
        }
        LIBRARY_CATCH (...) { }
#if LIBRARY_CHECKS
        check();
#endif
        return value(0);
    }
  LIBRARY_PRIVATE_UNLESS_TESTED:
    void merge_patch(const value& patch)
    {
        apply(patch);
    }
};
LIBRARY_NAMESPACE_END
`;
  const names = await outline("value.hpp", text);
  assert.ok(names.includes("+class value"), names.join("\n"));
  assert.ok(names.includes("+method value.array"), names.join("\n"));
  assert.ok(names.some((name) => name.endsWith("method value.merge_patch")), names.join("\n"));
});
