/** Behaviour of `ingest/languages.ts`: what a path is written in. */
import assert from "node:assert/strict";
import { languageOf, LANGUAGES } from "../../ingest/languages.ts";

Deno.test("languageOf() goes by extension, then by name, then by the first line", () => {
  const table: [string, string, string?][] = [
    ["src/a.ts", "typescript"],
    ["a.d.mts", "typescript"],
    ["A.TSX", "tsx"],
    ["a.cjs", "javascript"],
    ["deep/er/x.pyi", "python"],
    ["x.h", "c"],
    ["x.hpp", "cpp"],
    ["Makefile", "makefile"],
    ["docker/Dockerfile.dev", "dockerfile"],
    [".env.local", "dotenv"],
    ["README", "text"],
    ["CMakeLists.txt", "cmake"],
    ["Gemfile", "ruby"],
    ["bin/run", "bash", "#!/bin/sh -e\necho\n"],
    ["bin/tool", "python", "#!/usr/bin/env -S python3.12 -u\n"],
    ["bin/cli", "javascript", "#!/usr/bin/env node\r\n"],
    ["bin/task", "typescript", "#!/usr/bin/env -S deno run -A\n"],
    ["bin/what", "text", "#!/opt/unheard-of\n"],
    ["no-extension", "text"],
    ["a.unheard", "text", "plain"],
    ["dots.in.name/file", "text"],
  ];
  for (const [path, language, text] of table) assert.equal(languageOf(path, text), language, path);
});

Deno.test("LANGUAGES claims no extension twice", () => {
  const claimed = LANGUAGES.flatMap(({ extensions }) => extensions);
  assert.deepEqual(claimed.filter((extension, at) => claimed.indexOf(extension) !== at), []);
});
