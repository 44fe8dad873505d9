/**
 * What a person calls a model, what that means, and how a model that cannot be had is refused.
 *
 * Owns the form of a reference, the names of files and folders that follow from it, and the error of this part of the kernel.
 * What must hold: one model has one written form; a name that leads out of a folder, or that some file system cannot keep,
 * is in no reference; nothing here looks at a disk or a network.
 */
import { createHash } from "node:crypto";

/**
 * Why there is no model: `unreachable` (no connection), `missing` (there is no such thing), `denied` (no right to it, or the
 * process may not do this), `failed` (all else).
 */
export type ModelErrorKind = "unreachable" | "missing" | "denied" | "failed";

/** A model that cannot be had; one line for a person. */
export class ModelError extends Error {
  override readonly name = "ModelError";
  constructor(message: string, readonly kind: ModelErrorKind = "failed", options?: ErrorOptions) {
    super(message, options);
  }
}

/** Base address of the hub that `hf:` means by default. */
export const PUBLIC_HUB = "https://huggingface.co";
/** What a hub calls the revision that nobody named. */
export const MAIN_REVISION = "main";
/** What the store writes beside the files of a model. */
export const MANIFEST = "model.json";
/** Enough of a name to recognise a model by, short enough for every file system. */
const MAX_NAME = 60;

/** What a person means by a model. */
export type ModelReference =
  | {
    readonly kind: "hub";
    readonly owner: string;
    readonly repo: string;
    /** Branch, tag or commit; the main branch where undefined. */
    readonly revision: string | undefined;
    /** `/`-separated, the first part of a split GGUF; the whole folder is meant where undefined. */
    readonly file: string | undefined;
  }
  | { readonly kind: "url"; readonly url: string }
  | { readonly kind: "path"; readonly path: string };

/**
 * Reads what a person typed: `hf:owner/repo`, `hf:owner/repo/file.gguf`, either with `@revision` behind the repo (a slash in
 * it written `%2F`), `https://…/file`, or a path that begins with `/`, `./` or `../`. The address of a file at the public
 * hub is read as the file of that hub.
 *
 * @throws {ModelError} that says what would be right
 */
export function parseReference(text: string): ModelReference {
  const given = text.trim();
  const refuse = (found: string): never => {
    throw new ModelError(
      `model "${
        shorten(given)
      }": ${found}; expected hf:owner/repo, hf:owner/repo/file.gguf, https://…/file or ./path`,
    );
  };
  if (/^(\.{0,2}[\\/]|[A-Za-z]:[\\/])/.test(given)) return { kind: "path", path: given };
  if (given.startsWith("hf:")) {
    const match = /^([^/@]+)\/([^/@]+)(?:@([^/]+))?(?:\/(.+))?$/s.exec(given.slice(3));
    if (match === null) return refuse("no owner and repo behind hf:");
    const [, owner = "", repo = "", revision, file] = match;
    const isName = (name: string) => /^[\w.-]{1,96}$/.test(name) && !/^\.+$/.test(name);
    if (!isName(owner) || !isName(repo)) return refuse(`"${owner}/${repo}" is no name of a repo`);
    const decoded = revision === undefined ? undefined : decode(revision);
    if (revision !== undefined && !isRevision(decoded)) {
      return refuse(`"${revision}" is no revision`);
    }
    const unsafe = file === undefined ? undefined : unsafeName(file);
    if (unsafe !== undefined) return refuse(`the file name "${file}" ${unsafe}`);
    return {
      kind: "hub",
      owner,
      repo,
      revision: decoded === MAIN_REVISION ? undefined : decoded,
      file: file === undefined ? undefined : partsOf(file)[0],
    };
  }
  if (/^https?:/i.test(given)) {
    const url = URL.parse(given);
    if (url === null) return refuse("not a web address");
    if (url.username !== "" || url.password !== "") {
      throw new ModelError(
        `model at "${url.host}": a password in the address would be kept on disk; leave it out`,
      );
    }
    const atHub = /^\/([^/]+\/[^/]+)\/(?:resolve|blob|raw)\/([^/]+)\/(.+)$/.exec(url.pathname);
    if (url.origin === PUBLIC_HUB && atHub !== null) {
      const file = decode(atHub[3]!) ?? atHub[3]!;
      return parseReference(`hf:${atHub[1]}@${atHub[2]}/${file}`);
    }
    const file = fileOf(url);
    const unsafe = file === undefined ? "is missing" : unsafeName(file);
    if (file === undefined || unsafe !== undefined) return refuse(`the name of the file ${unsafe}`);
    url.hash = "";
    url.pathname = url.pathname.replace(/[^/]*$/, encodeURIComponent(partsOf(file)[0]!));
    return { kind: "url", url: url.href };
  }
  return refuse(
    /^[\w.-]+\/[\w.-]+/.test(given)
      ? `hub or folder? write hf:${given} or ./${given}`
      : "not a reference",
  );
}

