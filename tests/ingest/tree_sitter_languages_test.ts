/** Behaviour of `ingest/tree_sitter_languages.ts`: what each language defines and imports. */
import assert from "node:assert/strict";
import { parse } from "../../ingest/parse.ts";
import { importsOf, outline, partsOf } from "./outline.ts";

Deno.test("parse() reads Python", async () => {
  const text = `
import os.path, numpy as np
from . import sibling
from ..pkg.mod import a as b, c
from x import *
from __future__ import annotations
LIMIT = 1
_private, shown = 1, 2
@decorator
class A(Base):
    """Doc."""
    field: int = 1
    def __init__(self, x):
        self.x = x
        self._y = 2
    @property
    def p(self): return 1
    async def _hidden(self):
        def inner(): pass
try:
    import fast
except ImportError:
    def fallback(): pass
double = lambda x: x * 2
def test_it(): pass
type Alias = int
`;
  assert.deepEqual(await outline("a.py", text), [
    "+constant LIMIT",
    "-variable _private",
    "+variable shown",
    "+class A",
    "+property A.field",
    "+method A.__init__",
    "+property A.x",
    "-property A._y",
    "+method A.p",
    "-method A._hidden",
    "-function A._hidden.inner",
    "+function fallback",
    "+function double",
    "+test test_it",
    "+type Alias",
  ]);
  assert.deepEqual(await importsOf("a.py", text), [
    "import os.path *=os",
    "import numpy *=np",
    "import . sibling",
    "import ..pkg.mod a=b c",
    "import x *",
    "import __future__",
    "import fast *=fast",
  ]);
  const decorated = '# About f.\n@one\n@two(1)\ndef f(a):\n    """Doc."""\n    return a\n';
  assert.deepEqual(await partsOf("a.py", decorated, "f"), {
    doc: "# About f.\n@one\n@two(1)\n",
    signature: "def f(a):\n    ",
    body: '"""Doc."""\n    return a',
    named: "f",
    lines: [4, 6],
  });
});

Deno.test("parse() reads Go", async () => {
  const text = `package p
import "fmt"
import (
	log "github.com/x/logrus"
	. "dot"
	_ "side/effect"
	"github.com/go-chi/chi/v5"
)
// ErrX is doc.
const (
	A, b = iota, 1
	C = 2
)
var top int
type S struct {
	Field, other int
	*Embedded
	pkg.Other
}
type I interface { M(x int) error; Stringer }
type Alias = S
type Gen[T any] []T
func F() { inner := func() {}; inner() }
func (s *S) Method() {}
func (g Gen[T]) Each() {}
func TestF(t *testing.T) {}
var _ I = (*S)(nil)
`;
  assert.deepEqual(await outline("a.go", text), [
    "+constant A",
    "-constant b",
    "+constant C",
    "-variable top",
    "+struct S",
    "+property S.Field",
    "-property S.other",
    "+property S.Embedded",
    "+property S.Other",
    "+interface I",
    "+method I.M",
    "+type Alias",
    "+type Gen",
    "+function F",
    "-function F.inner",
    "+method S.Method",
    "+method Gen.Each",
    "+test TestF",
  ]);
  assert.deepEqual(await importsOf("a.go", text), [
    "import fmt *=fmt",
    "import github.com/x/logrus *=log",
    "import dot *",
    "import side/effect",
    "import github.com/go-chi/chi/v5 *=chi",
  ]);
  const documented =
    "package p\n\n// T says.\n// More.\ntype T struct {\n\tX int // about X\n\t// about Y\n\tY int\n}\n";
  assert.equal((await partsOf("a.go", documented, "T")).doc, "// T says.\n// More.\n");
  assert.equal((await partsOf("a.go", documented, "T")).signature, "type T struct ");
  assert.equal((await partsOf("a.go", documented, "Y")).doc, "// about Y\n\t");
});

