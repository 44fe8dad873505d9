/** Behaviour of `ingest/resolve_modules.ts`: which files the imports of Lua, Elixir, Zig, Haskell, Swift and Scala mean. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { createResolver } from "../../ingest/mod.ts";

type Files = Record<string, string>;

function resolverOf(files: Files) {
  return createResolver({ paths: new Set(Object.keys(files)), read: (path) => files[path] });
}

/** Asserts what each specifier means, given as `from -> specifier` and the expected files. */
function check(files: Files, language: string, expected: Record<string, string | string[]>): void {
  const resolver = resolverOf(files);
  for (const [question, answer] of Object.entries(expected)) {
    const [from, specifier] = question.split(" -> ");
    const names = specifier!.endsWith("._") ? ["*"] : [];
    const found = resolver.resolve(from!, specifier!.replace(/\._$/, ""), language, names);
    assert.deepEqual(found, [answer].flat().filter((path) => path !== ""), question);
  }
}

const LUA: Files = {
  "lua/pick/init.lua": "",
  "lua/pick/finders.lua": "",
  "lua/pick/util/path.lua": "",
  "src/rocks/core/cfg.lua": "",
  "vendor/x/util.lua": "",
  "spec/helper.lua": "",
};

Deno.test("resolve() finds what Lua requires below its folders, and no bare word elsewhere", () => {
  check(LUA, "lua", {
    "lua/pick/init.lua -> pick.finders": "lua/pick/finders.lua",
    "lua/pick/finders.lua -> pick": "lua/pick/init.lua",
    "lua/pick/finders.lua -> pick/util/path": "lua/pick/util/path.lua",
    "src/rocks/main.lua -> rocks.core.cfg": "src/rocks/core/cfg.lua",
    "spec/a_spec.lua -> helper": "spec/helper.lua",
    "lua/pick/init.lua -> util": "",
    "lua/pick/init.lua -> socket.http": "",
  });
});

const ELIXIR: Files = {
  "lib/shop.ex": "defmodule Shop do\nend\n",
  "lib/shop/http_server.ex":
    "defmodule Shop.HTTPServer do\n  defmodule Config do\n  end\n  defmodule Deep.Pool do\n  end\nend\n",
  "lib/shop/web.ex": "defprotocol Shop.Web do\nend\n",
  "lib/mix/odd_place.ex": "defmodule Shop.Cart do\nend\ndefmodule Shop.Cart.Line do\nend\n",
  "test/shop/cart_test.exs": "defmodule Shop.CartTest do\nend\n",
};

Deno.test("resolve() finds Elixir's modules wherever they are defined", () => {
  check(ELIXIR, "elixir", {
    "test/shop/cart_test.exs -> Shop": "lib/shop.ex",
    "test/shop/cart_test.exs -> Shop.HTTPServer": "lib/shop/http_server.ex",
    "test/shop/cart_test.exs -> Shop.HTTPServer.Config": "lib/shop/http_server.ex",
    "test/shop/cart_test.exs -> Shop.HTTPServer.Deep.Pool": "lib/shop/http_server.ex",
    "test/shop/cart_test.exs -> Shop.Web": "lib/shop/web.ex",
    "test/shop/cart_test.exs -> Shop.Cart.Line": "lib/mix/odd_place.ex",
    "test/shop/cart_test.exs -> GenServer": "",
  });
});

const ZIG: Files = {
  "build.zig":
    'const m = b.addModule("shop", .{\n  .root_source_file = b.path("src/root.zig"),\n});\nexe.root_module.addImport("other", b.createModule(.{ .root_source_file = b.path("src/other.zig") }));\n',
  "src/root.zig": "",
  "src/other.zig": "",
  "src/a/b.zig": "",
};

