/** Behaviour of `packages.ts`, `archive.ts`, `licences.ts` and `pin.ts` in `rag/train/`, and the pinned list itself. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { readArchive } from "../../../rag/train/archive.ts";
import { permissiveLicence } from "../../../rag/train/licences.ts";
import {
  archiveName,
  configuredMirror,
  fetchPackage,
  fetchPackages,
  formatPackages,
  hashOf,
  inOrder,
  readPackages,
  sourceFiles,
  type TrainingFile,
  type TrainingPackage,
} from "../../../rag/train/packages.ts";
import { findOverlaps, isOfBenchmark, pin } from "../../../rag/train/pin.ts";

type Files = readonly (readonly [path: string, content: string | Uint8Array])[];

/** A temporary folder that goes with its scope. */
class Folder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "batos-packages-"));

  write(name: string, bytes: Uint8Array | string): string {
    const path = join(this.path, name);
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, bytes);
    return path;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** A tar archive; a path that does not fit into a header gets a pax header, or GNU's. */
function tar(files: Files, long: "pax" | "gnu" = "pax"): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [path, content] of files) {
    const name = Buffer.from(path);
    if (name.length > 100) {
      if (long === "gnu") parts.push(member("././@LongLink", Buffer.from(`${path}\0`), "L"));
      else parts.push(member("pax", Buffer.from(paxRecord("path", path)), "x"));
    }
    parts.push(member(name.subarray(0, 100), Buffer.from(content as string), "0"));
  }
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

function member(name: string | Uint8Array, content: Uint8Array, kind: string): Uint8Array {
  const header = Buffer.alloc(512);
  Buffer.from(name as string).copy(header, 0);
  header.write("0000644\0", 100);
  header.write(`${content.length.toString(8).padStart(11, "0")}\0`, 124);
  header.write(kind, 156);
  header.write("ustar\0" + "00", 257);
  return Buffer.concat([header, content, Buffer.alloc((512 - content.length % 512) % 512)]);
}

function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const bytes = Buffer.byteLength(rest);
  let length = bytes + 1;
  while (`${length}`.length + bytes !== length) length = `${length}`.length + bytes;
  return `${length}${rest}`;
}

function deb(data: Uint8Array, ending: string): Uint8Array {
  const parts: Uint8Array[] = [Buffer.from("!<arch>\n")];
  for (
    const [name, content] of [
      ["debian-binary", Buffer.from("2.0\n")],
      ["control.tar.gz", Buffer.from("odd")],
      [`data.tar${ending}`, data],
    ] as const
  ) {
    const header = `${name.padEnd(16)}${"0".padEnd(12)}${"0".padEnd(6)}${"0".padEnd(6)}${
      "100644".padEnd(8)
    }${`${content.length}`.padEnd(10)}\`\n`;
    parts.push(Buffer.from(header), content);
    if (content.length % 2) parts.push(Buffer.from("\n"));
  }
  return Buffer.concat(parts);
}

const tgz = (files: Files) => gzipSync(tar(files.map(([path, text]) => [`package/${path}`, text])));

const NPM: TrainingPackage = {
  source: "npm",
  name: "tiny",
  version: "1.0.0",
  hash: "",
  licence: "MIT",
};
const DEBIAN: TrainingPackage = {
  source: "debian",
  name: "python3-tiny",
  version: "1.0-1",
  hash: "",
  licence: "MIT",
  path: "pool/main/t/tiny/python3-tiny_1.0-1+b1_all.deb",
};

async function sources(
  archive: string,
  pkg: TrainingPackage,
  seen?: Set<string>,
): Promise<TrainingFile[]> {
  return await Array.fromAsync(sourceFiles(archive, pkg, seen));
}

/** Paths of the sources in an npm package with these files. */
async function paths(files: Files, exclude?: string[]): Promise<string[]> {
  using folder = new Folder();
  const archive = folder.write("a.tgz", tgz(files));
  return (await sources(archive, { ...NPM, exclude })).map((file) => file.path);
}

