/** Behaviour of `ingest/walk.ts`, on real folders and with the real git. */
import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { findWorkspace } from "../../kernel/mod.ts";
import { walk, type WalkResult } from "../../ingest/walk.ts";
import { makeRepository, run, withoutPrivileges } from "./repository.ts";

const paths = (result: WalkResult) => result.entries.map((entry) => entry.path);
const reasons = (result: WalkResult) =>
  Object.fromEntries(result.skipped.map(({ path, reason }) => [path, reason]));

Deno.test("walk() lists what git would, tracked or not, sorted, with size and time", async () => {
  await using repository = await makeRepository({
    files: {
      ".gitignore": "*.log\nbuild/\n/local.ts\n",
      "b.ts": "b",
      "B.ts": "BB",
      "a/.gitignore": "!keep.log\n*.tmp",
      "a/keep.log": "x",
      "a/x.log": "x",
      "a/x.tmp": "x",
      "a/local.ts": "x",
      "local.ts": "x",
      "build/out.ts": "x",
      "tracked.log": "tracked, although ignored",
      "deleted.ts": "x",
    },
  });
  await repository.git(["add", "-f", "tracked.log", "deleted.ts", "b.ts"]);
  await Deno.remove(join(repository.root, "deleted.ts"));
  const result = await walk(repository.root);
  assert.deepEqual(paths(result), [
    ".gitignore",
    "B.ts",
    "a/.gitignore",
    "a/keep.log",
    "a/local.ts",
    "b.ts",
    "tracked.log",
  ]);
  assert.deepEqual([result.skipped, result.problems], [[], []]);
  const entry = result.entries[1]!;
  const info = await Deno.stat(join(repository.root, "B.ts"));
  assert.deepEqual([entry.bytes, entry.mtime], [2, info.mtime!.getTime()]);
});

Deno.test("walk() finds the same files without git as with it", async () => {
  const name = fc.constantFrom("a", "b", "c.ts", "d.log");
  const line = fc.constantFrom(
    "a",
    "b/",
    "/a",
    "*.log",
    "!d.log",
    "a/b",
    "**/c.ts",
    "!a/",
    "*",
    "",
  );
  const file = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
  const ignoreFile = fc.tuple(
    fc.constantFrom("", "a/", "b/", "a/b/").map((folder) => folder + ".gitignore"),
    fc.array(line, { maxLength: 3 }).map((lines) => lines.join("\n")),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(file, { maxLength: 12 }),
      fc.array(ignoreFile, { maxLength: 3 }),
      async (files, ignoreFiles) => {
        await using repository = await makeRepository();
        for (const path of files) await repository.write(path, "x").catch(() => {}); // also a folder
        for (const [path, text] of ignoreFiles) await repository.write(path, text).catch(() => {});
        const withGit = paths(await walk(repository.root));
        await Deno.remove(join(repository.root, ".git"), { recursive: true });
        assert.deepEqual(paths(await walk(repository.root)), withGit);
      },
    ),
    { numRuns: 40 },
  );
});

Deno.test("walk() leaves out what nested .batosignore files name, tracked files too", async () => {
  const files = {
    ".batosignore": "docs/\n*.gen.ts\n",
    ".gitignore": "sub/.batosignore\n",
    "a.ts": "",
    "a.gen.ts": "",
    "docs/x.md": "",
    "sub/.batosignore": "!b.gen.ts\n/c.ts",
    "sub/b.gen.ts": "",
    "sub/c.ts": "",
    "sub/deep/c.ts": "",
  };
  const expected = [".batosignore", ".gitignore", "a.ts", "sub/b.gen.ts", "sub/deep/c.ts"];
  for (const plain of [false, true]) {
    await using repository = await makeRepository({ files, plain });
    if (!plain) await repository.git(["add", "docs", "a.gen.ts"]);
    const result = await walk(repository.root);
    assert.deepEqual(paths(result), expected);
    const reason = "ignored by .batosignore";
    assert.deepEqual(reasons(result), { "a.gen.ts": reason, "docs/": reason, "sub/c.ts": reason });
  }
});

