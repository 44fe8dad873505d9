/** Requests as files: what is wrong with one is noted and harms no other; more command lines than there is room for work alone. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { Signer } from "../../../kernel/doors/contract.ts";
import { KernelGoneError } from "../../../kernel/doors/kernel_gone.ts";
import { mailFiles, packFrames } from "../../../kernel/doors/mail_desk.ts";
import { requestByMail } from "../../../kernel/doors/mail_request.ts";
import { Kernel, until, waiting } from "./kernel_fixture.ts";

/** Asks by mail and gives all results. */
async function ask(
  kernel: Kernel,
  command: "ask" | "refs",
  input: Record<string, unknown>,
  signal = new AbortController().signal,
): Promise<unknown[]> {
  const results: unknown[] = [];
  const request = requestByMail(kernel.folder, kernel.info.key, command, input, {
    signal,
    progress: () => {},
  });
  for await (const result of request) results.push(result);
  return results;
}

Deno.test("a request that is cut off, too long, signed with another key or no request is noted, and others are answered", async () => {
  await using kernel = await Kernel.start();
  const here = new TextEncoder().encode(Deno.cwd());
  const stranger = new Signer(crypto.getRandomValues(new Uint8Array(32)));
  const cases: [string, Uint8Array][] = [
    ["bad_frames", packFrames([here, new Uint8Array(32)])],
    ["bad_frames", new Uint8Array()],
    ["bad_frames", packFrames([new Uint8Array(10_000), ...kernel.signer.seal({})])],
    ["bad_signature", packFrames([here, ...stranger.seal(kernel.request("ask"))])],
    ["bad_message", packFrames([here, ...kernel.signer.seal({ v: 7 })])],
  ];
  for (const [reason, bytes] of cases) {
    const before = kernel.events.length;
    const { draft, request } = mailFiles(kernel.folder, crypto.randomUUID());
    Deno.writeFileSync(draft, bytes);
    Deno.renameSync(draft, request);
    await until(() => kernel.events.length > before);
    assert.deepEqual(kernel.reasons.slice(before), [reason]);
    const { door, peer } = kernel.events[before]!.event_data;
    assert.equal(door, "mail");
    assert.match(String(peer), /^command line [0-9a-f]{8}$/);
  }
  const large = mailFiles(kernel.folder, crypto.randomUUID());
  Deno.writeFileSync(large.draft, new Uint8Array());
  Deno.truncateSync(large.draft, 100_000_000);
  const before = kernel.events.length;
  Deno.renameSync(large.draft, large.request);
  await until(() => kernel.events.length > before);
  assert.equal(kernel.events.at(-1)!.event_data.detail, "the request is too long");
  assert.deepEqual(await ask(kernel, "ask", { question: "why?" }), [
    { question: "why?", answer: "42", found: true },
  ]);
});

Deno.test("more command lines than there is room for are told so, which makes them work alone; the others go on", async () => {
  await using kernel = await Kernel.start();
  const stop = new AbortController();
  const asked = Array.from(
    { length: 64 },
    () => ask(kernel, "refs", { target: "a" }, stop.signal).catch((error) => error),
  );
  await until(() => waiting.refs === 64);
  await assert.rejects(
    ask(kernel, "ask", { question: "why?" }),
    (error) =>
      error instanceof KernelGoneError && /64 command lines are waiting/.test(error.message),
  );
  assert.deepEqual(kernel.reasons, ["busy"]);
  assert.equal(waiting.refs, 64);
  stop.abort();
  await Promise.all(asked);
  // Those who no longer wait are noticed by the locks that they held.
  await until(() => waiting.refs === 0);
  assert.equal((await ask(kernel, "ask", { question: "why?" })).length, 1);
  await until(() => Array.from(Deno.readDirSync(join(kernel.folder, "mail"))).length === 0);
});
