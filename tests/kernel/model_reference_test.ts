/** References to models as people type them: what each form means, and what a wrong one is answered. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  formatReference,
  ModelError,
  type ModelReference,
  parseReference,
} from "../../kernel/mod.ts";

Deno.test("parseReference() reads every form, and the address of a hub file as that file", () => {
  const hub = { kind: "hub", owner: "acme", repo: "tiny.v1", revision: undefined, file: undefined };
  const cases: [string, object][] = [
    ["hf:acme/tiny.v1", hub],
    ["hf:acme/tiny.v1@main", hub],
    ["hf:acme/tiny.v1@refs%2Fpr%2F3", { ...hub, revision: "refs/pr/3" }],
    ["hf:acme/tiny.v1@v2/q4/a@b.gguf", { ...hub, revision: "v2", file: "q4/a@b.gguf" }],
    ["hf:acme/tiny.v1/m-00002-of-00002.gguf", { ...hub, file: "m-00001-of-00002.gguf" }],
    ["https://huggingface.co/acme/tiny.v1/blob/main/q4/m.gguf?download=true", {
      ...hub,
      file: "q4/m.gguf",
    }],
    ["https://example.org/a/m.gguf?key=1#x", {
      kind: "url",
      url: "https://example.org/a/m.gguf?key=1",
    }],
    ["./m.gguf", { kind: "path", path: "./m.gguf" }],
    ["/m.gguf", { kind: "path", path: "/m.gguf" }],
    ["C:\\m.gguf", { kind: "path", path: "C:\\m.gguf" }],
  ];
  for (const [text, expected] of cases) assert.deepEqual(parseReference(text), expected, text);
});

Deno.test("parseReference() says what would be right", () => {
  const cases: [string, RegExp][] = [
    ["acme/tiny", /write hf:acme\/tiny or \.\/acme\/tiny/],
    ["", /not a reference; expected hf:owner\/repo/],
    ["hf:acme", /no owner and repo/],
    ["hf:acme/tiny/", /no owner and repo/],
    ["hf:../tiny", /no name of a repo/],
    ["hf:acme/tiny@..", /no revision/],
    ["hf:acme/tiny@a%2F..%2Fb", /no revision/],
    ["hf:acme/tiny/../../x", /leads out/],
    ["https://user:word@example.org/x", /leave it out$/],
    ["https://", /not a web address/],
    ["https://example.org/?key=secret", /name of the file is missing/],
    ["x".repeat(10_000), /^.{0,300}$/],
  ];
  for (const [text, expected] of cases) {
    assert.throws(() => parseReference(text), (error) => {
      assert.ok(error instanceof ModelError);
      assert.match(error.message, expected);
      assert.doesNotMatch(error.message, /\n|\.$|secret|word@/);
      return true;
    });
  }
});

const name = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,20}$/);
const fileName = fc.array(fc.stringMatching(/^[A-Za-z0-9_@%+ é-]{0,9}[A-Za-z0-9]$/), {
  minLength: 1,
  maxLength: 4,
}).map((parts) => parts.join("/"));

Deno.test("parseReference() reads from formatReference() what it was given", () => {
  const hub: fc.Arbitrary<ModelReference> = fc.record<ModelReference & { kind: "hub" }>({
    kind: fc.constant("hub" as const),
    owner: name,
    repo: name,
    revision: fc.option(
      fc.stringMatching(/^[a-z0-9]{1,8}(\/[a-z0-9.]{0,5}[a-z0-9])?$/).filter((text) =>
        text !== "main"
      ),
      { nil: undefined },
    ),
    file: fc.option(fileName, { nil: undefined }),
  }, { noNullPrototype: true });
  fc.assert(fc.property(hub, (reference) => {
    assert.deepEqual(parseReference(formatReference(reference)), reference);
  }));
  fc.assert(fc.property(fc.webUrl({ withQueryParameters: true }), fileName, (url, file) => {
    const last = encodeURIComponent(file.split("/").at(-1)!);
    const given = new URL(url);
    given.pathname = given.pathname.replace(/\/*$/, `/${last}`);
    const once = parseReference(given.href);
    assert.deepEqual(parseReference(formatReference(once)), once);
  }));
});

Deno.test("parseReference() reads any text or refuses it in one line", () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.string().map((text) => `hf:${text}`)), (text) => {
    try {
      const reference = parseReference(text);
      assert.deepEqual(parseReference(formatReference(reference)), reference);
    } catch (error) {
      assert.ok(error instanceof ModelError, String(error));
      assert.doesNotMatch(error.message, /\n/);
    }
  }));
});