Deno.test("walk() enters submodules and untracked repositories, but no second work tree", async () => {
  await using library = await makeRepository({ files: { "lib.ts": "", ".gitignore": "*.log" } });
  await library.git(["add", "."]);
  await library.git(["commit", "-qm", "x"]);
  await using repository = await makeRepository({ files: { "main.ts": "" } });
  const { root } = repository;
  await repository.git(["submodule", "--quiet", "add", library.root, "deps/lib"]);
  await repository.git(["submodule", "--quiet", "add", library.root, "deps/absent"]);
  await repository.git(["commit", "-qam", "x"]);
  await repository.git(["submodule", "--quiet", "deinit", "-f", "deps/absent"]);
  await repository.git(["worktree", "add", "-q", "other"]);
  await repository.write("deps/lib/new.ts", "");
  await repository.write("deps/lib/x.log", "");
  await repository.git(["clone", "-q", library.root, "nested"]);
  await repository.write("nested/x.log", "");
  await repository.write("nested/new.ts", "");
  const result = await walk(root);
  assert.deepEqual(paths(result), [
    ".gitmodules",
    "deps/lib/.gitignore",
    "deps/lib/lib.ts",
    "deps/lib/new.ts",
    "main.ts",
    "nested/.gitignore",
    "nested/lib.ts",
    "nested/new.ts",
  ]);
  assert.deepEqual(reasons(result), {
    "deps/absent/": "submodule that is not checked out",
    "other/": "another work tree of a repository",
  });
  assert.deepEqual(paths(await walk(root, { scope: ["deps/lib/new.ts", "nested"] })), [
    "deps/lib/new.ts",
    "nested/.gitignore",
    "nested/lib.ts",
    "nested/new.ts",
  ]);
  assert.deepEqual(paths(await walk(join(root, "other"))), [".gitmodules"]);
});

Deno.test("walk() asks git for every repository in a folder that is none", async () => {
  await using folder = await makeRepository({
    plain: true,
    files: { "notes.md": "", "one/.gitignore": "x.ts", "one/x.ts": "", "one/y.ts": "", "x.ts": "" },
  });
  await folder.git(["init", "-q", "one"]);
  await folder.git(["add", "-f", "x.ts"], "", "one");
  const result = await walk(folder.root);
  assert.deepEqual(paths(result), ["notes.md", "one/.gitignore", "one/x.ts", "one/y.ts", "x.ts"]);
  assert.deepEqual(result.problems, []);
});

Deno.test("walk() takes a folder that the repository around it ignores for a workspace", async () => {
  await using repository = await makeRepository({
    files: {
      ".gitignore": "scratch/",
      "scratch/.gitignore": "*.log",
      "scratch/a.ts": "",
      "scratch/b.log": "",
    },
  });
  assert.deepEqual(paths(await walk(repository.root)), [".gitignore"]);
  assert.deepEqual(paths(await walk(join(repository.root, "scratch"))), [".gitignore", "a.ts"]);
});

Deno.test("walk() never leaves the workspace through a link, and no loop holds it", async () => {
  await using outside = await makeRepository({
    plain: true,
    files: { "secret.ts": "", "d/x.ts": "" },
  });
  for (const plain of [false, true]) {
    await using repository = await makeRepository({
      plain,
      files: { "a.ts": "", "sub/b.ts": "", "real/x.ts": "" },
    });
    const link = (target: string, path: string) =>
      Deno.symlink(target, join(repository.root, path));
    if (!plain) await repository.git(["add", "."]);
    await link("a.ts", "same.ts");
    await link("sub", "folder");
    await link(join(outside.root, "secret.ts"), "out.ts");
    await link(outside.root, "out");
    await link("nowhere", "dangling.ts");
    await link("loop.ts", "loop.ts");
    await link("..", "sub/up");
    // Where git still lists `real/x.ts`, the path now leads outside.
    await Deno.remove(join(repository.root, "real"), { recursive: true });
    await link(join(outside.root, "d"), "real");
    const result = await walk(repository.root);
    assert.deepEqual(paths(result), ["a.ts", "sub/b.ts"]);
    const away = "link that leads outside the workspace";
    assert.deepEqual(reasons(result), {
      "same.ts": 'link to "a.ts", which counts under its own name',
      "folder": 'link to "sub", which counts under its own name',
      "sub/up": 'link to ".", which counts under its own name',
      "out.ts": away,
      "out": away,
      "real": away,
      "dangling.ts": "link to nothing",
      "loop.ts": "link that cannot be followed (it goes in a circle)",
    });
  }
});

Deno.test("walk() works on a root that is reached through a link", async () => {
  await using repository = await makeRepository({ files: { "a.ts": "" } });
  await using links = await makeRepository({ plain: true });
  await Deno.symlink("a.ts", join(repository.root, "b.ts"));
  await Deno.symlink(repository.root, join(links.root, "here"));
  const result = await walk(join(links.root, "here"));
  assert.deepEqual(paths(result), ["a.ts"]);
  assert.deepEqual(reasons(result), { "b.ts": 'link to "a.ts", which counts under its own name' });
});

