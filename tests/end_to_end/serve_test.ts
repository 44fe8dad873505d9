/**
 * `serve` as users run it: a process with the permissions of its task, clients in Python over libzmq, command lines without any right to the network.
 */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Message } from "../../kernel/doors/contract.ts";
import { briefOf, KernelClient } from "../../kernel/doors/kernel_client.ts";
import { PYTHON_MISSING, pythonWithZmq } from "../support/python.ts";
import { CAN_TYPE, until } from "../support/at_terminal.ts";
import { type Outcome, outcome, PROJECT, Repository, ROOT } from "./harness.ts";
import { argsOf, plain, Served, task } from "./served.ts";

Deno.test("command lines without a right to the network use a running kernel: same results, same words", async () => {
  using repository = new Repository(PROJECT);
  await repository.ingest();
  const commands: [string, ...string[]][] = [
    ["search", "retry delay", "--json"],
    ["search", "retry delay", "-k", "2"],
    ["search", "nothing_of_that_name_qqq", "--path", "none/**"],
    ["refs", "retryDelay", "--json"],
    ["impact", "src/backoff.ts", "--json"],
    ["outline", "src/tracker.ts"],
    ["outline", "src/missing.ts"],
    ["search", "a", "--lang", "klingon"],
  ];
  // Quiet, since whether progress is told depends on how long a command takes.
  const alone: Outcome[] = [];
  for (const [name, ...words] of commands) {
    alone.push(await plain(name, repository, "--quiet", ...words));
  }
  await using served = await Served.start(repository);
  for (const [index, [name, ...words]] of commands.entries()) {
    const { code, out, err } = await plain(name, repository, "--quiet", ...words);
    const expected = alone[index]!;
    assert.deepEqual({ code, out, err }, {
      code: expected.code,
      out: expected.out,
      err: expected.err,
    }, name);
  }
  const asked = await plain("ask", repository, "how is the retry delay computed?", "--json");
  assert.equal(asked.code, 0, asked.err);
  assert.ok(
    asked.json[0].citations.every(({ status }: { status: string }) => status === "verified"),
  );
  assert.deepEqual(Array.from(Deno.readDirSync(repository.at(".batos/mail"))), []);
  assert.equal(await served.stop(), 0);
  assert.ok(!served.err.includes("defect"), served.err);
});

Deno.test("the kernel keeps the index current: a changed file is found without anybody ingesting", async () => {
  using repository = new Repository(PROJECT);
  await repository.ingest();
  await using served = await Served.start(repository);
  repository.write("src/carrier.ts", "export function zeppelinCarrier(): void {}\n");
  let found = false;
  for (let turn = 0; turn < 40 && !found; turn++) {
    const { out } = await plain(
      "search",
      repository,
      "zeppelinCarrier",
      "--symbol",
      "zeppelinCarrier",
    );
    found = out.includes("src/carrier.ts");
  }
  assert.ok(found, served.err);
});

Deno.test("kill -9 of the kernel: command lines work alone, the next kernel takes over what it left", async () => {
  using repository = new Repository(PROJECT);
  await repository.ingest();
  await using first = await Served.start(repository);
  const { key } = first.connection;
  await first.stop("SIGKILL");
  assert.equal(first.connection.key, key); // the file is still there
  const search = await plain("search", repository, "retryDelay");
  assert.equal(search.code, 0, search.err);
  assert.equal(search.err, "");
  await using second = await Served.start(repository);
  assert.notEqual(second.connection.key, key);
  const refused = await plain("serve", repository);
  assert.equal(refused.code, 2);
  assert.match(
    refused.err,
    /^batos: serve: "[^"]+": served already by process \d+, since [^\n]+\n$/,
  );
});

