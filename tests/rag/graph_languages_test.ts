/** References by name over real indexes, in Swift, Scala, Lua, Elixir, Zig and Haskell: imports, modules and namesakes. */
import assert from "node:assert/strict";
import { SymbolGraph } from "../../rag/graph.ts";
import { withRepository } from "../support/repository.ts";

/** The references of each target, as `path:line kind`. */
async function refsOf(
  files: Record<string, string>,
  targets: readonly string[],
): Promise<Record<string, string[]>> {
  return await withRepository(files, async (memory) => {
    const graph = new SymbolGraph(memory.store);
    const found: Record<string, string[]> = {};
    for (const target of targets) {
      found[target] = (await graph.refs(target)).references.map(({ path, line, kind }) =>
        `${path}:${line} ${kind}`
      );
    }
    return found;
  });
}

Deno.test("refs() of Elixir follow aliases, tell modules apart, and leave the kernel's own names alone", async () => {
  const found = await refsOf({
    "lib/cart.ex":
      "defmodule Shop.Cart do\n  def add(cart, x), do: put(cart, x)\n  def put(cart, x), do: [x | cart]\n  def inspect(x), do: x\nend\n",
    "lib/box.ex": "defmodule Shop.Box do\n  def add(box, x), do: {box, x}\nend\n",
    "lib/web.ex":
      "defmodule Shop.Web do\n  alias Shop.Cart, as: Basket\n  alias Shop.Box\n  def run(x) do\n    Basket.add(x, 1)\n    Box.add(x, 2)\n    Keyword.put(x, 3)\n    inspect(x)\n  end\nend\n",
    "test/cart_test.exs":
      'defmodule Shop.CartTest do\n  use ExUnit.Case\n  test "adds" do\n    assert Shop.Cart.add([], 1) == [1]\n  end\nend\n',
  }, ["Cart.add", "Box.add", "put", "Cart.inspect", "Cart"]);
  assert.deepEqual(found, {
    "Cart.add": ["lib/web.ex:5 call", "test/cart_test.exs:4 call"],
    "Box.add": ["lib/web.ex:6 call"],
    "put": ["lib/cart.ex:2 call"],
    "Cart.inspect": [],
    "Cart": ["lib/web.ex:2 import", "lib/web.ex:5 read", "test/cart_test.exs:4 read"],
  });
});

Deno.test("refs() of Haskell follow qualified imports and those that name what they take", async () => {
  const found = await refsOf(
    {
      "src/Cart.hs":
        "module Cart (add, Line(..)) where\n\ndata Line = Line Int\n\nadd :: Line -> Int\nadd (Line n) = n\n",
      "src/Box.hs": "module Box where\n\nadd :: Int -> Int\nadd x = x\n",
      "app/Main.hs":
        "module Main where\nimport qualified Cart as C\nimport Box (add)\n\nmain :: IO ()\nmain = print (C.add (C.Line 1) + add 2)\n",
    },
    ["Line", "src/Box.hs:4"],
  );
  assert.deepEqual(found["Line"]!.filter((use) => use.startsWith("app/")), ["app/Main.hs:6 call"]);
  assert.deepEqual(found["src/Box.hs:4"], ["app/Main.hs:3 import", "app/Main.hs:6 call"]);
});

Deno.test("refs() of Lua and Zig go through what a file was required as", async () => {
  const lua = await refsOf({
    "lua/shop/cart.lua":
      "local M = {}\nfunction M.add(x) return x end\nfunction M:drop() end\nreturn M\n",
    "lua/shop/web.lua":
      'local basket = require("shop.cart")\nlocal function add(x) return x end\nbasket.add(1)\nadd(2)\nbasket:drop()\n',
  }, ["M.add", "M.drop"]);
  assert.deepEqual(lua, {
    "M.add": ["lua/shop/web.lua:3 call"],
    "M.drop": ["lua/shop/web.lua:5 call"],
  });
  const zig = await refsOf({
    "src/Cart.zig":
      "const Cart = @This();\nn: u32,\npub fn add(self: *Cart, x: u32) void {\n    self.n += x;\n}\n",
    "src/main.zig":
      'const Cart = @import("Cart.zig");\npub fn main() void {\n    var cart: Cart = .{ .n = 1 };\n    cart.add(2);\n}\n',
  }, ["Cart", "add"]);
  assert.deepEqual(zig, {
    "Cart": ["src/Cart.zig:3 type", "src/main.zig:3 type"],
    "add": ["src/main.zig:4 call"],
  });
});

Deno.test("refs() of Swift and Scala find members of extensions and of objects", async () => {
  const swift = await refsOf({
    "Sources/Shop/Cart.swift":
      "public struct Cart {}\nextension Cart {\n  func add(_ x: Int) {}\n}\n",
    "Tests/ShopTests/CartTests.swift":
      "@testable import Shop\nstruct CartTests {\n  @Test func adds() { let add = 1; Cart().add(add) }\n}\n",
  }, ["Cart", "Cart.add"]);
  assert.deepEqual(swift, {
    "Cart": ["Sources/Shop/Cart.swift:2 type", "Tests/ShopTests/CartTests.swift:3 call"],
    "Cart.add": ["Tests/ShopTests/CartTests.swift:3 call"],
  });
  const scala = await refsOf({
    "src/main/scala/shop/Cart.scala":
      "package shop\ntrait Priced\nclass Cart(n: Int) extends Priced\nobject Cart {\n  def empty: Cart = new Cart(0)\n}\n",
    "src/test/scala/web/CartSpec.scala":
      "package web\nimport shop.{Cart => Basket, Priced}\nclass CartSpec extends Spec with Priced {\n  val cart = Basket.empty\n}\n",
  }, ["Priced", "Cart.empty"]);
  assert.deepEqual(scala, {
    "Priced": [
      "src/main/scala/shop/Cart.scala:3 extends",
      "src/test/scala/web/CartSpec.scala:2 import",
      "src/test/scala/web/CartSpec.scala:3 implements",
    ],
    "Cart.empty": ["src/test/scala/web/CartSpec.scala:4 read"],
  });
});
