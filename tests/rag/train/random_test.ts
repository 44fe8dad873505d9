/** The trainer's source of chance. */
import assert from "node:assert/strict";
import { Random } from "../../../rag/train/random.ts";

Deno.test("the sequence depends on the seed alone", () => {
  const first = (seed: number | string) => {
    const random = new Random(seed);
    return Array.from({ length: 5 }, () => random.next());
  };
  // Of this generator on every machine.
  assert.deepEqual(first(1).map((value) => Math.floor(value * 2 ** 32)), [
    2693262067,
    11749833,
    2265367787,
    4213581821,
    4159151403,
  ]);
  assert.deepEqual(first("1 npm:tiny"), first("1 npm:tiny"));
  for (const other of ["2 npm:tiny", "1 npm:tinz", "", 1]) {
    assert.notDeepEqual(first("1 npm:tiny"), first(other));
  }
});

Deno.test("numbers fall evenly and below their limit, normal ones have variance 1", () => {
  const random = new Random("even");
  const counts = new Array<number>(7).fill(0);
  for (let at = 0; at < 7_000; at++) counts[random.below(7)]!++;
  assert.ok(counts.every((count) => count > 850 && count < 1_150), `${counts}`);
  let [sum, squares] = [0, 0];
  for (let at = 0; at < 10_000; at++) {
    const value = random.normal();
    sum += value;
    squares += value * value;
  }
  assert.ok(Math.abs(sum / 10_000) < 0.05);
  assert.ok(Math.abs(squares / 10_000 - 1) < 0.05);
});

Deno.test("shuffle() keeps what is there, and any of it may come first", () => {
  const random = new Random(3);
  const firsts = new Set<number>();
  for (let time = 0; time < 200; time++) {
    const list = [0, 1, 2, 3, 4];
    random.shuffle(list);
    firsts.add(list[0]!);
    assert.deepEqual(list.toSorted(), [0, 1, 2, 3, 4]);
  }
  assert.equal(firsts.size, 5);
});
