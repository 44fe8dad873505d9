/** The files of keys: who can read them, what is in them, and what a damaged one does. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { KeyDesk, makeKeyFile } from "../../kernel/key_desk.ts";
import { formatAddress, parseAddress, readRemoteKernel } from "../../kernel/remote_connection.ts";
import { RemoteKeys } from "../../kernel/remote_keys.ts";
import { encodeZ85 } from "../../kernel/doors/zmtp/z85.ts";

const ADDRESS = "tcp://192.168.1.20:5600";

/** A state folder that goes away. */
class Folder implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "batos_keys_" });
  readonly state = join(this.path, ".batos");
  readonly desk = new KeyDesk(this.state);

  at(...parts: string[]): string {
    return join(this.path, ...parts);
  }

  [Symbol.dispose]() {
    Deno.removeSync(this.path, { recursive: true });
  }
}

const json = (path: string) => JSON.parse(Deno.readTextFileSync(path));
const modeOf = (path: string) => Deno.statSync(path).mode! & 0o777;

Deno.test("an admitted client gets a file with all it needs, for its owner alone; the list has no secret", async () => {
  using folder = new Folder();
  const { file, public_key, server_key, has_secret } = await folder.desk.allow({
    name: "laptop",
    address: ADDRESS,
  });
  assert.equal(has_secret, true);
  const kernel = readRemoteKernel(file);
  assert.deepEqual([kernel.name, kernel.hostname, kernel.port], ["laptop", "192.168.1.20", 5600]);
  assert.equal(encodeZ85(kernel.serverKey), server_key);
  assert.equal(encodeZ85(kernel.pair.publicKey), public_key);
  assert.deepEqual(folder.desk.list().clients.map(({ name, public_key }) => [name, public_key]), [
    ["laptop", public_key],
  ]);
  const written = json(file);
  assert.deepEqual(Object.keys(written), [
    "name",
    "transport",
    "ip",
    "port",
    "key",
    "signature_scheme",
    "curve",
  ]);
  for (const name of ["clients.json", "server.json"]) {
    const text = Deno.readTextFileSync(join(folder.state, "keys", name));
    assert.ok(!text.includes(written.curve.secret_key), name);
  }
  assert.equal(Deno.readTextFileSync(join(folder.state, ".gitignore")), "*\n");
  if (Deno.build.os === "windows") return;
  assert.equal(modeOf(join(folder.state, "keys")), 0o700);
  for (const name of ["clients.json", "server.json", "laptop.connection.json"]) {
    assert.equal(modeOf(join(folder.state, "keys", name)), 0o600, name);
  }
});

Deno.test("the keys of the kernel are made once, by whoever asks first", async () => {
  using folder = new Folder();
  const asked = await Promise.all(
    Array.from({ length: 5 }, () => new KeyDesk(folder.state).server()),
  );
  assert.equal(new Set(asked.map(({ server_key }) => server_key)).size, 1);
});

Deno.test("a client with a key pair of its own: no secret travels", async () => {
  using folder = new Folder();
  const made = makeKeyFile(folder.at("laptop.key.json"));
  assert.doesNotMatch(made.public_key, /^-/);
  const { file, has_secret } = await folder.desk.allow({
    name: "laptop",
    public_key: made.public_key,
    address: ADDRESS,
    out: folder.at("laptop.json"),
  });
  assert.equal(has_secret, false);
  assert.deepEqual(Object.keys(json(file).curve), ["server_key", "public_key"]);
  assert.throws(() => readRemoteKernel(file), /the secret key is not in it; .* with --key/);
  const { pair } = readRemoteKernel(file, made.file);
  assert.equal(encodeZ85(pair.publicKey), made.public_key);
  const other = makeKeyFile(folder.at("other.json"));
  assert.throws(() => readRemoteKernel(file, other.file), /does not belong to the key/);
  assert.throws(() => makeKeyFile(made.file), /it is there already/);
});

Deno.test("a name and a key are on the list once, and nothing is written over", async () => {
  using folder = new Folder();
  const first = await folder.desk.allow({ name: "a", address: ADDRESS });
  const { public_key } = first;
  await assert.rejects(folder.desk.allow({ name: "a", address: ADDRESS }), /a client of that name/);
  await assert.rejects(
    folder.desk.allow({ name: "b", public_key, address: ADDRESS }),
    /the client "a" has this key/,
  );
  await assert.rejects(
    folder.desk.allow({ name: "b", address: ADDRESS, out: first.file }),
    /it is there already/,
  );
  await assert.rejects(
    folder.desk.allow({ name: "b", address: ADDRESS, out: folder.at("no", "such") }),
    /no such folder/,
  );
  assert.deepEqual(folder.desk.list().clients.map(({ name }) => name), ["a"]);
  assert.ok(readRemoteKernel(first.file));
});

