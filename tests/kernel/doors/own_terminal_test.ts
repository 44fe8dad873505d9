/** The name of a terminal: its device, and on Linux when it was made. */
import assert from "node:assert/strict";
import { isTerminalName, terminalName } from "../../../kernel/doors/own_terminal.ts";

const MADE = Date.UTC(2026, 10, 26, 2, 30, 4);

Deno.test("a terminal is called as its device is, and one that comes in its place is another", () => {
  const name = (device: number, made = MADE) => terminalName(device, made, "linux");
  assert.equal(name(0x8803), "terminal pts/3 since 2026-11-26T02:30:04.000Z");
  assert.match(name(0x8900)!, /^terminal pts\/256 since /);
  // The 300th beyond eight bits of minor, as newer systems number them.
  assert.match(name(0x10882c)!, /^terminal pts\/300 since /);
  assert.match(name(0x0401)!, /^terminal tty1 since /);
  assert.match(name(0x0100)!, /^terminal 1:0 since /);
  assert.notEqual(name(0x8803), name(0x8803, MADE + 1_000));
});

Deno.test("elsewhere the number of the device is all there is; without one there is no name", () => {
  assert.equal(terminalName(268435459, MADE, "darwin"), "terminal 268435459");
  assert.equal(terminalName(268435459, MADE + 1, "darwin"), "terminal 268435459");
  assert.equal(terminalName(0, MADE, "windows"), undefined);
});

Deno.test("names of terminals are told from others", () => {
  assert.ok(isTerminalName(terminalName(0x8803, MADE, "linux")!));
  assert.ok(!isTerminalName("retries"));
  assert.ok(!isTerminalName(""));
});
