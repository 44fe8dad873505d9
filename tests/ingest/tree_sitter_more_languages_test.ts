/** Behaviour of `ingest/tree_sitter_languages.ts`, continued: what the languages of the further grammars define and import. */
import assert from "node:assert/strict";
import { importsOf, outline, partsOf } from "./outline.ts";

Deno.test("parse() reads Swift", async () => {
  const text = String.raw`import Foundation
@testable import struct Vapor.Application
/// Doc.
/// More.
@MainActor
public final class Foo<T: Bar>: Base, Proto where T: Eq {
  public static let limit = 1
  var x: Int = 0, y: Int
  private(set) var z: String { get { "a" } }
  lazy var w: Int = { 1 }()
  public init(a: Int) throws { self.x = a }
  deinit {}
  func m(_ a: Int, by b: Int) async throws -> Int { func inner() {}; return a }
  subscript(i: Int) -> Int { x }
  class func make() -> Foo {}
  enum Kind: String { case one, two = "b"; case three(Int) }
  typealias U = Int
  static func == (l: Foo, r: Foo) -> Bool { true }
}
struct S { let a: Int }
actor A { }
protocol P: AnyObject { associatedtype E; var q: Int { get }; func f() -> Int; init() }
extension Foo: CustomStringConvertible { var description: String { "" }; func ext() {} }
extension Foo.Kind { func g() {} }
public indirect enum E<T> { case a(T); func h() {} }
func free<T>(_ t: T) -> T { let local = 1; return Foo.make().m(1, by: 2) }
fileprivate let top = 3
var state: [Int] = []
infix operator +++: AdditionPrecedence
precedencegroup AdditionPrecedence { associativity: left }
macro stringify(_ v: Int) -> String = externalMacro(module: "M", type: "T")
final class FooTests: XCTestCase { func testWorks() { XCTAssertEqual(1, 1) } }
@Suite("S") struct Suite1 { @Test("name") func works() async { _expect(1 == 1) } }
`;
  assert.deepEqual(await outline("a.swift", text), [
    "+class Foo",
    "+constant Foo.limit",
    "+property Foo.x",
    "+property Foo.y",
    "+property Foo.z",
    "+property Foo.w",
    "+method Foo.init",
    "+method Foo.deinit",
    "+method Foo.m",
    "-function Foo.m.inner",
    "+method Foo.subscript",
    "+method Foo.make",
    "+enum Foo.Kind",
    "+enum_member Foo.Kind.one",
    "+enum_member Foo.Kind.two",
    "+enum_member Foo.Kind.three",
    "+type Foo.U",
    "+method Foo.==",
    "+struct S",
    "+property S.a",
    "+class A",
    "+interface P",
    "+type P.E",
    "+property P.q",
    "+method P.f",
    "+method P.init",
    "+property Foo.description",
    "+method Foo.ext",
    "+method Foo.Kind.g",
    "+enum E",
    "+enum_member E.a",
    "+method E.h",
    "+function free",
    "-constant top",
    "+variable state",
    "+macro stringify",
    "+class FooTests",
    "+test FooTests.testWorks",
    "+struct Suite1",
    "+test Suite1.works",
  ]);
  assert.deepEqual(await importsOf("a.swift", text), [
    "import Foundation *",
    "import Vapor Application",
  ]);
  const { doc, signature, lines } = await partsOf("a.swift", text, "Foo");
  assert.deepEqual([doc, signature, lines], [
    "/// Doc.\n/// More.\n@MainActor\n",
    "public final class Foo<T: Bar>: Base, Proto where T: Eq ",
    [6, 19],
  ]);
  assert.deepEqual(await partsOf("a.swift", text, "works"), {
    doc: '@Test("name") ',
    signature: "func works() async ",
    body: "{ _expect(1 == 1) }",
    named: "works",
    lines: [33, 33],
  });
});

