/** Behaviour of `ingest/read_tree.ts`: what becomes of each file, on real folders that change. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import {
  encodeText,
  type Known,
  listTree,
  type Parse,
  parse,
  type ReadOptions,
  readTree,
  type SourceFile,
  type TreeEvent,
  unparsed,
} from "../../ingest/mod.ts";
import { makeRepository, withoutPrivileges } from "./repository.ts";

const NONE: ReadonlyMap<string, Known> = new Map();

async function events(
  root: string,
  known = NONE,
  options: ReadOptions = {},
): Promise<TreeEvent[]> {
  return await Array.fromAsync(readTree(root, known, options));
}

const filesOf = (all: readonly TreeEvent[]): SourceFile[] =>
  all.flatMap((event) => event.type === "file" ? [event.file] : []);

const knownOf = (all: readonly TreeEvent[]) =>
  new Map(filesOf(all).map(({ path, hash, bytes, mtime }) => [path, { hash, bytes, mtime }]));

/** `type path` of every event behind the plan. */
const brief = (all: readonly TreeEvent[]) =>
  all.flatMap((event) => {
    switch (event.type) {
      case "plan":
        return [];
      case "file":
        return [`file ${event.file.path}`];
      case "problem":
        return [`problem ${event.problem.path}`];
      default:
        return [`${event.type} ${event.path}`];
    }
  });

Deno.test("readTree() gives a plan, then each path once in order, files in full", async () => {
  const text = "\ufeff// é\r\nexport const a = 1;\r\n";
  await using repository = await makeRepository({
    files: {
      "z.txt": "last",
      "a.ts": text,
      "logo.png": "",
      "m.js": "// @generated\n",
      "empty.md": "",
    },
  });
  const all = await events(repository.root);
  assert.deepEqual(all[0], { type: "plan", total: 5, bytes: text.length + 3 + 4 + 14 });
  assert.deepEqual(brief(all), [
    "file a.ts",
    "file empty.md",
    "skipped logo.png",
    "skipped m.js",
    "file z.txt",
  ]);
  const file = filesOf(all)[0]!;
  const bytes = await Deno.readFile(join(repository.root, "a.ts"));
  const info = await Deno.stat(join(repository.root, "a.ts"));
  assert.equal(file.text, text);
  assert.deepEqual(
    [file.language, file.encoding, file.bytes, file.mtime],
    ["typescript", "utf-8", bytes.length, info.mtime!.getTime()],
  );
  assert.equal(file.hash, createHash("sha256").update(bytes).digest("hex"));
  assert.equal(file.chunks.map(({ start, end }) => text.slice(start, end)).join(""), text);
});

Deno.test("readTree() keeps every byte of files in any encoding", async () => {
  const files = {
    "utf8.txt": new TextEncoder().encode("\ufeffgrüße\r\n"),
    "utf16le.txt": encodeText("\ufeffgrüße\r\n", "utf-16le"),
    "utf16be.txt": encodeText("\ufeffgrüße\r\n", "utf-16be"),
    "latin1.py": encodeText("# grüße \x85\xa0\nx = 1\n", "latin1"),
  };
  await using repository = await makeRepository({ plain: true, files });
  const read = filesOf(await events(repository.root));
  assert.deepEqual(read.map((file) => file.encoding).sort(), [
    "latin1",
    "utf-16be",
    "utf-16le",
    "utf-8",
  ]);
  for (const file of read) {
    const whole = file.chunks.map(({ start, end }) => file.text.slice(start, end)).join("");
    assert.deepEqual(encodeText(whole, file.encoding), files[file.path as keyof typeof files]);
  }
});

Deno.test("readTree() skips binaries, whatever they are called", async () => {
  await using repository = await makeRepository({
    files: {
      "binary.ts": new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 0, 0, 1]),
      "data": new Uint8Array(9),
    },
  });
  const reason = "binary by its content";
  assert.deepEqual((await events(repository.root)).slice(1), [
    { type: "skipped", path: "binary.ts", reason },
    { type: "skipped", path: "data", reason },
  ]);
});

Deno.test("readTree() does not open a file whose size and time are known", async () => {
  await using repository = await makeRepository({ files: { "a.txt": "one", "b.txt": "two" } });
  const known = knownOf(await events(repository.root));
  // Other bytes of the same size at the same time: only reading would tell.
  const mtime = new Date(known.get("a.txt")!.mtime);
  await repository.write("a.txt", "eno");
  await Deno.utime(join(repository.root, "a.txt"), mtime, mtime);
  assert.deepEqual(brief(await events(repository.root, known)), [
    "unchanged a.txt",
    "unchanged b.txt",
  ]);
});

