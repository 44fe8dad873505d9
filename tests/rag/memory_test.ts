/** Memory over real folders and a real database: what is absorbed is found, what changed is replaced, what is gone is gone. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { readTree, type TreeEvent } from "../../ingest/mod.ts";
import {
  DamagedIndexError,
  type Memory,
  NewerFormatError,
  NotIngestedError,
  openMemory,
} from "../../rag/mod.ts";

type Files = Record<string, string>;

const PROJECT: Files = {
  "README.md": "# Kettle\n\nKettle boils water and keeps it warm until the tea is made.\n",
  "src/boiler.ts":
    '/** Heats water to a temperature. */\nimport { Valve } from "./valve.ts";\n\n/** Boils the water in a vessel. */\nexport class Boiler {\n  readonly valve = new Valve();\n  boilWater(litres: number): number {\n    this.valve.openValve();\n    return litres * 4.2;\n  }\n}\n',
  "src/valve.ts":
    "/** A valve that lets steam out. */\nexport class Valve {\n  openValve(): void {}\n  releaseSteam(): string {\n    return 'hiss';\n  }\n}\n",
  "src/mod.ts": 'export { Boiler } from "./boiler.ts";\nexport * from "./valve.ts";\n',
  "tools/steam.py":
    '"""Measures steam."""\n\n\ndef measure_steam(pressure):\n    """Pressure of the steam in bar."""\n    return pressure * 2\n',
};

function write(folder: string, files: Files): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

async function withWorkspace(
  files: Files,
  work: (folder: string, memory: Memory) => Promise<void> | void,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "batos-memory-"));
  write(folder, files);
  const memory = openMemory(folder);
  try {
    await memory.absorb(readTree(folder, memory.known()));
    await work(folder, memory);
  } finally {
    memory.close();
    rmSync(folder, { recursive: true });
  }
}

/** Reads the whole tree again whatever is known. */
const fresh = (folder: string) => readTree(folder, new Map());

Deno.test("search() finds what a question asks for and shows the text as it stands in the file", async () => {
  await withWorkspace(PROJECT, (_folder, memory) => {
    const [hit] = memory.search("how is water boiled");
    assert.equal(hit!.path, "src/boiler.ts");
    assert.ok(PROJECT["src/boiler.ts"]!.includes(hit!.text));
    assert.equal(hit!.startLine, 1);
  });
});

Deno.test("search() puts the declaration of a symbol first, before those who pass it on", async () => {
  await withWorkspace(PROJECT, (_folder, memory) => {
    assert.deepEqual(memory.search("Valve").map((hit) => hit.path)[0], "src/valve.ts");
    assert.deepEqual(memory.search("measure_steam").map((hit) => hit.path)[0], "tools/steam.py");
  });
});

Deno.test("search() filters before it ranks: scores are those of an index of the rest alone", async () => {
  const others: Files = {};
  for (let at = 0; at < 30; at++) {
    others[`other/steam${at}.ts`] = `export const steam${at} = "steam valve water";\n`;
  }
  await withWorkspace({ ...PROJECT, ...others }, async (_folder, memory) => {
    const filtered = memory.search("steam valve", { path: "src/**" });
    const sources = Object.fromEntries(
      Object.entries(PROJECT).filter(([path]) => path.startsWith("src/")),
    );
    await withWorkspace(sources, (_other, alone) => {
      const expected = alone.search("steam valve");
      assert.ok(expected.length > 0);
      assert.deepEqual(
        filtered.map((hit) => [hit.path, hit.startLine, hit.score.toFixed(6)]),
        expected.map((hit) => [hit.path, hit.startLine, hit.score.toFixed(6)]),
      );
    });
  });
});