Deno.test("SIGTERM under the load of fifty clients: exit 0, what was acknowledged is there, questions end, nothing is left over", async () => {
  using repository = new Repository(PROJECT);
  await repository.ingest();
  await using served = await Served.start(repository, ["--no-watch"]);
  const folder = repository.at(".batos");
  const clients = Array.from({ length: 50 }, () => new KernelClient({ folder }));
  await Promise.all(clients.map((client) => client.connect()));
  const oids: string[] = [];
  for (const client of clients) {
    const { result } = await client.call("image_new", briefOf("image_new", ["list"]));
    oids.push(String((result as { oid: number }).oid));
  }
  /** The last value of each client that the kernel has acknowledged. */
  const acknowledged = oids.map(() => 0);
  const endings: Error[] = [];
  const total = () => acknowledged.reduce((sum, count) => sum + count, 0);
  const load = clients.map(async (client, index) => {
    try {
      for (let n = 1;; n++) {
        await client.call("update_property", {
          target_oid: oids[index],
          property_name: "n",
          property_value: n,
        });
        acknowledged[index] = n;
      }
    } catch (error) {
      endings.push(error as Error);
    }
  });
  const questions = clients.slice(0, 10).map((client) =>
    client.call("ask", briefOf("ask", ["how is the retry delay computed?"])).then(
      () => undefined,
      (error: Error) => error,
    )
  );
  await until(() => total() >= 500, () => served.err);
  const code = await served.stop();
  await Promise.all(load);
  assert.equal(code, 0, served.err);
  // Each client was told, by an error or by the end of the connection; none waits.
  const outcomes = [...endings, ...(await Promise.all(questions)).filter((each) => each)];
  assert.equal(endings.length, 50);
  for (const error of outcomes) {
    assert.match(
      error!.message,
      /^(cancelled|the kernel (has gone|cannot be reached|is stopping))/,
    );
  }
  assert.ok(!/defect|could not be written|Uncaught/.test(served.err), served.err);
  const left = Array.from(Deno.readDirSync(folder), ({ name }) => name);
  assert.ok(!left.includes("connection.json") && !left.includes("mail"), left.join(" "));
  await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));

  const check = await plain("image", repository, "check", "--json");
  assert.equal(check.code, 0, check.out);
  await using again = await Served.start(repository, ["--no-watch"]);
  await using client = new KernelClient({ folder });
  await client.connect();
  for (const [index, oid] of oids.entries()) {
    const { result } = await client.call("get_full_state", { target_oid: oid });
    const { slots } = result as { slots: { name: string; value: unknown }[] };
    const value = Number(slots.find(({ name }) => name === "n")?.value ?? 0);
    const last = acknowledged[index]!;
    // One more may have been committed whose reply was cut off.
    assert.ok(value === last || value === last + 1, `${oid}: ${value}, acknowledged ${last}`);
  }
  assert.equal(await again.stop("SIGINT"), 0);
});

Deno.test("Ctrl-C comes twice where a task runs the kernel: it ends as by one, and closes the image last", async () => {
  using repository = new Repository(PROJECT);
  await repository.ingest();
  await using served = await Served.start(repository);
  const answer = await plain("ask", repository, "how is the retry delay computed?", "--quiet");
  assert.equal(answer.code, 0, answer.err);
  served.signal("SIGINT");
  assert.equal(await served.stop("SIGINT"), 0, served.err);
  const left = Array.from(Deno.readDirSync(repository.at(".batos")), ({ name }) => name);
  assert.ok(!left.includes("connection.json") && !left.includes("mail"), left.join(" "));
  assert.ok(!left.includes("image.db-wal"), left.join(" "));
  await plain("ask", repository, "how is the retry delay computed?", "--quiet");
  const again = Array.from(Deno.readDirSync(repository.at(".batos")), ({ name }) => name);
  assert.ok(!again.includes("image.db-wal"), again.join(" "));
});

Deno.test("paths that lead out of the workspace are refused at the endpoint and at the HTTP door", async () => {
  using repository = new Repository(PROJECT);
  await repository.ingest();
  await using served = await Served.start(repository, ["--no-watch"]);
  await using client = new KernelClient({ folder: repository.at(".batos") });
  await client.connect();
  const page = new URL(/http:\S+/.exec(served.out)![0]);
  const headers = {
    authorization: `Bearer ${page.searchParams.get("token")}`,
    "content-type": "application/json",
  };
  const places = ["../../../etc/passwd:1-2", "/etc/passwd:1-2", "src/../../../etc/passwd:1-2"];
  for (const place of places) {
    await assert.rejects(client.call("read", briefOf("read", [place])), /workspace|outside/, place);
    const response = await fetch(new URL("/api/read", page), {
      method: "POST",
      headers,
      body: JSON.stringify({ place }),
    });
    const text = await response.text();
    assert.equal(response.status, 422, text);
    assert.ok(!text.includes("root:"), text);
  }
});

