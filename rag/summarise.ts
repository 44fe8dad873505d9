/**
 * ContextualSummaries without a model: of files from their doc comments, signatures and exports; of folders and the workspace
 * from their README and the summaries below them.
 *
 * What must hold: a summary is a function of the content it summarises alone, so a rebuild makes the same; when a file changes its
 * summary and those of every folder above it are dropped in the transaction that changes the file; `folders()` makes the missing
 * ones again, bottom-up.
 */
import { countTokens, type Definition, type SourceFile } from "../ingest/mod.ts";
import { commentText, docOf, opening, tidy } from "./doc_text.ts";
import type { Store } from "./store.ts";
import { Summaries } from "./summaries.ts";
import { eachWord, splitIdentifier } from "./terms.ts";
import type { Summary } from "./types.ts";

/** Names listed in the summary of a file before "and N more". */
const MOST_NAMES = 12;
/** Children described in the summary of a folder before "and N more". */
const MOST_CHILDREN = 16;
/** Longest line about a child in the summary of its folder. */
const LONGEST_CHILD_LINE = 120;

const LICENCE = /copyright|licen[cs]e|spdx|all rights reserved|permission is hereby/i;
const DIRECTIVE =
  /^(eslint|prettier|tslint|biome|istanbul|c8|v8|global|jshint|@ts-|ts-|noinspection|pylint|flake8|type:|coding[:=]|-\*-|vim:|go:build|\+build|frozen_string_literal|encoding[:=]|region|#?include)/i;

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
  if (language === "elixir") {
    const doc = /^\s*@moduledoc\s+(?:~[sS])?("""|")([\s\S]*?)(?:\1|$(?![\s\S]))/m.exec(head);
    if (doc) return opening(tidy(doc[2]!));
  }
  // Comment blocks at the top, one after the other; the first that is neither a licence nor a directive.
  let rest = head.replace(/^#![^\n]*\n/, "").replace(/^\s*<\?php\s*/, "");
  for (let guard = 0; guard < 8; guard++) {
    // Directives and pragmas are no words.
    rest = rest.replace(/^\s+/, "").replace(/^(['"])use \w+\1;?\s*/, "")
      .replace(/^(?:\{-#[\s\S]*?#-\}\s*)+/, "");
    const block = /^\/\*[\s\S]*?\*\//.exec(rest) ??
      /^(?:\/\/[^\n]*(?:\n[ \t]*|$))+/.exec(rest) ??
      /^(?:#(?!\[|include|define|if|pragma)[^\n]*(?:\n|$))+/.exec(rest) ??
      /^\{-[\s\S]*?-\}/.exec(rest) ?? /^--+\[(=*)\[[\s\S]*?\]\1\]/.exec(rest) ??
      /^(?:--[^\n]*(?:\n[ \t]*|$))+/.exec(rest);
    if (!block) return "";
    const said = commentText(block[0]);
    const doc = language === "haskell" ? withoutFields(said) : said;
    if (doc && !LICENCE.test(doc) && !DIRECTIVE.test(doc)) {
      return opening(doc.replace(/^@(module|file|fileoverview|packageDocumentation)\s*/gm, ""));
    }
    rest = rest.slice(block[0].length);
  }
  return "";
}

/** What the head of a Haskell module says besides its fields; else its description, which is one of them. */
function withoutFields(doc: string): string {
  if (!/^Module\s*:/m.test(doc)) return doc;
  const description = /^Description\s*:\s*(.+)/m.exec(doc)?.[1] ?? "";
  const isField =
    /^(Module|Description|Copyright|License|Licence|Maintainer|Stability|Portability|Author|SPDX-License-Identifier)\s*:/;
  const lines = doc.split("\n");
  const last = lines.findLastIndex((line) => isField.test(line));
  // A field may go on on the next line; an empty one ends the fields.
  const rest = lines.slice(last + 1);
  const prose = (rest[0] === "" ? rest : rest.slice(rest.indexOf("") + 1 || rest.length)).join(
    "\n",
  );
  return description || prose.trim();
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
    // FTS5 stems by itself; identifiers have to be taken apart for it.
    const terms: string[] = [];
    const both = `${text} ${more}`;
    eachWord(both, 0, both.length, (word) => {
      const parts = splitIdentifier(word);
      terms.push(...parts);
      if (parts.length > 1) terms.push(parts.join(""));
    });
    this.#store.putSummary(path, level, text, countTokens(text), terms.join(" "));
  }

  /** Drops the summaries of every folder above these files, the workspace's included. Inside a transaction. */
  dropFolders(paths: Iterable<string>): void {
    const folders = new Set<string>([""]);
    for (const path of paths) for (const folder of foldersAbove(path)) folders.add(folder);
    for (const folder of folders) this.#store.dropSummary(folder);
  }

  /** Makes the summaries of all folders above these files, bottom-up; a folder without files loses its own. */
  folders(paths: Iterable<string>): void {
    const folders = new Set<string>([""]);
    for (const path of paths) for (const folder of foldersAbove(path)) folders.add(folder);
    const depth = (path: string) => path === "" ? -1 : path.split("/").length;
    const summaries = new Summaries(this.#store);
    for (const folder of [...folders].sort((a, b) => depth(b) - depth(a) || (a < b ? -1 : 1))) {
      const children = summaries.children(folder);
      if (children.length === 0 && folder !== "") this.#store.dropSummary(folder);
      else {
        const text = this.#folderText(folder, children);
        this.#put(folder, folder === "" ? "workspace" : "folder", text, "");
      }
    }
  }

  #folderText(folder: string, children: readonly Summary[]): string {
    const base = (path: string) => path.slice(path.lastIndexOf("/") + 1);
    const readme = children.find(({ path }) => /^readme(\.|$)/i.test(base(path)));
    const door = children.find(({ path }) =>
      /^(mod|index|lib|main|__init__)\.[^.]+$/.test(base(path))
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
      const said = speaker?.text.split("\n")[1];
      if (said && !/^(Defines|Sections|Passes on): /.test(said)) {
        lines.push(said);
        break;
      }
    }
    const described = children.filter((child) => child !== readme);
    for (const { path, level, text } of described.slice(0, MOST_CHILDREN)) {
      const said = text.split("\n").slice(1).find((line) => line.length > 0) ?? "";
      const slash = level === "folder" ? "/" : "";
      lines.push(`- ${base(path)}${slash}${said ? ": " + opening(said, LONGEST_CHILD_LINE) : ""}`);
    }
    if (described.length > MOST_CHILDREN) {
      lines.push(`- and ${described.length - MOST_CHILDREN} more`);
    }
    return lines.join("\n");
  }
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
  const top = file.definitions.filter(topOf(file.definitions));
  const exported = top.filter((definition) => definition.exported);
  for (const definition of (exported.length > 0 ? exported : top).slice(0, 12)) {
    const doc = docOf(file.text, definition, file.language);
    if (doc && !LICENCE.test(doc)) return opening(doc);
  }
  return "";
}

/**
 * Tells what stands at the top of a file: outside of everything but namespaces, which say where things are and not what they do. A namespace
 * that holds nothing is itself at the top.
 */
function topOf(definitions: readonly Definition[]): (definition: Definition) => boolean {
  const inner = new Set(definitions.map(({ container }) => container.at(-1)));
  const namespaces = new Set(
    definitions.filter(({ kind, name }) => kind === "module" && inner.has(name))
      .map(({ name }) => name),
  );
  return ({ name, kind, container }) =>
    container.every((scope) => namespaces.has(scope)) &&
    !(kind === "module" && namespaces.has(name));
}

/** Names worth listing: top level, exported ones first, in order of the file. */
function namesOf(definitions: readonly Definition[]): string[] {
  const isTop = topOf(definitions);
  const top = definitions.filter((definition) =>
    isTop(definition) || definition.kind === "section"
  );
  const exported = top.filter((definition) => definition.exported);
  return [...new Set([...exported, ...top].map((definition) => definition.name))];
}
