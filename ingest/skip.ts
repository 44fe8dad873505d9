/**
 * What is in a workspace without being its source: binaries, lock files, generated and minified files, secrets.
 *
 * Owns the two decisions, by name and by content, each with its reason; reads nothing. What must hold:
 * - a file is skipped for what it is, never for what it talks about: a phrase like "do not edit" counts only where
 *   generators put it, at the beginning of a line of the comment that opens the file;
 * - no decision takes more than a few passes over the text, whatever is in it.
 */
import { findSecret, secretName } from "./secrets.ts";

/** More than any source file; what is larger is data, and would be held in memory several times over. */
export const MAX_FILE_BYTES = 32 * 1024 * 1024;

/** Why a file of this name and size is not read; nothing if it is. */
export function skipByName(path: string, bytes: number): string | undefined {
  const name = path.slice(path.lastIndexOf("/") + 1).toLowerCase();
  const secret = secretName(path);
  if (secret !== undefined) return secret;
  if (lockFiles.has(name)) return "lock file";
  const extension = name.slice(name.lastIndexOf(".") + 1);
  if (extension === "map") return "source map";
  if (MINIFIED_NAME.test(name)) return "minified by its name";
  if (extension !== name && binaryExtensions.has(extension)) {
    return `binary by its name (.${extension})`;
  }
  if (bytes > MAX_FILE_BYTES) {
    return `too large: ${Math.ceil(bytes / 2 ** 20)} MiB, at most ${MAX_FILE_BYTES / 2 ** 20} MiB`;
  }
  return undefined;
}

/** Why a file that was read does not belong into the index; nothing if it does. */
export function skipByContent(path: string, text: string): string | undefined {
  const extension = path.slice(path.lastIndexOf(".") + 1).toLowerCase();
  if (minifiable.has(extension) && isMinified(text)) return "minified by its long lines";
  if (!prose.has(extension)) {
    const line = generatedLine(text);
    if (line > 0) return `generated: says so on line ${line}`;
  }
  const secret = findSecret(text);
  return secret && `holds a secret: ${secret.kind} on line ${secret.line}`;
}

const lockFiles = new Set(
  `package-lock.json npm-shrinkwrap.json yarn.lock pnpm-lock.yaml bun.lock deno.lock cargo.lock go.sum go.work.sum
  poetry.lock uv.lock pdm.lock pipfile.lock pixi.lock conda-lock.yml composer.lock gemfile.lock gems.locked mix.lock
  rebar.lock pubspec.lock podfile.lock cartfile.resolved package.resolved flake.lock packages.lock.json paket.lock
  gradle.lockfile buildscript-gradle.lockfile shard.lock chart.lock buf.lock module.bazel.lock .terraform.lock.hcl`
    .split(/\s+/),
);

/** Formats that are binary whatever they hold; any other binary is found by its content. */
const binaryExtensions = new Set(
  `png jpg jpeg jpe gif webp avif bmp ico icns cur tif tiff heic psd xcf sketch fig blend
  mp3 wav ogg oga flac m4a aac opus mid mp4 m4v mov avi mkv webm wmv flv
  zip gz tgz bz2 xz txz zst lz4 br 7z rar tar jar war ear whl egg gem crate nupkg vsix apk aab ipa dmg iso deb rpm msi cab
  woff woff2 ttf otf eot
  exe dll so dylib a o obj lib pdb ko class pyc pyo pyd beam wasm node elf
  pdf doc docx xls xlsx ppt pptx odt ods odp pages epub mobi
  sqlite sqlite3 sqlite-wal sqlite-shm mdb accdb lockb parquet arrow feather avro orc npy npz pkl pickle mat rdb
  pt pth ckpt onnx safetensors gguf ggml h5 hdf5 tflite joblib der`.split(/\s+/),
);

const MINIFIED_NAME = /[.-]min\.(?:js|mjs|cjs|css|html)$|\.bundle\.(?:js|mjs|cjs|css)$/;