Deno.test("parse() reads Scala", async () => {
  const text = String.raw`package a.b
import x.y.Z
import x.y.{A => B, C, _}
import x.z._
import q.{given, *}
/** Doc. */
@deprecated("x", "1")
final case class Foo[A](val a: Int, private val b: String, c: Int) extends Bar with Baz {
  val x, y = 1
  private var z: Int = 2
  lazy val w = 3
  def m(i: Int)(implicit s: S): Int = { def inner() = 1; val local = 2; m(2) }
  type U = Int
  override protected def n = 3
}
object Foo { def apply(): Foo = new Foo(1); implicit val ord: Ord = null; implicit class Ops(x: Int) { def plus = 1 } }
sealed trait T { def abs: Int; type X }
abstract class Abs
package object util { val k = 1 }
given intOrd: Ord[Int] with {
  def cmp = 1
}
given Ord[String] = ???
extension (s: String) { def shout: String = s }
enum Color(val rgb: Int) { case Red extends Color(1); case Green, Blue }
def top(x: Int): Int = x
val const = 1
type Alias = Int
class FooSpec extends AnyFunSuite { test("works") { assert(1 == 1) }; "x" should { "do it" in { ok } } }
export p.q
object Indented:
  /** Doc one. */
  def one: Int =
    foo(1)

  /** Doc two. */
  def two: IO[A @uncheckedVariance] =
    foo.complete(())
`;
  assert.deepEqual(await outline("a.scala", text), [
    "+class Foo",
    "+property Foo.a",
    "-property Foo.b",
    "+property Foo.c",
    "+property Foo.x",
    "+property Foo.y",
    "-property Foo.z",
    "+property Foo.w",
    "+method Foo.m",
    "-function Foo.m.inner",
    "+type Foo.U",
    "+method Foo.n",
    "+class Foo",
    "+method Foo.apply",
    "+property Foo.ord",
    "+class Foo.Ops",
    "+method Foo.Ops.plus",
    "+trait T",
    "+method T.abs",
    "+type T.X",
    "+class Abs",
    "+class util",
    "+property util.k",
    "+class intOrd",
    "+method intOrd.cmp",
    "+constant Ord",
    "+function shout",
    "+enum Color",
    "+property Color.rgb",
    "+enum_member Color.Red",
    "+enum_member Color.Green",
    "+enum_member Color.Blue",
    "+function top",
    "+constant const",
    "+type Alias",
    "+class FooSpec",
    "-test FooSpec.works",
    "-test FooSpec.x",
    "-test FooSpec.x.do it",
    "+class Indented",
    "+method Indented.one",
    "+method Indented.two",
  ]);
  assert.deepEqual(await importsOf("a.scala", text), [
    "import x.y.Z Z",
    "import x.y.A A=B",
    "import x.y.C C",
    "import x.y *",
    "import x.z *",
    "import q *",
    "import q *",
    "reexport p.q q",
  ]);
  const { doc, signature, lines } = await partsOf("a.scala", text, "Foo");
  assert.deepEqual([doc, signature, lines], [
    '/** Doc. */\n@deprecated("x", "1")\n',
    "final case class Foo[A](val a: Int, private val b: String, c: Int) extends Bar with Baz ",
    [8, 15],
  ]);
  assert.deepEqual(await partsOf("a.scala", text, "two"), {
    doc: "/** Doc two. */\n  ",
    signature: "def two: IO[A @uncheckedVariance] =\n    ",
    body: "foo.complete(())",
    named: "two",
    lines: [37, 38],
  });
});

Deno.test("parse() reads Lua", async () => {
  const text = String.raw`local json = require("a.json")
local util = require "a.util"
require("side")
local M = {}
--- Doc.
-- @param x
function M.f(x) return x end
function M:g(y) self.a = 1; return json.encode(y) end
M.h = function(z) end
M.LIMIT = 3
M.sub = { deep = function() end, k = 1 }
local function hidden() local function inner() end end
local k = 1
x = 2
function global() end
local C = setmetatable({}, { __index = M })
local v <const>, w = 1, 2
describe("thing", function() it("works", function() assert.is_true(true) end) end)
for i, a in ipairs(t) do print(a) end
return { a = hidden, b = function() end }
`;
  assert.deepEqual(await outline("a.lua", text), [
    "-variable M",
    "+function M.f",
    "+method M.g",
    "+function M.h",
    "+constant M.LIMIT",
    "+property M.sub",
    "+function M.sub.deep",
    "+property M.sub.k",
    "+function hidden",
    "-function hidden.inner",
    "-variable k",
    "+variable x",
    "+function global",
    "-variable C",
    "-variable v",
    "-variable w",
    "-test thing",
    "-test thing.works",
    "+function b",
  ]);
  assert.deepEqual(await importsOf("a.lua", text), [
    "require a.json *=json",
    "require a.util *=util",
    "require side",
  ]);
  assert.deepEqual(await partsOf("a.lua", text, "f"), {
    doc: "--- Doc.\n-- @param x\n",
    signature: "function M.f(x) ",
    body: "return x end",
    named: "f",
    lines: [7, 7],
  });
});

