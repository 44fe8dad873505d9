/** The reader of the trail over real files: offsets, torn ends, bad lines, long lines, files that are moved aside meanwhile. */
import assert from "node:assert/strict";
import { join } from "node:path";
import {
  LONGEST_LINE,
  readTrail,
  type TrailPosition,
  type TrailSource,
  type ValidateEvent,
} from "../../ingest/trail.ts";

const number: ValidateEvent<number> = (value) =>
  typeof value === "number" ? { event: value } : { problem: "no number" };

class Files implements Disposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "batos_lines_" });
  sources: TrailSource[] = [];

  add(first: number, content: string | Uint8Array): string {
    const path = join(this.folder, `${first}.jsonl`);
    if (typeof content === "string") Deno.writeTextFileSync(path, content);
    else Deno.writeFileSync(path, content);
    this.sources.push({ name: `${first}.jsonl`, path, first });
    return path;
  }

  async read(from?: TrailPosition) {
    const events: [line: number, event: number][] = [];
    const problems: [line: number, reason: string][] = [];
    let next = from;
    for await (const batch of readTrail(() => this.sources, number, from)) {
      for (const { line, event } of batch.entries) events.push([line, event]);
      for (const { line, reason } of batch.problems) problems.push([line, reason]);
      next = batch.next;
    }
    return { events, problems, next };
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.folder, { recursive: true });
  }
}

Deno.test("lines are numbered over all files, and a torn last line is left for the next time", async () => {
  using files = new Files();
  files.add(1, "10\n11\n");
  const path = files.add(3, "12\n13\n1");
  const first = await files.read();
  assert.deepEqual(first.events, [[1, 10], [2, 11], [3, 12], [4, 13]]);
  assert.deepEqual(first.next, { first: 3, offset: 6, line: 5 });
  Deno.writeTextFileSync(path, "4\n15\n", { append: true });
  assert.deepEqual((await files.read(first.next)).events, [[5, 14], [6, 15]]);
});

Deno.test("a bad line is reported with its number and passed over", async () => {
  using files = new Files();
  files.add(1, new Uint8Array([49, 10, 255, 254, 0, 10, 34, 97, 34, 10, 10, 50, 10]));
  const { events, problems } = await files.read();
  assert.deepEqual(events, [[1, 1], [5, 2]]);
  assert.deepEqual(problems.map(([line]) => line), [2, 3, 4]);
  assert.match(problems[1]![1], /no number/);
});

Deno.test("long lines come whole, over blocks; one that is too long is passed over without being kept", async () => {
  using files = new Files();
  const digits = (count: number) => " ".repeat(count - 1) + "7";
  files.add(1, `${digits(10_000_000)}\n5\n${digits(LONGEST_LINE + 1)}\n6\n`);
  const { events, problems, next } = await files.read();
  assert.deepEqual(events, [[1, 7], [2, 5], [4, 6]]);
  assert.deepEqual(problems, [[3, `longer than ${LONGEST_LINE} bytes`]]);
  assert.equal(next!.offset, 10_000_001 + 2 + LONGEST_LINE + 2 + 2);
});

Deno.test("a file that is moved aside while it is read is read to its end, then the next one", async () => {
  using files = new Files();
  const path = files.add(1, "1\n2\n");
  const seen: number[] = [];
  for await (const { entries } of readTrail(() => files.sources, number)) {
    seen.push(...entries.map(({ event }) => event));
    if (seen.length !== 2) continue;
    Deno.writeTextFileSync(path, "3\n", { append: true });
    Deno.renameSync(path, `${path}.aside`);
    files.sources = [{ name: "aside", path: `${path}.aside`, first: 1 }];
    files.add(4, "4\n");
  }
  assert.deepEqual(seen, [1, 2, 3, 4]);
});

Deno.test("a file that is gone is passed over", async () => {
  using files = new Files();
  files.add(5, "5\n");
  assert.deepEqual((await files.read({ first: 1, offset: 99, line: 5 })).events, [[5, 5]]);
});