Deno.test("parse() reads Rust", async () => {
  const text = `
use std::{fmt::{self, Display}, io as stdio};
pub use crate::a::B;
use super::*;
mod outside;
extern crate serde;
/// Doc.
#[derive(Debug)]
pub struct S<T> { pub a: T, b: u8 }
pub enum E { One, Two { x: u8 }, Three(u8) }
pub trait Tr { const K: u8; type Out; fn required(&self); fn provided(&self) {} }
impl<T> S<T> { pub fn new() -> Self { fn helper() {} todo!() } fn hidden(&self) {} }
impl<T> Tr for crate::S<T> { type Out = u8; fn required(&self) {} }
pub const LIMIT: u8 = 1;
static mut STATE: u8 = 0;
#[macro_export]
macro_rules! shout { () => {} }
pub type Alias = S<u8>;
union U { a: u8 }
pub fn free() {}
mod tests { #[test] fn works() {} #[tokio::test] async fn also() {} }
extern "C" { fn ffi(); }
`;
  assert.deepEqual(await outline("a.rs", text), [
    "+struct S",
    "+property S.a",
    "-property S.b",
    "+enum E",
    "+enum_member E.One",
    "+enum_member E.Two",
    "+enum_member E.Three",
    "+trait Tr",
    "+constant Tr.K",
    "+type Tr.Out",
    "+method Tr.required",
    "+method Tr.provided",
    "+method S.new",
    "-function S.new.helper",
    "-method S.hidden",
    "+type S.Out",
    "+method S.required",
    "+constant LIMIT",
    "-variable STATE",
    "+macro shout",
    "+type Alias",
    "-struct U",
    "-property U.a",
    "+function free",
    "-module tests",
    "-test tests.works",
    "-test tests.also",
    "-function ffi",
  ]);
  assert.deepEqual(await importsOf("a.rs", text), [
    "import std::fmt *=fmt",
    "import std::fmt Display",
    "import std io=stdio",
    "reexport crate::a B",
    "import super *",
    "import outside *=outside",
    "import serde *=serde",
  ]);
  assert.deepEqual(await partsOf("a.rs", text, "S"), {
    doc: "/// Doc.\n#[derive(Debug)]\n",
    signature: "pub struct S<T> ",
    body: "{ pub a: T, b: u8 }",
    named: "S",
    lines: [9, 9],
  });
});

Deno.test("parse() calls a chunk of an impl block after its type", async () => {
  const methods = Array.from({ length: 9 }, (_, n) => `    fn method${n}(&self) { call(${n}); }\n`)
    .join("");
  const { chunks } = await parse("a.rs", `impl Thing {\n${methods}}\n`, { maxSize: 40 });
  assert.equal(chunks[0]!.nodeType, "impl");
  assert.equal(chunks[0]!.nodeName, "Thing");
  assert.deepEqual(chunks[0]!.parentNodes, []);
  assert.equal(chunks[1]!.nodeType, "method");
  assert.deepEqual(chunks[1]!.parentNodes, ["Thing"]);
});

Deno.test("parse() reads Java", async () => {
  const text = `package a.b;
import java.util.List;
import static org.junit.Assert.*;
/** Doc. */
@Deprecated
public class A<T> extends B implements C {
  public static final int LIMIT = 1;
  private int x, y;
  public A() {}
  @Override public void m(int a) { Runnable r = new Runnable() { public void run() {} }; }
  @Test void works() {}
  class Inner {}
  enum E { ONE, TWO { void z() {} }; int f; }
}
interface I { int K = 1; void f(); }
public record R(int a, String b) { R { } }
@interface Ann { String value(); }
`;
  assert.deepEqual(await outline("A.java", text), [
    "+class A",
    "+constant A.LIMIT",
    "-property A.x",
    "-property A.y",
    "+method A.A",
    "+method A.m",
    "-test A.works",
    "-class A.Inner",
    "-enum A.E",
    "-enum_member A.E.ONE",
    "-enum_member A.E.TWO",
    "-method A.E.TWO.z",
    "-property A.E.f",
    "-interface I",
    "-constant I.K",
    "-method I.f",
    "+class R",
    "+property R.a",
    "+property R.b",
    "-method R.R",
    "-interface Ann",
    "-method Ann.value",
  ]);
  assert.deepEqual(await importsOf("A.java", text), [
    "import java.util.List List",
    "import org.junit.Assert *",
  ]);
  const { doc, signature } = await partsOf("A.java", text, "A");
  assert.equal(doc, "/** Doc. */\n@Deprecated\n");
  assert.equal(signature, "public class A<T> extends B implements C ");
});

