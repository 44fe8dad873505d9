/** Behaviour of `ingest/name_places.ts`: how a name is used in the languages whose trees are built unlike the others. */
import assert from "node:assert/strict";
import { findNameUses } from "../../ingest/graph_names.ts";

/** `line kind receiver` of every use. */
async function usesOf(path: string, text: string, name: string): Promise<string[]> {
  return (await findNameUses(path, text, name)).map(({ line, kind, receiver }) =>
    receiver === undefined ? `${line} ${kind}` : `${line} ${kind} ${receiver}`
  );
}

Deno.test("findNameUses() reads Swift", async () => {
  const text = String.raw`import Store
class A: Store { let s: Store = Store() }
struct B: Store {}
extension Store { func save(_ name: Int) { name.save(); self.save(name: 1) } }
func f(x: [Store]) { save(1); x.save(2); Store.shared.save(3); let k = .save; A(save: 1); Store.name = 2 }
func g(save: Int) { print(save) }
@Store var y = try await x.save(#save(1))
`;
  assert.deepEqual(await usesOf("a.swift", text, "Store"), [
    "1 import",
    "2 extends",
    "2 type",
    "2 call",
    "3 implements",
    "4 type",
    "5 type",
    "5 read",
    "5 read",
    "7 call",
  ]);
  assert.deepEqual(await usesOf("a.swift", text, "save"), [
    "4 call name",
    "4 call self",
    "5 call",
    "5 call x",
    "5 call Store.shared",
    "5 read .",
    "7 call x",
    "7 call",
  ]);
  assert.deepEqual(await usesOf("a.swift", text, "name"), ["5 write Store"]);
});

Deno.test("findNameUses() reads Scala", async () => {
  const text = String.raw`import a.b.Store
import a.b.{Store => S, Other}
class A(s: Store) extends Store with Store2 { def f = new Store(1).save(2) }
class B extends Base with Store[Int] { val name = Store.make; s.name; x save y }
object O { def g(save: Int) = save + 1; def h = save(1); def k = { val save = 1; save }; f(save = 2) }
`;
  assert.deepEqual(await usesOf("a.scala", text, "Store"), [
    "1 import a.b",
    "2 import a.b",
    "3 type",
    "3 extends",
    "3 call",
    "4 implements",
    "4 read",
  ]);
  assert.deepEqual(await usesOf("a.scala", text, "save"), [
    "3 call new Store(1)",
    "4 call x",
    "5 call",
  ]);
  assert.deepEqual(await usesOf("a.scala", text, "name"), ["4 read s"]);
});

Deno.test("findNameUses() reads Lua", async () => {
  const text = String.raw`local Store = require("store")
function Store.save(x) return Store.save(x) end
function M:save() self:save(); save(1); M.name = 2; local name = Store end
local function f(save) return save end
local t = { save = 1, other = Store.save }
`;
  assert.deepEqual(await usesOf("a.lua", text, "Store"), ["2 read", "2 read", "3 read", "5 read"]);
  assert.deepEqual(await usesOf("a.lua", text, "save"), [
    "2 call Store",
    "3 call self",
    "3 call",
    "5 read Store",
  ]);
  assert.deepEqual(await usesOf("a.lua", text, "name"), ["3 write M"]);
});

Deno.test("findNameUses() reads Elixir", async () => {
  const text = String.raw`defmodule A.Store do
  alias B.Store
  alias B.{Store, Other}
  def save(x), do: Other.save(x)
  def run(save) do
    save(1)
    x |> save()
    Store.save(save)
    %Store{name: 1}
    &save/1
    save!(2)
    y = save
  end
  @spec save(Store.t()) :: integer
  defimpl Store, for: Any do
  end
  @behaviour A.Store
end
`;
  assert.deepEqual(await usesOf("a.ex", text, "Store"), [
    "2 import B",
    "3 import B",
    "8 read",
    "9 call",
    "14 read",
    "15 implements",
    "17 implements A",
  ]);
  assert.deepEqual(await usesOf("a.ex", text, "save"), [
    "4 call Other",
    "6 call",
    "7 call",
    "8 call Store",
    "10 read",
  ]);
  assert.deepEqual(await usesOf("a.ex", text, "name"), []);
});

Deno.test("findNameUses() reads Zig", async () => {
  const text = String.raw`const Store = @import("store.zig").Store;
fn f(s: *Store, save: u8) Store { _ = save; return Store{ .name = 1 }; }
pub fn save(x: Store) void { x.save(); save(1); Store.save(x); x.name = 2; const name = 1; _ = name; }
`;
  assert.deepEqual(await usesOf("a.zig", text, "Store"), [
    "1 import",
    "2 type",
    "2 type",
    "2 call",
    "3 type",
    "3 read",
  ]);
  assert.deepEqual(await usesOf("a.zig", text, "save"), ["3 call x", "3 call", "3 call Store"]);
  assert.deepEqual(await usesOf("a.zig", text, "name"), ["2 write .", "3 read x"]);
});

Deno.test("findNameUses() reads Haskell", async () => {
  const text = String.raw`module A (Store(..), save) where
import B (Store, save)
import qualified C
data Store = Store { name :: Int }
save :: Store -> Int
save x = C.save (save x) + name x
g save = save
h = map save [Store 1] where save = 2
instance Store Int where
  save n = Store { name = 1 }
k (Store n) = save n
`;
  assert.deepEqual(await usesOf("A.hs", text, "Store"), [
    "1 reexport",
    "2 import B",
    "5 type",
    "8 call",
    "9 implements",
    "10 read",
    "11 call",
  ]);
  assert.deepEqual(await usesOf("A.hs", text, "save"), [
    "1 reexport",
    "2 import B",
    "6 call C",
    "6 call",
    "8 read",
    "11 call",
  ]);
  assert.deepEqual(await usesOf("A.hs", text, "name"), ["6 call", "10 write"]);
});

Deno.test("findNameUses() takes a name with a mark for another name", async () => {
  assert.deepEqual(await usesOf("a.ex", "fetch!(1)\nfetch(2)\nvalid?(3)\n", "fetch"), ["2 call"]);
  assert.deepEqual(await usesOf("a.ex", "fetch!(1)\nfetch(2)\n", "fetch!"), ["1 call"]);
  assert.deepEqual(await usesOf("A.hs", "g = f' 1\nh = f 2\n", "f"), ["2 call"]);
});
