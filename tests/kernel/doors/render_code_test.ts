/** What answers and references look like in a terminal of 80 columns. */
import assert from "node:assert/strict";
import { type Look, render } from "../../../kernel/doors/render.ts";
import { colours, textWidth } from "../../../kernel/doors/terminal.ts";

const look: Look = { colours: colours(false, () => undefined), columns: 80, full: false };
/** Names show as `<name>`. */
const marking: Look = { ...look, colours: { ...look.colours, cyan: (text) => `<${text}>` } };

const answerOf = (answer: string) => ({
  question: "q",
  answer,
  citations: [],
  driver: "extractive",
  plan: { sub_questions: [{ question: "q", facet: "ground" as const }], by: "rules" },
  steps: [],
  tokens: 1,
  cycle_id: crypto.randomUUID(),
  found: true,
  context: { included: [], left_out: [] },
  states: [],
  oid: 1,
});

Deno.test("an answer on a terminal keeps to its width, and a name that is broken loses no mark", () => {
  const words = "of several words ".repeat(3);
  const text = render(
    "ask",
    answerOf(`${words}then \`batos ask how is it done\` ends ${words}`),
    marking,
  );
  assert.ok(!text.includes("`"), text);
  assert.match(text, /<batos[^`]*>\n<[^`]*done> ends/);
  for (const line of render("ask", answerOf(text.repeat(4)), look).split("\n")) {
    assert.ok(textWidth(line) <= 80, line);
  }
});

Deno.test("an item of a list is set in under its beginning, and its mark never stands alone", () => {
  const path = `src/${"deep/".repeat(13)}file_with_a_name.ts`;
  const item = `- \`${path}:1-2\` in ${"`function` ".repeat(9)}`;
  const lines = render("ask", answerOf(item), look).trimEnd().split("\n");
  assert.equal(lines[0], `- ${path}:1-2`);
  assert.ok(
    lines.length > 1 && lines.slice(1).every((line) => /^ {2}(in )?function/.test(line)),
    lines.join("\n"),
  );
});

Deno.test("references that are all by name say so once, and no line is shown for a word of it", () => {
  const reference = {
    path: "src/click/core.py",
    kind: "call" as const,
    resolution: "name" as const,
  };
  const text = "rv = self.resolve_envvar_value(ctx)";
  const definition = {
    path: "src/click/core.py",
    name: "long_name_of_the_method_that_calls_it",
    kind: "method",
    container: ["Option"],
    signature: "",
    doc: "",
    exported: true,
    start_line: 10,
    end_line: 20,
  };
  const result = {
    target: "resolve_envvar_value",
    definitions: [],
    references: [{ ...reference, line: 12, text }, { ...reference, line: 99, text }],
    callers: [definition],
    possible: [{ ...reference, line: 120, text }],
    literals: [],
    subtypes: [],
    callees: [],
    importers: [],
    suggestions: [],
  };
  const shown = render("refs", result, look);
  assert.match(shown, /2 references, found by name\n/);
  assert.ok(!shown.includes("(by name)"));
  assert.match(shown, /core\.py:12 {2}in Option\.long_name_of_the_method_that_calls_it\n/);
  assert.match(shown, /1 line more that may use it, the type is not known\n.*core\.py:120/);
  assert.match(shown, /core\.py:99 {2}rv = self\.resolve_envvar_value\(ctx\)\n/);
  const many = {
    ...result,
    possible: Array.from({ length: 30 }, (_, at) => ({ ...reference, line: 200 + at, text })),
  };
  assert.match(render("refs", many, look), /core\.py:219.*\n {2}and 10 more: --json lists them/);
  assert.match(render("refs", many, { ...look, columns: undefined }), /core\.py:229/);
});

Deno.test("subtypes are one line each within 80 columns, and say what is only likely", () => {
  const subtype = {
    path: "src/main/java/com/example/retrofit/adapters/guava/GuavaCallAdapterFactory.java",
    name: "GuavaCallAdapterFactoryWithALongName",
    kind: "class",
    container: [],
    start_line: 54,
    end_line: 120,
    relation: "implements" as const,
    of: "Factory",
    distance: 1,
  };
  const shown = render("refs", {
    target: "Factory",
    definitions: [{ ...subtype, name: "Factory" }],
    references: [],
    possible: [],
    subtypes: [
      { ...subtype, certainty: "certain" },
      { ...subtype, path: "a.go", name: "File", certainty: "likely" },
    ],
    callers: [],
    literals: [],
    callees: [],
    importers: [],
    suggestions: [],
  }, look);
  const lines = shown.slice(shown.indexOf("2 subtypes\n")).trimEnd().split("\n");
  assert.equal(lines.length, 3);
  assert.ok(lines.every((line) => textWidth(line) <= 80), shown);
  assert.match(lines[1]!, /54-120 {2}Guava/);
  assert.match(lines[2]!, /a\.go:54-120 {2}File {2}implements Factory {2}\(likely\)$/);
});
