/**
 * Peer: codegraph, a code index for agents that is installed through npm.
 *
 * Pinned. What must hold: it runs as its own command line does, with nothing switched off but telemetry, its daemon and
 * its check for updates; it is installed into the cache folder of the benchmarks.
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { cacheFolder, type Log, NPM, sizeBelow } from "../corpora.ts";
import { type Measured, runMeasured } from "../process.ts";

const NAME = "@colbymchenry/codegraph";
export const CODEGRAPH_VERSION = "1.6.1";

const QUIET = {
  CODEGRAPH_TELEMETRY: "0",
  DO_NOT_TRACK: "1",
  CODEGRAPH_NO_DAEMON: "1",
  CODEGRAPH_NO_UPDATE_CHECK: "1",
};

/** Path of its command; installed first where it is not there yet. */
export async function installCodegraph(log: Log): Promise<string> {
  const folder = join(cacheFolder(), "peers", `codegraph-${CODEGRAPH_VERSION}`);
  const command = join(
    folder,
    "node_modules",
    ".bin",
    process.platform === "win32" ? "codegraph.cmd" : "codegraph",
  );
  if (existsSync(command)) return command;
  log(`installing ${NAME}@${CODEGRAPH_VERSION} from npm`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  await runMeasured([NPM, "install", "--silent", `${NAME}@${CODEGRAPH_VERSION}`], { cwd: folder });
  return command;
}

/** Indexes a folder from nothing. */
export async function codegraphIndex(
  command: string,
  folder: string,
): Promise<Measured & { indexBytes: number }> {
  const state = join(folder, ".codegraph");
  rmSync(state, { recursive: true, force: true });
  const measured = await runMeasured([command, "init", "--yes", folder], { env: QUIET });
  return { ...measured, indexBytes: sizeBelow(state) };
}

/** Searches an indexed folder by a new process. */
export function codegraphQuery(
  command: string,
  folder: string,
  query: string,
  limit = 10,
): Promise<Measured> {
  const options = ["--json", "--limit", String(limit), "--path", folder];
  return runMeasured([command, "query", ...options, "--", query], {
    env: QUIET,
    check: false,
  });
}
