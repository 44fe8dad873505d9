/** One model for many callers: when it is opened and closed, with models that only count. */
import assert from "node:assert/strict";
import type { LanguageModel } from "../../../agent/models/language_model.ts";
import { SharedModel } from "../../../agent/models/shared.ts";

/** Models that note how many of them are open. */
function counted(onClose: () => Promise<void> = () => Promise.resolve()) {
  const counts = { opened: 0, open: 0 };
  const open = () => {
    counts.opened++;
    counts.open++;
    const model = {
      [Symbol.asyncDispose]: async () => {
        await onClose();
        counts.open--;
      },
    };
    return Promise.resolve(model as unknown as LanguageModel);
  };
  return { counts, open };
}

const pause = (ms = 0) => new Promise<void>((done) => setTimeout(done, ms));

Deno.test("a model that is asked for while one closes for good is not opened anew", async () => {
  let finish = () => {};
  const closing = new Promise<void>((done) => finish = done);
  const { counts, open } = counted(() => closing);
  const shared = new SharedModel(open, { idleMs: 0 });
  await (await shared.lease())[Symbol.asyncDispose]();
  await pause(20);
  assert.equal(shared.isOpen, false, "it closes by now");
  const late = shared.lease().catch((error: Error) => error);
  const closed = shared[Symbol.asyncDispose]();
  finish();
  await closed;
  assert.ok(await late instanceof TypeError, "no lease of what was closed");
  assert.deepEqual(counts, { opened: 1, open: 0 });
});

Deno.test("a model that cannot be closed when nobody needs it ends nothing; the next is opened", async () => {
  let fails = true;
  const { counts, open } = counted(() =>
    fails ? Promise.reject(new Error("stuck")) : Promise.resolve()
  );
  await using shared = new SharedModel(open, { idleMs: 0 });
  await (await shared.lease())[Symbol.asyncDispose]();
  // An unhandled rejection would end the process.
  await pause(20);
  fails = false;
  await using _lease = await shared.lease();
  assert.equal(counts.opened, 2);
});
