/** Models as a person uses them: brought, chosen, asked, removed, by the program in a process of its own. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ChatServer } from "../support/chat_server.ts";
import { LoopbackHub } from "../support/hub.ts";
import { tinyModel } from "../support/tiny_gguf.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const config = JSON.parse(Deno.readTextFileSync(join(ROOT, "deno.json"))) as {
  tasks: Record<string, { command: string }>;
};

/** A repository, a cache and a way to run the program as a task does. */
class Place implements Disposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "batos-model-commands-" });
  readonly repo = join(this.folder, "shop");

  constructor() {
    Deno.mkdirSync(join(this.repo, "src"), { recursive: true });
    Deno.mkdirSync(join(this.repo, ".git"));
    Deno.writeTextFileSync(
      join(this.repo, "src/order.ts"),
      "/** Applies a discount to a price. */\nexport function applyDiscount(cents: number, share: number): number {\n  return cents * (1 - share);\n}\n",
    );
  }

  /** Words of a task, without `deno` and `main.ts`. */
  start(task: string, words: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const [, ...flags] = config.tasks[task]!.command.split(" ");
    const at = flags.indexOf("main.ts");
    return new Deno.Command(Deno.execPath(), {
      args: [
        ...flags.slice(0, at).map((flag) =>
          flag.startsWith("--lock=") ? `--lock=${join(ROOT, flag.slice(7))}` : flag
        ),
        "--quiet",
        "--config",
        join(ROOT, "deno.json"),
        join(ROOT, "main.ts"),
        ...words,
      ],
      cwd: this.repo,
      env: { XDG_CACHE_HOME: join(this.folder, "cache"), NO_COLOR: "1", ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  }

  async run(task: string, words: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const { code, stdout, stderr } = await this.start(task, words, env).output();
    const decoder = new TextDecoder();
    return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.folder, { recursive: true });
  }
}

const QUESTION = "how is a discount applied?";

/** A server whose model answers at once, with one citation. */
function answeringServer(): ChatServer {
  return new ChatServer({
    reply: ({ body }) =>
      body.response_format
        ? '{"thought":"x","action":"answer","arguments":{}}'
        : "See src/order.ts:1-4.",
  });
}

Deno.test("a model is brought, listed, chosen, asked, and removed", async () => {
  using place = new Place();
  await using hub = new LoopbackHub({ "acme/tiny/tiny.gguf": tinyModel({ context: 16_384 }) });
  const env = { HF_ENDPOINT: hub.url };
  const REFERENCE = "hf:acme/tiny/tiny.gguf";
  const before = await place.run("model", ["model", "use", REFERENCE]);
  assert.equal(before.code, 2);
  assert.match(before.err, /it is not on this machine; "deno task with-models model pull hf:acme/);

  const pulled = await place.run("with-models", ["model", "pull", REFERENCE, "--json"], env);
  assert.equal(pulled.code, 0, pulled.err);
  const model = JSON.parse(pulled.out);
  assert.equal(model.reference, REFERENCE);
  assert.equal(model.pulled, true);
  assert.match(model.sha256, /^[0-9a-f]{64}$/);
  const again = await place.run("with-models", ["model", "pull", `llama:${REFERENCE}`], env);
  assert.match(again.out, /^here already: hf:acme/);

  const used = await place.run("model", ["model", "use", REFERENCE, "--json"]);
  assert.equal(used.code, 0, used.err);
  assert.deepEqual(JSON.parse(used.out), { model: `llama:${REFERENCE}`, previous: null });
  const listed = JSON.parse((await place.run("model", ["model", "list", "--json"])).out);
  assert.equal(listed.in_use, `llama:${REFERENCE}`);
  assert.equal(listed.chosen_by, "settings");
  assert.deepEqual(listed.models.map((each: { in_use: boolean }) => each.in_use), [true]);
  assert.ok(listed.recommended.length > 2);
  const text = await place.run("model", ["model", "list"]);
  assert.match(text.out, /hf:acme\/tiny\/tiny\.gguf {2}\(in use\)[^]*not tried by us/);

  const limits = ["--steps", "2", "--tokens", "1500", "--seconds", "60"];
  const asked = await place.run("with-models", ["ask", QUESTION, "--json", ...limits]);
  const answer = JSON.parse(asked.out);
  assert.equal(answer.driver, `llama:${REFERENCE}`, asked.err);
  assert.ok(answer.model.calls > 0 && answer.steps.length <= 2);
  assert.equal(asked.code, answer.found ? 0 : 1);

  // Without the permission for native code the answer comes without the model, and says so once.
  const plain = await place.run("ask", ["ask", QUESTION, "--json"]);
  assert.equal(plain.code, 0, plain.err);
  assert.equal(JSON.parse(plain.out).driver, "extractive");
  assert.match(
    plain.err,
    /native code is not permitted; run it as "deno task with-models …"[^\n]*; answering without a model\n$/,
  );
  const named = await place.run("ask", [
    "ask",
    QUESTION,
    "--model",
    REFERENCE.replace("hf", "llama:hf"),
  ]);
  assert.equal(named.code, 2);
  assert.match(named.err, /^batos: ask: [^\n]*native code is not permitted[^\n]*\n$/);

  const removed = await place.run("model", ["model", "rm", REFERENCE]);
  assert.match(removed.out, /^removed hf:acme\/tiny\/tiny\.gguf, .* freed/);
  assert.match(removed.err, /it is the model in use here; "batos model use none"/);
  const gone = await place.run("with-models", ["ask", QUESTION, "--json"]);
  assert.equal(JSON.parse(gone.out).driver, "extractive");
  assert.match(gone.err, /it is not on this machine[^\n]*; answering without a model/);
  assert.equal((await place.run("model", ["model", "rm", REFERENCE])).code, 1);
  assert.equal((await place.run("model", ["model", "use", "none"])).code, 0);
  assert.equal((await place.run("with-models", ["ask", QUESTION])).err, "");
});

Deno.test("a model at a server answers where it is named, by flag or environment; its key is in no output", async () => {
  using place = new Place();
  const key = "k-secret-of-the-user";
  await using server = answeringServer();
  const name = `openai:${server.url}#tiny`;
  const env = { OPENAI_API_KEY: key, BATOS_MODEL: name };
  const asked = await place.run("with-models", ["ask", QUESTION], env);
  assert.equal(asked.code, 0, asked.err);
  assert.match(asked.out, /^See src\/order\.ts:1-4\./);
  assert.equal(server.completions[0]!.authorization, `Bearer ${key}`);
  server.fault = () => Response.json({ error: `bad key ${key}` }, { status: 401 });
  const refused = await place.run("with-models", ["ask", QUESTION, "--model", name], env);
  assert.equal(refused.code, 2);
  assert.match(refused.err, /it answered 401: bad key \[key\]/);
  const fallen = await place.run("with-models", ["ask", QUESTION], { ...env, BATOS_DEBUG: "1" });
  assert.equal(fallen.code, 0);
  for (const { out, err } of [asked, refused, fallen]) assert.ok(!(out + err).includes(key));
  // The plain task may not connect, and says what may.
  const plain = await place.run("ask", ["ask", QUESTION], env);
  assert.match(plain.err, /may not connect to it; run it as "deno task with-models …"/);
  for (const bad of ["gpt-4", "openai:nowhere", "llama:./missing.gguf"]) {
    const { code, err } = await place.run("with-models", ["ask", QUESTION, "--model", bad]);
    assert.equal(code, 2, err);
    assert.match(err, /^batos: ask: [^\n]+\n$/);
  }
});

Deno.test("a server that only a repository's own settings name is sent nothing, until a person chooses it", async () => {
  using place = new Place();
  await using server = answeringServer();
  const name = `openai:${server.url}#tiny`;
  Deno.mkdirSync(join(place.repo, ".batos"));
  const settings = join(place.repo, ".batos/settings.json");
  Deno.writeTextFileSync(settings, JSON.stringify({ model: name }));
  const asked = await place.run("with-models", ["ask", QUESTION, "--json"]);
  assert.equal(asked.code, 0, asked.err);
  assert.equal(JSON.parse(asked.out).driver, "extractive");
  assert.match(asked.err, /only "[^"]+settings\.json" names it.*expected "batos model use openai:/);
  const embedder = "transformers:acme/tiny";
  Deno.writeTextFileSync(settings, JSON.stringify({ embedder }));
  const read = await place.run("with-models", ["ingest", "--rebuild"]);
  assert.equal(read.code, 2);
  assert.match(
    read.err,
    /only "[^"]+settings\.json" names it.*--embedder transformers:acme\/tiny" once/,
  );
  assert.deepEqual(server.requests, []);
  Deno.removeSync(settings);
  assert.equal((await place.run("model", ["model", "use", name])).code, 0);
  const trusted = await place.run("with-models", ["ask", QUESTION, "--json"]);
  assert.equal(JSON.parse(trusted.out).driver, name, trusted.err);
});