/** The reference as a person would type it; `parseReference` reads the same from it. */
export function formatReference(reference: ModelReference): string {
  if (reference.kind === "url") return reference.url;
  if (reference.kind === "path") return reference.path;
  const { owner, repo, revision, file } = reference;
  const at = revision === undefined ? "" : `@${encodeURIComponent(revision)}`;
  return `hf:${owner}/${repo}${at}${file === undefined ? "" : `/${file}`}`;
}

/** The files that a reference to a file means; none for a folder. */
export function ownFiles(reference: ModelReference): readonly string[] {
  if (reference.kind === "url") return partsOf(fileOf(new URL(reference.url))!);
  return reference.kind === "hub" && reference.file !== undefined ? partsOf(reference.file) : [];
}

/** All parts of a split GGUF, in order; any other file is its only part. */
function partsOf(file: string): string[] {
  const match = /^(.*-)(\d{5})-of-(\d{5})(\.gguf)$/is.exec(file);
  const [, start, part, count, end] = match ?? [];
  if (match === null || Number(part) < 1 || Number(part) > Number(count)) return [file];
  return Array.from(
    { length: Number(count) },
    (_, at) => `${start}${String(at + 1).padStart(5, "0")}-of-${count}${end}`,
  );
}

function fileOf(url: URL): string | undefined {
  return decode(url.pathname.slice(url.pathname.lastIndexOf("/") + 1)) || undefined;
}

/** Why a file name of a hub cannot be one here, on any system; nothing when it can. */
export function unsafeName(file: string): string | undefined {
  const parts = file.split("/");
  if (parts.some((part) => part === "" || part === "." || part === "..")) {
    return "leads out of its folder";
  }
  // deno-lint-ignore no-control-regex
  if (/[\\:*?"<>|\x00-\x1f\x7f]|[ .](\/|$)/.test(file) || !file.isWellFormed()) {
    return "holds what not every file system can keep";
  }
  if (file.length > 500 || parts.some((part) => part.length > 200)) return "is too long";
  if (file.toLowerCase() === MANIFEST || /\.part(\.json)?$/i.test(file)) {
    return "is one that the store needs itself";
  }
  return undefined;
}

function isRevision(text: string | undefined): boolean {
  return text !== undefined && /^[\w.+/-]{1,200}$/.test(text) &&
    text.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined; // a stray percent sign
  }
}

/** A reference for messages: the query of an address may hold a key. */
export function showReference(reference: ModelReference): string {
  return formatReference(reference).replace(/^(https?:[^?]*)\?.*$/s, "$1");
}

function shorten(text: string): string {
  const line = text.replace(/\s+/g, " ").replace(/^(https?:[^?]*)\?.*$/, "$1");
  return line.length > 120 ? `${line.slice(0, 117)}…` : line;
}

/** Readable at the start, unique by the end, the same on file systems that do not tell case. */
export function folderName(reference: ModelReference): string {
  const text = formatReference(reference);
  const [file] = ownFiles(reference);
  const name = file ?? (reference.kind === "hub" ? reference.repo : text);
  const readable = name.slice(name.lastIndexOf("/") + 1).replace(/[^\w.-]/g, "_").slice(
    0,
    MAX_NAME,
  );
  return `${readable}-${createHash("sha256").update(text).digest("hex").slice(0, 12)}`;
}