Deno.test("search() filters by language, kind and symbol", async () => {
  await withWorkspace(PROJECT, (_folder, memory) => {
    assert.deepEqual(
      new Set(memory.search("steam", { language: "python" }).map((hit) => hit.path)),
      new Set(["tools/steam.py"]),
    );
    for (const hit of memory.search("steam water", { kind: "class" })) {
      assert.equal(hit.nodeType, "class");
    }
    assert.deepEqual(memory.search("steam", { symbol: "Valve" }).map((hit) => hit.path), [
      "src/valve.ts",
    ]);
    assert.deepEqual(memory.search("steam", { path: "no/such/folder" }), []);
  });
});

Deno.test("search() gives one result a file where files are asked for", async () => {
  const long = Array.from(
    { length: 80 },
    (_, at) => `export function pour${at}(cup: string) {\n  return "tea " + cup + ${at};\n}\n`,
  ).join("\n");
  await withWorkspace(
    { "tea.ts": long, "cup.ts": "export const cup = 'tea cup';\n" },
    (_folder, memory) => {
      assert.ok(memory.search("tea cup").filter((hit) => hit.path === "tea.ts").length > 1);
      assert.deepEqual(memory.search("tea cup", { files: true }).map((hit) => hit.path).sort(), [
        "cup.ts",
        "tea.ts",
      ]);
    },
  );
});

Deno.test("a licence and imports at the top of a file do not stand before its code", async () => {
  const licence = Array.from(
    { length: 40 },
    (_, line) => `// Terms of use, clause ${line}: tea groups may be copied under this licence.`,
  ).join("\n");
  const code = Array.from(
    { length: 12 },
    (_, at) => `func pour${at}(cup int) int {\n${"\tcup = cup * 3\n".repeat(30)}\treturn cup\n}\n`,
  ).join("\n");
  await withWorkspace(
    { "tea_groups.go": `${licence}\npackage tea\n\nimport "cups"\n\n${code}` },
    (_folder, memory) => {
      const hits = memory.search("tea groups pour");
      assert.ok(hits.length > 1);
      assert.notEqual(hits[0]!.startLine, 1, hits[0]!.text.slice(0, 80));
      assert.ok(hits.some((hit) => hit.startLine === 1));
    },
  );
});

Deno.test("search() takes any text for a query", async () => {
  await withWorkspace(PROJECT, (_folder, memory) => {
    for (
      const query of [
        "",
        "   ",
        '"',
        "*",
        "NEAR(",
        "a AND (b OR",
        "';--",
        "\u0000",
        "💥",
        "x".repeat(100_000),
      ]
    ) {
      assert.ok(Array.isArray(memory.search(query)), JSON.stringify(query.slice(0, 20)));
    }
    assert.deepEqual(memory.search('"*('), []);
  });
});

Deno.test("a changed file is replaced: old words are gone, new ones are found", async () => {
  await withWorkspace(PROJECT, async (folder, memory) => {
    write(folder, { "src/valve.ts": "export class Spigot {\n  drip(): void {}\n}\n" });
    const report = await memory.absorb(fresh(folder));
    assert.ok(report.changed >= 1);
    assert.deepEqual(memory.search("releaseSteam", { path: "src/valve.ts" }), []);
    assert.equal(memory.search("Spigot")[0]!.path, "src/valve.ts");
    assert.deepEqual(memory.definitions("Valve"), []);
  });
});

Deno.test("a vanished file leaves nothing behind", async () => {
  await withWorkspace(PROJECT, async (folder, memory) => {
    rmSync(join(folder, "tools"), { recursive: true });
    const report = await memory.absorb(readTree(folder, memory.known()));
    assert.equal(report.removed, 1);
    assert.ok(memory.search("measure_steam").every((hit) => hit.path !== "tools/steam.py"));
    assert.equal(memory.file("tools/steam.py"), undefined);
    assert.equal(memory.summary("tools"), undefined);
    assert.deepEqual(memory.definitions("measure_steam"), []);
    for (const table of ["chunk", "definition", "defined_name", "file"]) {
      const column = table === "file" ? "id" : "file";
      const known = memory.store.all("SELECT id FROM file").map((row) => row.id);
      for (const row of memory.store.all(`SELECT ${column} AS id FROM ${table}`)) {
        assert.ok(known.includes(row.id), table);
      }
    }
  });
});

