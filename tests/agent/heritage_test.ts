/** Declarations of types that are built on others, told by one line, in every language that is read. */
import assert from "node:assert/strict";
import { isHeritage } from "../../agent/heritage.ts";

Deno.test("isHeritage() knows the declarations of every language", () => {
  for (
    const [line, name] of [
      ["export class ReadError extends BaseError {", "BaseError"],
      ["class CookieJar implements JarInterface", "JarInterface"],
      ["public sealed class Store<T> : StoreBase<T>, IStore<T>", "IStore"],
      ["internal abstract partial record Row : IRow", "IRow"],
      ["class Choice(ParamType[str]):", "ParamType"],
      ["class Choice(Generic[T], ParamType):  # a choice", "ParamType"],
      ["impl fmt::Display for Error<'_> {", "Display"],
      ["impl<D: Clone> Show for Recipe<'_, D> {", "Show"],
      ["class Retry < Middleware", "Middleware"],
      ["include Sidekiq::Component", "Component"],
      ["use ClientTrait;", "ClientTrait"],
      ["data class Point(val x: Int, val y: Int) : Shape(x), Named", "Named"],
      ["struct Order: Codable, Priced {", "Priced"],
      ["extension Order: Printable {", "Printable"],
      ["class Derived : public Base {", "Base"],
      ["object Main extends App", "App"],
      ["case class Leaf(value: Int) extends Tree", "Tree"],
      ["instance Monad Parser where", "Monad"],
      ["defimpl Enumerable, for: Stream do", "Enumerable"],
      ["implements Runnable, Closeable {", "Closeable"],
      [": IAsyncPolicy<TResult>", "IAsyncPolicy"],
    ] as const
  ) assert.ok(isHeritage(line, name), `${line} is built on ${name}`);
});

Deno.test("isHeritage() takes no use of a type for a declaration", () => {
  for (
    const [line, name] of [
      ["class ParamType(Generic[T]):", "ParamType"],
      ["pub struct Wrapper<'a>(&'a dyn Show, Color);", "Show"],
      ["private MetricsFactory factory;", "MetricsFactory"],
      ["type: types.ParamType[Any] | None = None,", "ParamType"],
      ["if (error instanceof BaseError) {", "BaseError"],
      ["impl Foo {", "Foo"],
      ["impl Display for Foo {", "Foo"],
      ["use GuzzleHttp\\Cookie\\JarInterface;", "JarInterface"],
      ["use crate::show::Show;", "Show"],
      ["class Shop { constructor(readonly store: Store) {} }", "Store"],
      ["class Point(val base: Base) : Shape(base)", "Base"],
      [": new BaseError(String(error), {}, this);", "BaseError"],
      ["extends: Base", "Other"],
      [":Types: `JarInterface`", "JarInterface"],
    ] as const
  ) assert.ok(!isHeritage(line, name), `${line} is not built on ${name}`);
});