Deno.test("readTree() hashes what changed after the last run began, so no change is missed", async () => {
  await using repository = await makeRepository({ files: { "a.txt": "one", "b.txt": "two" } });
  const long = new Date(Date.now() - 3_600_000);
  for (const path of ["a.txt", "b.txt"]) await Deno.utime(join(repository.root, path), long, long);
  const known = knownOf(await events(repository.root));
  const began = Date.now();
  await repository.write("a.txt", "eno");
  await Deno.utime(join(repository.root, "a.txt"), long, long);
  const all = await events(repository.root, known, { trustedBefore: began });
  assert.deepEqual(all.slice(1).map((event) => event.type), ["file", "unchanged"]);
  assert.equal(filesOf(all)[0]!.text, "eno");
});

Deno.test("readTree() reports a touched file as unchanged, with its new time", async () => {
  await using repository = await makeRepository({ files: { "a.txt": "one" } });
  const known = knownOf(await events(repository.root));
  const later = new Date(1_900_000_000_000);
  await Deno.utime(join(repository.root, "a.txt"), later, later);
  assert.deepEqual((await events(repository.root, known)).slice(1), [
    { type: "unchanged", path: "a.txt", touched: later.getTime() },
  ]);
});

Deno.test("readTree() gives changed and new files again, and nothing for vanished ones", async () => {
  await using repository = await makeRepository({
    files: { "a.txt": "1", "b.txt": "1", "c.txt": "1" },
  });
  const known = knownOf(await events(repository.root));
  await repository.write("b.txt", "22");
  await repository.write("d.txt", "1");
  await Deno.remove(join(repository.root, "c.txt"));
  assert.deepEqual(brief(await events(repository.root, known)), [
    "unchanged a.txt",
    "file b.txt",
    "file d.txt",
  ]);
});

Deno.test("readTree() skips a file that vanishes, or stops being one, behind the plan", async () => {
  await using repository = await makeRepository({
    files: { "a.txt": "1", "b.txt": "1", "c.txt": "1" },
  });
  const seen: TreeEvent[] = [];
  for await (const event of readTree(repository.root, NONE)) {
    seen.push(event);
    if (event.type !== "plan") continue;
    await Deno.remove(join(repository.root, "a.txt"));
    await Deno.remove(join(repository.root, "b.txt"));
    await Deno.symlink("/etc/hostname", join(repository.root, "b.txt"));
  }
  assert.deepEqual(seen.slice(1, 3), [
    { type: "skipped", path: "a.txt", reason: "no such file or folder" },
    { type: "skipped", path: "b.txt", reason: "no longer a regular file" },
  ]);
  assert.deepEqual(brief(seen.slice(3)), ["file c.txt"]);
});

Deno.test("readTree() reports a file that does not come to rest, and goes on", async () => {
  await using repository = await makeRepository({ plain: true, files: { "b.txt": "1" } });
  const busy = join(repository.root, "a.log");
  // So large that bytes are added during every attempt.
  await Deno.writeTextFile(busy, "x".repeat(30_000_000));
  const writer = new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      `const file = await Deno.open(${JSON.stringify(busy)}, { append: true });
       console.log("on"); for (;;) file.writeSync(new Uint8Array([120]));`,
    ],
    stdout: "piped",
  }).spawn();
  try {
    const output = writer.stdout.getReader();
    await output.read();
    const all = await events(repository.root);
    assert.deepEqual(brief(all), ["problem a.log", "file b.txt"]);
    const problem = all[1]!;
    assert.ok(problem.type === "problem");
    assert.equal(problem.problem.reason, "it changed while it was being read, 4 times over");
    await output.cancel();
  } finally {
    writer.kill("SIGKILL");
    await writer.status;
  }
  await Deno.writeTextFile(busy, "at rest");
  assert.deepEqual(brief(await events(repository.root)), ["file a.log", "file b.txt"]);
});

Deno.test("readTree() takes 20 MB on a single line as a file", async () => {
  await using repository = await makeRepository({ plain: true });
  await repository.write("line.txt", "word ".repeat(4_000_000));
  const file = filesOf(await events(repository.root))[0]!;
  assert.equal(file.text.length, 20_000_000);
  assert.equal(file.chunks.at(-1)!.end, file.text.length);
});

Deno.test("readTree() stops when it is told to", async () => {
  await using repository = await makeRepository({ files: { "a.txt": "1", "b.txt": "1" } });
  const controller = new AbortController();
  const seen: TreeEvent[] = [];
  await assert.rejects(async () => {
    for await (const event of readTree(repository.root, NONE, { signal: controller.signal })) {
      seen.push(event);
      if (event.type === "file") controller.abort(new Error("enough"));
    }
  }, /^Error: enough$/);
  assert.deepEqual(brief(seen), ["file a.txt"]);
});

Deno.test("readTree() passes the options of the chunker on", async () => {
  await using repository = await makeRepository({
    files: { "a.txt": "one two three\n".repeat(50) },
  });
  const all = await events(repository.root, NONE, { chunk: { maxSize: 20 } });
  assert.ok(filesOf(all)[0]!.chunks.length > 5);
});