Deno.test("an ingest limited to a folder leaves the rest as it is", async () => {
  await withWorkspace(PROJECT, async (folder, memory) => {
    rmSync(join(folder, "README.md"));
    rmSync(join(folder, "tools"), { recursive: true });
    await memory.absorb(readTree(folder, memory.known(), { scope: ["src"] }), { scope: ["src"] });
    assert.ok(memory.paths().includes("README.md"));
  });
});

Deno.test("nothing changed: nothing is written anew and the fingerprint stays", async () => {
  await withWorkspace(PROJECT, async (folder, memory) => {
    const before = memory.status();
    const report = await memory.absorb(readTree(folder, memory.known()));
    assert.equal(report.changed, 0);
    assert.equal(memory.status().fingerprint, before.fingerprint);
  });
});

Deno.test("however a tree came to be, its index is that of a rebuild, and searches rank alike", async () => {
  const text = fc.array(
    fc.constantFrom(
      "export function pour() {}",
      "const steam = 1;",
      'import { x } from "./b.ts";',
      "// boil the water",
      "export class Cup { fill() {} }",
    ),
    { maxLength: 6 },
  ).map((lines) => lines.join("\n") + "\n");
  const step = fc.dictionary(
    fc.constantFrom("a.ts", "b.ts", "in/c.ts", "in/d.md", "in/deep/e.py"),
    fc.option(text),
    { maxKeys: 4 },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), async (steps) => {
      await withWorkspace({ "start.ts": "export const start = 1;\n" }, async (folder, memory) => {
        for (const changes of steps) {
          for (const [path, body] of Object.entries(changes)) {
            if (body === null) rmSync(join(folder, path), { force: true });
            else write(folder, { [path]: body });
          }
          await memory.absorb(fresh(folder));
        }
        const results = (one: Memory) =>
          ["steam water", "Cup", "pour"].map((query) =>
            one.search(query).map((hit) => [hit.path, hit.startLine, hit.score.toFixed(6)])
          );
        const state = memory.status().fingerprint;
        const found = results(memory);
        memory.store.clear();
        await memory.absorb(fresh(folder));
        assert.equal(memory.status().fingerprint, state);
        assert.deepEqual(results(memory), found);
      });
    }),
    { numRuns: 25 },
  );
});

Deno.test("a run that is stopped half way keeps whole files, and the next run ends as if it had not been", async () => {
  const files: Files = {};
  for (let at = 0; at < 40; at++) {
    files[`src/part${at}.ts`] = `export function part${at}() {\n  return ${at};\n}\n`;
  }
  await withWorkspace(files, async (folder, memory) => {
    const expected = memory.status().fingerprint;
    memory.store.clear();
    async function* broken(): AsyncGenerator<TreeEvent> {
      let seen = 0;
      for await (const event of fresh(folder)) {
        if (seen++ > 25) throw new Error("power cut");
        yield event;
      }
    }
    await assert.rejects(memory.absorb(broken(), { batchCharacters: 200 }), /power cut/);
    const half = memory.paths();
    assert.ok(half.length > 0 && half.length < 40);
    for (const path of half) assert.equal(memory.file(path)!.text, files[path]);
    await memory.absorb(readTree(folder, memory.known()));
    assert.equal(memory.status().fingerprint, expected);
  });
});

Deno.test("a stopped run leaves edges and folder summaries to the next one even when no file changed since", async () => {
  await withWorkspace(PROJECT, async (folder, memory) => {
    const expected = memory.status();
    memory.store.clear();
    async function* stopsAtTheEnd(): AsyncGenerator<TreeEvent> {
      yield* fresh(folder);
      throw new Error("power cut");
    }
    await assert.rejects(memory.absorb(stopsAtTheEnd(), { batchCharacters: 1 }), /power cut/);
    await memory.absorb(readTree(folder, memory.known()));
    assert.equal(memory.status().fingerprint, expected.fingerprint);
    assert.equal(memory.status().edges, expected.edges);
  });
});

