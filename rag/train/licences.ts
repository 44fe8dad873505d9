/**
 * Which licences a training package may have, and what an archive says of its own.
 *
 * Pure. What must hold: every licence that applies to the sources is known and permissive, or there is an error that names
 * the one which is not; what cannot be told counts as not permissive.
 */
import picomatch from "picomatch";
import type { ArchiveEntry } from "./archive.ts";

const utf8 = new TextDecoder();

/** SPDX identifiers of the licences that a package may have. */
export const PERMISSIVE = [
  "0BSD",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "BSL-1.0",
  "CC0-1.0",
  "ISC",
  "MIT",
  "PSF-2.0",
  "Python-2.0",
  "Unlicense",
  "Zlib",
] as const;

/** How Debian and authors call them, in lower case. */
const ALSO_CALLED: Readonly<Record<string, (typeof PERMISSIVE)[number]>> = {
  "apache-2": "Apache-2.0",
  "apache2": "Apache-2.0",
  "apache-2.0-only": "Apache-2.0",
  "asl-2.0": "Apache-2.0",
  "bsd-2": "BSD-2-Clause",
  "bsd-3": "BSD-3-Clause",
  "bsd-2-clauses": "BSD-2-Clause",
  "bsd-3-clauses": "BSD-3-Clause",
  "bsl-1": "BSL-1.0",
  "boost-1.0": "BSL-1.0",
  "cc0": "CC0-1.0",
  "cc-0": "CC0-1.0",
  "expat": "MIT",
  "psf": "PSF-2.0",
  "psf-2": "PSF-2.0",
  "psfl": "PSF-2.0",
  "psfl-2": "PSF-2.0",
  "python": "Python-2.0",
  "python-2": "Python-2.0",
};

const SPDX = new Map<string, string>([
  ...PERMISSIVE.map((id) => [id.toLowerCase(), id] as const),
  ...Object.entries(ALSO_CALLED),
]);

/**
 * What of a licence expression is permissive, in SPDX identifiers: every part of an `and`, at least one of an `or`.
 * @param unknown asked for the identifier of a name, in lower case, that is none.
 * @returns nothing where that is not the whole obligation, or where a name is unknown.
 */
export function permissiveLicence(
  expression: string,
  unknown: (name: string) => string | undefined = () => undefined,
): string | undefined {
  const words = expression.replace(/,\s*(?=and\b|or\b)/gi, " ").replaceAll("/", " or ")
    .match(/[()]|[^\s()]+/g) ?? [];
  let at = 0;
  const joined = (operator: string, operand: () => string | undefined | null) => {
    const parts = [operand()];
    while (words[at]?.toLowerCase() === operator) {
      at++;
      parts.push(operand());
    }
    return parts;
  };
  const any = (): string | undefined => {
    const parts = new Set(joined("or", all).filter((part) => part !== undefined));
    return parts.size > 0 ? [...parts].sort().join(" OR ") : undefined;
  };
  const all = (): string | undefined => {
    const parts = joined("and", one);
    return parts.includes(undefined) ? undefined : allOf(parts as string[]);
  };
  const one = (): string | undefined => {
    if (words[at] !== "(") {
      const name = (words[at++] ?? "").toLowerCase();
      if (words[at]?.toLowerCase() !== "with") return SPDX.get(name) ?? unknown(name);
      // What an exception says is not known, and need not be where it is one of several choices.
      while (at < words.length && !/^(?:and|or|\))$/i.test(words[at]!)) at++;
      return undefined;
    }
    at++;
    const inner = any();
    if (words[at++] !== ")") at = Infinity;
    return inner;
  };
  const found = any();
  return at === words.length ? found : undefined;
}

/** Joins expressions with `AND`, each part once. */
function allOf(expressions: readonly string[]): string {
  const parts = expressions.flatMap((one) =>
    // What holds an "or" next to others has parentheses already.
    one.includes("(") || !one.includes(" OR ") ? one.split(/ AND (?![^(]*\))/) : [one]
  );
  const distinct = [...new Set(parts.map((part) => part.replace(/[()]/g, "")))].sort();
  return distinct.length === 1
    ? distinct[0]!
    : distinct.map((part) => part.includes(" OR ") ? `(${part})` : part).join(" AND ");
}

/**
 * The licence of an npm package, from its `package.json`; a file with the licence's text has to be there too.
 * @throws {Error} when one is missing or not permissive.
 */
