/**
 * The history of a repository: commits, as git tells them, and what its changelog says of them.
 *
 * Owns how git is run and which commits and which section of a changelog speak of a question. What must hold: git only reads, and
 * nothing that a repository configures makes it start other programs; commits are what git says, lines are lines of the index.
 */
import { counted } from "../kernel/mod.ts";
import { eachWord, type OutlineEntry, splitIdentifier, stemOf } from "../rag/mod.ts";
import type { ContextItem } from "./driver.ts";
import type { MemoryPort } from "./memory_port.ts";
import { isChangelog } from "./roles.ts";

/** Commits of a file, or that speak of a question, which one step returns. */
const MOST_COMMITS = 15;
/** Commits that are looked through for words: some years of a busy repository, read in a tenth of a second. */
const COMMITS_READ = 20_000;
/** A commit speaks of a question when its subject holds this share of the question's words, by weight. */
const SPEAKS = 0.6;
/** Passages of changelogs that one step returns. */
const MOST_PASSAGES = 3;
/** Longest passage: the beginning of the notes on a release. */
const MOST_LINES = 40;
/** Stems of the words in which questions about history are put: that something came says no more than what came. */
const MANNER = new Set(
  "when who why what which chang commit histori last latest recent first sinc version releas ago author new made did does chang wrote written ad add introduc implement land ship creat"
    .split(
      " ",
    ),
);

/** Where history is looked for. */
export interface HistoryPlace {
  readonly memory: MemoryPort;
  /** Absolute path of the repository. */
  readonly root: string;
  readonly signal: AbortSignal | undefined;
}

interface Found {
  readonly summary: string;
  readonly items: readonly ContextItem[];
}

/** A commit, as a step returns it. */
type Commit = Extract<ContextItem, { type: "commit" }>;

/** The last commits that touched a file of the index. */
export async function historyOfFile(path: string, place: HistoryPlace): Promise<Found> {
  const read = await commitsOf(path, MOST_COMMITS, place);
  if ("problem" in read) return { summary: `no history of ${path}: ${read.problem}`, items: [] };
  const { commits } = read;
  return {
    summary: commits.length
      ? `${commits.length} commits of ${path}, the last of ${commits[0]!.date}`
      : `no commit has touched ${path}`,
    items: commits,
  };
}

/** Commits and passages of the changelog that speak of `query`, best first, then latest first; the latest where it holds no word. */
export async function historyOf(query: string, place: HistoryPlace): Promise<Found> {
  const words = wordsOf(query);
  const passages = changelogPassages(query, words, place.memory);
  const read = await commitsOf("", COMMITS_READ, place);
  const commits = "problem" in read
    ? []
    : words.size
    ? speaking(read.commits, words)
    : read.commits.slice(0, MOST_COMMITS);
  const said = [
    ...passages.length ? [`${counted(passages.length, "passage")} of the changelog`] : [],
    "problem" in read
      ? `no commits: ${read.problem}`
      : commits.length
      ? `${commits.length} commits${words.size ? " speak of it" : ""}`
      : `none of ${read.commits.length} commits speaks of it`,
  ];
  return {
    summary: said.join("; "),
    items: [
      ...passages.flatMap(({ section, path, language, startLine, endLine, text }) => [
        ...section ? [{ type: "outline", path, entries: [section] } as const] : [],
        { type: "lines", path, language, startLine, endLine, text } as const,
      ]),
      ...commits,
    ],
  };
}

/** Stems of the words that say what is looked for; numbers of versions as they are. */
function wordsOf(text: string): Set<string> {
  const words = new Set(versionsIn(text));
  eachWord(text.replace(/\bv?\d+(\.\d+)+\b/g, " "), 0, text.length, (word) => {
    for (const part of splitIdentifier(word)) {
      const stem = stemOf(part);
      if (part.length > 2 && !MANNER.has(stem) && !FUNCTION_WORDS.test(part)) words.add(stem);
    }
  });
  return words;
}

const FUNCTION_WORDS =
  /^(the|and|for|was|were|are|has|have|had|does|did|been|its|this|that|these|those|with|from|into|about|there|their|our|your|his|her|you|any|all|get|got|how|why|than|then|also)$/i;

function versionsIn(text: string): string[] {
  return [...text.matchAll(/(?<![\w.])v?(\d+(?:\.\d+)+)(?![\w])/g)].map((found) => found[1]!);
}

/** The commits whose subjects hold most of the words, rare ones counting more. */
function speaking(commits: readonly Commit[], words: ReadonlySet<string>): Commit[] {
  const held = commits.map(({ subject }) => {
    const own = wordsOf(subject);
    return [...words].filter((word) => own.has(word));
  });
  const frequency = new Map<string, number>();
  for (const some of held) {
    for (const word of some) frequency.set(word, (frequency.get(word) ?? 0) + 1);
  }
  const weight = (word: string) => Math.log(1 + commits.length / (1 + (frequency.get(word) ?? 0)));
  const total = [...words].reduce((sum, word) => sum + weight(word), 0);
  return commits.map((commit, index) => ({
    commit,
    share: held[index]!.reduce((sum, word) => sum + weight(word), 0) / total,
  })).filter(({ share }) => share >= SPEAKS).sort((one, other) => other.share - one.share)
    .slice(0, MOST_COMMITS).map(({ commit }) => commit);
}

interface Passage {
  readonly path: string;
  readonly language: string;
  readonly startLine: number;
  readonly endLine: number;
  readonly text: string;
  readonly section: OutlineEntry | undefined;
}

