/**
 * What the commands `key …` do.
 *
 * Owns the way from what was typed to the files of keys (`remote_keys.ts`, `remote_connection.ts`). What must hold: a file that is there is never written
 * over; nobody is admitted whose connection file could not be written.
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { CommandError, type Input, type Result } from "./commands.ts";
import { type KeyPair, newKeyPair } from "./doors/zmtp/x25519.ts";
import { encodeZ85 } from "./doors/zmtp/z85.ts";
import { parseAddress, writeKeyPair, writeRemoteConnection } from "./remote_connection.ts";
import { clientName, keyText, RemoteKeys } from "./remote_keys.ts";

/** See the module text. */
export class KeyDesk {
  readonly #keys: RemoteKeys;

  /** @param folder state folder of the workspace */
  constructor(folder: string) {
    this.#keys = new RemoteKeys(folder);
  }

  /**
   * Admits a client and writes its connection file.
   * @throws {CommandError} when something that was typed is not what it should be, or the file cannot be written
   */
  async allow(input: Omit<Input<"key_allow">, "repo">): Promise<Result<"key_allow">> {
    const { name, public_key, address, out } = input;
    check(clientName, "NAME", name);
    if (public_key !== undefined) check(keyText, "PUBLIC_KEY", public_key);
    const place = parseAddress(address);
    if (place === undefined || place.port === 0 || ["0.0.0.0", "::"].includes(place.hostname)) {
      throw new CommandError(
        `--address "${address}": expected tcp://HOST:PORT, as the client reaches this machine`,
      );
    }
    this.#keys.requireFree(name, public_key);
    const { pair, signingKey } = await this.#keys.server();
    const file = out === undefined ? this.#fileOf(name) : resolve(out);
    requireFree(file);
    const made = public_key === undefined ? newKeyPair() : undefined;
    const publicKey = public_key ?? encodeZ85(made!.publicKey);
    writing(file, () =>
      writeRemoteConnection(file, {
        name,
        transport: "tcp",
        ip: place.hostname,
        port: place.port,
        key: signingKey.toHex(),
        signature_scheme: "hmac-sha256",
        curve: {
          server_key: encodeZ85(pair.publicKey),
          public_key: publicKey,
          ...made !== undefined && { secret_key: encodeZ85(made.secretKey) },
        },
      }));
    try {
      await this.#keys.allow(name, publicKey);
    } catch (error) {
      Deno.removeSync(file);
      throw error;
    }
    return {
      name,
      public_key: publicKey,
      server_key: encodeZ85(pair.publicKey),
      file,
      has_secret: made !== undefined,
    };
  }

  /** The clients, in the order in which they were added. */
  list(): Result<"key_list"> {
    const clients = this.#keys.clients();
    return {
      clients: clients.map(({ name, publicKey, added }) => ({
        name,
        public_key: publicKey,
        added,
      })),
    };
  }

  /** Takes a client off the list, and with it the file that was written for it here: it opens nothing any more. */
  async revoke(name: string): Promise<Result<"key_revoke">> {
    const revoked = await this.#keys.revoke(name) !== undefined;
    if (revoked && existsSync(this.#fileOf(name))) Deno.removeSync(this.#fileOf(name));
    return { name, revoked };
  }

  /** The public key of the kernel. */
  async server(): Promise<Result<"key_server">> {
    const { pair } = await this.#keys.server();
    return { server_key: encodeZ85(pair.publicKey) };
  }

  #fileOf(name: string): string {
    return join(this.#keys.folder, `${name}.connection.json`);
  }
}

/**
 * Makes a key pair in a file.
 * @throws {CommandError} when the file is there, or cannot be written
 */
export function makeKeyFile(file: string): Result<"key_new"> {
  const path = resolve(file);
  requireFree(path);
  const pair = newGivableKeyPair();
  writing(path, () => writeKeyPair(path, pair));
  return { file: path, public_key: encodeZ85(pair.publicKey) };
}

/** A key pair whose public key no command line takes for a flag. */
function newGivableKeyPair(): KeyPair {
  for (;;) {
    const pair = newKeyPair();
    if (!encodeZ85(pair.publicKey).startsWith("-")) return pair;
  }
}

function check(schema: typeof keyText, what: string, value: string): void {
  const { error } = schema.safeParse(value);
  if (error !== undefined) {
    throw new CommandError(`${what} "${value}": ${error.issues[0]!.message}`);
  }
}

function requireFree(path: string): void {
  if (existsSync(path)) {
    throw new CommandError(`"${path}": it is there already; remove it, or name another file`);
  }
}

function writing(path: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    const reason = error instanceof Deno.errors.NotFound ? "no such folder" : String(error);
    throw new CommandError(`write "${path}": ${reason}`, { cause: error });
  }
}
