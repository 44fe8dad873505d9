/** Behaviour of `ingest/definitions_c.ts`: C++ that its grammar cannot read. */
import assert from "node:assert/strict";
import { outline } from "./outline.ts";

Deno.test("parse() gives no name to C++ that macros make unreadable, and reads the rest", async () => {
  const names = await outline(
    "sax.hpp",
    `struct call { int operator()(int a) { return a; } bool operator==(const call& o) const { return true; } operator bool() const; };
BEGIN_NAMESPACE
namespace detail
{
template<typename T> class parser { public: int parse() { return 1; } };
}
BEGIN_NAMESPACE
template<typename B>
struct sax
{
    virtual bool null() = 0;
    virtual bool error(std::size_t p, const std::string& t, const detail::exception& e) = 0;
    sax() = default;
    sax& operator=(const sax&) = default;
    sax& operator=(sax&&) noexcept = default;
    virtual ~sax() = default;
};
END_NAMESPACE
`,
  );
  assert.ok(names.includes("+class detail.parser"), names.join("\n"));
  assert.ok(names.includes("+method call.operator()"), names.join("\n"));
  assert.ok(names.includes("+method call.operator=="), names.join("\n"));
  assert.deepEqual(names.filter((name) => /[;{}]|[^)r]\(|.{60}/.test(name)), []);
});
