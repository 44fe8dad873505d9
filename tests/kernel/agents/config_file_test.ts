/** One entry in and out of configuration files of every form, with everything else left as it was. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { parse as parseToml } from "smol-toml";
import { configFormats } from "../../../kernel/agents/config_file.ts";

const KEYS = ["mcpServers", "batos"];
const ENTRY = { command: "batos", args: ["mcp"] };
const { json, toml } = configFormats;

Deno.test("JSON: comments, order, tabs, trailing commas and line ends stay", () => {
  const text = [
    "// who we are",
    "{",
    '\t"theme": "dark", /* not light */',
    '\t"mcpServers": {',
    '\t\t"other": { "command": "x" }, // keep',
    "\t},",
    '\t"last": [1, 2],',
    "}",
    "",
  ].join("\r\n");
  const written = json.write(text, KEYS, ENTRY);
  assert.deepEqual(json.read(written, KEYS), ENTRY);
  for (const line of text.split("\r\n")) assert.ok(written.includes(line), line);
  assert.doesNotMatch(written, /[^\r]\n/);
  assert.match(written, /\r\n\t\t"batos": \{\r\n\t\t\t"command": "batos"/);
  assert.equal(json.remove(written, KEYS), text);
});

Deno.test("JSON: an entry of the same name is replaced in its place", () => {
  const text = '{\n  "mcpServers": {\n    "batos": { "command": "old" },\n    "z": {}\n  }\n}\n';
  const written = json.write(text, KEYS, ENTRY);
  assert.deepEqual(json.read(written, KEYS), ENTRY);
  assert.ok(written.indexOf("batos") < written.indexOf('"z"'));
});

Deno.test("JSON: in whatever way an object is written, the entry comes and goes without a trace", () => {
  const texts = [
    '{ "a": 1 }',
    '\uFEFF{\n  "a": 1\n}\n',
    '{"mcpServers": {"b": 1}}\n',
    '{\n  "mcpServers": {\n    "b": {} // last\n  }\n}\n',
    '{\n  "mcpServers": { "b": {}, },\n}\n',
    '{\n    "a": {\n        "x": [\n            1\n        ]\n    } /* one\n two */\n}\n',
    '{ // first\n  "a": 1,\n  /* why */ "b": 2 // end\n  // after\n}\n// foot\n',
  ];
  for (const text of texts) {
    const written = json.write(text, KEYS, ENTRY);
    assert.deepEqual(json.read(written, KEYS), ENTRY, written);
    assert.equal(json.remove(written, KEYS), text);
  }
});

Deno.test("an empty file and a missing one become the entry alone, and nothing again", () => {
  for (const format of [json, toml]) {
    for (const text of ["", "\n"]) {
      const written = format.write(text, KEYS, ENTRY);
      assert.deepEqual(format.read(written, KEYS), ENTRY);
      assert.equal(format.remove(written, KEYS).trim(), "");
    }
  }
});

Deno.test("for any JSON: writing and removing leaves every other value as it was", () => {
  const names = fc.string().filter((name) => name !== "__proto__");
  const others = fc.dictionary(names, fc.jsonValue()).map((each) => {
    delete each.mcpServers;
    return each;
  });
  const servers = fc.option(fc.dictionary(names.filter((name) => name !== "batos"), fc.object()));
  fc.assert(fc.property(others, servers, fc.constantFrom(0, 2, "\t"), (rest, list, indent) => {
    const before = JSON.parse(JSON.stringify(list === null ? rest : { ...rest, mcpServers: list }));
    const written = json.write(JSON.stringify(before, null, indent), KEYS, ENTRY);
    const after = JSON.parse(written);
    assert.deepEqual(after.mcpServers.batos, ENTRY);
    const removed = json.remove(written, KEYS);
    const left = removed === "" ? {} : JSON.parse(removed);
    if (Object.keys(before.mcpServers ?? {}).length === 0) delete before.mcpServers;
    assert.deepEqual(left, before);
  }));
});

Deno.test("TOML: the entry is a table at the end; comments and other tables stay", () => {
  const text = [
    "# mine",
    'model = "x"',
    "",
    "[mcpServers.other] # keep",
    'args = ["[not a header]"]',
    "",
    "# about the next",
    "[tui]",
    "colour = true",
  ].join("\n");
  const written = toml.write(text, KEYS, ENTRY);
  assert.ok(written.startsWith(text));
  assert.match(written, /\n\n\[mcpServers\.batos\]\ncommand = "batos"\n/);
  assert.equal(toml.remove(written, KEYS), text + "\n");
});

Deno.test("TOML: an entry in the middle is replaced and removed with its own tables, and no others", () => {
  const text = [
    "[a]",
    "x = 1",
    "",
    '[ mcpServers . "batos" ]',
    'command = "old"',
    "",
    "[mcpServers.batos.env]",
    'A = "1"',
    "",
    "# about b",
    "[b]",
    "y = 2",
    "",
  ].join("\n");
  const written = toml.write(text, KEYS, ENTRY);
  assert.deepEqual(toml.read(written, KEYS), ENTRY);
  assert.match(written, /# about b\n\[b\]\ny = 2\n$/);
  const removed = toml.remove(text, KEYS);
  assert.deepEqual(structuredClone(parseToml(removed)), { a: { x: 1 }, b: { y: 2 } });
  assert.match(removed, /# about b/);
});

Deno.test("what cannot be parsed, or not edited without touching more, is refused with the reason", () => {
  const cases: [keyof typeof configFormats, string, RegExp][] = [
    ["json", '{ "a": }', /line 1: ValueExpected/],
    ["json", '{\n  "a": 1\n  "b": 2\n}', /line 3: CommaExpected/],
    ["json", "[1]", /it is no table/],
    ["json", '{ "mcpServers": [] }', /"mcpServers" is no table/],
    ["json", "not json", /line 1/],
    ["toml", "a = ", /./],
    ["toml", 'mcpServers = "x"', /"mcpServers" is no table/],
    ["toml", 'mcpServers = { other = { command = "x" } }', /./],
    ["toml", 'text = """\n[mcpServers.batos]\ncommand = "x"\n"""\n', /cannot be edited/],
  ];
  for (const [name, text, expected] of cases) {
    assert.throws(() => configFormats[name].write(text, KEYS, ENTRY), (error) => {
      assert.ok(error instanceof SyntaxError, text);
      assert.match(error.message, expected);
      assert.doesNotMatch(error.message, /\n/);
      return true;
    });
  }
  const inline = 'mcpServers = { batos = { command = "x" }, b = { command = "y" } }\n';
  assert.throws(() => toml.remove(inline, KEYS), /cannot be edited without touching the rest/);
});
