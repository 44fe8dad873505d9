/** What the check of a trail finds: edits, deletions, exchanges, files that are gone; and that it accepts what was written. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { AuditTrail } from "../../../kernel/audit/audit_trail.ts";
import { event, TrailFolder } from "../../support/trail.ts";

async function trailOf(count: number, rotateBytes?: number): Promise<TrailFolder> {
  const folder = new TrailFolder();
  for (let index = 0; index < count; index += 10) {
    await using trail = new AuditTrail(folder.path, {
      durable: false,
      ...rotateBytes && { rotateBytes },
    });
    for (let inner = index; inner < Math.min(count, index + 10); inner++) {
      trail.record(event({ event_data: { index: inner } }));
    }
  }
  return folder;
}

Deno.test("a line that was edited by hand is named", async () => {
  using folder = await trailOf(20);
  folder.rewrite((lines) => lines.map((line) => line.replace('"index":7}', '"index":8}')));
  const { whole, verified, broken } = await folder.verify();
  assert.deepEqual([whole, verified, broken?.line], [false, 7, 8]);
  assert.match(broken!.reason, /the line was changed/);
});

Deno.test("a line that was edited with its hash made anew is found by the line behind it", async () => {
  using folder = await trailOf(20);
  const { seal } = await import("../../../kernel/audit/chain.ts");
  folder.rewrite((lines) =>
    lines.map((line, at) =>
      at === 7 ? seal(line.slice(0, -75).replace('"index":7}', '"index":8}')).line.trimEnd() : line
    )
  );
  const { broken } = await folder.verify();
  assert.equal(broken?.line, 9);
  assert.match(broken!.reason, /does not follow the line before it/);
});

Deno.test("the last line is covered by the head", async () => {
  using folder = await trailOf(5);
  const { seal } = await import("../../../kernel/audit/chain.ts");
  folder.rewrite((
    lines,
  ) => [
    ...lines.slice(0, -1),
    seal(lines[4]!.slice(0, -75).replace("BABS", "BRIC")).line.trimEnd(),
  ]);
  assert.match((await folder.verify()).broken!.reason, /not the line that was written last/);
});

Deno.test("deleted, doubled, exchanged lines break the chain where they begin", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(18),
      fc.constantFrom("delete", "double", "exchange"),
      async (at, how) => {
        using folder = await trailOf(20);
        folder.rewrite((lines) => {
          if (how === "delete") lines.splice(at, 1);
          if (how === "double") lines.splice(at, 0, lines[at]!);
          if (how === "exchange") lines.splice(at, 2, lines[at + 1]!, lines[at]!);
          return lines;
        });
        const { broken } = await folder.verify();
        assert.equal(broken?.line, how === "double" ? at + 2 : at + 1);
      },
    ),
    { numRuns: 25 },
  );
});

Deno.test("no flipped bit goes unnoticed", async () => {
  using folder = await trailOf(8);
  const whole = Deno.readFileSync(folder.current);
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(7), async (at, bit) => {
      const bytes = whole.slice();
      bytes[at]! ^= 1 << bit;
      Deno.writeFileSync(folder.current, bytes);
      assert.equal((await folder.verify()).whole, false, `byte ${at}, bit ${bit}`);
    }),
    { numRuns: 300 },
  );
});

Deno.test("a file of the trail that is gone is named with its lines", async () => {
  using folder = await trailOf(120, 8_000);
  const parts = folder.names.filter((name) => name.startsWith("metacognition-"));
  assert.ok(parts.length >= 3);
  const [, first, last] = /-0*(\d+)-0*(\d+)\./.exec(parts[1]!)!;
  Deno.removeSync(`${folder.path}/${parts[1]}`);
  const { broken } = await folder.verify();
  assert.equal(broken?.file, parts[2]);
  assert.equal(
    broken!.reason,
    `lines ${first} to ${last} are missing before it: a file of the trail is gone`,
  );
});

Deno.test("the file that grows may be gone: the head knows how much it held", async () => {
  using folder = await trailOf(95, 8_000);
  Deno.removeSync(folder.current);
  assert.match(
    (await folder.verify()).broken!.reason,
    /the trail ends here, \d+ lines? that had been written/,
  );
});

Deno.test("no trail at all is a whole one", async () => {
  using folder = new TrailFolder();
  assert.deepEqual(await folder.verify(), { whole: true, verified: 0 });
});
