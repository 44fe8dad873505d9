/** Behaviour of `rag/doc_text.ts` and `rag/summarise.ts`: what Swift, Scala, Lua, Elixir, Zig and Haskell say of a definition and of a file. */
import assert from "node:assert/strict";
import { parse } from "../../ingest/mod.ts";
import { docOf } from "../../rag/doc_text.ts";
import { fileDoc } from "../../rag/summarise.ts";

/** What the file says, and what its definition `name` says. */
async function docsOf(path: string, text: string, name: string): Promise<[string, string]> {
  const { definitions, language } = await parse(path, text);
  const found = definitions.find((definition) => definition.name === name);
  assert.ok(found, `no ${name} in ${path}`);
  return [fileDoc(text, language), docOf(text, found, language)];
}

Deno.test("docs are read as each language writes them", async () => {
  assert.deepEqual(
    await docsOf(
      "a.swift",
      "// Reads carts.\n\nimport A\n\n/// Adds a line.\n/// - Parameter x: the line\n@discardableResult\npublic func add(x: Int) {}\n",
      "add",
    ),
    ["Reads carts.", "Adds a line.\n- Parameter x: the line"],
  );
  assert.deepEqual(
    await docsOf(
      "a.scala",
      "/*\n * Copyright 2020 X\n */\n\npackage a\n\nobject A:\n  def f =\n    1\n\n  /** Adds.\n   * @return it */\n  def add = 2\n",
      "add",
    ),
    ["", "Adds.\n@return it"],
  );
  assert.deepEqual(
    await docsOf(
      "a.lua",
      "--[[\nPicks files.\n]]\nlocal M = {}\n-------------\n--- Adds a line.\n-- @param x line\nfunction M.add(x) end\nreturn M\n",
      "add",
    ),
    ["Picks files.", "Adds a line.\n@param x line"],
  );
  assert.deepEqual(
    await docsOf("a.zig", "//! Reads zig.\n\n/// Adds.\npub fn add() void {}\n", "add"),
    ["Reads zig.", "Adds."],
  );
});

Deno.test("docs of Elixir stand in attributes, those of a module inside of it", async () => {
  const text = `defmodule Shop.Cart do
  @moduledoc """
  Holds lines.
  """
  use GenServer

  @doc """
  Adds a line.
  """
  @spec add(t, line) :: t
  def add(cart, line), do: cart

  @doc ~S|Odd|
  # Counts.
  def count(cart), do: 1
end
`;
  assert.deepEqual(await docsOf("a.ex", text, "Cart"), ["Holds lines.", "Holds lines."]);
  assert.deepEqual(await docsOf("a.ex", text, "add"), ["Holds lines.", "Adds a line."]);
  assert.equal((await docsOf("a.ex", text, "count"))[1], "Counts.");
  const silent = 'defmodule A do\n  @moduledoc false\n  @doc "F."\n  def f, do: 1\nend\n';
  assert.deepEqual(await docsOf("a.ex", silent, "A"), ["", ""]);
});

Deno.test("the head of a Haskell module is read without its fields and pragmas", async () => {
  const field =
    "{-# LANGUAGE GADTs #-}\n{- |\nModule      : A\nDescription : Holds lines.\nCopyright   : (c) X\n-}\nmodule A where\n\n-- | Adds.\n-- More.\nadd :: Int\nadd = 1\n";
  assert.deepEqual(await docsOf("A.hs", field, "add"), ["Holds lines.", "Adds.\nMore."]);
  const prose =
    "-----------------\n-- |\n-- Module : A\n-- License : BSD3\n--\n-- Holds lines as well.\n-----------------\nmodule A where\nadd = 1 -- ^ not its\n";
  assert.deepEqual(await docsOf("A.hs", prose, "add"), ["Holds lines as well.", ""]);
});