Deno.test("storing in a thread of its own leaves the same index", async () => {
  const files: Files = { ...PROJECT };
  for (let at = 0; at < 300; at++) {
    files[`many/part${at}.ts`] = `export function part${at}() {\n  return "${
      "steam ".repeat(300)
    }";\n}\n`;
  }
  await withWorkspace(files, async (folder, memory) => {
    const expected = memory.status();
    memory.store.clear();
    const report = await memory.absorb(fresh(folder), { threadFrom: 0, batchCharacters: 200_000 });
    assert.equal(report.changed, Object.keys(files).length);
    assert.equal(memory.status().fingerprint, expected.fingerprint);
    assert.equal(memory.status().edges, expected.edges);
    assert.equal(memory.search("part17")[0]!.path, "many/part17.ts");
  });
});

Deno.test("an ingest that is stopped leaves whole batches, its thread too", async () => {
  const files: Files = {};
  for (let at = 0; at < 60; at++) {
    files[`part${at}.ts`] = `// ${"steam ".repeat(2_000)}\nexport const part${at} = 1;\n`;
  }
  await withWorkspace(files, async (folder, memory) => {
    const expected = memory.status().fingerprint;
    memory.store.clear();
    const stopped = async function* (): AsyncGenerator<TreeEvent> {
      let seen = 0;
      for await (const event of fresh(folder)) {
        if (seen++ > 50) throw new Error("power cut");
        yield event;
      }
    };
    await assert.rejects(
      memory.absorb(stopped(), { threadFrom: 0, batchCharacters: 100_000 }),
      /power cut/,
    );
    const half = memory.paths();
    assert.ok(half.length > 0 && half.length < 60);
    for (const path of half) assert.equal(memory.file(path)!.text, files[path]);
    await memory.absorb(readTree(folder, memory.known()));
    assert.equal(memory.status().fingerprint, expected);
  });
});

Deno.test("what goes wrong in the storing thread ends the ingest with its reason", async () => {
  const files: Files = {};
  for (let at = 0; at < 40; at++) files[`part${at}.ts`] = `// ${"steam ".repeat(2_000)}\n`;
  await withWorkspace(files, async (folder, memory) => {
    memory.store.clear();
    memory.store.database.exec("DROP TABLE posting");
    await assert.rejects(
      memory.absorb(fresh(folder), { threadFrom: 0, batchCharacters: 50_000 }),
      /posting/,
    );
  });
});

Deno.test("a reader never sees half a batch, and sees the whole of it after the commit", async () => {
  await withWorkspace(PROJECT, async (folder, memory) => {
    const reader = openMemory(folder, { readOnly: true });
    try {
      write(folder, {
        "src/new.ts": "export const spigot = 1;\n",
        "src/valve.ts": "export const gone = 1;\n",
      });
      const watched = async function* (): AsyncGenerator<TreeEvent> {
        for await (const event of fresh(folder)) {
          assert.deepEqual(reader.search("spigot"), []);
          assert.equal(reader.search("releaseSteam")[0]!.path, "src/valve.ts");
          yield event;
        }
      };
      await memory.absorb(watched());
      assert.equal(reader.search("spigot")[0]!.path, "src/new.ts");
      assert.deepEqual(reader.search("hiss"), []);
    } finally {
      reader.close();
    }
  });
});

Deno.test("many small ingests end in few segments", async () => {
  await withWorkspace(PROJECT, async (folder, memory) => {
    for (let at = 0; at < 30; at++) {
      write(folder, { [`src/extra${at}.ts`]: `export const extra${at} = "steam";\n` });
      await memory.absorb(readTree(folder, memory.known()));
    }
    assert.ok(memory.store.segments.all().length < 10);
    assert.equal(memory.search("extra17")[0]!.path, "src/extra17.ts");
  });
});

