/**
 * ContextualSummaries without a model: of files from their doc comments, signatures and exports; of folders and the workspace
 * from their README and the summaries below them.
 *
 * What must hold: a summary is a function of the content it summarises alone, so a rebuild makes the same; when a file changes its
 * summary and those of every folder above it are dropped in the transaction that changes the file; `folders()` makes the missing
 * ones again, bottom-up.
 */
import { countTokens, type Definition, type SourceFile } from "../ingest/mod.ts";
import { analyseQuery } from "./query.ts";
import type { Store } from "./store.ts";
import { eachWord, stemOf, termsOfWord } from "./terms.ts";
import type { Summary } from "./types.ts";

/** Longest opening taken over from a comment or README, in characters: two sentences. */
const LONGEST_DOC = 240;
/** Longest signature in an outline; longer ones end in an ellipsis. */
const LONGEST_SIGNATURE = 240;
/** Names listed in the summary of a file before "and N more". */
const MOST_NAMES = 12;
/** Children described in the summary of a folder before "and N more". */
const MOST_CHILDREN = 16;
/** Longest line about a child in the summary of its folder. */
const LONGEST_CHILD_LINE = 120;

const LICENCE = /copyright|licen[cs]e|spdx|all rights reserved|permission is hereby/i;
const DIRECTIVE =
  /^(eslint|prettier|tslint|biome|istanbul|c8|v8|global|jshint|@ts-|ts-|noinspection|pylint|flake8|type:|coding[:=]|-\*-|vim:|go:build|\+build|region|#?include)/i;

/** The declaration up to its body on one line, at most 240 characters. */
export function signatureOf(text: string, definition: Definition): string {
  const end = definition.body > definition.declaration ? definition.body : definition.end;
  const slice = text.slice(definition.declaration, Math.min(end, definition.declaration + 2_000));
  const folded = slice.replace(/\s+/g, " ").replace(/\s*(=>|[{=:])\s*$/, "").trim();
  return folded.length > LONGEST_SIGNATURE ? folded.slice(0, LONGEST_SIGNATURE - 1) + "…" : folded;
}

/** Text of the doc comment of a definition (of the docstring in Python) without its markers. */
export function docOf(text: string, definition: Definition, language: string): string {
  if (language === "python") {
    const body = text.slice(definition.body, Math.min(definition.end, definition.body + 4_000));
    const docstring = /^[:\s]*[rRbBuU]*("""|'''|"|')([\s\S]*?)\1/.exec(body);
    if (docstring) return tidy(docstring[2]!);
  }
  const before = text.slice(definition.start, definition.declaration);
  return before.trim() ? commentText(before) : "";
}

/** The words of the comments in a piece of source that holds comments, decorators and blanks only. */
function commentText(source: string): string {
  const lines: string[] = [];
  let inBlock = false;
  for (const line of source.split(/\r?\n/)) {
    let rest = line.trim();
    if (!inBlock) {
      const block = /^(\/\*+!?|<!--|\(\*|\{-|=begin)/.exec(rest);
      const single = /^(\/\/[\/!]?|#+!?|--+|;+|%+)\s?/.exec(rest);
      if (block) {
        inBlock = true;
        rest = rest.slice(block[0].length);
      } else if (single && !/^#\[|^#include/.test(rest)) {
        lines.push(rest.slice(single[0].length));
        continue;
      } else {
        continue;
      }
    }
    const close = rest.search(/\*+\/|-->|\*\)|-\}|^=end/);
    if (close >= 0) {
      inBlock = false;
      rest = rest.slice(0, close);
    }
    lines.push(rest.replace(/^\*+\s?/, ""));
  }
  return tidy(lines.join("\n"));
}

function tidy(doc: string): string {
  return doc.split("\n").map((line) => line.trim()).join("\n").replace(/\n{3,}/g, "\n\n").trim();
}

/** The opening of a text: whole sentences up to `longest` characters. */
export function opening(doc: string, longest = LONGEST_DOC): string {
  // What follows the first tag (@param, :param, Args:) describes details.
  const prose = doc.split(/\n\s*(?:@\w+|:param|Args:|Parameters\n|Returns:|Example|```)/)[0]!;
  const flat = prose.replace(/\s+/g, " ").trim();
  if (flat.length <= longest) return flat;
  const cut = flat.slice(0, longest);
  const sentence = Math.max(cut.lastIndexOf(". "), cut.lastIndexOf("! "), cut.lastIndexOf("? "));
  return sentence > longest / 3
    ? cut.slice(0, sentence + 1)
    : cut.slice(0, cut.lastIndexOf(" ")) + " …";
}

/** What a file says about itself at its top: module comment, docstring, first paragraph of prose. */
export function fileDoc(text: string, language: string): string {
  const head = text.slice(0, 6_000).replace(/^\uFEFF/, "");
  if (
    language === "markdown" || language === "mdx" || language === "text" ||
    language === "restructuredtext"
  ) {
    return proseHead(head);
  }
  if (language === "python") {
    const docstring = /^(?:\s*#[^\n]*\n|\s*\n)*[rRuU]*("""|''')([\s\S]*?)\1/.exec(head);
    if (docstring) return opening(tidy(docstring[2]!));
  }
  // Comment blocks at the top, one after the other; the first that is neither a licence nor a directive.
  let rest = head.replace(/^#![^\n]*\n/, "").replace(/^\s*<\?php\s*/, "");
  for (let guard = 0; guard < 8; guard++) {
    rest = rest.replace(/^\s+/, "").replace(/^(['"])use \w+\1;?\s*/, "");
    const block = /^\/\*[\s\S]*?\*\//.exec(rest) ??
      /^(?:\/\/[^\n]*(?:\n[ \t]*|$))+/.exec(rest) ??
      /^(?:#(?!\[|include|define|if|pragma)[^\n]*(?:\n|$))+/.exec(rest);
    if (!block) return "";
    const doc = commentText(block[0]);
    if (doc && !LICENCE.test(doc) && !DIRECTIVE.test(doc)) {
      return opening(doc.replace(/^@(module|file|fileoverview|packageDocumentation)\s*/gm, ""));
    }
    rest = rest.slice(block[0].length);
  }
  return "";
}

function proseHead(text: string): string {
  const body = text.replace(/^---\n[\s\S]*?\n---\n/, "").replace(/<!--[\s\S]*?-->/g, "");
  let title = "";
  const paragraphs: string[] = [];
  for (const block of body.split(/\n\s*\n/)) {
    const plain = block.replace(/<[^>]+>/g, " ").replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1").trim();
    const heading = /^#+\s*(.+)/.exec(plain) ?? /^(.+)\n[=\-~]{3,}/.exec(plain);
    if (heading) {
      title ||= heading[1]!.trim();
      const below = plain.split("\n").slice(1).filter((line) => !/^[=\-~]{3,}$/.test(line)).join(
        " ",
      ).trim();
      if (below.length > 30) paragraphs.push(below);
    } else if (
      /[a-z]{3,}.*[a-z]{3,}/i.test(plain) && plain.length > 30 && !plain.startsWith("```")
    ) {
      paragraphs.push(plain);
    }
    if (paragraphs.length) break;
  }
  const said = opening(paragraphs[0] ?? "");
  return title && said ? `${title}: ${said}` : title || said;
}

/** Makes and keeps summaries. */
export class Summariser {
  #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Makes the summary of a file. Inside a transaction. */
  file(file: SourceFile): void {
    const doc = fileDoc(file.text, file.language) || firstDoc(file);
    const names = namesOf(file.definitions);
    const lines = [`${file.path} (${file.language}, ${file.chunks.at(-1)?.endLine ?? 0} lines)`];
    if (doc) lines.push(doc);
    if (names.length) {
      const label = file.language === "markdown" ? "Sections" : "Defines";
      const more = names.length > MOST_NAMES ? `, and ${names.length - MOST_NAMES} more` : "";
      lines.push(`${label}: ${names.slice(0, MOST_NAMES).join(", ")}${more}`);
    }
    const reexported = [
      ...new Set(
        file.imports.filter((entry) => entry.kind === "reexport").map((entry) => entry.specifier),
      ),
    ];
    if (reexported.length) lines.push(`Passes on: ${reexported.slice(0, MOST_NAMES).join(", ")}`);
    const every = file.definitions.map((definition) => definition.name).join(" ");
    this.#put(file.path, "file", lines.join("\n"), every);
  }

  #put(path: string, level: Summary["level"], text: string, more: string): void {
    const terms: string[] = [];
    const both = `${text} ${more}`;
    eachWord(both, 0, both.length, (word) => {
      for (const term of termsOfWord(word)) terms.push(stemOf(term));
    });
    this.#store.putSummary(path, level, text, countTokens(text), terms.join(" "));
  }

  /** Drops the summaries of every folder above these files, the workspace's included. Inside a transaction. */
  dropFolders(paths: Iterable<string>): void {
    const folders = new Set<string>([""]);
    for (const path of paths) for (const folder of foldersAbove(path)) folders.add(folder);
    for (const folder of folders) this.#store.dropSummary(folder);
  }

  /** Makes the summaries of folders that have none, bottom-up, and drops those of folders that are gone. */
  folders(): void {
    const files = this.#store.all("SELECT path, level, text FROM summary");
    const have = new Map(files.map((row) => [row.path as string, row.text as string]));
    const children = new Map<string, Set<string>>([["", new Set()]]);
    for (const row of files) {
      if (row.level !== "file") continue;
      let child = row.path as string;
      for (const folder of foldersAbove(child)) {
        const set = children.get(folder);
        if (set) set.add(child);
        else children.set(folder, new Set([child]));
        child = folder;
      }
    }
    for (const row of files) {
      if (row.level !== "file" && !children.has(row.path as string)) {
        this.#store.dropSummary(row.path as string);
      }
    }
    const depth = (path: string) => path === "" ? -1 : path.split("/").length;
    const missing = [...children.keys()].filter((folder) => !have.has(folder));
    for (const folder of missing.sort((a, b) => depth(b) - depth(a) || (a < b ? -1 : 1))) {
      const text = this.#folderText(folder, [...children.get(folder)!].sort(), have);
      have.set(folder, text);
      this.#put(folder, folder === "" ? "workspace" : "folder", text, "");
    }
  }

  #folderText(folder: string, children: string[], texts: ReadonlyMap<string, string>): string {
    const base = (path: string) => path.slice(path.lastIndexOf("/") + 1);
    const readme = children.find((child) => /^readme(\.|$)/i.test(base(child)));
    const door = children.find((child) =>
      /^(mod|index|lib|main|__init__)\.[^.]+$/.test(base(child))
    );
    const lines: string[] = [];
    if (folder === "") {
      const languages = this.#store.all(
        "SELECT language, count(*) AS n FROM file GROUP BY language ORDER BY n DESC, language LIMIT 6",
      ).map((row) => `${row.language} ${row.n}`);
      lines.push(`workspace (files by language: ${languages.join(", ")})`);
    } else {
      lines.push(`${folder}/ (${children.length} ${children.length === 1 ? "entry" : "entries"})`);
    }
    for (const speaker of [readme, door]) {
      const said = speaker && texts.get(speaker)?.split("\n")[1];
      if (said && !/^(Defines|Sections|Passes on): /.test(said)) {
        lines.push(said);
        break;
      }
    }
    const described = children.filter((child) => child !== readme);
    for (const child of described.slice(0, MOST_CHILDREN)) {
      const said = texts.get(child)?.split("\n").slice(1).find((line) => line.length > 0) ?? "";
      const slash = texts.get(child)?.startsWith(`${child}/`) ? "/" : "";
      lines.push(`- ${base(child)}${slash}${said ? ": " + opening(said, LONGEST_CHILD_LINE) : ""}`);
    }
    if (described.length > MOST_CHILDREN) {
      lines.push(`- and ${described.length - MOST_CHILDREN} more`);
    }
    return lines.join("\n");
  }

  get(path: string): Summary | undefined {
    const row = this.#store.get(
      "SELECT path, level, text, tokens FROM summary WHERE path = ?",
      path,
    );
    return row && summaryOf(row, 0);
  }

  children(path: string): Summary[] {
    const prefix = path === "" ? "" : `${path}/`;
    return this.#store.all(
      "SELECT path, level, text, tokens FROM summary WHERE path > ? AND path < ? AND instr(substr(path, ?), '/') = 0 ORDER BY path",
      prefix,
      prefix === "" ? "\u{10FFFF}" : `${path}0`,
      prefix.length + 1,
    ).map((row) => summaryOf(row, 0));
  }

  /** FTS5 with BM25 over the stems of summaries. */
  search(query: string, limit: number, folder?: string): Summary[] {
    const stems = [...new Set(analyseQuery(query).concepts.map((concept) => stemOf(concept.term)))];
    if (stems.length === 0) return [];
    const match = stems.map((stem) => `"${stem.replaceAll('"', '""')}"`).join(" OR ");
    const prefix = folder ? `${folder}/` : "";
    return this.#store.all(
      `SELECT s.path, s.level, s.text, s.tokens, bm25(summary_text) AS score FROM summary_text
       JOIN summary s ON s.id = summary_text.rowid
       WHERE summary_text MATCH ? AND (? = '' OR substr(s.path, 1, ?) = ?)
       ORDER BY score, s.path LIMIT ?`,
      match,
      prefix,
      prefix.length,
      prefix,
      limit,
    ).map((row) => summaryOf(row, -Number(row.score)));
  }
}

function summaryOf(row: Record<string, unknown>, score: number): Summary {
  return {
    path: row.path as string,
    level: row.level as Summary["level"],
    text: row.text as string,
    tokens: Number(row.tokens),
    score,
  };
}

/** Folders above a path, nearest first, "" last. */
function foldersAbove(path: string): string[] {
  const folders: string[] = [];
  for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
    folders.push(path.slice(0, at));
  }
  folders.push("");
  return folders;
}

/** Where a file says nothing at its top, the doc comment of its first exported definition speaks. */
function firstDoc(file: SourceFile): string {
  for (const definition of file.definitions.slice(0, 12)) {
    if (definition.container.length) continue;
    const doc = docOf(file.text, definition, file.language);
    if (doc && !LICENCE.test(doc)) return opening(doc);
  }
  return "";
}

/** Names worth listing: top level, exported ones first, in order of the file. */
function namesOf(definitions: readonly Definition[]): string[] {
  const top = definitions.filter((definition) =>
    definition.container.length === 0 || definition.kind === "section"
  );
  const exported = top.filter((definition) => definition.exported);
  return [...new Set([...exported, ...top].map((definition) => definition.name))];
}
