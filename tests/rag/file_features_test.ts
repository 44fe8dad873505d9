/** What files are, by the names that people give them. */
import assert from "node:assert/strict";
import { headersOfSources, isBenchmarkPath, isTestPath, roleOf } from "../../rag/file_features.ts";

const BENCHMARKS = [
  // Folders: JavaScript, Rust's Cargo, JMH, Python's asv.
  "bench/main.ts",
  "benchmarks/router/index.js",
  "crates/regex/benches/parse.rs",
  "src/jmh/java/org/shop/Parse.java",
  "asv_bench/benchmarks/frames.py",
  "packages/core/benchmark/run.mjs",
  // Names: Vitest, Deno, pytest-benchmark, Google Benchmark, JMH, Go.
  "src/parse.bench.ts",
  "http/parse_bench.ts",
  "tools/bench_parse.py",
  "util/parse_benchmark.cc",
  "core/ParseBenchmark.java",
  "router_bench_test.go",
  "benchmark_test.go",
  "scripts/benchmark.js",
  // In the folder of the tests, kept apart there.
  "tests/benchmarks/load.py",
];
const TESTS = [
  "tests/parse.ts",
  "src/parse.test.ts",
  "router_test.go",
  "tests/conftest.py",
  "spec/parse_spec.rb",
  "src/test/java/ParseTest.java",
  "Tests/ParserTests/Cases.swift",
  "Sources/ParserTests.swift",
  "core/ParserSpec.scala",
  "core/ParserSuite.scala",
  "src/ParserSpec.hs",
  "lib/parser_test.exs",
  "lua/parser_spec.lua",
  // Tests of the benchmarks.
  "tests/bench/main_test.ts",
  "bench/tests/run.ts",
  "benchmarks/test_load.py",
];
const NEITHER = [
  "src/parse.ts",
  "src/workbench/view.ts",
  "lib/benchmarking.ts",
  "src/Bench.java",
  "docs/latest.md",
  "src/contest.ts",
  "lib/contests/parser.ex",
];

Deno.test("benchmarks are told from tests: the file's own name first, then the nearest folder", () => {
  for (const path of BENCHMARKS) {
    assert.deepEqual([isBenchmarkPath(path), isTestPath(path)], [true, false], path);
  }
  for (const path of TESTS) {
    assert.deepEqual([isBenchmarkPath(path), isTestPath(path)], [false, true], path);
  }
  for (const path of NEITHER) {
    assert.deepEqual([isBenchmarkPath(path), isTestPath(path)], [false, false], path);
  }
});

Deno.test("both count as what answers fewer questions than the code itself", () => {
  for (const path of [...BENCHMARKS, ...TESTS]) assert.equal(roleOf(path, "text"), "test", path);
  for (const path of NEITHER) assert.notEqual(roleOf(path, "typescript"), "test", path);
});

Deno.test("copies made of other files, and code among the documents, answer fewer questions", () => {
  for (
    const path of [
      "single_include/json/json.hpp",
      "amalgamation/db.c",
      "thirdparty/zip.c",
      "include/log/fmt/bundled/core.h",
      "external/zip/zip.c",
    ]
  ) {
    assert.equal(roleOf(path, "cpp"), "compat", path);
  }
  for (const path of ["docs/public/search.js", "website/build.py"]) {
    assert.equal(roleOf(path, "javascript"), "example", path);
  }
  assert.equal(roleOf("docs/guide.md", "markdown"), "document");
  for (const path of ["src/docs/render.ts", "include/json.hpp", "lib/doc.ts"]) {
    assert.equal(roleOf(path, "typescript"), "source", path);
  }
});

Deno.test("a header of C declares what the source beside it defines; a header alone may define", () => {
  const paths = ["src/value.h", "src/value.c", "src/types.h", "lib/value.hpp", "lib/value.cpp"];
  assert.deepEqual([...headersOfSources(paths)], [["src/value.h", "src/value.c"]]);
});

Deno.test("a header declares what the inline part beside it defines", () => {
  const paths = ["log/sink.h", "log/sink-inl.h", "log/base.hpp", "log/base.ipp", "log/plain.h"];
  assert.deepEqual([...headersOfSources(paths)], [
    ["log/sink.h", "log/sink-inl.h"],
    ["log/base.hpp", "log/base.ipp"],
  ]);
});