Deno.test("parse() reads Elixir", async () => {
  const text = String.raw`defmodule A.B do
  @moduledoc """
  Module doc.
  """
  use GenServer
  alias A.{C, D}
  alias X.Y, as: Z
  import Ecto.Query, only: [from: 2]
  require Logger
  @behaviour Foo
  @limit 10
  @type t :: %__MODULE__{a: integer}
  @typep p :: integer
  defstruct [:a, b: 1]
  @doc """
  Does f.
  """
  @spec f(integer) :: integer
  def f(x) when x > 0 do
    helper(x) |> Enum.map(&g/1)
  end
  def f(_), do: 0
  @doc false
  def g(x), do: C.run(x)
  defp helper(x), do: x
  # About m
  defmacro m(a, b \\ 1) do quote do unquote(a) end end
  defguard is_ok(x) when x == 1
  defdelegate size(x), to: Enum, as: :count
  @callback init(term) :: :ok
  @impl true
  def handle_call(:a, _from, state), do: {:reply, :ok, state}
  defmodule Inner do
    def i, do: 1
  end
  def a + b, do: 1
  defexception message: "x"
end
defprotocol P do
  def size(x)
end
defimpl P, for: [List] do
  def size(x), do: length(x)
end
defmodule ATest do
  use ExUnit.Case, async: true
  describe "f" do
    test "works", %{a: b} do
      assert A.B.f(1) == 1
    end
  end
end
`;
  assert.deepEqual(await outline("a.ex", text), [
    "+module A.B",
    "-constant A.B.limit",
    "+type A.B.t",
    "-type A.B.p",
    "+property A.B.a",
    "+property A.B.b",
    "+function A.B.f",
    "+function A.B.g",
    "-function A.B.helper",
    "+macro A.B.m",
    "+function A.B.is_ok",
    "+function A.B.size",
    "+function A.B.init",
    "+function A.B.handle_call",
    "+module A.B.Inner",
    "+function A.B.Inner.i",
    "+function A.B.+",
    "+property A.B.message",
    "+interface P",
    "+function P.size",
    "+function P.List.size",
    "+module ATest",
    "-test ATest.f",
    "-test ATest.f.works",
  ]);
  assert.deepEqual(await importsOf("a.ex", text), [
    "import GenServer GenServer *",
    "import A.C C *=C",
    "import A.D D *=D",
    "import X.Y Y=Z *=Z",
    "import Ecto.Query from",
    "import Logger Logger *=Logger",
    "import Foo Foo *=Foo",
    "import ExUnit.Case Case *",
  ]);
  assert.deepEqual(await partsOf("a.ex", text, "f"), {
    doc: '@doc """\n  Does f.\n  """\n  @spec f(integer) :: integer\n  ',
    signature: "def f(x) when x > 0 ",
    body: "do\n    helper(x) |> Enum.map(&g/1)\n  end\n  def f(_), do: 0",
    named: "f",
    lines: [19, 22],
  });
  const { doc, signature, lines } = await partsOf("a.ex", text, "B");
  assert.deepEqual([doc, signature, lines], ["", "defmodule A.B ", [1, 38]]);
});