Deno.test("what a kernel turned away is in its trail: shown by audit, found by ask", async () => {
  using repository = new Repository(PROJECT);
  await repository.ingest();
  await using served = await Served.start(repository, ["--no-watch"]);
  await using client = new KernelClient({ folder: repository.at(".batos") });
  await client.connect();
  await assert.rejects(client.call("format_disk"), /no command "format_disk"/);
  const page = new URL(/http:\S+/.exec(served.out)![0]);
  const response = await fetch(new URL("/api", page), {
    headers: { origin: "https://evil.example" },
  });
  await response.body?.cancel();
  assert.equal(await served.stop(), 0);
  const shown = await plain("audit", repository, "--type", "refusal");
  assert.equal(shown.code, 0, shown.err);
  assert.match(
    shown.out,
    /!REFUSAL\s+unknown_command at endpoint: no command "format_disk"; from architect-console-\S+ at 127/,
  );
  assert.match(
    shown.out,
    /foreign_origin at http: Origin "https:\/\/evil\.example".*; from 127\.0\.0\.1:\d+/,
  );
  const whole = await plain("audit", repository, "--verify");
  assert.equal(whole.code, 0, whole.out);
  const asked = await plain("ask", repository, "what was refused at the endpoint today?");
  assert.equal(asked.code, 0, asked.out);
  assert.match(asked.out, /unknown_command at endpoint: no command “?"?format_disk/);
});

Deno.test("a command line that is killed leaves nothing, and its request is cancelled", async () => {
  using repository = new Repository(PROJECT);
  await repository.ingest();
  await using served = await Served.start(repository);
  // The first references wait for the compiler, long enough to be killed before the reply.
  const child = task("refs", "retryDelay", "--repo", repository.path).spawn();
  const mail = repository.at(".batos/mail");
  const isEmpty = () => Array.from(Deno.readDirSync(mail)).length === 0;
  await until(() => !isEmpty());
  child.kill("SIGKILL");
  await child.output();
  await until(isEmpty, () => served.err);
});

Deno.test("a kernel of another version is left alone, with a note", async () => {
  using repository = new Repository(PROJECT);
  await repository.ingest();
  await using served = await Served.start(repository);
  const path = repository.at(".batos/connection.json");
  Deno.writeTextFileSync(path, JSON.stringify({ ...served.connection, version: "0.0.1" }));
  const { code, out, err } = await plain("search", repository, "retryDelay");
  assert.equal(code, 0);
  assert.match(out, /src\/backoff\.ts/);
  assert.match(err, /^the kernel here is version 0\.0\.1, not \S+; working without it\n$/);
});

Deno.test({
  name: `the Python client of the README asks and is answered${PYTHON_MISSING}`,
  ignore: pythonWithZmq === undefined,
  async fn() {
    using repository = new Repository(PROJECT);
    await repository.ingest();
    await using _served = await Served.start(repository);
    const client = example("python");
    const { code, out, err } = outcome(
      await new Deno.Command(pythonWithZmq!, {
        args: ["-c", client, repository.path, "how is the retry delay computed?"],
        stdout: "piped",
        stderr: "piped",
      }).output(),
    );
    assert.equal(code, 0, err);
    assert.match(out, /src\/backoff\.ts/);
    assert.match(err, /progress/);
  },
});

Deno.test({
  name:
    `clients elsewhere: admitted, served by the task, reached by console and by the README's Python, revoked${PYTHON_MISSING}`,
  ignore: pythonWithZmq === undefined,
  async fn() {
    using repository = new Repository(PROJECT);
    await repository.ingest();
    const probe = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = probe.addr as Deno.NetAddr;
    probe.close();
    const listen = ["--listen", `tcp://127.0.0.1:${port}`];
    const closed = await plain("serve-remote", repository, ...listen);
    assert.equal(closed.code, 2);
    assert.match(closed.err, /no client is admitted, so nobody could come in/);
    const address = ["--address", `tcp://127.0.0.1:${port}`];
    const allowed = await plain("key", repository, "allow", "laptop", ...address, "--json");
    assert.equal(allowed.code, 0, allowed.err);
    const { file, server_key } = allowed.json[0];
    const { curve } = JSON.parse(Deno.readTextFileSync(file));
    // The task for this machine alone cannot be opened to others.
    const local = await plain("serve", repository, "--listen", `tcp://0.0.0.0:${port}`);
    assert.equal(local.code, 2);
    assert.match(local.err, /this task may not listen there; "deno task serve-remote" may/);
    await using served = await Served.start(repository, listen, "serve-remote");
    assert.match(served.out, /^ {2}page +http:\/\/127\.0\.0\.1:/m);
    assert.ok(served.out.includes(server_key));
    for (const secret of [curve.secret_key, served.connection.key]) {
      assert.ok(!(served.out + served.err + allowed.out).includes(secret));
    }
    const far = join(Deno.makeTempDirSync({ prefix: "batos_client_" }), "laptop.json");
    Deno.renameSync(file, far);
    const talk = async () => {
      const child = new Deno.Command(Deno.execPath(), {
        args: [...argsOf("console-remote"), "--connection", far],
        cwd: ROOT,
        env: { NO_COLOR: "1" },
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode("search retryDelay -k 1\n")).catch(() => {});
      await writer.close().catch(() => {});
      return outcome(await child.output());
    };
    const console = await talk();
    assert.equal(console.code, 0, console.err);
    assert.match(console.out, /src\/backoff\.ts/);
    const client = example("python")
      .replace(/^info = .*$/m, `info = json.load(open(${JSON.stringify(far)}))`)
      .replace(/^socket\.connect/m, `${example("python", 'info["curve"]')}$&`);
    const { code, out, err } = outcome(
      await new Deno.Command(pythonWithZmq!, {
        args: ["-c", client, repository.path, "how is the retry delay computed?"],
        stdout: "piped",
        stderr: "piped",
      }).output(),
    );
    assert.equal(code, 0, err);
    assert.match(out, /src\/backoff\.ts/);
    assert.equal((await plain("key", repository, "revoke", "laptop")).code, 0);
    const after = await talk();
    assert.equal(after.code, 2);
    assert.match(after.err, /it does not admit this key; ask for a file of "batos key allow"\n$/);
    await until(() => served.err.includes(curve.public_key));
    Deno.removeSync(dirname(far), { recursive: true });
    assert.equal(await served.stop(), 0);
    const trail = await plain("audit", repository, "--type", "refusal");
    assert.match(
      trail.out,
      /not_admitted at remote: the key \S+ is .*; from a stranger at 127\.0\.0\.1:\d+/,
    );
  },
});

Deno.test("the TypeScript client of the README asks and is answered", async () => {
  using repository = new Repository(PROJECT);
  await repository.ingest();
  await using _served = await Served.start(repository);
  const path = join(ROOT, "tests", `readme_client_${crypto.randomUUID()}.ts`);
  const source = example("ts").replaceAll(
    '"./kernel/',
    `"${join(dirname(fileURLToPath(import.meta.url)), "..", "..", "kernel")}/`,
  );
  Deno.writeTextFileSync(path, source);
  try {
    const { code, out, err } = outcome(
      await new Deno.Command(Deno.execPath(), {
        args: [
          "run",
          "--no-prompt",
          "--allow-net=127.0.0.1",
          "--allow-read",
          `--lock=${join(ROOT, "deno.lock")}`,
          path,
          repository.path,
          "how is the retry delay computed?",
        ],
        cwd: ROOT,
        env: { NO_COLOR: "1" },
        stdout: "piped",
        stderr: "piped",
      }).output(),
    );
    assert.equal(code, 0, err);
    assert.match(out, /src\/backoff\.ts/);
  } finally {
    Deno.removeSync(path);
  }
});

Deno.test("the image of a running kernel: a command line changes it, a subscriber is told, a client reads and writes it", async () => {
  using repository = new Repository(PROJECT);
  await using _served = await Served.start(repository, ["--no-watch"]);
  const told: Message[] = [];
  await using client = new KernelClient({
    folder: repository.at(".batos"),
    onEvent: (event) => void told.push(event),
  });
  await client.connect();
  await client.call("subscribe", briefOf("subscribe", ["uvm_state_update"]));
  const made = await plain("image", repository, "new", "list", "--name", "todo", "--json");
  assert.equal(made.code, 0, made.err);
  const { oid, tid } = made.json[0];
  await until(() => told.length === 1);
  assert.equal((told[0]!.state as { tid: number }).tid, tid);
  await client.call("update_property", {
    target_oid: oid,
    property_name: "owner",
    property_value: "@Ada",
  });
  const { result } = await client.call("get_full_state", { target_oid: oid });
  const { slots } = result as { slots: { name: string; value: unknown }[] };
  assert.equal(slots.find(({ name }) => name === "owner")?.value, "@Ada");
  await assert.rejects(
    client.call("initiate_cognitive_cycle", {
      target_oid: oid,
      mission_brief: { type: "unhandled_message", selector: "dance", args: [], kwargs: {} },
    }),
    /dance/,
  );
});

Deno.test("the console does lines of a script in order, with results as elsewhere, and says how many failed", async () => {
  using repository = new Repository(PROJECT);
  await repository.ingest();
  const without = await plain("console", repository);
  assert.equal(without.code, 2);
  assert.match(without.err, /^batos: console: "[^"]+": no kernel is running here: [^\n]+\n$/);
  const alone = await plain("search", repository, "retryDelay", "-k", "1");
  await using _served = await Served.start(repository);
  const child = new Deno.Command("sh", {
    args: [
      "-c",
      `printf 'search retryDelay -k 1\nread none.ts\nserve\n\nexit\nread after.ts\n' | "$@"`,
      "sh",
      Deno.execPath(),
      ...argsOf("console"),
      "--repo",
      repository.path,
    ],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  });
  const { code, out, err } = outcome(await child.output());
  assert.equal(out, alone.out);
  assert.match(
    err,
    /^batos: read: "none\.ts": no such file [^\n]+\nbatos: serve: it has no meaning here[^\n]+\n$/,
  );
  assert.equal(code, 2);
});

Deno.test({
  name:
    `the console at a terminal: what is typed survives what is printed, Ctrl-C cancels and does not leave${
      CAN_TYPE ? "" : " (skipped: no script(1))"
    }`,
  ignore: !CAN_TYPE,
  async fn() {
    using repository = new Repository(PROJECT);
    await repository.ingest();
    let served = await Served.start(repository);
    const words = [Deno.execPath(), ...argsOf("console"), "--repo", repository.path];
    const child = new Deno.Command("script", {
      args: ["-qec", words.map((word) => `'${word}'`).join(" "), "/dev/null"],
      cwd: ROOT,
      env: { NO_COLOR: "1", TERM: "xterm" },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    let screen = "";
    const reading = (async () => {
      for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) screen += text;
    })();
    const keys = child.stdin.getWriter();
    const type = (text: string) => keys.write(new TextEncoder().encode(text));
    const shows = (text: string) => until(() => screen.includes(text), () => screen);
    try {
      await shows("batos>");
      await type("outline src/backoff.ts\r");
      await type("half a li");
      await shows("retryDelay");
      screen = "";
      // The line goes on where it was, below what was printed.
      await type("ne");
      await shows("ne");
      await served.stop("SIGKILL");
      await shows("the kernel has gone");
      served = await Served.start(repository);
      await shows("connected again");
      await shows("half a line");
      screen = "";
      await type("\x03");
      await until(
        // Nothing but sequences that place the cursor stands behind the prompt.
        () => /batos> $/.test(screen.replaceAll(/\p{Cc}\[[\d;?]*[A-Za-z]/gu, "")),
        () => JSON.stringify(screen),
      );
      await type("\x03");
      await shows("Ctrl-C again leaves");
      await type("search retryDelay -k 1\r");
      await shows("src/backoff.ts");
      await type("\x04");
      let code: number | undefined;
      void child.status.then((status) => code = status.code);
      await until(() => code !== undefined, () => screen);
      assert.equal(code, 0);
    } finally {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended, as it should have.
      }
      await keys.close().catch(() => {});
      await reading;
      await served[Symbol.asyncDispose]();
    }
    assert.deepEqual(
      Deno.readTextFileSync(repository.at(".batos/console_history")),
      "outline src/backoff.ts\nsearch retryDelay -k 1\n",
    );
  },
});

/** A client as the README prints it: the first code in a language, or the one that something is said in. */
function example(language: string, holding = ""): string {
  const readme = Deno.readTextFileSync(join(ROOT, "README.md"));
  const section = readme.slice(readme.indexOf("## The kernel as a service"));
  const blocks = section.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "gs"));
  const code = [...blocks].map(([, code]) => code!).find((code) => code.includes(holding));
  assert.ok(code, `README.md has no client in ${language}`);
  return code;
}
