/** Measuring a program from outside, with real programs. */
import assert from "node:assert/strict";
import process from "node:process";
import fc from "fast-check";
import { environment, median, quantile, runMeasured } from "../../bench/process.ts";

const node = (script: string) => runMeasured(["node", "-e", script]);

Deno.test("runMeasured() sees memory that a program holds, and what it says", async () => {
  const small = await node("console.log('small')");
  const large = await node(
    "const held = Buffer.alloc(150e6, 1); setTimeout(() => console.log(held.length), 300)",
  );
  assert.equal(small.stdout, "small\n");
  assert.equal(large.stdout, "150000000\n");
  assert.ok(large.peakBytes > 150e6, `${large.peakBytes} bytes`);
  assert.ok(large.peakBytes - small.peakBytes > 100e6);
});

Deno.test("runMeasured() counts the processes that a program starts", async () => {
  const inner = "const held = Buffer.alloc(120e6, 1); setTimeout(() => held.length, 300)";
  const run = await node(
    `require("node:child_process").spawn("node", ["-e", ${JSON.stringify(inner)}])`,
  );
  assert.ok(run.peakBytes > 120e6, `${run.peakBytes} bytes`);
  assert.ok(run.peakBytes >= run.largestBytes);
});

Deno.test({
  name: "runMeasured() counts processor time, not waiting",
  // Processor time is read from /proc.
  ignore: process.platform !== "linux",
  fn: async () => {
    const waiting = await node("setTimeout(() => {}, 300)");
    const busy = await node(
      "const end = process.cpuUsage().user + 3e5;" +
        "while (process.cpuUsage().user < end);",
    );
    assert.ok(waiting.ms > 300);
    assert.ok(busy.cpuMs > waiting.cpuMs + 50, `${busy.cpuMs} and ${waiting.cpuMs} ms`);
  },
});

Deno.test("runMeasured() says which command failed and why, unless it is not to check", async () => {
  const command = ["node", "-e", "console.error('no luck'); process.exit(3)"];
  await assert.rejects(runMeasured(command), /it ended with exit code 3: no luck/);
  assert.equal((await runMeasured(command, { check: false })).code, 3);
});

Deno.test("quantile() lies within the values, and the median splits them", () => {
  const values = fc.array(fc.double({ noNaN: true, min: -1e6, max: 1e6 }), { minLength: 1 });
  fc.assert(fc.property(values, fc.double({ min: 0, max: 1, noNaN: true }), (list, share) => {
    const value = quantile(list, share);
    assert.ok(value >= Math.min(...list) - 1e-6 && value <= Math.max(...list) + 1e-6);
    const middle = median(list);
    assert.ok(list.filter((one) => one < middle - 1e-6).length <= list.length / 2);
    assert.ok(list.filter((one) => one > middle + 1e-6).length <= list.length / 2);
  }));
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
});

Deno.test("environment() names no commit where there is no repository", () => {
  const folder = Deno.makeTempDirSync();
  try {
    const found = environment(folder);
    assert.equal(found.commit, null);
    assert.equal(found.deno, Deno.version.deno);
    assert.match(found.date, /^\d{4}-\d\d-\d\d$/);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
