/**
 * Who may reach this workspace's kernel from elsewhere: the key pair of the kernel, and the list of clients that it admits.
 *
 * Owns `.batos/keys/server.json` and `.batos/keys/clients.json`; both are ground state. What must hold:
 * - the secret key is in the first file and nowhere else: it is never printed, sent or logged; only its owner can read it (0600, in a folder of 0700),
 *   and one that others can read is not used;
 * - nobody is admitted whose key is not in the second file; a file that cannot be understood admits nobody;
 * - files are replaced whole, and changes of two processes do not undo each other.
 *
 * Keys are Z85 text, as users of ZeroMQ know them.
 */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { CommandError } from "./commands.ts";
import { KEY_BYTES, type KeyPair, newKeyPair, publicKeyOf } from "./doors/zmtp/x25519.ts";
import { decodeZ85, encodeZ85 } from "./doors/zmtp/z85.ts";
import { WorkspaceLock } from "./workspace_lock.ts";

/** Octets of the key that messages are signed with: as many as HMAC-SHA256 gives. */
const SIGNING_KEY_BYTES = 32;

/** A key as text. */
export const keyText = z.string().refine((text) => decodeZ85(text)?.length === KEY_BYTES, {
  error: "expected a CURVE key: 40 characters of Z85, in single quotes on a command line",
});

/** What a client is called: short enough to be read, plain enough to be part of a file name. */
export const clientName = z.string().regex(/^[A-Za-z0-9][\w.-]{0,63}$/, {
  error: "expected a short name: letters, digits, _, . and -",
});

const serverSchema = z.strictObject({
  public_key: keyText,
  secret_key: keyText,
  /** Signs messages of clients elsewhere, as hexadecimal; unlike that of a connection file it outlives the kernel. */
  signing_key: z.string().regex(new RegExp(`^[0-9a-f]{${SIGNING_KEY_BYTES * 2}}$`)),
  created: z.iso.datetime(),
});

const clientsSchema = z.strictObject({
  clients: z.array(z.strictObject({
    name: clientName,
    public_key: keyText,
    added: z.iso.datetime(),
  })),
});

/** What the kernel of a workspace has. */
export interface ServerKeys {
  readonly pair: KeyPair;
  readonly signingKey: Uint8Array<ArrayBuffer>;
}

/** A client that is admitted. */
export interface RemoteClient {
  readonly name: string;
  readonly publicKey: string;
  /** ISO 8601. */
  readonly added: string;
}

/** See the module text. */
export class RemoteKeys {
  /** The folder of both files. */
  readonly folder: string;

  /** @param stateFolder the `.batos` folder of the workspace */
  constructor(stateFolder: string) {
    this.folder = join(stateFolder, "keys");
  }

  /**
   * The keys of the kernel, made when they are first asked for.
   * @throws {CommandError} when the file is not what it should be, or others can read it
   */
  async server(): Promise<ServerKeys> {
    const found = this.#readServer();
    if (found !== undefined) return found;
    using _lock = await this.#lock();
    return this.#readServer() ?? this.#makeServer();
  }

  /**
   * The clients, in the order in which they were added.
   * @throws {CommandError} when the file is not what it should be
   */
  clients(): RemoteClient[] {
    const parsed = read(this.#clientsPath, clientsSchema);
    return (parsed?.clients ?? []).map(({ name, public_key, added }) => ({
      name,
      publicKey: public_key,
      added,
    }));
  }

  /** What tells whether the list is still the one that was read: it is replaced whole. */
  get stamp(): string {
    try {
      const { mtime, ino, size } = Deno.statSync(this.#clientsPath);
      return `${mtime?.getTime()} ${ino} ${size}`;
    } catch {
      return "missing";
    }
  }

  /**
   * Makes sure that a client can be put on the list.
   * @throws {CommandError} when name or key are on it already
   */
  requireFree(name: string, publicKey: string | undefined): void {
    const taken = this.clients().find((each) => each.name === name || each.publicKey === publicKey);
    if (taken === undefined) return;
    throw new CommandError(
      taken.name === name
        ? `"${name}": a client of that name was added ${taken.added}; choose another name, or revoke that one first`
        : `"${name}": the client "${taken.name}" has this key; each client needs one of its own`,
    );
  }

  /**
   * Puts a client on the list.
   * @throws {CommandError} when name or key are on it already
   */
  async allow(name: string, publicKey: string): Promise<RemoteClient> {
    using _lock = await this.#lock();
    this.requireFree(name, publicKey);
    const clients = this.clients();
    const client = { name, publicKey, added: new Date().toISOString() };
    this.#writeClients([...clients, client]);
    return client;
  }

  /** Takes a client off the list; undefined when it was not on it. */
  async revoke(name: string): Promise<RemoteClient | undefined> {
    using _lock = await this.#lock();
    const clients = this.clients();
    const found = clients.find((each) => each.name === name);
    if (found !== undefined) this.#writeClients(clients.filter((each) => each !== found));
    return found;
  }

  get #serverPath(): string {
    return join(this.folder, "server.json");
  }

  get #clientsPath(): string {
    return join(this.folder, "clients.json");
  }

