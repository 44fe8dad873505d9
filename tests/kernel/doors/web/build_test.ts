/** What is served is what the sources give, and they are of one mind with the command table. */
import assert from "node:assert/strict";
import { brotliCompressSync } from "node:zlib";
import { buildPage } from "../../../../kernel/doors/web/build.ts";

const ROOT = new URL("../../../../", import.meta.url);
const BUILT = new URL("kernel/doors/web/built/", ROOT);
/** What the page may weigh over the wire; the figure that was promised is for all that a first visit transfers. */
const MAX_TRANSFERRED = 150_000;

Deno.test("the built page is what its sources give", async () => {
  const built = await buildPage();
  const committed = [...Deno.readDirSync(BUILT)].map(({ name }) => name).sort();
  assert.deepEqual([...built.keys()].sort(), committed);
  for (const [name, text] of built) {
    assert.ok(
      Deno.readTextFileSync(new URL(name, BUILT)) === text,
      `${name} is not what its sources give: deno task build-web`,
    );
  }
});

Deno.test("the built page names no other server, and has no script or style in its markup", () => {
  let compressed = 0;
  for (const { name } of Deno.readDirSync(BUILT)) {
    const text = Deno.readTextFileSync(new URL(name, BUILT));
    compressed += brotliCompressSync(text).length;
    const addresses = text.match(/(?:https?:)?\/\/[a-z0-9.-]+\.[a-z]{2,}[^"'`\s]*/gi) ?? [];
    // Names of markup languages are addresses that nobody asks for.
    assert.deepEqual(
      addresses.filter((address) => !address.startsWith("http://www.w3.org/")),
      [],
      name,
    );
    if (name.endsWith(".html")) {
      assert.doesNotMatch(text, /<style|<script(?![^>]*\ssrc=)|\son\w+=|\sstyle=/, name);
    }
  }
  assert.ok(compressed < MAX_TRANSFERRED, `${compressed} bytes`);
});

Deno.test("the sources of the page pass the type checker", async () => {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["check", "--lock=rag/embed/models.lock", "kernel/doors/web/page.tsx"],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
});