const CODE = (name: string) => `/** Says ${name}. */\nexport function ${name}() {}\n`;

Deno.test("readArchive() gives the files of tar archives as they went in", async () => {
  using folder = new Folder();
  const name = fc.stringMatching(/^[a-zé]{1,30}(?:\/[a-z0-9.]{1,60}[a-z]){0,4}$/);
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.tuple(name, fc.uint8Array({ maxLength: 1500 })), {
        selector: ([path]) => path,
        maxLength: 5,
      }),
      fc.constantFrom("pax" as const, "gnu" as const),
      fc.constantFrom(gzipSync, zstdCompressSync),
      async (files, long, pack) => {
        const archive = folder.write("a.tar", pack(tar(files, long)));
        const found = (await readArchive(archive)).map(({ path, bytes }) => [path, [...bytes]]);
        assert.deepEqual(found, files.map(([path, bytes]) => [path, [...bytes]]));
      },
    ),
    { numRuns: 60 },
  );
});

/** `./usr/lib/python3/dist-packages/tiny/voice.py` in a tar archive, packed by xz. */
const XZ =
  `/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM4Cf/APNdABcLyyeJ8uv7sv6J4fnJCB0cKx5/hk24Hs3vQBOLFClofvFujR
aKjYgL01gSfZmWALxXcoQqwEWqNyi9J7Nr0UaBqcFRpYSLdBu0kOKLLPlbbbVaY6gFfbeJ5AdvYqL3dy2qkCdjCkMq
tVa5JoYkyzRLDgWAlT4b0gVhUAozk1dV0Ejf0c9++P42DmhT1FQGb+rSN51gkz9yVv5YGy8rbTff8DoivXffy9BfG5
qiLHn2jrgtS1wL/rBHTViSMbsf1l4J/k6w/bAlnYczXVciyU9THRrQh6t8inmAPFBCplZLEYd9Q5a/R2qVNjBbBVtz
TRIuAAAAPTWNP/3ETBMAAY8CgFAAADu5ltexxGf7AgAAAAAEWVo=`;
const VOICE =
  `def shout(word):\n    """Say a word in capital letters."""\n    return word.upper()\n`;

Deno.test("readArchive() reads a Debian package, however its data are packed", async () => {
  using folder = new Folder();
  const path = "usr/lib/python3/dist-packages/tiny/voice.py";
  const plain = tar([[`./${path}`, VOICE]]);
  const packed = {
    ".gz": gzipSync(plain),
    ".zst": zstdCompressSync(plain),
    ".xz": Buffer.from(XZ, "base64"),
    "": plain,
  };
  for (const [ending, data] of Object.entries(packed)) {
    const [file, ...others] = await readArchive(folder.write("a.deb", deb(data, ending)));
    assert.equal(others.length, 0, ending);
    assert.equal(file?.path, path, ending);
    assert.equal(new TextDecoder().decode(file?.bytes), VOICE, ending);
  }
});

Deno.test("readArchive() names the archive that is damaged or of another kind", async () => {
  using folder = new Folder();
  const whole = tar([["a.ts", CODE("hello").repeat(50)]]);
  const bad: [Uint8Array, RegExp][] = [
    [gzipSync(whole.subarray(0, 700)), /cut short/],
    [gzipSync(whole).subarray(0, 60), /unexpected end of file/],
    [deb(gzipSync(whole), ".gz").subarray(0, 200), /cut short/],
    [deb(gzipSync(whole), ".bz2").fill(0, 200), /incorrect|invalid|unknown/],
    [Buffer.from(XZ, "base64").subarray(0, 200), /a\.bin/],
    [Buffer.from("not an archive"), /unknown way, expected gzip, xz or zstd/],
    [Buffer.from("!<arch>\n"), /no member "data\.tar"/],
  ];
  for (const [bytes, reason] of bad) {
    const archive = folder.write("a.bin", bytes);
    await assert.rejects(readArchive(archive), (error: Error) => {
      assert.ok(error.message.startsWith(`cannot read the archive "${archive}": `), error.message);
      assert.match(error.message, reason);
      return true;
    });
  }
});

