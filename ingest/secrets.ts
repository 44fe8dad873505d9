/**
 * Secrets: which files are kept out of the index because of their name or of what they hold.
 *
 * Owns the names and the patterns. What must hold:
 * - a finding names the kind and the line, never the value;
 * - obvious examples (`AKIA…EXAMPLE`, rows of one letter, the token of the JWT handbook) are not findings;
 * - a text without a finding costs one pass of one expression; every expression is bounded, so no text is slow.
 *
 * The formats are the ones that their issuers publish (prefix, alphabet, length).
 */

/** What a text holds that must not be indexed. */
export interface Secret {
  /** For example `GitHub token`. */
  readonly kind: string;
  /** 1-based. */
  readonly line: number;
}

/** The reason why a file of this name is taken for a secret, whatever it holds. */
export function secretName(path: string): string | undefined {
  const lower = path.toLowerCase();
  const name = lower.slice(lower.lastIndexOf("/") + 1);
  if (TEMPLATE.test(name)) return undefined;
  return SECRET_NAME.test(name) || SECRET_PATH.test(lower) ? "secret by its name" : undefined;
}

/** Finds the first secret in a text. */
export function findSecret(text: string): Secret | undefined {
  gate.lastIndex = 0;
  for (let start = gate.exec(text); start !== null; start = gate.exec(text)) {
    formats.lastIndex = start.index;
    const match = formats.exec(text);
    if (match === null) continue;
    const found = match.findIndex((group, i) => i > 0 && group !== undefined);
    const [kind, , , isReal = isRandom] = table[found - 1]!;
    if (isReal(match[found]!)) return { kind, line: lineOf(text, start.index) };
  }
  return undefined;
}

/**
 * A text with its secrets taken out: each becomes `[redacted: GitHub token]` or the like; of a private key all that follows its
 * first line. JSON text stays JSON, unless a private key goes over several strings of it.
 */
export function redactSecrets(text: string): string {
  let safe = "";
  let at = 0;
  gate.lastIndex = 0;
  for (let start = gate.exec(text); start !== null; start = gate.exec(text)) {
    formats.lastIndex = start.index;
    const match = formats.exec(text);
    if (match === null) continue;
    const found = match.findIndex((group, i) => i > 0 && group !== undefined);
    const [kind, , , isReal = isRandom] = table[found - 1]!;
    const secret = match[found]!;
    if (!isReal(secret)) continue;
    const begin = start.index + match[0].lastIndexOf(secret);
    // The further lines of a key hold as much of it as the first.
    const end = isReal === isKey ? endOfKey(text, begin) : begin + secret.length;
    // A token that begins with its form, such as ghp_, goes with it.
    safe += text.slice(at, kind.endsWith("token") ? start.index : begin) + `[redacted: ${kind}]`;
    at = gate.lastIndex = end;
  }
  return at === 0 ? text : safe + text.slice(at);
}

/** Base64 over lines, their ends written as such or as escapes. */
const KEY_BODY = /(?:[A-Za-z0-9+/=]|\\[rnt]|[\r\n\t ])+/y;
/** A key of 16,384 bits in Base64, and what stands around its lines in source code. */
const LONGEST_KEY = 20_000;

/** Where a private key ends: at its last line, or where its form does. */
function endOfKey(text: string, begin: number): number {
  const mark = text.indexOf("-----END", begin);
  if (mark >= 0 && mark - begin <= LONGEST_KEY) return mark;
  KEY_BODY.lastIndex = begin;
  return KEY_BODY.test(text) ? KEY_BODY.lastIndex : begin;
}

/** Files that show which settings there are, without their values. */
const TEMPLATE = /[.-](?:example|sample|template|tmpl|dist|defaults?|schema)$/;

const SECRET_NAME = new RegExp(
  "^(?:" + [
    "\\.env(?:\\..*|rc)?|.*\\.env",
    "id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?",
    ".*\\.(?:pem|key|p8|p12|pfx|ppk|jks|keystore|kdbx|tfstate|tfvars)",
    "[._]netrc|\\.(?:npmrc|pypirc|pgpass|htpasswd|git-credentials|dockercfg|vault-token|s3cfg|boto)",
    "credentials(?:\\.(?:json|ya?ml|toml|ini|csv|xml|properties))?|master\\.key",
    "secrets?\\.(?:json|ya?ml|toml|ini|properties)",
    "(?:client_secret|service[-_]account)[^/]*\\.json",
  ].join("|") + ")$",
);

const SECRET_PATH = /(?:^|\/)(?:\.docker\/config\.json|\.kube\/config|\.cargo\/credentials\.toml)$/;

/** What stands between two lines of a key: white space, or its escapes, signs of comments and of concatenation. */
const GAP = "(?:\\\\[rn]|[\\s,+*#|>\\\\]){0,99}";
/** The Base64 behind the first line of a PEM block, in a string that may end and begin again; `…` abridges an example. */
const PEM = [
  "(?: BLOCK)?-----",
  `${GAP}(?:["'\`]${GAP}["'\`]${GAP})?`,
  `(?:[A-Za-z-]{1,20}: [^\\n\\\\]{0,99}${GAP}){0,4}`,
  "([A-Za-z0-9+/]{16,4096})(?![\\w+/(.[…])",
].join("");

type Format = readonly [
  kind: string,
  /** What the gate looks for. */
  prefix: string,
  /** What follows; its only group is what makes it a secret. */
  rest: string,
  isReal?: (secret: string) => boolean,
];