Deno.test("parse() reads C and C++", async () => {
  const text = `
#include <vector>
#include "own.h"
#define LIMIT 1
#define SQUARE(x) ((x) * (x))
#ifndef GUARD_H
#define GUARD_H
namespace n::m {
/// Doc.
template <typename T> class Foo : public Bar {
public:
  Foo();
  ~Foo();
  int get(int a) const { return 1; }
  T operator+(T);
  enum class E { A, B };
private:
  int f, *g;
  using U = int;
};
}
struct S { int a; };
int Foo<int>::get(int a) { return 1; }
typedef struct node { struct node *next; } node_t;
typedef struct { int y; } anon_t;
typedef int (*callback)(int);
static int *hidden(int a) { return 0; }
int proto(int);
int (*fp)(int);
union W { int a; };
enum C { X, Y };
int global = 1;
const int K = 2;
extern "C" { void c(void); }
TEST(Suite, Name) { }
#endif
`;
  assert.deepEqual(await outline("a.cpp", text), [
    "+macro LIMIT",
    "+macro SQUARE",
    "+module n::m",
    "+class n::m.Foo",
    "+method n::m.Foo.Foo",
    "+method n::m.Foo.~Foo",
    "+method n::m.Foo.get",
    "+method n::m.Foo.operator+",
    "+enum n::m.Foo.E",
    "+enum_member n::m.Foo.E.A",
    "+enum_member n::m.Foo.E.B",
    "-property n::m.Foo.f",
    "-property n::m.Foo.g",
    "-type n::m.Foo.U",
    "+struct S",
    "+property S.a",
    "+method Foo.get",
    "+struct node",
    "+property node.next",
    "+type node_t",
    "+struct anon_t",
    "+property anon_t.y",
    "+type callback",
    "-function hidden",
    "+function proto",
    "+variable fp",
    "+struct W",
    "+property W.a",
    "+enum C",
    "+enum_member C.X",
    "+enum_member C.Y",
    "+variable global",
    "+constant K",
    "+function c",
    "-test Suite.Name",
  ]);
  assert.deepEqual(await importsOf("a.c", text), ["import vector *", "import own.h *"]);
  assert.equal(
    (await partsOf("a.hpp", text, "Foo")).signature,
    "template <typename T> class Foo : public Bar ",
  );
});

Deno.test("parse() reads C#", async () => {
  const text = `using System;
using X = A.B;
namespace N.M;
/// <summary>Doc.</summary>
[Attr]
public class Foo<T> : Bar {
  public const int C = 1;
  int f;
  public int P { get; set; }
  public Foo() {}
  void M(int a) { int Local() => 1; }
  event EventHandler E;
  [Fact] public void Works() {}
}
public interface I { void F(); }
struct S {}
enum E { A, B = 2 }
public record R(int X);
delegate void D();
`;
  assert.deepEqual(await outline("a.cs", text), [
    "+module N.M",
    "+class N.M.Foo",
    "+constant N.M.Foo.C",
    "-property N.M.Foo.f",
    "+property N.M.Foo.P",
    "+method N.M.Foo.Foo",
    "-method N.M.Foo.M",
    "-function N.M.Foo.M.Local",
    "-property N.M.Foo.E",
    "+test N.M.Foo.Works",
    "+interface N.M.I",
    "+method N.M.I.F",
    "-struct N.M.S",
    "-enum N.M.E",
    "-enum_member N.M.E.A",
    "-enum_member N.M.E.B",
    "+class N.M.R",
    "-type N.M.D",
  ]);
  assert.deepEqual(await importsOf("a.cs", text), ["import System *", "import A.B *=X"]);
});

Deno.test("parse() reads Ruby", async () => {
  const text = `require 'a'
require_relative 'b/c'
module M
  # Doc.
  class Foo < Bar
    CONST = 1
    attr_accessor :x, :y
    def initialize(a); end
    def self.make; end
    private
    def p; end
    class << self
      def q; end
    end
  end
  class Other::Deep; end
end
Point = Struct.new(:a) do
  def norm; end
end
RSpec.describe "x" do
  it "works" do
  end
end
`;
  assert.deepEqual(await outline("a.rb", text), [
    "+module M",
    "+class M.Foo",
    "+constant M.Foo.CONST",
    "+property M.Foo.x",
    "+property M.Foo.y",
    "+method M.Foo.initialize",
    "+method M.Foo.make",
    "-method M.Foo.p",
    "+method M.Foo.q",
    "+class M.Other.Deep",
    "+class Point",
    "+method Point.norm",
    "-test x",
    "-test x.works",
  ]);
  assert.deepEqual(await importsOf("a.rb", text), ["require a", "require ./b/c"]);
  assert.equal((await partsOf("a.rb", text, "Foo")).doc, "# Doc.\n  ");
});