Deno.test("parse() reads Zig", async () => {
  const text = String.raw`//! Module doc.
const std = @import("std");
const x = @import("sub/x.zig");
const Y = @import("y.zig").Y;
pub usingnamespace @import("z.zig");
/// Doc.
pub const S = struct {
    a: u32,
    b: ?[]const u8 = null,
    pub const LIMIT = 3;
    const Self = @This();
    pub fn init(a: u32) Self { return .{ .a = a }; }
    fn hidden(self: *Self) void { _ = self; const local = 1; x.run(local); }
    const Inner = enum { one, two, pub fn g() void {} };
};
pub const E = enum(u8) { a, b = 2 };
pub const U = union(enum) { i: i32, f: f32 };
pub const Err = error{ A, B };
const limit: usize = 1;
pub var state: u32 = 0;
pub fn free(comptime T: type) type { return struct { v: T, pub fn get(self: @This()) T { return self.v; } }; }
pub extern "c" fn ext(a: c_int) c_int;
export fn exported() void {}
inline fn inl() void {}
test "adds" { try std.testing.expect(true); }
test S { }
comptime { _ = x; }
threadlocal var tl: u8 = 0;
`;
  assert.deepEqual(await outline("a.zig", text), [
    "+struct S",
    "+property S.a",
    "+property S.b",
    "+constant S.LIMIT",
    "-constant S.Self",
    "+method S.init",
    "-method S.hidden",
    "-enum S.Inner",
    "-enum_member S.Inner.one",
    "-enum_member S.Inner.two",
    "-method S.Inner.g",
    "+enum E",
    "+enum_member E.a",
    "+enum_member E.b",
    "+struct U",
    "+property U.i",
    "+property U.f",
    "+enum Err",
    "+enum_member Err.A",
    "+enum_member Err.B",
    "-constant limit",
    "+variable state",
    "+function free",
    "+property free.v",
    "+method free.get",
    "+function ext",
    "+function exported",
    "-function inl",
    "-test adds",
    "-test S",
    "-variable tl",
  ]);
  assert.deepEqual(await importsOf("a.zig", text), [
    "import std *=std",
    "import sub/x.zig *=x",
    "import y.zig Y",
    "reexport z.zig *",
  ]);
  const { doc, signature, lines } = await partsOf("a.zig", text, "S");
  assert.deepEqual([doc, signature, lines], ["/// Doc.\n", "pub const S = ", [7, 15]]);
});

Deno.test("parse() reads Haskell", async () => {
  const text = String.raw`{-# LANGUAGE GADTs #-}
{- |
Module      : A.B
Description : Says.
-}
module A.B (Foo(..), bar, module X, type (+), T(C1)) where
import qualified Data.Map as M
import Data.List (sort, nub)
import Data.Maybe hiding (fromJust)
import A.C
-- | Doc of Foo.
data Foo a = Bar Int
  | Baz { field1 :: a -- ^ about
        , field2 :: !Int }
  deriving (Eq, Show)
newtype N = N { unN :: Int }
type Alias = Int
class (Eq a) => Cls a where
  -- | Method.
  meth :: a -> Int
  meth _ = 1
  type Fam a
instance Cls Foo where
  meth (Bar x) = x
  meth (Baz _ y) = y
-- | Does bar.
-- More.
bar :: Int -> Int
bar 0 = 1
bar n = go n
  where go x = M.size x + helper x
helper x = let y = 1 in y + x
infixl 6 +++
(+++) :: Int -> Int -> Int
a +++ b = a + b
data G where
  G1 :: Int -> G
  G2 :: { gf :: Int } -> G
type family F a where
  F Int = Bool
pattern P x = Bar x
foreign import ccall "sin" c_sin :: Double -> Double
main = do
  x <- getLine
  print x
deriving instance Show G
(a1, b1) = (1, 2)
`;
  assert.deepEqual(await outline("A.hs", text), [
    "+type Foo",
    "+enum_member Foo.Bar",
    "+enum_member Foo.Baz",
    "+property Foo.field1",
    "+property Foo.field2",
    "-type N",
    "-enum_member N.N",
    "-property N.unN",
    "-type Alias",
    "-interface Cls",
    "-method Cls.meth",
    "-type Cls.Fam",
    "+method Foo.meth",
    "+function bar",
    "-function bar.go",
    "-function helper",
    "-function +++",
    "-type G",
    "-enum_member G.G1",
    "-enum_member G.G2",
    "-property G.gf",
    "-type F",
    "-function P",
    "-function c_sin",
    "-function main",
  ]);
  assert.deepEqual(await importsOf("A.hs", text), [
    "import Data.Map *=M",
    "import Data.List sort nub",
    "import Data.Maybe *",
    "import A.C *",
  ]);
  assert.deepEqual(await partsOf("A.hs", text, "bar"), {
    doc: "-- | Does bar.\n-- More.\n",
    signature: "bar :: Int -> Int",
    body: "\nbar 0 = 1\nbar n = go n\n  where go x = M.size x + helper x",
    named: "bar",
    lines: [28, 31],
  });
  assert.deepEqual(await partsOf("A.hs", text, "meth"), {
    doc: "-- | Method.\n  ",
    signature: "meth :: a -> Int",
    body: "\n  meth _ = 1",
    named: "meth",
    lines: [20, 21],
  });
});