const table: readonly Format[] = [
  ["private key", "-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY", PEM, isKey],
  ["JSON Web Token", "eyJ", "([\\w-]{10,2000}\\.eyJ[\\w-]{10,4000}\\.[\\w-]{40,1000})", isRealJwt],
  ["AWS access key", "A[KS]IA", "([A-Z0-9]{16})(?![A-Za-z0-9])"],
  [
    "AWS secret key",
    "(?:aws_secret_access_key|AWS_SECRET_ACCESS_KEY|[sS]ecretAccessKey)",
    "[\"']?\\s{0,8}[:=]\\s{0,8}[\"']?([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
  ],
  ["GitHub token", "gh[pousr]_", "([A-Za-z0-9]{36,255})"],
  ["GitHub token", "github_pat_", "([A-Za-z0-9]{22}_[A-Za-z0-9]{20,255})"],
  ["GitLab token", "gl(?:pat|ptt|dt|rt|cbt|soat)-", "([A-Za-z0-9_-]{20,64})"],
  ["Slack token", "xox[abeoprs]-", "(\\d[A-Za-z0-9-]{15,255})"],
  ["Slack webhook", "hooks\\.slack\\.com/services/", "T\\w{6,20}/B\\w{6,20}/([A-Za-z0-9]{20,255})"],
  ["Stripe key", "[sr]k_live_", "([A-Za-z0-9]{16,255})"],
  ["Google key", "AIza", "([A-Za-z0-9_-]{35})(?![A-Za-z0-9_-])"],
  ["Google client secret", "GOCSPX-", "([A-Za-z0-9_-]{28})"],
  ["npm token", "npm_", "([A-Za-z0-9]{36})(?![A-Za-z0-9])"],
  ["npm token", "_authToken", '\\s{0,4}=\\s{0,4}"?([A-Za-z0-9_-]{20,255})'],
  ["PyPI token", "pypi-AgE", "([A-Za-z0-9_-]{40,255})"],
  ["OpenAI key", "sk-(?:proj|svcacct|admin)-", "([A-Za-z0-9_-]{40,255})"],
  ["OpenAI key", "sk-", "([A-Za-z0-9]{48})(?![A-Za-z0-9])"],
  ["Anthropic key", "sk-ant-", "([A-Za-z0-9_-]{40,255})"],
  ["Hugging Face token", "hf_", "([A-Za-z]{34})(?![A-Za-z0-9])"],
  ["SendGrid key", "SG\\.", "([A-Za-z0-9_-]{22}\\.[A-Za-z0-9_-]{43})"],
  ["Shopify token", "shp(?:at|ca|pa|ss)_", "([A-Fa-f0-9]{32})"],
  ["DigitalOcean token", "do[opr]_v1_", "([a-f0-9]{64})"],
  ["Azure storage key", "AccountKey=", "([A-Za-z0-9/+]{86})=="],
  ["age key", "AGE-SECRET-KEY-1", "([0-9A-Z]{58})"],
];

const prefixes = [...new Set(table.map(([, prefix]) => prefix))];
/** The one expression that every text is searched with: where anything may begin. */
const gate = new RegExp(`${prefixes[0]}|\\b(?:${prefixes.slice(1).join("|")})`, "g");
/** Every format, each with one group, so that the number of the group that matched is its place in the table. */
const formats = new RegExp(table.map(([, prefix, rest]) => prefix + rest).join("|"), "y");

const PLACEHOLDER = /example|sample|dummy|fake|placeholder|your|change_?me|redacted|deadbeef/i;
/** Sixteen random characters have about fourteen different ones. */
const MIN_DISTINCT = 8;
/** `xxxxxx` and `abcdefghij` are typed by a person. */
const MAX_REPEAT = 5;
const MAX_SEQUENCE = 9;

/** Whether a key is more than a placeholder; rows of `A` (zero bits) are common in true ones. */
function isKey(body: string): boolean {
  return new Set(body).size >= MIN_DISTINCT && !PLACEHOLDER.test(body);
}

function isRandom(body: string): boolean {
  let repeat = 1;
  let sequence = 1;
  for (let i = 1; i < body.length; i++) {
    const step = body.charCodeAt(i) - body.charCodeAt(i - 1);
    repeat = step === 0 ? repeat + 1 : 1;
    sequence = step === 1 ? sequence + 1 : 1;
    if (repeat > MAX_REPEAT || sequence > MAX_SEQUENCE) return false;
  }
  return isKey(body);
}

/** Claims that tie a token to a service; without them it opens nothing, as in most documentation. */
const SERVICE_CLAIMS = ["iss", "jti", "sid", "role", "scope"];

/** A token that parses, is signed, belongs to a service and does not speak of examples. */
function isRealJwt(token: string): boolean {
  const [header, payload, signature] = `eyJ${token}`.split(".");
  try {
    const decoded = [header!, payload!].map((part) =>
      atob(part.replaceAll("-", "+").replaceAll("_", "/"))
    );
    const claims = decoded.map((part) => JSON.parse(part));
    if (typeof claims[0].alg !== "string" || claims[0].alg === "none") return false;
    return SERVICE_CLAIMS.some((claim) => claim in claims[1]) && isRandom(signature!) &&
      !/example|localhost|1234567890|john doe|\btest\b/i.test(decoded[1]!);
  } catch {
    return false;
  }
}

function lineOf(text: string, index: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at >= 0 && at < index; at = text.indexOf("\n", at + 1)) line++;
  return line;
}