const minifiable = new Set(["js", "mjs", "cjs", "css"]);
/** Shorter files are worth their few chunks even on one line. */
const MINIFIED_BYTES = 5000;
/** No formatter leaves a line this long; most of a minified file is in such lines, behind a licence perhaps. */
const LONG_LINE = 500;
const MINIFIED_SHARE = 0.8;

function isMinified(text: string): boolean {
  if (text.length < MINIFIED_BYTES) return false;
  let long = 0;
  for (let start = 0; start < text.length;) {
    const newline = text.indexOf("\n", start);
    const end = newline < 0 ? text.length : newline;
    if (end - start >= LONG_LINE) long += end - start;
    start = end + 1;
  }
  return long >= text.length * MINIFIED_SHARE;
}

/** Text for people, whose remarks about generated parts are not about the file. JSON has no comments. */
const prose = new Set(["md", "mdx", "markdown", "txt", "rst", "adoc", "json", "jsonl"]);

/** Where generators leave their mark: licences in front of it take up to this many characters. */
const HEADER_CHARACTERS = 3000;
const COMMENT_LINE = /^\s*(?:\/\/|\/\*|#|--|;|%|<!--|"""|'''|\(\*|\{-)/;
/** What may stand among the first comments without being code of its own. */
const PREAMBLE = /^\s*$|^\s*(?:["']use strict["'];?|<\?(?:php|xml).*|package [\w.]+;?)\s*$/;
const BLOCKS: Record<string, string> = {
  "/*": "*/",
  "<!--": "-->",
  '"""': '"""',
  "'''": "'''",
  "(*": "*)",
  "{-": "-}",
};
const COMMENT_SIGNS = /^[\s/*#;%<!({-]*(?:"""|''')?\s*/;

/** How a comment line begins that says something about the file, and does not go on with a sentence. */
const STATEMENT = /^[A-Z@]|^(?:this (?:file|code|module|script)|generated|auto-generated ?\/?>)/;
/** What such a line says, outside quotes. */
const GENERATED = [
  /^(?:this (?:file|code|module) (?:is|was|has been) )?(?:automatically )?@generated\b/i,
  /^code generated (?:by|from|using|with)\b/i,
  /^(?:\w+: |this (?:file|code|module|script) (?:is|was|has been) )?auto(?:matically[ -]|-)?generated(?:$|[.,;:!>*-]| ?\/>| (?:by|from|file|code|with|on|using|and|do)\b| [-–—])/i,
  /^[^"'`]*generated\b[^"'`]*\bdo(?: not|n't) (?:edit|modify|change)\b/i,
  /^(?:please )?do not (?:edit|modify|change)(?:\W*$| (?:this|it|by hand|manually|directly)\b)/i,
  /^DO NOT (?:EDIT|MODIFY)[ .!:,-]/,
  // What bison, flex, re2c and ANTLR put on top of what they wrote.
  /^A Bison parser, made by GNU Bison\b/i,
  /^A lexical scanner generated by flex\b/i,
  /^Generated (?:by|from .* by) (?:re2c|ANTLR)\b/i,
];

/** The line of the opening comments that declares the file generated; 0 if none does. */
function generatedLine(text: string): number {
  const lines = text.slice(0, HEADER_CHARACTERS).split("\n");
  let blockEnd: string | undefined;
  for (let i = 0; i < lines.length; i++) {
    const line = i === 0 ? lines[i]!.replace(/^\ufeff/, "") : lines[i]!;
    const open = COMMENT_LINE.exec(line)?.[0];
    if (blockEnd === undefined && open === undefined) {
      if (PREAMBLE.test(line)) continue;
      return 0;
    }
    const content = line.replace(COMMENT_SIGNS, "");
    if (STATEMENT.test(content) && GENERATED.some((mark) => mark.test(content))) return i + 1;
    const from = blockEnd === undefined ? open!.length : 0;
    blockEnd ??= BLOCKS[open!.trimStart()];
    if (blockEnd !== undefined && line.indexOf(blockEnd, from) >= 0) blockEnd = undefined;
  }
  return 0;
}