Deno.test("sourceFiles() takes what a person wrote, in the order of the paths", async () => {
  assert.deepEqual(
    await paths([
      ["src/z.ts", CODE("z")],
      ["src/a.ts", CODE("a")],
      ["src/B.vue", `<script>\n${CODE("b")}</script>\n`],
      ["README.md", "# Tiny\n\nSays things out loud.\n"],
      ["bin/tiny", "#!/usr/bin/env node\nconsole.log('say it');\n"],
      ["LICENSE", "MIT"],
      ["CHANGELOG.md", "# 1.0.0\n\nIt says things now.\n"],
      ["package.json", "{}"],
      ["logo.png", new Uint8Array([137, 80, 78, 71])],
      ["src/latin.ts", new Uint8Array([...Buffer.from(CODE("latin")), 0xe9])],
      ["src/empty.ts", "\n"],
    ]),
    ["README.md", "bin/tiny", "src/B.vue", "src/a.ts", "src/z.ts"],
  );
});

Deno.test("sourceFiles() leaves out what was compiled, copied, generated or made for tests to read", async () => {
  assert.deepEqual(
    await paths([
      ["src/kept.ts", CODE("kept")],
      ["src/copy.ts", CODE("kept")],
      ["src/both.ts", CODE("both")],
      ["src/both.js", CODE("bothCompiled")],
      ["src/both.d.ts", CODE("bothDeclared")],
      ["src/only.d.ts", CODE("only")],
      ["src/kept.test.ts", CODE("test")],
      ["lib/kept.js", CODE("compiled")],
      ["esm/kept.mjs", CODE("compiledToo")],
      ["dist/kept.js", CODE("bundled")],
      ["src/vendor/other.ts", CODE("other")],
      ["node_modules/other/index.js", CODE("another")],
      ["test/fixtures/input.ts", CODE("input")],
      ["src/min.min.js", CODE("small")],
      ["src/long.js", `${CODE("long")}export const data = [${'"word",'.repeat(400)}];\n`],
      ["src/table.ts", `export const TABLE = [\n${"  0x10ffff, 0x110000,\n".repeat(200)}];\n`],
      ["src/made.ts", `// Code generated by maker. DO NOT EDIT.\n${CODE("made")}`],
      ["src/head.ts", `/* This file was automatically generated from a table */\n${CODE("head")}`],
      ["src/about.ts", `// Reads the code that is generated by maker.\n${CODE("about")}`],
      ["src/mapped.js", `${CODE("mapped")}//# sourceMappingURL=mapped.js.map\n`],
      ["src/big.ts", CODE("big").repeat(10_000)],
    ]),
    ["src/about.ts", "src/both.ts", "src/copy.ts", "src/kept.test.ts", "src/only.d.ts"],
  );
});

Deno.test("sourceFiles() takes compiled folders where they hold the only sources", async () => {
  assert.deepEqual(
    await paths([
      ["lib/a.js", CODE("a")],
      ["src/native.cc", "int add(int one, int other) { return one + other; }\n"],
    ]),
    ["lib/a.js", "src/native.cc"],
  );
});

Deno.test("sourceFiles() leaves out excluded paths, and texts that another package had", async () => {
  const files: Files = [["src/a.ts", CODE("a")], ["src/deep/b.ts", CODE("b")]];
  assert.deepEqual(await paths(files, ["src/deep/**"]), ["src/a.ts"]);
  using folder = new Folder();
  const first = folder.write("a.tgz", tgz(files));
  const second = folder.write("b.tgz", tgz([...files, ["src/c.ts", CODE("c")]]));
  const seen = new Set<string>();
  assert.equal((await sources(first, NPM, seen)).length, 2);
  assert.deepEqual((await sources(second, NPM, seen)).map((file) => file.path), ["src/c.ts"]);
});

