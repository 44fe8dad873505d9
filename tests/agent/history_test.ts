/** Behaviour of `agent/history.ts` on real repositories: what git and a changelog say of a question. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { historyOf } from "../../agent/history.ts";
import type { Memory } from "../../rag/mod.ts";
import { withRepository } from "../support/repository.ts";

const CHANGELOG = `# Changes

## Unreleased

## 2.1.0 (2026-03-01)

- Kettles boil twice as fast.
- Support for Python 3.9 was dropped; 3.10 is
  the oldest that works.

## 2.0.0

Everything is new.

## 1.10.0

- Teapots are poured by the spout.
`;

async function withHistory(
  subjects: readonly string[],
  run: (memory: Memory, root: string) => Promise<void>,
): Promise<void> {
  await withRepository(
    { "CHANGES.md": CHANGELOG, "tea.py": "def pour(): pass\n" },
    async (memory, root) => {
      const git = async (...args: string[]) => {
        const { success, stderr } = await new Deno.Command("git", {
          args: ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", ...args],
          cwd: root,
        }).output();
        assert.ok(success, new TextDecoder().decode(stderr));
      };
      await git("init", "-q");
      for (const subject of subjects) await git("commit", "-q", "--allow-empty", "-m", subject);
      await run(memory, root);
    },
  );
}

const passages = ({ items }: Awaited<ReturnType<typeof historyOf>>) =>
  items.flatMap((item) => item.type === "lines" ? [`${item.startLine}-${item.endLine}`] : []);
const commits = ({ items }: Awaited<ReturnType<typeof historyOf>>) =>
  items.flatMap((item) => item.type === "commit" ? [`${item.author}: ${item.subject}`] : []);

Deno.test("historyOf() finds the commits and the entries of a changelog that speak of a question", async () => {
  await withHistory(
    ["Drop support for Python 3.9", "Drop support for Python 3.8", "Add a kettle", "Fix typo"],
    async (memory, root) => {
      const place = { memory, root, signal: undefined };
      const dropped = await historyOf("When was support for Python 3.9 dropped?", place);
      assert.deepEqual(passages(dropped), ["8-9"]);
      assert.equal(commits(dropped)[0], "Ada: Drop support for Python 3.9");
      assert.ok(!commits(dropped).some((one) => /kettle|typo/.test(one)), commits(dropped).join());
      const kettle = await historyOf("who added the kettle?", place);
      assert.deepEqual(commits(kettle), ["Ada: Add a kettle"]);
      const nothing = await historyOf("when was the samovar introduced?", place);
      assert.deepEqual(nothing.items, []);
      assert.equal(nothing.summary, "none of 4 commits speaks of it");
    },
  );
});

Deno.test("historyOf() gives the notes on the version asked for, or on the last one", async () => {
  await withHistory(["First"], async (memory, root) => {
    const place = { memory, root, signal: undefined };
    for (
      const [question, lines] of [
        ["What changed in version 1.10?", "15-17"],
        ["what is new in v2.0.0", "11-13"],
        ["What changed in the last release?", "5-9"],
        ["what's new?", "5-9"],
      ] as const
    ) assert.deepEqual(passages(await historyOf(question, place)), [lines], question);
    const latest = await historyOf("what changed recently?", place);
    assert.deepEqual(commits(latest), ["Ada: First"]);
    assert.deepEqual(passages(await historyOf("what changed in version 7.7?", place)), []);
  });
});

Deno.test("historyOf() works without git, and reads no repository's own programs", async () => {
  await withHistory(["Add a kettle"], async (memory, root) => {
    await Deno.writeTextFile(
      join(root, ".git", "config"),
      "[core]\n\tfsmonitor = touch pwned\n[log]\n\tshowSignature = true\n[gpg]\n\tprogram = touch pwned\n",
    );
    const place = { memory, root, signal: undefined };
    assert.deepEqual(commits(await historyOf("who added the kettle?", place)), [
      "Ada: Add a kettle",
    ]);
    await assert.rejects(Deno.stat(join(root, "pwned")), Deno.errors.NotFound);
    await Deno.remove(join(root, ".git"), { recursive: true });
    const bare = await historyOf("when was Python 3.9 dropped?", place);
    assert.match(
      bare.summary,
      /^1 passage of the changelog; no commits: this is not a git repository$/,
    );
  });
});

Deno.test("historyOf() fetches nothing: a partial clone's own programs are not run, and why there is no history is said", async () => {
  await withHistory(["Add a kettle"], async (memory, root) => {
    const git = async (...args: string[]) => {
      const { success, stderr } = await new Deno.Command("git", { args, cwd: root }).output();
      assert.ok(success, new TextDecoder().decode(stderr));
    };
    const marker = join(root, "pwned");
    const place = { memory, root, signal: undefined };
    // The last commit is lacking, as commits of a promisor remote may.
    await git("config", "core.repositoryformatversion", "1");
    await git("config", "extensions.partialClone", "origin");
    await git("config", "remote.origin.url", root);
    await git("config", "remote.origin.promisor", "true");
    await git("config", "remote.origin.uploadpack", `touch ${marker};`);
    await Deno.writeTextFile(join(root, ".git", "HEAD"), `${"ab".repeat(20)}\n`);
    const found = await historyOf("who added the kettle?", place);
    await assert.rejects(Deno.stat(marker), Deno.errors.NotFound);
    assert.match(found.summary, /no commits: git failed: /);
    await Deno.writeTextFile(join(root, ".git", "HEAD"), "ref: refs/heads/new\n");
    const empty = await historyOf("who added the kettle?", place);
    assert.match(empty.summary, /no commits: there are no commits yet$/);
  });
});
