/** Texts are found where they stand: word by word, put together of pieces, with values in them, or nowhere. */
import assert from "node:assert/strict";
import { answerQuestion } from "../../agent/mod.ts";
import { referencesByText } from "../../agent/text_places.ts";
import { SHOP, withRepository } from "../support/repository.ts";

const FILES = {
  ...SHOP,
  "src/cart.ts": `/** Puts something into the cart. */
export function put(name: string, count: number): void {
  if (count < 1) {
    throw new RangeError(
      "cannot put fewer than one " +
        "of a thing into the cart",
    );
  }
  console.warn(\`\${name} is sold out, \${count} were wanted\`);
}
`,
  "src/settings.py": `CONNECT_TIMEOUT = 30

class Settings:
    def __init__(self, connect_timeout=None):
        self.connect_timeout = connect_timeout or CONNECT_TIMEOUT
`,
  "docs/settings.md":
    "# Settings\n\n## `retries`\n\n**Type:** number\n\n**Default:** `3`\n\n## other\n\nText.\n",
  "tests/cart_test.ts": 'const message = "is sold out";\nconst connectTimeout = 5;\n',
};

async function placesOf(text: string): Promise<string[]> {
  let places: string[] = [];
  await withRepository(FILES, (memory) => {
    const { items } = referencesByText(text, memory);
    places = items.flatMap((item) =>
      item.type === "reference" ? [`${item.path}:${item.line} ${item.kind}`] : []
    );
    return Promise.resolve();
  });
  return places;
}

async function ask(question: string): Promise<string> {
  let text = "";
  await withRepository(FILES, async (memory, root) => {
    const result = await answerQuestion(question, memory, { root });
    for (const { status } of result.citations) assert.equal(status, "verified");
    text = result.answer;
  });
  return text;
}

Deno.test("a text is found whatever its case, and put together of several strings", async () => {
  assert.deepEqual(await placesOf("Cannot put fewer than one of a thing"), ["src/cart.ts:5 text"]);
  assert.deepEqual(await placesOf("is sold out"), [
    "src/cart.ts:9 text",
    "tests/cart_test.ts:1 text",
  ]);
});

Deno.test("a message with values in it is found by the words around them, and said to be near", async () => {
  assert.deepEqual(await placesOf('"green tea" is sold out, 12 were wanted'), [
    "src/cart.ts:9 near",
  ]);
  assert.deepEqual(await placesOf("the moon is made of cheese"), []);
});

Deno.test("a setting is found in whatever way its name is written", async () => {
  assert.deepEqual(await placesOf("connect timeout"), [
    "src/settings.py:1 text",
    "src/settings.py:4 text",
    "src/settings.py:5 text",
    "tests/cart_test.ts:2 text",
  ]);
});

Deno.test("what a message means: where it stands comes first, then the code that says it", async () => {
  const text = await ask(
    'what does the error "cannot put fewer than one" mean, where is it thrown?',
  );
  const [, list, lead] = text.split("\n\n");
  assert.match(
    list!,
    /^“cannot put fewer than one” stands in 1 place:\n- `src\/cart\.ts:5-5` in `put`: /,
  );
  assert.match(
    lead!,
    /^`put` \(function, `src\/cart\.ts:2-10`\): “Puts something into the cart\.”/,
  );
});

Deno.test("a message that stands nowhere is said to stand nowhere", async () => {
  const text = await ask('where is "the tax office is closed" thrown?');
  assert.match(text, /“the tax office is closed” stands nowhere in the index/);
});

Deno.test("a default is told by the lines that set it and by what documents say below its name", async () => {
  const timeout = (await ask("what is the default connect timeout?")).split("\n\n")[1]!;
  assert.match(
    timeout,
    /^Lines that set or say a default of `connect timeout` \(found by name\):\n- `src\/settings\.py:1-1` in `CONNECT_TIMEOUT`: `CONNECT_TIMEOUT = 30`/,
  );
  assert.ok(!timeout.includes("tests/"), timeout);
  const retries = (await ask("what is the default value of retries?")).split("\n\n")[1]!;
  assert.match(retries, /- `docs\/settings\.md:7-7`.*\*\*Default:\*\* '3'/);
});

Deno.test("who implements: the types built on one, then those built on these, no other uses", async () => {
  await withRepository({
    "src/store.ts":
      'export interface Store {\n  get(): string;\n}\n\nexport class FileStore implements Store {\n  get() {\n    return "";\n  }\n}\n',
    "src/more.ts":
      'import { FileStore, type Store } from "./store.ts";\n\nexport class TempStore extends FileStore {}\n\nexport function open(store: Store): Store {\n  return store;\n}\n',
    "tests/store_test.ts":
      'import { type Store } from "../src/store.ts";\n\nclass FakeStore implements Store {\n  get() {\n    return "fake";\n  }\n}\nnew FakeStore();\n',
  }, async (memory, root) => {
    const { answer } = await answerQuestion("which classes implement Store?", memory, { root });
    assert.equal(
      answer.split("\n\n")[1],
      "Built on `Store` (found by name): 2 (1 of them in tests), 1 further down\n" +
        "- `src/store.ts:5-5` `FileStore`: `export class FileStore implements Store {`\n" +
        "- `tests/store_test.ts:3-3` `FakeStore`: `class FakeStore implements Store {`\n" +
        "- `src/more.ts:3-3` `TempStore`: `export class TempStore extends FileStore {}`",
    );
  });
});
