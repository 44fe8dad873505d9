/** Behaviour of `ingest/secrets.ts`. No line of this file is a secret: every one is put together from two halves. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { findSecret, secretName } from "../../ingest/secrets.ts";

const LOWER = "abcdefghijklmnopqrstuvwxyz";
const DIGITS = "0123456789";
const WORD = LOWER + LOWER.toUpperCase() + DIGITS;

/** Characters of an alphabet that look random and are the same in every run. */
function noise(length: number, alphabet = WORD): string {
  let state = 12345;
  return Array.from({ length }, () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return alphabet[(state >>> 16) % alphabet.length];
  }).join("");
}

const dashes = "-----";
const pem = (kind: string, body: string) =>
  `${dashes}BEGIN ${kind}PRIVATE KEY${dashes}\n${body}\n${dashes}END ${kind}PRIVATE KEY${dashes}\n`;
const base64Url = (value: unknown) =>
  btoa(JSON.stringify(value)).replace(/=+$/, "").replaceAll("+", "-").replaceAll("/", "_");
const jwt = (payload: unknown) =>
  [base64Url({ alg: "HS256", typ: "JWT" }), base64Url(payload), noise(43)].join(".");

const secrets: Record<string, string> = {
  "AWS access key": "AK" + "IA" + noise(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"),
  "AWS secret key": `aws_secret_access_key = "${noise(40)}"`,
  "GitHub token": "gh" + "p_" + noise(36),
  "GitLab token": "gl" + "pat-" + noise(20),
  "Slack token": "xo" + `xb-${noise(12, DIGITS)}-${noise(24)}`,
  "Slack webhook": "https://hooks.slack" + `.com/services/T0${noise(8)}/B0${noise(8)}/${noise(24)}`,
  "Stripe key": "sk_" + "live_" + noise(24),
  "Google key": "AI" + "za" + noise(35),
  "Google client secret": "GOC" + "SPX-" + noise(28),
  "npm token": "np" + "m_" + noise(36),
  "PyPI token": "py" + "pi-AgE" + noise(60),
  "OpenAI key": "sk-" + "proj-" + noise(60),
  "Anthropic key": "sk-" + "ant-api03-" + noise(60),
  "Hugging Face token": "h" + "f_" + noise(34, LOWER + LOWER.toUpperCase()),
  "SendGrid key": "S" + `G.${noise(22)}.${noise(43)}`,
  "Shopify token": "shp" + "at_" + noise(32, "0123456789abcdef"),
  "DigitalOcean token": "dop" + "_v1_" + noise(64, "0123456789abcdef"),
  "Azure storage key": "Account" + `Key=${noise(86)}==`,
  "age key": "AGE-SECRET" + "-KEY-1" + noise(58, "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"),
  "private key": pem("RSA ", noise(64) + "\n" + noise(64)),
  "JSON Web Token": jwt({ iss: "https://auth.acme.io", sub: "42" }),
};

Deno.test("findSecret() names the kind and the line of every format it knows", () => {
  for (const [kind, secret] of Object.entries(secrets)) {
    const text = `// settings\nconst a = 1;\nconst key = \`${secret}\`;\n`;
    assert.deepEqual(findSecret(text), { kind, line: 3 }, kind);
  }
});

Deno.test("findSecret() finds a private key however it is written", () => {
  const [first, second] = [noise(64), noise(40)];
  const written = [
    pem("", "MC4CAQAwBQYDK2Vw" + noise(48)), // Ed25519: one short line
    pem("", noise(24)),
    pem("OPENSSH ", "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtz" + first),
    pem("EC ", first).replaceAll("\n", "\r\n"),
    JSON.stringify({ private_key: pem("", first) }),
    pem("", `${first}\n${second}`).split("\n").map((line) => `  "${line}\\n" +`).join("\n"),
    pem("RSA ", `Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,${first}\n\n${second}`),
    pem("", first).split("\n").map((line) => `# ${line}`).join("\n"),
    `${dashes}BEGIN PGP PRIVATE KEY BLOCK${dashes}\nVersion: GnuPG v2\n\n${first}\n`,
  ];
  for (const text of written) assert.equal(findSecret(text)?.kind, "private key", text);
});

Deno.test("findSecret() leaves examples, placeholders and code about secrets alone", () => {
  const harmless = [
    "AK" + "IAIOSFODNN7EXAMPLE",
    "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "gh" + "p_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "gh" + "p_" + LOWER + "0123456789",
    "gh" + "p_" + noise(20),
    "x" + "gh" + "p_" + noise(36),
    "xo" + "xb-your-bot-token",
    "sk_" + "test_" + noise(24),
    pem("", "..."),
    pem("", "<your key here>"),
    pem("", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC..."),
    pem("", "x".repeat(64)),
    `if (text.includes("${dashes}BEGIN PRIVATE KEY${dashes}")) throw new Error("leaked");`,
    `"${dashes}BEGIN PRIVATE KEY${dashes}\\n" + encodeAsBase64String(key, 64)`,
    `${dashes}BEGIN PUBLIC KEY${dashes}\n${noise(64)}\n`,
    `${dashes}BEGIN CERTIFICATE${dashes}\n${noise(64)}\n`,
    jwt({ sub: "1234567890", name: "John Doe", iat: 1516239022 }),
    jwt({ iss: "https://example.com", sub: "42" }),
    "ey" + "J" + noise(40) + "." + "ey" + "J" + noise(40) + "." + noise(43),
    "_authToken=${NPM_TOKEN}",
  ];
  for (const text of harmless) assert.equal(findSecret(text), undefined, text);
});

Deno.test("findSecret() finds a token between any other text", () => {
  const around = fc.string({ unit: "grapheme", maxLength: 200 });
  fc.assert(fc.property(around, around, (before, after) => {
    const text = `${before}\n${secrets["GitHub token"]} ${after}`;
    assert.equal(findSecret(text)?.line, before.split("\n").length + 1);
  }));
});

Deno.test("findSecret() takes linear time on text made of beginnings", () => {
  for (const piece of ["ey" + "J", "sk-", `${dashes}BEGIN PRIVATE KEY${dashes} `, "A: b\n"]) {
    const text = `${dashes}BEGIN PRIVATE KEY${dashes}\n` + piece.repeat(2_000_000 / piece.length);
    assert.equal(findSecret(text), undefined);
  }
});

Deno.test("secretName() knows the files that hold secrets, in any case and folder", () => {
  const secret =
    ".env .env.local .ENV .env.production prod.env .envrc id_rsa ID_ED25519 server.pem tls.key a.p12 a.pfx a.jks " +
    "release.keystore .npmrc .netrc _netrc .pypirc .pgpass .htpasswd .git-credentials credentials credentials.json " +
    "secrets.yml client_secret_42.json service-account.json terraform.tfstate prod.tfvars .docker/config.json";
  for (const name of secret.split(" ")) {
    assert.equal(secretName(name), "secret by its name", name);
    assert.equal(secretName(`a/b/${name}`), "secret by its name", name);
  }
  const open =
    ".env.example .env.sample .env.template .env.local.example id_rsa.pub env.ts .environment credentials.ts " +
    "secrets.py secret.md keys.ts key.rs pem.go config.json service-account.ts monkey";
  for (const name of open.split(" ")) assert.equal(secretName(name), undefined, name);
});