Deno.test("outline() and definitions() give signature and doc comment from the stored text", async () => {
  await withWorkspace(PROJECT, (_folder, memory) => {
    const boiler = memory.outline("src/boiler.ts").find((entry) => entry.name === "Boiler")!;
    assert.equal(boiler.doc, "Boils the water in a vessel.");
    assert.match(boiler.signature, /class Boiler/);
    assert.ok(boiler.exported);
    const [python] = memory.definitions("measure_steam");
    assert.equal(python!.doc, "Pressure of the steam in bar.");
    assert.match(python!.signature, /def measure_steam\(pressure\)/);
  });
});

Deno.test("summaries describe files, folders and the workspace, and are searched as level one", async () => {
  await withWorkspace(PROJECT, (_folder, memory) => {
    assert.match(memory.summary("src/boiler.ts")!.text, /Heats water to a temperature/);
    assert.match(memory.summary("src/boiler.ts")!.text, /Defines: Boiler/);
    assert.match(memory.summary("src")!.text, /boiler\.ts: Heats water/);
    assert.equal(memory.summary("")!.level, "workspace");
    assert.match(memory.summary("")!.text, /Kettle boils water/);
    assert.deepEqual(memory.children("").map((child) => child.path), ["README.md", "src", "tools"]);
    assert.equal(memory.summaries("measures steam pressure")[0]!.path, "tools/steam.py");
    assert.ok(
      memory.summaries("steam", { path: "src" }).every((one) => one.path.startsWith("src/")),
    );
  });
});

Deno.test("openMemory() says what is missing, newer or damaged, and what to do", async () => {
  await withWorkspace(PROJECT, async (folder, memory) => {
    memory.close();
    const path = join(folder, ".batos", "image.db");
    assert.throws(() => openMemory(join(folder, "src"), { readOnly: true }), NotIngestedError);
    const database = new DatabaseSync(path);
    database.exec("PRAGMA user_version = 999");
    database.close();
    assert.throws(
      () => openMemory(folder),
      (error: Error) => error instanceof NewerFormatError && /format 999/.test(error.message),
    );
    rmSync(path);
    for (const suffix of ["-wal", "-shm"]) rmSync(path + suffix, { force: true });
    writeFileSync(path, "this is no database, but long enough to look at ".repeat(40));
    assert.throws(
      () => openMemory(folder),
      (error: Error) => error instanceof DamagedIndexError && /--rebuild/.test(error.message),
    );
    const again = openMemory(folder, { rebuild: true });
    await again.absorb(readTree(folder, again.known()));
    assert.equal(again.search("boilWater")[0]!.path, "src/boiler.ts");
    again.close();
    // The damaged file is kept for whoever wants to save something from it.
    assert.ok(readdirSync(join(folder, ".batos")).some((name) => name.includes("damaged")));
    memory.store.database.open();
  });
});

Deno.test("the state folder ignores itself", async () => {
  await withWorkspace(PROJECT, (folder) => {
    assert.ok(existsSync(join(folder, ".batos", ".gitignore")));
  });
});

Deno.test("an index gives room back when much of it goes", async () => {
  const many = Object.fromEntries(
    Array.from({ length: 60 }, (_, at) => [
      `src/part${at}.ts`,
      Array.from({ length: 60 }, (_, n) => `export const value${at}_${n} = "${at * n * 7919}";\n`)
        .join(""),
    ]),
  );
  await withWorkspace(many, async (folder, memory) => {
    const whole = memory.store.bytes();
    const fingerprint = memory.status().fingerprint;
    for (let at = 1; at < 60; at++) rmSync(join(folder, `src/part${at}.ts`));
    const reader = openMemory(folder, { readOnly: true });
    reader.store.snapshot(() => {
      reader.paths();
    });
    await memory.absorb(readTree(folder, memory.known()));
    assert.deepEqual(reader.paths(), ["src/part0.ts"]);
    reader.close();
    assert.ok(memory.store.bytes() < whole / 2, `${memory.store.bytes()} of ${whole} bytes`);
    write(folder, many);
    await memory.absorb(readTree(folder, memory.known()));
    assert.equal(memory.status().fingerprint, fingerprint);
  });
});