Deno.test("readTree() reports what the walk could not do for the whole workspace", async () => {
  await using repository = await makeRepository({ files: { "a.txt": "1" } });
  await repository.write(".git/config", "[core]\n\trepositoryformatversion = 99\n");
  assert.deepEqual(brief(await events(repository.root)), ["problem .", "file a.txt"]);
});

Deno.test("readTree() skips a file that it may not read", {
  ignore: withoutPrivileges === undefined,
}, async () => {
  await using repository = await makeRepository({ files: { "a.txt": "1", "b.txt": "1" } });
  await Deno.chmod(join(repository.root, "a.txt"), 0);
  const output = await withoutPrivileges!(`
    import { readTree } from ${JSON.stringify(import.meta.resolve("../../ingest/mod.ts"))};
    const all = await Array.fromAsync(readTree(${JSON.stringify(repository.root)}, new Map()));
    console.log(JSON.stringify(all));
  `);
  const all = JSON.parse(output) as TreeEvent[];
  assert.deepEqual(all[1], { type: "skipped", path: "a.txt", reason: "permission denied" });
  assert.deepEqual(brief(all.slice(2)), ["file b.txt"]);
});

Deno.test("listTree() lists what readTree() reads and skips, with languages", async () => {
  await using repository = await makeRepository({
    files: {
      "a.ts": "export {};\n",
      "b.py": "x = 1\n",
      "c.go": "// Code generated by x. DO NOT EDIT.\n",
      "d.bin": new Uint8Array(4),
      "e.png": "",
    },
  });
  const listed = await listTree(repository.root);
  assert.deepEqual(listed, {
    files: [
      { path: "a.ts", language: "typescript", bytes: 11 },
      { path: "b.py", language: "python", bytes: 6 },
    ],
    skipped: [
      { path: "c.go", reason: "generated: says so on line 1" },
      { path: "d.bin", reason: "binary by its content" },
      { path: "e.png", reason: "binary by its name (.png)" },
    ],
    problems: [],
  });
  const all = await events(repository.root);
  assert.deepEqual(filesOf(all).map((file) => file.path), listed.files.map((file) => file.path));
  assert.deepEqual(
    all.flatMap((event) =>
      event.type === "skipped" ? [{ path: event.path, reason: event.reason }] : []
    ),
    listed.skipped,
  );
});

Deno.test("readTree() of new files lets a timer end it before the last one", async () => {
  const text = "export function add(one: number, other: number) { return one + other; }\n".repeat(
    500,
  );
  const files = Object.fromEntries(Array.from({ length: 60 }, (_, at) => [`${at}.ts`, text]));
  await using repository = await makeRepository({ files });
  const abort = new AbortController();
  let read = 0;
  await assert.rejects(async () => {
    for await (const event of readTree(repository.root, NONE, { signal: abort.signal })) {
      if (event.type !== "file") continue;
      if (read === 0) setTimeout(() => abort.abort(new DOMException("enough", "AbortError")), 0);
      read++;
    }
  }, { name: "AbortError" });
  assert.ok(read > 0 && read < 60, `${read} files were read`);
});

Deno.test("readTree() lets somebody else parse ahead, within bounds, and keeps the order of the paths", async () => {
  const size = 60_000;
  const names = Array.from({ length: 12 }, (_, at) => `${String.fromCharCode(97 + at)}.txt`);
  await using repository = await makeRepository({
    files: Object.fromEntries([
      ...names.map((name) => [name, name.padEnd(size, " word\n")]),
      ["empty.txt", ""],
      ["logo.png", ""],
    ]),
  });
  let underWay = 0;
  let most = 0;
  let calls = 0;
  const slowly: Parse = async (path, text, options) => {
    most = Math.max(most, underWay += text.length);
    // The first ones take longest.
    await new Promise((resolve) => setTimeout(resolve, 30 / ++calls));
    underWay -= text.length;
    return await parse(path, text, options);
  };
  const here = await events(repository.root);
  assert.deepEqual(await events(repository.root, NONE, { parse: slowly }), here);
  assert.ok(most > 3 * size, `only ${most} characters were parsed at once`);
  assert.ok(most <= 250_000 + size, `${most} characters were parsed at once`);
  const fails: Parse = (path, text, options) =>
    path === "c.txt" ? Promise.reject(new Error("no parser")) : slowly(path, text, options);
  await assert.rejects(events(repository.root, NONE, { parse: fails }), /no parser/);
});

Deno.test("readTree() without a parser tells which files are new or changed", async () => {
  await using repository = await makeRepository({
    files: { "a.ts": "export const a = 1;\n", "b.py": "b = 1\n" },
  });
  const all = await events(repository.root, NONE, { parse: unparsed });
  assert.deepEqual(brief(all), brief(await events(repository.root)));
  assert.deepEqual(
    filesOf(all).map(({ language, chunks }) => [language, chunks.length]),
    [["typescript", 0], ["python", 0]],
  );
});
