/**
 * Pinned Python packages as source trees: wheels from PyPI by exact version and SHA-256.
 *
 * Owns `wheels` in the cache of the benchmarks. What must hold: a wheel is fetched with the ordinary client, and one that has not the
 * pinned hash is refused.
 */
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { join } from "node:path";
import { cacheFolder, type Log, run } from "./corpora.ts";

/** Version and SHA-256 of each wheel; all are of pure Python. */
const WHEELS = {
  flask: {
    version: "3.1.3",
    sha256: "f4bcbefc124291925f1a26446da31a5178f9483862233b23c0c96a20701f670c",
  },
  httpx: {
    version: "0.28.1",
    sha256: "d909fcccc110f8c7faf814ca82a9a4d816bc5a6dbfea25d6591d6985b8ba59ad",
  },
  rich: {
    version: "15.0.0",
    sha256: "33bd4ef74232fb73fe9279a257718407f169c09b78a87ad3d296f548e27de0bb",
  },
  click: {
    version: "8.5.0",
    sha256: "255bc9599cf7748b4b1a446ccc735421bd08a2ae529a8b88597d3de5664ee360",
  },
  requests: {
    version: "2.34.2",
    sha256: "2a0d60c172f83ac6ab31e4554906c0f3b3588d37b5cb939b1c061f4907e278e0",
  },
} as const;

export type WheelName = keyof typeof WHEELS;

/**
 * Folder with the files of a wheel; fetched through pip where the cache does not have it.
 * @throws {Error} when pip fails, or when the wheel does not have the pinned hash.
 */
export async function wheel(name: WheelName, log: Log): Promise<string> {
  const { version, sha256 } = WHEELS[name];
  const id = `${name}==${version}`;
  const folder = join(cacheFolder(), "wheels", `${name}-${version}-${sha256.slice(0, 12)}`, name);
  if (existsSync(folder)) return folder;
  log(`fetching ${id} from PyPI`);
  mkdirSync(join(folder, "../.."), { recursive: true });
  const temporary = mkdtempSync(join(folder, "../../.fetch-"));
  try {
    await run(
      ["python3", "-m", "pip", "download", "--no-deps", "--quiet", "--dest", temporary, id],
      id,
    );
    const file = readdirSync(temporary).find((entry) => entry.endsWith(".whl"));
    if (!file) throw new Error(`cannot fetch "${id}": pip left no wheel`);
    const found = createHash("sha256").update(readFileSync(join(temporary, file))).digest("hex");
    if (found !== sha256) {
      throw new Error(
        `cannot use "${id}": its wheel has the hash "${found}", "${sha256}" is pinned`,
      );
    }
    const unpacked = join(temporary, "unpacked", name);
    await run(["python3", "-m", "zipfile", "-e", join(temporary, file), unpacked], id);
    renameSync(join(temporary, "unpacked"), join(folder, ".."));
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return folder;
}
