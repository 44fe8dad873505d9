/** Packages read by several threads. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { bagsOf, type PackageBags } from "../../../rag/train/bags.ts";
import { extract } from "../../../rag/train/extract.ts";
import { sourceFiles, type TrainingPackage } from "../../../rag/train/packages.ts";

const SEED = 3;
const THINGS = ["harbour", "library", "orchard", "railway", "theatre"];

/** A tar archive of one file, as npm packs it. */
function tarOf(path: string, text: string): Uint8Array {
  const content = Buffer.from(text);
  const header = Buffer.alloc(512);
  header.write(`package/${path}`, 0);
  header.write(`${content.length.toString(8).padStart(11, "0")}\0`, 124);
  header.write("0", 156);
  return Buffer.concat([header, content, Buffer.alloc(1536 - content.length % 512)]);
}

/** Packages of different lengths, the longest first: a thread that begins later is done earlier. */
class Packages implements Disposable {
  readonly packages: TrainingPackage[] = [];
  readonly archives: string[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), "batos-extract-"));

  constructor() {
    for (const [at, thing] of THINGS.entries()) {
      const functions = Array.from(
        { length: (THINGS.length - at) * 4 },
        (_, number) =>
          `/** Opens gate ${number} of the ${thing} for everybody who waits there. */
export function openGateOf${thing}${number}(visitors: Visitor[]): Gate {
  return gates.at(${number}).open(visitors.filter((visitor) => visitor.waits));
}
`,
      );
      this.add(thing, gzipSync(tarOf(`src/${thing}.ts`, functions.join("\n"))));
    }
  }

  add(name: string, bytes: Uint8Array): void {
    const archive = join(this.#folder, `${name}.tgz`);
    writeFileSync(archive, bytes);
    this.archives.push(archive);
    this.packages.push({ source: "npm", name, version: "1.0.0", hash: "", licence: "MIT" });
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true });
  }
}

Deno.test("two threads give the bags of one, in the order of the packages", async () => {
  using all = new Packages();
  const seen: [number, number, string][] = [];
  const one = await extract(all.packages, all.archives, { seed: SEED, threads: 1 });
  const two = await extract(all.packages, all.archives, {
    seed: SEED,
    threads: 2,
    onProgress: (done, of, { name }) => seen.push([done, of, name]),
  });
  assert.deepEqual(two, one);
  const here: PackageBags[] = [];
  for (const [at, pkg] of all.packages.entries()) {
    here.push(await bagsOf(`npm:${pkg.name}`, sourceFiles(all.archives[at]!, pkg), SEED));
  }
  assert.deepEqual(one, here);
  assert.deepEqual(one.map(({ name }) => name), THINGS.map((name) => `npm:${name}`));
  assert.ok(one.every(({ kinds }) => kinds.length > 5));
  assert.deepEqual(seen.map(([done]) => done), [1, 2, 3, 4, 5]);
  assert.ok(seen.every(([, of]) => of === THINGS.length));
  assert.equal(new Set(seen.map(([, , name]) => name)).size, THINGS.length);
});

Deno.test("no packages have no bags", async () => {
  assert.deepEqual(await extract([], [], { seed: SEED, threads: 2 }), []);
});

Deno.test("a package that cannot be read is named, and ends the work of all threads", async () => {
  using all = new Packages();
  all.add("damaged", gzipSync(Buffer.from("no tar archive")).subarray(0, 20));
  // Behind it there is work left for a thread that does not hear of the end.
  for (const list of [all.packages, all.archives]) list.splice(2, 0, ...list.splice(-1) as never[]);
  let done = 0;
  const onProgress = () => done++;
  await assert.rejects(
    extract(all.packages, all.archives, { seed: SEED, threads: 2, onProgress }),
    (error: Error) => {
      assert.match(error.message, /^cannot read "damaged" 1\.0\.0: .*[^.]$/);
      return true;
    },
  );
  const before = done;
  // As long as reading all anew takes, a thread that did not hear of the end would have gone on.
  await extract(all.packages.slice(3), all.archives.slice(3), { seed: SEED, threads: 1 });
  assert.equal(done, before, "packages were read after the end");
});

Deno.test("extract() ends when aborted, before it began and in the middle", async () => {
  using all = new Packages();
  const options = { seed: SEED, threads: 2 };
  await assert.rejects(
    extract(all.packages, all.archives, { ...options, signal: AbortSignal.abort() }),
    { name: "AbortError" },
  );
  const control = new AbortController();
  let done = 0;
  const onProgress = () => {
    done++;
    control.abort();
  };
  await assert.rejects(
    extract(all.packages, all.archives, { ...options, signal: control.signal, onProgress }),
    { name: "AbortError" },
  );
  assert.equal(done, 1);
});