Deno.test("who is revoked is off the list, and the file that lay here for them is gone", async () => {
  using folder = new Folder();
  const { file } = await folder.desk.allow({ name: "a", address: ADDRESS });
  await folder.desk.allow({ name: "b", address: ADDRESS });
  assert.deepEqual(await folder.desk.revoke("a"), { name: "a", revoked: true });
  assert.deepEqual(await folder.desk.revoke("a"), { name: "a", revoked: false });
  assert.deepEqual(folder.desk.list().clients.map(({ name }) => name), ["b"]);
  assert.throws(() => Deno.statSync(file), Deno.errors.NotFound);
});

Deno.test("changes at the same time do not undo each other", async () => {
  using folder = new Folder();
  const names = Array.from({ length: 8 }, (_, n) => `client-${n}`);
  await Promise.all(
    names.map((name) => new KeyDesk(folder.state).allow({ name, address: ADDRESS })),
  );
  assert.deepEqual(folder.desk.list().clients.map(({ name }) => name).sort(), names);
});

Deno.test("what is no name, key or address is refused with what would be one", async () => {
  using folder = new Folder();
  const allow = (fields: object) => folder.desk.allow({ name: "a", address: ADDRESS, ...fields });
  for (const name of ["../a", "", ".a", "a/b", "a b", "-a", "é"]) {
    await assert.rejects(allow({ name }), /expected a short name/, name);
  }
  for (const public_key of ["", "abc", "x".repeat(39), "~".repeat(40), "x".repeat(45)]) {
    await assert.rejects(allow({ public_key }), /40 characters of Z85/, public_key);
  }
  for (
    const address of ["h:1", "tcp://h", "tcp://h:0", "tcp://h:70000", "tcp://*:1", "udp://h:1"]
  ) {
    await assert.rejects(allow({ address }), /expected tcp:\/\/HOST:PORT/, address);
  }
  assert.deepEqual(folder.desk.list().clients, []);
});

Deno.test("addresses are read and written", () => {
  const cases = {
    "tcp://127.0.0.1:5555": ["127.0.0.1", 5555],
    "tcp://[::1]:1": ["::1", 1],
    "tcp://my-host.example:65535": ["my-host.example", 65_535],
  } as const;
  for (const [text, [hostname, port]] of Object.entries(cases)) {
    assert.deepEqual(parseAddress(text), { hostname, port });
    assert.equal(formatAddress({ hostname, port }), text);
  }
  assert.deepEqual(parseAddress("tcp://*:7"), { hostname: "0.0.0.0", port: 7 });
});

Deno.test("a file of keys that was damaged, exchanged or opened to others is refused, and quoted nowhere", async () => {
  using folder = new Folder();
  const { file } = await folder.desk.allow({ name: "a", address: ADDRESS });
  const path = join(folder.state, "keys", "server.json");
  const good = Deno.readTextFileSync(path);
  const { secret_key } = JSON.parse(good);
  const other = new Folder();
  await other.desk.server();
  const mixed = { ...json(path), public_key: (await other.desk.server()).server_key };
  other[Symbol.dispose]();
  const bad: [string, RegExp][] = [
    ["", /it is no JSON/],
    [good.slice(0, 100), /it is no JSON/],
    ["{}", /public_key/],
    [JSON.stringify({ ...JSON.parse(good), secret_key: `${secret_key}x` }), /secret_key: expected/],
    [JSON.stringify(mixed), /do not belong together/],
  ];
  for (const [text, problem] of bad) {
    Deno.writeTextFileSync(path, text);
    await assert.rejects(
      new RemoteKeys(folder.state).server(),
      (error: Error) => problem.test(error.message) && !error.message.includes(secret_key),
      text,
    );
  }
  Deno.writeTextFileSync(path, good);
  if (Deno.build.os === "windows") return;
  for (const each of [path, file]) Deno.chmodSync(each, 0o640);
  await assert.rejects(new RemoteKeys(folder.state).server(), /others can read the secret/);
  assert.throws(() => readRemoteKernel(file), /others can read the secret .* \(mode 640\)/);
});