  #readServer(): ServerKeys | undefined {
    const parsed = read(this.#serverPath, serverSchema);
    if (parsed === undefined) return undefined;
    requireOwn(this.#serverPath);
    const secretKey = decodeZ85(parsed.secret_key)!;
    const publicKey = publicKeyOf(secretKey);
    if (encodeZ85(publicKey) !== parsed.public_key) {
      throw new CommandError(
        `read "${this.#serverPath}": its keys do not belong together; put back the file that was there, or remove it and allow all clients anew`,
      );
    }
    return {
      pair: { publicKey, secretKey },
      signingKey: Uint8Array.fromHex(parsed.signing_key),
    };
  }

  #makeServer(): ServerKeys {
    const pair = newKeyPair();
    const signingKey = crypto.getRandomValues(new Uint8Array(SIGNING_KEY_BYTES));
    writePrivate(this.#serverPath, {
      public_key: encodeZ85(pair.publicKey),
      secret_key: encodeZ85(pair.secretKey),
      signing_key: signingKey.toHex(),
      created: new Date().toISOString(),
    });
    return { pair, signingKey };
  }

  #writeClients(clients: readonly RemoteClient[]): void {
    writePrivate(this.#clientsPath, {
      clients: clients.map(({ name, publicKey, added }) => ({
        name,
        public_key: publicKey,
        added,
      })),
    });
  }

  async #lock(): Promise<WorkspaceLock> {
    makePrivateFolder(this.folder);
    return await WorkspaceLock.acquire(join(this.folder, "lock"), { command: "batos key" });
  }
}

/** Makes the folder, and around it a state folder that git leaves alone, where they are missing. */
function makePrivateFolder(folder: string): void {
  Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (Deno.build.os !== "windows") Deno.chmodSync(folder, 0o700);
  try {
    Deno.writeTextFileSync(join(dirname(folder), ".gitignore"), "*\n", { createNew: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
}

/**
 * Writes a file that only its owner can read, in the place of one that is there.
 * @throws {Deno.errors.NotFound} when its folder is missing
 */
export function writePrivate(path: string, value: unknown): void {
  const draft = `${path}.${crypto.randomUUID()}`;
  try {
    Deno.writeTextFileSync(draft, JSON.stringify(value, null, 2) + "\n", {
      mode: 0o600,
      createNew: true,
    });
    Deno.renameSync(draft, path);
  } catch (error) {
    // A part of a secret is left nowhere. Where there was no folder, there is no draft.
    if (existsSync(draft)) Deno.removeSync(draft);
    throw error;
  }
}

/**
 * What a file with a secret is worth: nothing when others can read it.
 * @throws {CommandError} when they can
 */
export function requireOwn(path: string): void {
  const { mode } = Deno.statSync(path);
  // Windows has no such bits.
  if (Deno.build.os === "windows" || mode === null || (mode & 0o077) === 0) return;
  const bits = (mode & 0o777).toString(8);
  throw new CommandError(
    `read "${path}": others can read the secret in it (mode ${bits}); run "chmod 600" on it, and make a new key if others did`,
  );
}

/** A file of JSON by its schema; undefined when there is none. The reason of a refusal never quotes what is in the file. */
function read<S extends z.ZodType>(path: string, schema: S): z.output<S> | undefined {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new CommandError(`read "${path}": it is no JSON; put back the file that was there`, {
      cause: error,
    });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const { path: at, message } = parsed.error.issues[0]!;
  throw new CommandError(
    `read "${path}": ${at.join(".") || "the file"}: ${message}; put back the file that was there`,
  );
}
