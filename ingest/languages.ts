/**
 * The one table of languages: which files are written in them, and what reads them.
 *
 * Owns the names that `SourceFile.language` may take. What must hold: every path has a language; what is not known is
 * `text`.
 */

/** What turns a text into a tree. */
export type Reader =
  | "typescript"
  | "tree-sitter"
  | "component"
  | "prose"
  | "json"
  | "yaml"
  | "toml"
  | "jsonl"
  | "lines";

export interface Language {
  readonly name: string;
  readonly reader: Reader;
  /** The grammar of tree-sitter, where that is the reader. */
  readonly grammar?: string;
  readonly extensions: readonly string[];
  /** Whole file names, lower case. */
  readonly names?: readonly string[];
  /** Interpreters in a `#!` line. */
  readonly interpreters?: readonly string[];
}

const words = (list: string) => list.split(" ");

const sitter = (
  name: string,
  grammar: string,
  extensions: string,
  interpreters = "",
  names = "",
): Language => ({
  name,
  reader: "tree-sitter",
  grammar,
  extensions: words(extensions),
  interpreters: interpreters ? words(interpreters) : [],
  names: names ? words(names) : [],
});

const lines = (name: string, extensions: string, names = ""): Language => ({
  name,
  reader: "lines",
  extensions: extensions ? words(extensions) : [],
  names: names ? words(names) : [],
});

/** Every language, the more specific extension first where two share an ending. */
export const LANGUAGES: readonly Language[] = [
  {
    name: "typescript",
    reader: "typescript",
    extensions: words("ts mts cts"),
    interpreters: words("deno ts-node tsx bun"),
  },
  { name: "tsx", reader: "typescript", extensions: ["tsx"] },
  {
    name: "javascript",
    reader: "typescript",
    extensions: words("js mjs cjs"),
    interpreters: ["node"],
  },
  { name: "jsx", reader: "typescript", extensions: ["jsx"] },
  sitter(
    "python",
    "python",
    "py pyi pyw",
    "python python2 python3 pypy uv",
    "sconstruct sconscript",
  ),
  sitter("go", "go", "go"),
  sitter("rust", "rust", "rs"),
  sitter("java", "java", "java"),
  sitter("c", "cpp", "c h"),
  sitter("cpp", "cpp", "cc cpp cxx c++ hh hpp hxx h++ ipp inl tpp cu cuh ino"),
  sitter("csharp", "c-sharp", "cs csx"),
  sitter(
    "ruby",
    "ruby",
    "rb rake gemspec ru podspec",
    "ruby",
    "rakefile gemfile guardfile vagrantfile podfile fastfile",
  ),
  sitter("php", "php", "php phtml php5 inc", "php"),
  sitter(
    "bash",
    "bash",
    "sh bash zsh ksh bats",
    "sh bash zsh dash ksh",
    ".bashrc .bash_profile .profile .zshrc pkgbuild",
  ),
  sitter("kotlin", "kotlin", "kt kts", "kotlin"),
  sitter("swift", "swift", "swift", "swift"),
  sitter("scala", "scala", "scala sc sbt mill", "scala scala-cli amm"),
  sitter("lua", "lua", "lua luau rockspec", "lua luajit", ".luacheckrc"),
  sitter("elixir", "elixir", "ex exs", "elixir"),
  sitter("zig", "zig", "zig zon"),
  sitter("haskell", "haskell", "hs hs-boot", "runhaskell runghc"),
  { name: "markdown", reader: "prose", extensions: words("md markdown mdx mkd mdc") },
  { name: "rst", reader: "prose", extensions: words("rst rest") },
  { name: "asciidoc", reader: "prose", extensions: words("adoc asciidoc asc") },
  {
    name: "text",
    reader: "prose",
    extensions: words("txt text log"),
    names: words(
      "readme license licence copying authors changelog changes notice todo contributing",
    ),
  },
  {
    name: "json",
    reader: "json",
    extensions: words("json jsonc json5 geojson webmanifest ipynb code-workspace"),
    names: words(".babelrc .eslintrc .prettierrc .swcrc"),
  },
  { name: "jsonl", reader: "jsonl", extensions: words("jsonl ndjson") },
  {
    name: "yaml",
    reader: "yaml",
    extensions: words("yaml yml"),
    names: words(".clang-format .clang-tidy"),
  },
  { name: "toml", reader: "toml", extensions: ["toml"], names: words("pipfile cargo.lock") },
  lines("dart", "dart"),
  lines("perl", "pl pm t"),
  lines("r", "r"),
  lines("julia", "jl"),
  lines("literate-haskell", "lhs"),
  lines("erlang", "erl hrl"),
  lines("clojure", "clj cljs cljc edn"),
  lines("ocaml", "ml mli"),
  lines("fsharp", "fs fsi fsx"),
  lines("nim", "nim"),
  lines("objective-c", "m mm"),
  lines("groovy", "groovy gradle", "jenkinsfile"),
  lines("powershell", "ps1 psm1 psd1"),
  lines("batch", "bat cmd"),
  lines("sql", "sql ddl"),
  lines("graphql", "graphql gql"),
  lines("protobuf", "proto"),
  lines("html", "html htm xhtml"),
  { name: "vue", reader: "component", extensions: ["vue"] },
  { name: "svelte", reader: "component", extensions: ["svelte"] },
  { name: "astro", reader: "component", extensions: ["astro"] },
  lines("xml", "xml xsd xsl xslt svg plist csproj fsproj vbproj props targets resx xaml pom"),
  lines("css", "css"),
  lines("scss", "scss sass"),
  lines("less", "less"),
  lines("ini", "ini cfg conf properties editorconfig", ".editorconfig .gitconfig .npmrc setup.cfg"),
  lines("dotenv", "env"),
  lines("dockerfile", "dockerfile", "dockerfile containerfile"),
  lines("makefile", "mk mak", "makefile gnumakefile"),
  lines("cmake", "cmake", "cmakelists.txt"),
  lines("bazel", "bzl bazel star", "build workspace"),
  lines("terraform", "tf tfvars hcl"),
  lines("nix", "nix"),
  lines("vim", "vim"),
  lines("lisp", "lisp lsp el scm rkt"),
  lines("fortran", "f f90 f95 for"),
  lines("pascal", "pas dpr"),
  lines("assembly", "asm s"),
  lines("solidity", "sol"),
  lines("wgsl", "wgsl glsl vert frag hlsl metal"),
  lines("latex", "tex sty cls bib"),
  lines("diff", "diff patch"),
  lines("csv", "csv tsv"),
  lines("ignore", "", ".gitignore .dockerignore .npmignore .batosignore .gitattributes codeowners"),
];