Deno.test("a kernel that may reach the server answers by the model for those who may not", async () => {
  using place = new Place();
  await using server = answeringServer();
  const used = await place.run("model", ["model", "use", `openai:${server.url}#tiny`]);
  assert.equal(used.code, 0, used.err);
  const kernel = place.start("serve", ["serve", "--no-watch"]);
  try {
    const ready = join(place.repo, ".batos/connection.json");
    for (let tries = 0; tries < 400; tries++) {
      if (await Deno.stat(ready).catch(() => undefined)) break;
      await new Promise((done) => setTimeout(done, 50));
    }
    for (let round = 0; round < 2; round++) {
      const asked = await place.run("ask", ["ask", QUESTION, "--json"]);
      assert.equal(asked.code, 0, asked.err);
      assert.equal(JSON.parse(asked.out).driver, `openai:${server.url}#tiny`, asked.err);
    }
    // It was opened once, and stays open.
    assert.equal(server.requests.filter(({ path }) => path === "/v1/models").length, 1);
  } finally {
    kernel.kill("SIGTERM");
    await kernel.output();
  }
});

Deno.test("Ctrl-C while a model writes ends at once, with the code of the signal", async () => {
  using place = new Place();
  await using server = new ChatServer();
  let asked: () => void = () => {};
  const isAsked = new Promise<void>((done) => asked = done);
  server.fault = ({ path }) => {
    if (!path.endsWith("completions")) return undefined;
    asked();
    return server.silence('data: {"choices":[{"delta":{"content":"{"}}]}\n\n');
  };
  const child = place.start("with-models", [
    "ask",
    QUESTION,
    "--model",
    `openai:${server.url}#tiny`,
  ]);
  await isAsked;
  child.kill("SIGINT");
  const { code, stderr } = await child.output();
  assert.equal(code, 130);
  assert.match(new TextDecoder().decode(stderr), /batos: ask: interrupted\n$/);
});

Deno.test("Ctrl-C while a model in this process writes is noticed by the program, not only by its libraries", async () => {
  using place = new Place();
  const path = join(place.folder, "slow.gguf");
  Deno.writeFileSync(path, tinyModel({ context: 16_384, width: 128, layers: 6 }));
  const child = place.start("with-models", ["ask", QUESTION, "--model", `llama:${path}`]);
  let err = "";
  let isKilled = false;
  for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
    err += text;
    // Told some seconds after the start, when the model is open.
    if (!isKilled && /thinking|writing/.test(err)) {
      isKilled = true;
      child.kill("SIGINT");
    }
  }
  const { code } = await child.status;
  await child.stdout.cancel();
  assert.equal(code, 130, err);
  assert.match(err, /batos: ask: interrupted\n$/);
});