Deno.test(
  "walk() opens no pipe and no socket",
  { ignore: Deno.build.os === "windows" },
  async () => {
    await using repository = await makeRepository({ plain: true, files: { "a.ts": "" } });
    await run("mkfifo", [join(repository.root, "pipe.ts")]);
    using _server = Deno.listen({ transport: "unix", path: join(repository.root, "socket.ts") });
    const result = await walk(repository.root);
    assert.deepEqual(paths(result), ["a.ts"]);
    assert.deepEqual(reasons(result), {
      "pipe.ts": "not a regular file (pipe)",
      "socket.ts": "not a regular file (socket)",
    });
  },
);

Deno.test("walk() says why files of certain names are skipped, and enters no node_modules", async () => {
  for (const plain of [false, true]) {
    await using repository = await makeRepository({
      plain,
      files: {
        "logo.png": "",
        "deno.lock": "",
        ".env": "",
        ".env.example": "",
        "node_modules/x/index.js": "",
        "a/node_modules/y.js": "",
        ".batos/image.db": "",
        "node_modules.ts": "",
      },
    });
    const result = await walk(repository.root);
    assert.deepEqual(paths(result), [".env.example", "node_modules.ts"]);
    assert.deepEqual(reasons(result), {
      ".env": "secret by its name",
      "a/node_modules/": "node_modules: dependencies, not source",
      "deno.lock": "lock file",
      "logo.png": "binary by its name (.png)",
      "node_modules/": "node_modules: dependencies, not source",
    });
  }
});

Deno.test("walk() leaves out virtual environments where no repository says so", async () => {
  await using folder = await makeRepository({
    plain: true,
    files: { "a.py": "", "venv/pyvenv.cfg": "", "venv/lib/x.py": "" },
  });
  const result = await walk(folder.root);
  assert.deepEqual(paths(result), ["a.py"]);
  assert.deepEqual(reasons(result), { "venv/": "virtual environment: dependencies, not source" });
});

Deno.test(
  "walk() takes any name that is UTF-8",
  { ignore: Deno.build.os !== "linux" },
  async () => {
    const names = [
      " a.ts",
      "a\nb.ts",
      'q".ts',
      "dir.ts/x.ts",
      "ö/é.ts",
      "A.ts",
      "a.ts",
      "-rf",
      "*.ts",
      "x\ufffd.ts",
    ];
    for (const plain of [false, true]) {
      await using repository = await makeRepository({
        plain,
        files: Object.fromEntries(names.map((name) => [name, ""])),
      });
      await run("sh", ["-c", `touch "$0/$(printf 'bad\\377.ts')"`, repository.root]);
      const result = await walk(repository.root);
      assert.deepEqual(paths(result), [...names].sort());
      assert.deepEqual(reasons(result), { "bad\ufffd.ts": "name is not UTF-8" });
    }
  },
);

Deno.test("walk() is limited by its scope, and says when that holds nothing", async () => {
  for (const plain of [false, true]) {
    await using repository = await makeRepository({
      plain,
      files: {
        ".gitignore": "*.log",
        "a/b/c.ts": "",
        "a/d.ts": "",
        "ab.ts": "",
        "x.log": "",
        "e/y.log": "",
      },
    });
    const list = async (...scope: string[]) => paths(await walk(repository.root, { scope }));
    assert.deepEqual(await list("a"), ["a/b/c.ts", "a/d.ts"]);
    assert.deepEqual(await list("./a/b/", "ab.ts"), ["a/b/c.ts", "ab.ts"]);
    assert.deepEqual(await list("."), [".gitignore", "a/b/c.ts", "a/d.ts", "ab.ts"]);
    assert.deepEqual(reasons(await walk(repository.root, { scope: ["x.log", "e", "no", "a"] })), {
      "e": "nothing in it that is not ignored",
      "no": "no such file or folder",
      "x.log": "ignored",
    });
    await assert.rejects(list("../x"), /^Error: cannot walk "\.\.\/x": it leads outside/);
  }
});

Deno.test("walk() accepts an empty folder and an empty repository, and refuses what is no folder", async () => {
  for (const plain of [false, true]) {
    await using repository = await makeRepository({ plain });
    const empty = { entries: [], skipped: [], problems: [] };
    assert.deepEqual(await walk(repository.root), empty);
    await repository.write("file", "");
    await assert.rejects(walk(join(repository.root, "file")), /: it is a file; name a folder/);
    await assert.rejects(
      walk(join(repository.root, "no")),
      /: no such file or folder; name a folder/,
    );
  }
});