const byExtension = new Map<string, Language>();
const byName = new Map<string, Language>();
const byInterpreter = new Map<string, Language>();
const byLanguage = new Map<string, Language>();
for (const language of LANGUAGES) {
  byLanguage.set(language.name, language);
  for (const extension of language.extensions) {
    if (!byExtension.has(extension)) byExtension.set(extension, language);
  }
  for (const name of language.names ?? []) byName.set(name, language);
  for (const name of language.interpreters ?? []) byInterpreter.set(name, language);
}

const TEXT = byLanguage.get("text")!;

/** The entry of the table for a path; the text is asked for a `#!` line only where the name says nothing. */
export function languageFor(path: string, text?: string): Language {
  const name = path.slice(path.lastIndexOf("/") + 1).toLowerCase();
  const known = byName.get(name);
  if (known) return known;
  const dot = name.lastIndexOf(".");
  if (dot >= 0) {
    const found = byExtension.get(name.slice(dot + 1));
    if (found) return found;
    // `Dockerfile.dev`, `Makefile.am`, `.env.local`
    const stem = byName.get(name.slice(0, name.indexOf(".", 1)));
    if (stem) return stem;
    if (name.startsWith(".env")) return byLanguage.get("dotenv")!;
  }
  return (text !== undefined && shebang(text)) || TEXT;
}

function shebang(text: string): Language | undefined {
  const from = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  if (text.charCodeAt(from) !== 35 || text.charCodeAt(from + 1) !== 33) return undefined;
  const newline = text.indexOf("\n");
  const line = text.slice(from + 2, newline === -1 ? undefined : newline);
  for (const word of line.trim().split(/[\s/]+/)) {
    if (word === "env" || word.startsWith("-")) continue;
    const found = byInterpreter.get(word) ?? byInterpreter.get(word.replace(/[\d.]+$/, ""));
    if (found) return found;
  }
  return undefined;
}

/** The language that a path is written in, for example `typescript` or `markdown`. */
export function languageOf(path: string, text?: string): string {
  return languageFor(path, text).name;
}
