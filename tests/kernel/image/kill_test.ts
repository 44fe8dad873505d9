/** Several processes that commit to one image and are killed: what was acknowledged is there, whole. `bench kernel` does this 100 times. */
import assert from "node:assert/strict";
import { killRounds } from "../../../bench/image_kill.ts";

Deno.test("kill -9 during commits of several processes loses no acknowledged commit and tears none", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "batos_kill_" });
  try {
    const { kills, commits, lost, torn, problems } = await killRounds(folder, {
      rounds: 4,
      processes: 2,
    });
    assert.deepEqual({ kills, lost, torn, problems }, { kills: 8, lost: 0, torn: 0, problems: 0 });
    assert.ok(commits >= kills, `${commits} commits`);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
