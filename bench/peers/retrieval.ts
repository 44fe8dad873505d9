/**
 * Peers on the annotated queries, in the same run and over the same files: plain FTS5, ripgrep, codegraph.
 *
 * What must hold: plain FTS5 gets the very chunks of our index; each peer gives as many results as are asked of us.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Log } from "../corpora.ts";
import { byFile, type Found, mean, ndcg10 } from "../metrics.ts";
import { dispose, prepare, type Prepared, readAnnotations } from "../retrieval.ts";
import {
  CODEGRAPH_VERSION,
  codegraphIndex,
  codegraphQuery,
  installCodegraph,
} from "./codegraph.ts";
import { chunksOf, PlainFts } from "./plain_fts.ts";
import { ripgrepFiles, ripgrepVersion } from "./ripgrep.ts";

/** As many as `bench retrieval` asks of us. */
const RESULTS = 30;

/** NDCG@10 of one peer. */
export interface PeerFigures {
  readonly ndcg10_chunks: number;
  readonly ndcg10_files: number;
}

type Search = (query: string) => Found[] | Promise<Found[]>;

/** Figures of all peers, and of each repository the file form, in which peers do best. */
export interface PeersResult {
  readonly peers: Readonly<Record<string, PeerFigures>>;
  readonly peers_by_repository: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** Figures of every peer that can run here: mean over a repository's queries, then over repositories. */
export async function benchRetrievalPeers(options: {
  annotations: string;
  checkouts: string;
  log: Log;
}): Promise<PeersResult> {
  const { log } = options;
  const command = await installCodegraph(log);
  const figures: Record<string, Record<string, PeerFigures>> = {};
  for (const annotations of readAnnotations(options.annotations)) {
    log(`peers: ${annotations.repo}`);
    const prepared = await prepare(annotations, join(options.checkouts, annotations.repo));
    const scratch = mkdtempSync(join(tmpdir(), "batos-bench-"));
    try {
      using plain = new PlainFts(join(scratch, "plain.db"));
      plain.add(chunksOf(prepared.memory));
      const peers: Record<string, Search> = {
        "plain FTS5 (bm25)": (query) => plain.search(query, RESULTS),
      };
      const ripgrep = ripgrepVersion();
      if (ripgrep) {
        peers[`ripgrep ${ripgrep}, most matches`] = (query) =>
          ripgrepFiles(prepared.folder, query, RESULTS).map(wholeFile);
      }
      await codegraphIndex(command, prepared.folder);
      peers[`codegraph ${CODEGRAPH_VERSION} query`] = (query) =>
        symbols(command, prepared.folder, query);
      for (const [name, search] of Object.entries(peers)) {
        (figures[name] ??= {})[annotations.repo] = await score(prepared, search);
      }
    } finally {
      dispose(prepared);
      rmSync(scratch, { recursive: true, force: true });
    }
  }
  const repositories = [...new Set(Object.values(figures).flatMap((one) => Object.keys(one)))];
  return {
    peers: Object.fromEntries(
      Object.entries(figures).map(([name, one]) => [name, {
        ndcg10_chunks: round(mean(Object.values(one).map((figure) => figure.ndcg10_chunks))),
        ndcg10_files: round(mean(Object.values(one).map((figure) => figure.ndcg10_files))),
      }]),
    ),
    peers_by_repository: Object.fromEntries(repositories.map((repo) => [
      repo,
      Object.fromEntries(
        Object.entries(figures).map(([name, one]) => [name, one[repo]!.ndcg10_files]),
      ),
    ])),
  };
}

async function score({ annotations }: Prepared, search: Search): Promise<PeerFigures> {
  const chunks: number[] = [];
  const files: number[] = [];
  for (const { query, relevant } of annotations.queries) {
    const results = await search(query);
    chunks.push(ndcg10(results, relevant));
    files.push(ndcg10(byFile(results), relevant));
  }
  return { ndcg10_chunks: round(mean(chunks)), ndcg10_files: round(mean(files)) };
}

function wholeFile(path: string): Found {
  return { path, startLine: 1, endLine: Infinity, tokens: 0 };
}

/** Symbols that codegraph finds. */
async function symbols(command: string, folder: string, query: string): Promise<Found[]> {
  const { stdout, code } = await codegraphQuery(command, folder, query, RESULTS);
  // It says in words that nothing was found.
  if (code !== 0 || !stdout.trimStart().startsWith("[")) return [];
  const results = JSON.parse(stdout) as {
    node: { filePath: string; startLine: number; endLine: number };
  }[];
  return results.map(({ node }) => ({
    path: node.filePath,
    startLine: node.startLine,
    endLine: node.endLine,
    tokens: 0,
  }));
}

function round(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