Deno.test("room that cannot be given back while somebody else writes stays, without an error", async () => {
  await withWorkspace(PROJECT, (_folder, memory) => {
    const free = () => Number(memory.store.get("PRAGMA freelist_count")!.freelist_count);
    memory.store.database.exec("CREATE TABLE filler(data)");
    memory.store.run("INSERT INTO filler VALUES (zeroblob(1000000))");
    memory.store.database.exec("DROP TABLE filler");
    const before = free();
    const other = new DatabaseSync(memory.store.path);
    other.exec("BEGIN IMMEDIATE");
    memory.store.giveBackRoom();
    assert.equal(free(), before);
    other.exec("ROLLBACK");
    other.close();
    memory.store.giveBackRoom();
    assert.deepEqual([before > 200, free()], [true, 0]);
    assert.equal(memory.search("boilWater")[0]!.path, "src/boiler.ts");
  });
});

Deno.test("an index in the tables of an earlier version is made again", async () => {
  await withWorkspace(PROJECT, async (folder, memory) => {
    const { fingerprint } = memory.status();
    memory.close();
    const database = new DatabaseSync(join(folder, ".batos", "image.db"));
    database.exec(`
      DROP TABLE definition; DROP TABLE defined_name;
      CREATE TABLE definition(file INTEGER NOT NULL, ordinal INTEGER NOT NULL, name TEXT NOT NULL,
        PRIMARY KEY(file, ordinal)) WITHOUT ROWID;
      CREATE INDEX definition_name ON definition(name);
      INSERT INTO definition SELECT id, 0, path FROM file;
      UPDATE meta SET value = '7' WHERE key = 'content';`);
    database.close();
    assert.throws(() => openMemory(folder, { readOnly: true }), NotIngestedError);
    using again = openMemory(folder);
    assert.deepEqual(again.paths(), []);
    await again.absorb(readTree(folder, again.known()));
    assert.equal(again.status().fingerprint, fingerprint);
    assert.equal(again.definitions("Boiler")[0]!.path, "src/boiler.ts");
    memory.store.database.open();
  });
});

Deno.test("an index of a version to come, with other columns in tables of the same names, is made again", async () => {
  await withWorkspace(PROJECT, async (folder, memory) => {
    const { fingerprint } = memory.status();
    memory.close();
    const database = new DatabaseSync(join(folder, ".batos", "image.db"));
    database.exec(`
      DROP TABLE posting;
      CREATE TABLE posting(words TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
      UPDATE meta SET value = '1000' WHERE key = 'content';`);
    database.close();
    assert.throws(() => openMemory(folder, { readOnly: true }), NotIngestedError);
    using again = openMemory(folder);
    await again.absorb(readTree(folder, again.known()));
    assert.equal(again.status().fingerprint, fingerprint);
    memory.store.database.open();
  });
});

Deno.test("the modules that a chunk uses come back, from files that import more than a byte can count too", async () => {
  const modules = Array.from({ length: 300 }, (_, at) => `m${at}`);
  const text = modules.map((name) => `import { ${name} } from "./lib/${name}.ts";\n`).join("") +
    "\nexport function last(): void {\n  m299();\n}\n";
  const few = 'import { a } from "./a.ts";\nimport { b } from "./b.ts";\n\nexport const sum = b;\n';
  await withWorkspace({ "many.ts": text, "few.ts": few }, (_folder, memory) => {
    const used = (path: string) =>
      memory.chunks(path).map(({ oid }) => memory.store.dependenciesOf(memory.store.chunk(oid)!));
    assert.ok(used("many.ts").at(-1)!.includes("./lib/m299.ts"));
    assert.ok(used("few.ts").at(-1)!.includes("./b.ts"));
    const all = used("many.ts").flat();
    assert.deepEqual(new Set(all), new Set(modules.map((name) => `./lib/${name}.ts`)));
  });
});