Deno.test("sourceFiles() takes no more than 4 MB of a package, from everywhere in it", async () => {
  const words = "public words about routes and their handlers\n";
  const files = Array.from({ length: 50 }, (_, at): [string, string] => [
    `src/${String.fromCharCode(97 + at % 26)}/${at}.ts`,
    `// ${at}\n${`// ${words}`.repeat(4_000)}`,
  ]);
  using folder = new Folder();
  const archive = folder.write("a.tgz", tgz(files));
  const taken = await sources(archive, NPM);
  const bytes = taken.reduce((sum, file) => sum + file.text.length, 0);
  assert.ok(bytes <= 4_000_000 && bytes > 3_500_000, `${bytes}`);
  assert.ok(taken.some((file) => file.path.startsWith("src/x/")));
  assert.deepEqual(await sources(archive, NPM), taken);
});

Deno.test("sourceFiles() names the files of a Debian package as their own repository does", async () => {
  using folder = new Folder();
  const archive = folder.write(
    "a.deb",
    deb(
      gzipSync(tar([
        ["./usr/lib/python3/dist-packages/tiny/voice.py", VOICE],
        [
          "./usr/share/gocode/src/example.org/someone/voice/say.go",
          "package voice\n\nfunc Say() {}\n",
        ],
        ["./usr/share/cargo/registry/voice-1.0.0/src/lib.rs", "/// Says it.\npub fn say() {}\n"],
        ["./usr/share/doc/python3-tiny/README.md.gz", gzipSync("# Tiny\n\nSays things.\n")],
        ["./usr/share/doc/python3-tiny/copyright", "who\n"],
      ])),
      ".gz",
    ),
  );
  assert.deepEqual((await sources(archive, DEBIAN)).map((file) => file.path), [
    "README.md",
    "src/lib.rs",
    "tiny/voice.py",
    "voice/say.go",
  ]);
});

/** Answers the paths of a Debian mirror, and of an npm registry with one package. */
class Server implements AsyncDisposable {
  readonly asked: string[] = [];
  readonly #http: Deno.HttpServer<Deno.NetAddr>;