Deno.test("walk() lists a file with a merge conflict once", async () => {
  await using repository = await makeRepository({ files: { "a.ts": "1" } });
  const commit = async () => {
    await repository.git(["add", "."]);
    await repository.git(["commit", "-qm", "x"]);
  };
  await commit();
  await repository.git(["checkout", "-qb", "other"]);
  await repository.write("a.ts", "2");
  await commit();
  await repository.git(["checkout", "-q", "-"]);
  await repository.write("a.ts", "3");
  await commit();
  await repository.git(["merge", "other"]);
  assert.equal((await repository.git(["ls-files"])).trim(), "a.ts\na.ts\na.ts");
  assert.deepEqual(paths(await walk(repository.root)), ["a.ts"]);
});

Deno.test("walk() runs no program that the repository names, and heeds no variables of a git hook", async () => {
  await using repository = await makeRepository({
    files: { "a.ts": "", "hook.sh": "#!/bin/sh\ntouch ran\n" },
  });
  await Deno.chmod(join(repository.root, "hook.sh"), 0o755);
  await repository.git(["config", "core.fsmonitor", "./hook.sh"]);
  const before = Deno.env.get("GIT_DIR");
  Deno.env.set("GIT_DIR", "/nonexistent");
  try {
    const result = await walk(repository.root);
    assert.deepEqual([paths(result), result.problems], [["a.ts", "hook.sh"], []]);
  } finally {
    if (before === undefined) Deno.env.delete("GIT_DIR");
    else Deno.env.set("GIT_DIR", before);
  }
});

Deno.test("walk() reads the ignore files itself when git is missing or refuses, and reports it", async () => {
  await using repository = await makeRepository({
    files: { ".gitignore": "*.log", "a.ts": "", "x.log": "", "local.ts": "" },
  });
  await Deno.writeTextFile(join(repository.root, ".git/info/exclude"), "local.ts\n");
  const path = Deno.env.get("PATH")!;
  Deno.env.set("PATH", "/nonexistent");
  try {
    const result = await walk(repository.root);
    assert.deepEqual(paths(result), [".gitignore", "a.ts"]);
    assert.deepEqual(result.problems.map((problem) => problem.path), ["."]);
    assert.match(result.problems[0]!.reason, /^git cannot be run: listed without it/);
  } finally {
    Deno.env.set("PATH", path);
  }
  await repository.write(".git/config", "[core]\n\trepositoryformatversion = 99\n");
  const result = await walk(repository.root);
  assert.deepEqual(paths(result), [".gitignore", "a.ts"]);
  assert.match(result.problems[0]!.reason, /^git refused \(.*version.*99.*\): listed without it/i);
});

Deno.test("walk() lists a repository that belongs to somebody else", {
  // Only the administrator can give a file away.
  ignore: Deno.build.os === "windows" || Deno.uid() !== 0,
}, async () => {
  await using repository = await makeRepository({ files: { "a.ts": "" } });
  for (const path of ["", ".git", "a.ts"]) {
    await Deno.chown(join(repository.root, path), 65534, 65534);
  }
  const result = await walk(repository.root);
  assert.deepEqual(paths(result), ["a.ts"]);
  assert.match(result.problems[0]!.reason, /^git refused \(detected dubious ownership/);
});

Deno.test(
  "walk() skips folders that it may not read",
  { ignore: withoutPrivileges === undefined },
  async () => {
    for (const plain of [false, true]) {
      await using repository = await makeRepository({ plain, files: { "a.ts": "", "d/b.ts": "" } });
      const closed = join(repository.root, "d");
      await Deno.chmod(closed, 0);
      const output = await withoutPrivileges!(`
      import { walk } from ${JSON.stringify(import.meta.resolve("../../ingest/walk.ts"))};
      console.log(JSON.stringify(await walk(${JSON.stringify(repository.root)})));
      await walk(${JSON.stringify(closed)}).catch((error) => console.log(error.message));
    `);
      await Deno.chmod(closed, 0o700);
      const [result, refusal] = output.split("\n");
      assert.deepEqual(paths(JSON.parse(result!)), ["a.ts"]);
      assert.deepEqual(reasons(JSON.parse(result!)), { "d/": "permission denied" });
      assert.equal(
        refusal,
        `cannot walk "${closed}": permission denied; name a folder that can be read`,
      );
    }
  },
);

Deno.test("findWorkspace() goes up to the nearest .batos or .git", async () => {
  await using repository = await makeRepository({ files: { "a/b/c.ts": "", "a/.batos/x": "" } });
  const { root } = repository;
  assert.deepEqual(findWorkspace(join(root, "a/b/c.ts")), { root: join(root, "a"), git: true });
  assert.deepEqual(findWorkspace(root), { root, git: true });
  await using plain = await makeRepository({ plain: true, files: { "a/b.md": "" } });
  const folder = join(plain.root, "a");
  assert.deepEqual(findWorkspace(join(folder, "b.md")), { root: folder, git: false });
  assert.deepEqual(findWorkspace(folder), { root: folder, git: false });
});