Deno.test("resolve() follows Zig's paths and the modules of the build file", () => {
  check(ZIG, "zig", {
    "src/root.zig -> a/b.zig": "src/a/b.zig",
    "src/a/b.zig -> ../root.zig": "src/root.zig",
    "src/a/b.zig -> shop": "src/root.zig",
    "src/a/b.zig -> other": "src/other.zig",
    "src/a/b.zig -> std": "",
    "src/a/b.zig -> ../../../etc/x.zig": "",
  });
});

const HASKELL: Files = {
  "src/Data/Map.hs": "",
  "src/Shop/Data/Map.hs": "",
  "src/Shop/Cart.hs": "",
  "attoparsec/src/Shop/Cart.hs": "",
  "app/Main.hs": "",
  "app/Options.hs": "",
};

Deno.test("resolve() finds Haskell's modules below a source folder, the nearest first", () => {
  check(HASKELL, "haskell", {
    "app/Main.hs -> Shop.Cart": "src/Shop/Cart.hs",
    "attoparsec/src/X.hs -> Shop.Cart": "attoparsec/src/Shop/Cart.hs",
    "src/Shop/Cart.hs -> Data.Map": "src/Data/Map.hs",
    "src/Shop/Cart.hs -> Shop.Data.Map": "src/Shop/Data/Map.hs",
    "app/Main.hs -> Options": "app/Options.hs",
    "app/Main.hs -> Map": "",
    "app/Main.hs -> Data.List": "",
  });
});

Deno.test("resolve() takes the files of a small Swift target, and of a large one the namesake alone", () => {
  const files: Files = { "Sources/Cart/Cart.swift": "", "Sources/Cart/Deep/Line.swift": "" };
  for (let n = 0; n < 50; n++) files[`Sources/Large/F${n}.swift`] = "";
  files["Sources/Large/Large.swift"] = "";
  check(files, "swift", {
    "Tests/CartTests/A.swift -> Cart": ["Sources/Cart/Cart.swift", "Sources/Cart/Deep/Line.swift"],
    "Tests/CartTests/A.swift -> Large": "Sources/Large/Large.swift",
    "Tests/CartTests/A.swift -> Foundation": "",
  });
});

Deno.test("resolve() finds a Scala name by its path, else by the file of its package that defines it", () => {
  check(
    {
      "core/src/main/scala/shop/cart/Cart.scala": "package shop.cart\nclass Cart\nobject Line\n",
      "core/src/main/scala/shop/cart/package.scala": "package object cart { type Id = Int }\n",
      "core/src/main/java/shop/Tax.java": "",
    },
    "scala",
    {
      "core/src/test/scala/A.scala -> shop.cart.Cart": "core/src/main/scala/shop/cart/Cart.scala",
      "core/src/test/scala/A.scala -> shop.cart.Line": "core/src/main/scala/shop/cart/Cart.scala",
      "core/src/test/scala/A.scala -> shop.cart.Id": "core/src/main/scala/shop/cart/package.scala",
      "core/src/test/scala/A.scala -> shop.Tax": "core/src/main/java/shop/Tax.java",
      "core/src/test/scala/A.scala -> shop.cart._": [
        "core/src/main/scala/shop/cart/Cart.scala",
        "core/src/main/scala/shop/cart/package.scala",
      ],
      "core/src/test/scala/A.scala -> scala.util.Try": "",
    },
  );
});

Deno.test("resolve() never leaves the workspace, whatever a module is called", () => {
  const files = { ...LUA, ...ELIXIR, ...ZIG, ...HASKELL };
  const resolver = resolverOf(files);
  const specifier = fc.oneof(
    fc.string(),
    fc.array(
      fc.constantFrom(".", "/", "..", "*", "(", "A", "Shop", "Cart", "pick", "zig", ".zig"),
      {
        maxLength: 10,
      },
    ).map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(
      fc.constantFrom("lua", "elixir", "zig", "haskell", "swift", "scala"),
      specifier,
      fc.constantFrom(...Object.keys(files)),
      (language, text, from) => {
        for (const path of resolver.resolve(from, text, language, [text])) assert.ok(path in files);
      },
    ),
    { numRuns: 500 },
  );
});