Deno.test("parse() reads PHP", async () => {
  const text = `<?php
namespace A\\B;
use C\\D; use C\\{E, F as G}; use function H\\i;
require_once 'x.php';
include __DIR__ . '/y.php';
/** Doc. */
abstract class Foo extends Bar {
  const X = 1;
  private $p = 2;
  public static function m(int $a): int { return 1; }
  protected function q() {}
  public function __construct(private int $z) {}
}
interface I { function f(); }
trait T { }
enum E: string { case A = 'a'; }
function g() { $f = function() {}; }
const K = 1;
define('Z', 2);
`;
  assert.deepEqual(await outline("a.php", text), [
    "+module A\\B",
    "+class A\\B.Foo",
    "+constant A\\B.Foo.X",
    "-property A\\B.Foo.p",
    "+method A\\B.Foo.m",
    "-method A\\B.Foo.q",
    "+method A\\B.Foo.__construct",
    "-property A\\B.Foo.z",
    "+interface A\\B.I",
    "+method A\\B.I.f",
    "+trait A\\B.T",
    "+enum A\\B.E",
    "+enum_member A\\B.E.A",
    "+function A\\B.g",
    "-function A\\B.g.f",
    "+constant A\\B.K",
    "+constant A\\B.Z",
  ]);
  assert.deepEqual(await importsOf("a.php", text), [
    "import C\\D D",
    "import C\\E E",
    "import C\\F F=G",
    "import H\\i i",
    "require x.php",
    "require ./y.php",
  ]);
  assert.equal((await partsOf("a.php", text, "p")).named, "p");
});

Deno.test("parse() reads Bash", async () => {
  const text = `#!/usr/bin/env bash
source ./a.sh
. "b.sh"
# Doc.
foo() { local x=1; }
function bar { echo; }
X=1
export Y=2
readonly Z=3
alias ll='ls'
`;
  assert.deepEqual(await outline("script", text), [
    "+function foo",
    "+function bar",
    "+variable X",
    "+variable Y",
    "+constant Z",
    "+function ll",
  ]);
  assert.deepEqual(await importsOf("script", text), ["import ./a.sh", "import b.sh"]);
  assert.equal((await partsOf("script", text, "foo")).doc, "# Doc.\n");
});

Deno.test("parse() reads Kotlin", async () => {
  const text = `package a.b
import x.y.Z as Q
import x.z.*
/** Doc. */
@A
data class Foo(val a: Int, private val b: String, c: Int) : Bar() {
  val x = 1
  fun m(): Int { fun inner() {}; return 1 }
  companion object {
    const val C = 2
  }
}
interface I { fun f() }
enum class E { A, B }
object O
typealias T = Int
private fun String.ext(): Int = 1
val top = 3
`;
  assert.deepEqual(await outline("a.kt", text), [
    "+class Foo",
    "+property Foo.a",
    "-property Foo.b",
    "+property Foo.x",
    "+method Foo.m",
    "-function Foo.m.inner",
    "+class Foo.Companion",
    "+constant Foo.Companion.C",
    "+interface I",
    "+method I.f",
    "+enum E",
    "+enum_member E.A",
    "+enum_member E.B",
    "+class O",
    "+type T",
    "-function ext",
    "+constant top",
  ]);
  assert.deepEqual(await importsOf("a.kt", text), ["import x.y.Z Z=Q", "import x.z *"]);
  assert.equal((await partsOf("a.kt", text, "Foo")).doc, "/** Doc. */\n@A\n");
});

Deno.test("parse() counts offsets in UTF-16 units whatever the text holds", async () => {
  const head = "\ufeff# 😀 é 日本 𝒳\r\n";
  for (
    const [path, text] of [["a.py", "def f():\r\n    pass\r\n"], [
      "a.go",
      "func f() {\r\n}\r\n",
    ]] as const
  ) {
    const whole = (path === "a.go" ? head.replace("#", "//") : head) + text;
    const { definitions: [f] } = await parse(path, whole);
    assert.equal(whole.slice(f!.nameStart, f!.nameStart + 1), "f");
    assert.equal(f!.startLine, 2);
    assert.equal(f!.endLine, 3);
  }
});

Deno.test("parse() keeps a file that tree-sitter cannot read in full", async () => {
  const text = "def before():\n    pass\n\nclass (:\n\ndef after():\n    pass\n";
  const { definitions, problems } = await parse("a.py", text);
  assert.deepEqual(definitions.map(({ name }) => name), ["before", "after"]);
  assert.equal(problems[0]!.line, 4);
});

Deno.test("parse() survives brackets nested a hundred thousand deep", async () => {
  const text = "[".repeat(100_000) + "]".repeat(100_000);
  const { chunks } = await parse("a.go", text);
  assert.equal(chunks.map(({ start, end }) => text.slice(start, end)).join(""), text);
});