/** What changelogs say: the notes on the version that is asked for, or else the entries that hold the words. */
function changelogPassages(
  query: string,
  words: ReadonlySet<string>,
  memory: MemoryPort,
): Passage[] {
  const depth = (path: string) => path.split("/").length;
  const paths = memory.paths().filter((path) => isChangelog(path) && !/migrat/i.test(path))
    .sort((one, other) => depth(one) - depth(other) || (one < other ? -1 : 1));
  const versions = versionsIn(query);
  const isLatest =
    /\b(last|latest|newest|recent|current)\b.*\b(release|version|change)|\bwhat('s| is) new\b/i
      .test(query);
  for (const path of paths) {
    const file = memory.file(path);
    if (!file) continue;
    const sections = memory.outline(path).filter((entry) => entry.kind === "section");
    const lines = file.text.split("\n");
    const passage = (startLine: number, endLine: number): Passage => ({
      path,
      language: file.language,
      startLine,
      endLine,
      text: lines.slice(startLine - 1, endLine).join("\n"),
      section: sections.findLast((entry) =>
        entry.startLine <= startLine && startLine <= entry.endLine && versionsIn(entry.name).length
      ),
    });
    const releases = sections.filter((entry) => versionsIn(entry.name).length > 0);
    const asked = isLatest && versions.length === 0
      ? releases[0]
      : words.size === versions.length
      ? releases.find((entry) =>
        versionsIn(entry.name).some((one) =>
          versions.some((version) => one === version || one.startsWith(`${version}.`))
        )
      )
      : undefined;
    if (asked) {
      let end = Math.min(asked.endLine, asked.startLine + MOST_LINES - 1);
      const next = releases.find((entry) => entry.startLine > asked.startLine);
      if (next) end = Math.min(end, next.startLine - 1);
      while (end > asked.startLine && !lines[end - 1]?.trim()) end--;
      return [passage(asked.startLine, end)];
    }
    if (words.size === 0) continue;
    const entries = entriesOf(lines);
    const held = entries.map(({ from, to }) => {
      const own = wordsOf(lines.slice(from - 1, to).join("\n"));
      return [...words].filter((word) => own.has(word));
    });
    const frequency = new Map<string, number>();
    for (const some of held) {
      for (const word of some) frequency.set(word, (frequency.get(word) ?? 0) + 1);
    }
    const weight = (word: string) =>
      Math.log(1 + entries.length / (1 + (frequency.get(word) ?? 0)));
    const total = [...words].reduce((sum, word) => sum + weight(word), 0);
    const found = entries.map((entry, index) => ({
      entry,
      share: held[index]!.reduce((sum, word) => sum + weight(word), 0) / total,
    })).filter(({ share }) => share >= SPEAKS).sort((one, other) => other.share - one.share)
      .slice(0, MOST_PASSAGES).map(({ entry }) => passage(entry.from, entry.to));
    if (found.length) return found;
  }
  return [];
}

/** The entries of a changelog: items of its lists and paragraphs, without headings. */
function entriesOf(lines: readonly string[]): { from: number; to: number }[] {
  const entries: { from: number; to: number }[] = [];
  let from = 0;
  const close = (to: number) => {
    if (from > 0 && to - from < MOST_LINES) entries.push({ from, to });
    from = 0;
  };
  lines.forEach((line, index) => {
    if (!line.trim() || /^(#{1,6} |[=\-~^]{3,}\s*$)/.test(line)) close(index);
    else if (/^\s{0,6}[-*+•] |^\s*\d+\. /.test(line)) {
      close(index);
      from = index + 1;
    } else if (from === 0) from = index + 1;
  });
  close(lines.length);
  return entries;
}

/** Commits, latest first: of one path, or of everything where that is empty. */
async function commitsOf(
  path: string,
  most: number,
  { root, signal }: HistoryPlace,
): Promise<{ readonly commits: Commit[] } | { readonly problem: string }> {
  // Asking is not ours to do in the middle of an answer: without the permission there is no history.
  const permission = await Deno.permissions.query({ name: "run", command: "git" });
  if (permission.state !== "granted") return { problem: "running git is not permitted" };
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command("git", {
      // A repository's own configuration must not make `log` start other programs.
      args: [
        "--no-pager",
        "--literal-pathspecs",
        "-c",
        "log.showSignature=false",
        "-c",
        "core.fsmonitor=false",
        "log",
        `-n${most}`,
        "--date=short",
        "--format=%h%x09%ad%x09%an%x09%s",
        "--",
        ...path ? [path] : [],
      ],
      cwd: root,
      // Nor must what a partial clone lacks be fetched: that too starts what is configured.
      env: { GIT_NO_LAZY_FETCH: "1", GIT_ALLOW_PROTOCOL: "none", LC_ALL: "C" },
      stdout: "piped",
      stderr: "piped",
      stdin: "null",
      ...(signal && { signal }),
    }).output();
  } catch (error) {
    signal?.throwIfAborted();
    return {
      problem: error instanceof Deno.errors.NotFound ? "git is not installed" : String(error),
    };
  }
  if (!output.success) return { problem: problemOf(new TextDecoder().decode(output.stderr)) };
  const commits = new TextDecoder().decode(output.stdout).split("\n").filter(Boolean).map((row) => {
    const [id = "", date = "", author = "", ...subject] = row.split("\t");
    return { type: "commit", path, id, date, author, subject: subject.join("\t") } as const;
  });
  return { commits };
}

/** Why git told nothing, in a few words. */
function problemOf(said: string): string {
  if (/not a git repository/.test(said)) return "this is not a git repository";
  if (/does not have any commits/.test(said)) return "there are no commits yet";
  const first = said.split("\n").find((line) => /^fatal: /.test(line)) ?? said.split("\n")[0]!;
  const reason = first.replace(/^fatal: /, "").replace(/\p{Cc}/gu, " ").trim().slice(0, 200);
  return reason === "" ? "git failed" : `git failed: ${reason}`;
}