export function npmLicence(name: string, entries: readonly ArchiveEntry[]): string {
  const inRoot = entries.filter(({ path }) => path.split("/").length === 2);
  const manifest = inRoot.find(({ path }) => path.endsWith("/package.json"));
  if (!manifest) throw new Error(`cannot take "${name}": its archive has no "package.json"`);
  const { license } = JSON.parse(utf8.decode(manifest.bytes));
  const stated = typeof license === "string" ? license : license?.type;
  const found = typeof stated === "string" ? permissiveLicence(stated) : undefined;
  if (!found) throw notPermissive(name, stated ?? "none", `"license" of its package.json`);
  if (!inRoot.some(({ path }) => /\/(?:(?:mit-|un)?licen[cs]e|copying)[^/]*$/i.test(path))) {
    throw new Error(`cannot take "${name}": its archive has no file with the text of the licence`);
  }
  return found;
}

/**
 * The licence of a Debian package, from its machine-readable copyright file (DEP-5): that of every stanza of files but
 * those of the packaging itself, and those which none of the sources can be meant by.
 * @param sources paths of the sources that are taken, as `sourceFiles` gives them.
 * @throws {Error} when the file is missing or in free text, or when one licence is not permissive.
 */
export function debianLicence(
  name: string,
  entries: readonly ArchiveEntry[],
  sources: readonly string[],
): string {
  const file = entries.find(({ path }) => path === `usr/share/doc/${name}/copyright`);
  if (!file) throw new Error(`cannot take "${name}": its archive has no copyright file`);
  const stanzas = utf8.decode(file.bytes).replaceAll("\r\n", "\n").split(/\n[ \t]*\n/);
  const texts = new Map<string, string>();
  for (const stanza of stanzas) {
    const [short, ...text] = (field(stanza, "License") ?? "").split("\n");
    if (text.length > 0) texts.set(short!.trim().toLowerCase(), text.join("\n"));
  }
  const found: string[] = [];
  for (const stanza of stanzas) {
    const globs = field(stanza, "Files")?.split(/\s+/).filter((glob) =>
      !glob.startsWith("debian/")
    );
    if (!globs?.some((glob) => mayMean(glob, sources))) continue;
    const stated = field(stanza, "License")?.split("\n")[0]?.trim() ?? "";
    const licence = permissiveLicence(stated, (id) => licenceOfText(texts.get(id) ?? ""));
    if (!licence) throw notPermissive(name, stated || "none", `files "${globs.join(" ")}"`);
    found.push(licence);
  }
  if (found.length === 0) {
    throw new Error(
      `cannot take "${name}": its copyright file names no files with their licence, expected the machine-readable form`,
    );
  }
  return allOf(found);
}

/**
 * Whether a glob over the files of a source package may mean one of the paths. Packages move files, so the last name of the
 * glob alone decides: no file or folder of that name means no.
 */
function mayMean(glob: string, paths: readonly string[]): boolean {
  const names = glob.split("/").filter((name) => !/^[*.]*$/.test(name));
  const last = names.at(-1);
  if (last === undefined) return true;
  const matches = picomatch(last, { dot: true });
  return paths.some((path) => path.split("/").some((name) => matches(name)));
}

/** The licence that a text is, told by the sentences that make it; nothing where they are not all there. */
export function licenceOfText(text: string): (typeof PERMISSIVE)[number] | undefined {
  const plain = text.replace(/[^a-z]+/gi, " ").toLowerCase();
  const says = (...sentences: string[]) => sentences.every((one) => plain.includes(one));
  if (
    says(
      "permission is hereby granted free of charge to any person obtaining a copy",
      "without restriction including without limitation the rights to use copy modify merge publish distribute sublicense and or sell",
      "notice and this permission notice shall be included in all copies or substantial portions",
    )
  ) return "MIT";
  if (
    says(
      "permission to use copy modify and or distribute this software for any purpose with or without fee is hereby granted provided that the above copyright notice and this permission notice appear in all copies",
    )
  ) {
    return "ISC";
  }
  if (
    says(
      "redistribution and use in source and binary forms with or without modification are permitted",
      "source code must retain the above copyright notice this list of conditions and the following disclaimer",
      "binary form must reproduce the above copyright notice this list of conditions and the following disclaimer",
    ) && !says("advertising") && (plain.match(/redistribution/g) ?? []).length === 3
  ) {
    return says("endorse or promote products derived from this software without")
      ? "BSD-3-Clause"
      : "BSD-2-Clause";
  }
  return undefined;
}

/** The value of a field in a paragraph as Debian writes them: `Name: value`, further lines indented. */
export function field(stanza: string, name: string): string | undefined {
  return new RegExp(`^${name}:[ \\t]*(.*(?:\\n[ \\t].*)*)`, "mi").exec(stanza)?.[1]?.trim();
}

function notPermissive(name: string, licence: string, of: string): Error {
  return new Error(
    `cannot take "${name}": the licence of ${of} is "${licence}", expected ${
      PERMISSIVE.join(", ")
    }`,
  );
}