  constructor(files: Record<string, Uint8Array>) {
    this.#http = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
      const path = decodeURIComponent(new URL(request.url).pathname).slice(1);
      this.asked.push(path);
      if (path === "tiny") return Response.json(this.#manifest(files["tiny/-/tiny-1.0.0.tgz"]!));
      const found = files[path];
      return found
        ? new Response(found as Uint8Array<ArrayBuffer>)
        : new Response("no", { status: 404 });
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#http.addr.port}`;
  }

  #manifest(tarball: Uint8Array) {
    const dist = {
      tarball: `${this.url}/tiny/-/tiny-1.0.0.tgz`,
      integrity: hashOf("npm", tarball),
    };
    return {
      name: "tiny",
      "dist-tags": { latest: "1.0.0" },
      versions: { "1.0.0": { name: "tiny", version: "1.0.0", dist } },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http.shutdown();
  }
}

Deno.test("fetchPackage() fetches once, and again what was damaged", async () => {
  using folder = new Folder();
  const archive = deb(Buffer.from(XZ, "base64"), ".xz");
  const pkg = { ...DEBIAN, hash: hashOf("debian", archive) };
  await using server = new Server({ [pkg.path!]: archive });
  const mirror = `${server.url}/`;
  const path = await fetchPackage(pkg, folder.path, { mirror });
  assert.deepEqual(readFileSync(path), Buffer.from(archive));
  assert.equal(await fetchPackage(pkg, folder.path, { mirror }), path);
  assert.deepEqual(server.asked, [pkg.path]);
  writeFileSync(path, archive.subarray(0, 100));
  await fetchPackage(pkg, folder.path, { mirror });
  assert.deepEqual(readFileSync(path), Buffer.from(archive));
  assert.deepEqual(readdirSync(folder.path), [archiveName(pkg)]);
});

Deno.test("fetchPackage() refuses an archive of another hash, naming both, and keeps nothing", async () => {
  using folder = new Folder();
  const wrong = Buffer.from("something else");
  const pkg = { ...DEBIAN, hash: "0".repeat(64) };
  await using server = new Server({ [pkg.path!]: wrong });
  await assert.rejects(fetchPackage(pkg, folder.path, { mirror: server.url }), {
    message: `cannot use "python3-tiny" 1.0-1: the archive has the hash "${
      hashOf("debian", wrong)
    }", "${pkg.hash}" is pinned`,
  });
  const missing = { ...pkg, path: "pool/main/t/tiny/gone.deb" };
  await assert.rejects(fetchPackage(missing, folder.path, { mirror: server.url }), {
    message:
      /^cannot fetch "pool\/main\/t\/tiny\/gone\.deb": the mirror answered 404, expected 200/,
  });
  assert.deepEqual(readdirSync(folder.path), []);
});

Deno.test("fetchPackages() keeps the order, tells of each, and ends with the first failure or a signal", async () => {
  using folder = new Folder();
  const archives = Array.from({ length: 9 }, (_, at) => Buffer.from(`archive ${at}`));
  const packages = archives.map((bytes, at): TrainingPackage => ({
    ...DEBIAN,
    name: `p${at}`,
    path: `pool/${at}.deb`,
    hash: hashOf("debian", bytes),
  }));
  await using server = new Server(
    Object.fromEntries(archives.map((bytes, at) => [`pool/${at}.deb`, bytes])),
  );
  const told: number[] = [];
  const found = await fetchPackages(packages, folder.path, {
    mirror: server.url,
    onProgress: (done, all) => told.push(done / all),
  });
  assert.deepEqual(found.map((path) => readFileSync(path, "utf8")), archives.map(String));
  assert.deepEqual(told, packages.map((_, at) => (at + 1) / 9));

  const gone = { ...packages[0]!, path: "pool/gone.deb" };
  await assert.rejects(
    fetchPackages([gone, ...packages], folder.path, { mirror: server.url }),
    /the mirror answered 404/,
  );
  await assert.rejects(
    fetchPackages(packages, folder.path, { signal: AbortSignal.abort() }),
    { name: "AbortError" },
  );
});

Deno.test("configuredMirror() reads both forms of apt's configuration", () => {
  using folder = new Folder();
  assert.throws(() => configuredMirror(folder.path), /names none; give one with --mirror$/);
  folder.write("sources.list.d/b.sources", "Types: deb\nURIs: http://b.invalid/debian\n");
  assert.equal(configuredMirror(folder.path), "http://b.invalid/debian");
  folder.write(
    "sources.list.d/a.list",
    "# no\ndeb [arch=amd64 signed-by=x] http://a.invalid/d x main\n",
  );
  assert.equal(configuredMirror(folder.path), "http://a.invalid/d");
  folder.write("sources.list", "deb http://own.invalid/debian stable main\n");
  assert.equal(configuredMirror(folder.path), "http://own.invalid/debian");
});

Deno.test("pin() makes an entry that fetchPackage() then finds in the cache", async () => {
  const manifest = JSON.stringify({ name: "tiny", version: "1.0.0", license: "(MIT OR GPL-3.0)" });
  const archive = tgz([["package.json", manifest], ["LICENSE", "MIT"], ["index.js", CODE("say")]]);
  await using server = new Server({ "tiny/-/tiny-1.0.0.tgz": archive });
  using folder = new Folder();
  const before = { ...process.env };
  process.env.npm_config_registry = server.url;
  process.env.npm_config_cache = join(folder.path, "npm");
  try {
    const cache = join(folder.path, "cache");
    const pinned = await pin("npm:tiny", cache, { exclude: ["test/**"] });
    assert.deepEqual(pinned, { ...NPM, hash: hashOf("npm", archive), exclude: ["test/**"] });
    const asked = server.asked.length;
    assert.deepEqual(readFileSync(await fetchPackage(pinned, cache)), archive);
    assert.equal(server.asked.length, asked);
    const other = join(folder.path, "other");
    await assert.rejects(
      fetchPackage({ ...pinned, hash: "sha512-other" }, other),
      /^Error: cannot use "tiny" 1\.0\.0: the archive has the hash "sha512-.+", "sha512-other" is pinned$/,
    );
    await assert.rejects(pin("npm:missing", cache), /^Error: cannot fetch "missing": npm/);
  } finally {
    for (const name of ["npm_config_registry", "npm_config_cache"]) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  }
});

Deno.test("pin() refuses what is no name, and what is of the benchmark", async () => {
  await assert.rejects(pin("koa"), /^Error: cannot pin "koa": expected "npm:NAME"/);
  await assert.rejects(pin("npm:express"), /the benchmark is measured on it/);
});

Deno.test("isOfBenchmark() knows the benchmark's repositories under their names in registries", () => {
  for (
    const name of [
      "axios",
      "axios-mock-adapter",
      "@types/express",
      "@trpc/server",
      "zod-to-json-schema",
      "python3-flask",
      "python3-flask-login",
      "python3-requests",
      "requests-html",
      "python3-httpx",
      "golang-github-go-chi-chi-dev",
      "golang-github-gin-gonic-gin-dev",
      "librust-axum-dev",
      "librust-axum-core-dev",
      "libgoogle-gson-java",
      "@tanstack/zod-adapter",
    ]
  ) assert.ok(isOfBenchmark(name), name);
  for (
    const name of [
      "koa",
      "httpcore",
      "python3-starlette",
      "chinese",
      "engine",
      "librust-reqwest-dev",
    ]
  ) assert.ok(!isOfBenchmark(name), name);
});

Deno.test("findOverlaps() finds copies of a tree, and not the licence that both begin with", async () => {
  using folder = new Folder();
  const notice = Array.from(
    { length: 9 },
    (_, at) => `// Line ${at} of a copyright notice that very many files have\n`,
  ).join("");
  const line = (word: string) => `export const ${word} = "a line of more than forty characters";\n`;
  const theirs = ["one", "two", "three"].map(line).join("");
  folder.write("tree/lib/a.ts", notice + theirs);
  folder.write("tree/node_modules/x/b.ts", line("other"));
  const archive = folder.write(
    "a.tgz",
    tgz([
      ["src/copy.ts", theirs + line("other")],
      ["src/quarter.ts", line("one") + ["x", "y", "z"].map(line).join("")],
      ["src/notice.ts", notice + line("own")],
    ]),
  );
  const found = await Array.fromAsync(
    findOverlaps([NPM], [archive], [join(folder.path, "tree")]),
    ({ path, tree, share }) => [path, tree, share],
  );
  assert.deepEqual(found, [["src/copy.ts", "tree", 0.75]]);
});

Deno.test("packages.json is sorted, pinned, permissive and without the benchmark", () => {
  const packages = readPackages();
  const text = readFileSync(new URL("../../../rag/train/packages.json", import.meta.url), "utf8");
  assert.equal(text, formatPackages(packages), "expected as formatPackages() writes it");
  assert.ok(packages.length >= 400, `${packages.length}`);
  for (const [at, pkg] of packages.entries()) {
    const before = packages[at - 1];
    assert.ok(!before || inOrder(before, pkg) < 0, `${pkg.name} is out of order, or twice there`);
    assert.equal(permissiveLicence(pkg.licence), pkg.licence, pkg.name);
    assert.ok(!isOfBenchmark(pkg.name), pkg.name);
    assert.match(
      pkg.hash,
      pkg.source === "npm" ? /^sha512-[A-Za-z0-9+/]{86}==$/ : /^[0-9a-f]{64}$/,
      pkg.name,
    );
    if (pkg.source === "debian") assert.match(pkg.path ?? "", /^pool\/main\/.+\.deb$/, pkg.name);
    else assert.equal(pkg.path, undefined, pkg.name);
  }
});
