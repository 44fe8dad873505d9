/** The command table as data: complete, documented, and with the field names that tools outside rely on. */
import assert from "node:assert/strict";
import {
  type CommandName,
  commands,
  groups,
  inputSchema,
  resultSchema,
  wordsOf,
} from "../../kernel/commands.ts";

const names = Object.keys(commands) as CommandName[];

/** Names of the properties that a result schema requires. */
function required(name: CommandName): string[] {
  return (resultSchema(name).required as string[]).toSorted();
}

Deno.test("every command is documented, has an example of itself, and knows its positionals", () => {
  for (const name of names) {
    const { summary, doc, examples, positionals } = commands[name];
    assert.ok(
      summary.length > 0 && summary.length <= 60,
      `${name}: summary "${summary}" must fit a line`,
    );
    assert.ok(doc.endsWith("."), name);
    assert.ok(examples.length > 0, name);
    const spoken = wordsOf(name).join(" ");
    for (const [line] of examples) {
      assert.ok(line === spoken || line.startsWith(`${spoken} `), line);
    }
    const { properties } = inputSchema(name) as {
      properties: Record<string, { description?: string }>;
    };
    for (const field of positionals) assert.ok(field in properties, `${name}: ${field}`);
    for (const [field, property] of Object.entries(properties)) {
      assert.ok(property.description, `${name}.${field} has no description`);
    }
    assert.ok("repo" in properties, `${name} takes no --repo`);
  }
});

Deno.test("a name with an underscore is a verb of a group, and every group says what it is about", () => {
  assert.deepEqual(wordsOf("model_list"), ["model", "list"]);
  assert.deepEqual(wordsOf("ask"), ["ask"]);
  const used = names.map(wordsOf).filter((words) => words.length > 1).map(([group]) => group!);
  for (const group of used) {
    assert.ok(
      group in groups || group in commands,
      `${group} has no line for the list of commands`,
    );
  }
  assert.deepEqual(Object.keys(groups).filter((group) => !used.includes(group)), []);
});

Deno.test("the schemas are JSON Schema with the contract's field names", () => {
  for (const name of names) {
    assert.match(String(inputSchema(name).$schema), /2020-12/);
    assert.match(String(resultSchema(name).$schema), /2020-12/);
  }
  const contract: [CommandName, string][] = [
    ["ask", "question answer citations driver steps tokens cycle_id"],
    ["search", "query results"],
    ["refs", "target definitions references"],
    ["impact", "targets definitions affected tests"],
    [
      "status",
      "files chunks edges vectors summaries index_bytes source_bytes embedder fingerprint stale",
    ],
  ];
  for (const [name, fields] of contract) {
    assert.deepEqual(
      fields.split(" ").filter((field) => !required(name).includes(field)),
      [],
      name,
    );
  }
  const hit =
    (resultSchema("search").properties as Record<string, { items: { required: string[] } }>)
      .results!;
  assert.deepEqual(hit.items.required, [
    "path",
    "start_line",
    "end_line",
    "score",
    "node_type",
    "node_name",
    "text",
  ]);
  const [report] = resultSchema("ingest").anyOf as { required: string[] }[];
  for (const field of ["files", "chunks", "skipped", "problems", "ms"]) {
    assert.ok(report!.required.includes(field));
  }
});

Deno.test("exit rules: 0 found, 1 nothing found, 2 a failed check", () => {
  const { search, doctor, ask } = commands;
  const hit = {
    path: "a.ts",
    start_line: 1,
    end_line: 2,
    score: 1,
    node_type: "function",
    node_name: "a",
    text: "",
  };
  assert.equal(search.exit([{ query: "a", results: [] }]), 1);
  assert.equal(search.exit([{ query: "a", results: [] }, { query: "b", results: [hit] }]), 0);
  const answer = {
    question: "q",
    answer: "",
    citations: [],
    driver: "extractive",
    plan: { sub_questions: [], by: "rules" },
    states: [],
    oid: 0,
    steps: [],
    tokens: 0,
    cycle_id: "1",
    context: { included: [], left_out: [] },
  };
  assert.equal(ask.exit([{ ...answer, found: false }]), 1);
  assert.equal(ask.exit([{ ...answer, found: true }]), 0);
  const check = { name: "git", detail: "" };
  assert.equal(doctor.exit([{ checks: [{ ...check, status: "warning" }] }]), 0);
  assert.equal(doctor.exit([{ checks: [{ ...check, status: "failure" }] }]), 2);
});

Deno.test("inputs refuse what no handler could use", () => {
  const refused = (name: CommandName, input: unknown) =>
    assert.ok(!commands[name].input.safeParse(input).success);
  refused("search", { query: "" });
  refused("search", { query: "  \n" });
  refused("search", {});
  refused("search", { query: "a", queries: "b" });
  refused("search", { query: "a", limit: 0 });
  refused("search", { query: "a", limit: 1.5 });
  refused("search", { query: "a".repeat(1_000_001) });
  refused("ask", { question: "\t" });
  refused("impact", { targets: [] });
  assert.ok(commands.search.input.safeParse({ query: '"*NEAR(' }).success);
  assert.ok(commands.search.input.safeParse({ query: "a".repeat(100_000) }).success);
});
