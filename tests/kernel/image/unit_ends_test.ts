/** How units of work end when something goes wrong at the end itself. */
import assert from "node:assert/strict";
import { ImageError } from "../../../kernel/image/errors.ts";
import { openMemoryImage } from "../../../kernel/image/open_image.ts";

Deno.test("a rollback that one participant cannot follow moves none of them", async () => {
  using image = await openMemoryImage();
  using unit = image.begin();
  let value = "before";
  unit.join({
    name: "one that can go back",
    apply: () => {},
    savepoint: () => {
      const then = value;
      return () => void (value = then);
    },
  });
  unit.join({ name: "one that cannot", apply: () => {} });
  const savepoint = unit.savepoint();
  value = "after";
  assert.throws(() => savepoint.rollback(), /"one that cannot" cannot go back; abort instead/);
  assert.equal(value, "after");
  assert.throws(() => unit.create(), /a rollback failed in this unit of work; abort it first/);
});

Deno.test("a unit that is aborted after its image was closed tells those who joined it", async () => {
  const image = await openMemoryImage();
  const unit = image.begin();
  const told: string[] = [];
  unit.join({ name: "memory", apply: () => {}, aborted: () => void told.push("aborted") });
  image[Symbol.dispose]();
  assert.throws(() => unit.abort(), ImageError);
  assert.deepEqual(told, ["aborted"]);
  assert.equal(unit.status, "ended");
});

Deno.test("a commit stands, and is told to the others, when one who listens fails", async () => {
  using image = await openMemoryImage();
  const told: number[] = [];
  using _failing = image.onCommit(() => {
    throw new Error("this one fails");
  });
  using _other = image.onCommit(({ tid }) => void told.push(tid));
  const tid = await image.transact((unit) => unit.create());
  assert.deepEqual(told, [image.newest]);
  assert.ok(tid > 0);
});
