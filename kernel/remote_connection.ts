/**
 * The connection file of a client elsewhere: where a kernel listens, how to recognise it, and the keys to it.
 *
 * Owns the form of what `key allow` writes and `console --connection` reads: the fields of `connection.json` (`connection_file.ts`) without those that
 * are of one run of the kernel, and `curve`. What must hold: it is written for its owner alone, since it holds a secret, and one that others can read
 * is not used.
 */
import { z } from "zod";
import { CommandError } from "./commands.ts";
import { clientName, keyText, requireOwn, writePrivate } from "./remote_keys.ts";
import { type KeyPair, publicKeyOf } from "./doors/zmtp/x25519.ts";
import { decodeZ85, encodeZ85 } from "./doors/zmtp/z85.ts";

const remoteSchema = z.object({
  /** What the kernel calls the client. */
  name: clientName,
  transport: z.literal("tcp"),
  /** Name or number of the machine. */
  ip: z.string().min(1),
  port: z.int().min(1).max(65_535),
  /** Octets of the key that messages are signed with, as hexadecimal. */
  key: z.string().regex(/^[0-9a-f]{64,}$/),
  signature_scheme: z.literal("hmac-sha256"),
  curve: z.object({
    server_key: keyText,
    public_key: keyText,
    /** Absent where the client keeps it in a file of its own. */
    secret_key: keyText.optional(),
  }),
});

/** What is in the file. */
export type RemoteConnection = z.output<typeof remoteSchema>;

/** What is in the file of a key pair, as `key new` writes it. */
const keySchema = z.object({ public_key: keyText, secret_key: keyText });

/** A kernel elsewhere, and everything that is needed to reach it. */
export interface RemoteKernel {
  readonly name: string;
  readonly hostname: string;
  readonly port: number;
  readonly signingKey: Uint8Array<ArrayBuffer>;
  readonly serverKey: Uint8Array<ArrayBuffer>;
  readonly pair: KeyPair;
}

/** An address as `--listen` and `--address` take it. */
export interface TcpAddress {
  readonly hostname: string;
  readonly port: number;
}

/** Reads `tcp://HOST:PORT`; undefined when it is none. `*` is every address of this machine, as ZeroMQ has it. */
export function parseAddress(text: string): TcpAddress | undefined {
  const match = /^tcp:\/\/(\*|\[[0-9a-f:.]+\]|[\w.-]+):(\d{1,5})$/i.exec(text);
  const port = Number(match?.[2]);
  if (match === null || port > 65_535) return undefined;
  const host = match[1]!;
  return { hostname: host === "*" ? "0.0.0.0" : host.replace(/^\[|\]$/g, ""), port };
}

/** The address as it is written. */
export function formatAddress({ hostname, port }: TcpAddress): string {
  return `tcp://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}

/** Writes the file, for its owner alone. */
export function writeRemoteConnection(path: string, connection: RemoteConnection): void {
  writePrivate(path, remoteSchema.parse(connection));
}

/** Writes a key pair, for its owner alone. */
export function writeKeyPair(path: string, { publicKey, secretKey }: KeyPair): void {
  writePrivate(path, { public_key: encodeZ85(publicKey), secret_key: encodeZ85(secretKey) });
}

/**
 * Reads the file of a client.
 *
 * @param keyPath file of its key pair, where the secret is not in the other one
 * @throws {CommandError} when a file is missing, not of this form, readable by others, or has no secret
 */
export function readRemoteKernel(path: string, keyPath?: string): RemoteKernel {
  const { name, ip, port, key, curve } = read(path, remoteSchema, "batos key allow");
  const secret = keyPath === undefined
    ? curve.secret_key
    : read(keyPath, keySchema, "batos key new").secret_key;
  if (secret === undefined) {
    throw new CommandError(
      `"${path}": the secret key is not in it; name the file that "batos key new" wrote, with --key`,
    );
  }
  const secretKey = decodeZ85(secret)!;
  const publicKey = publicKeyOf(secretKey);
  if (encodeZ85(publicKey) !== curve.public_key) {
    throw new CommandError(
      `"${
        keyPath ?? path
      }": its secret does not belong to the key that the kernel admits, ${curve.public_key}`,
    );
  }
  return {
    name,
    hostname: ip,
    port,
    signingKey: Uint8Array.fromHex(key),
    serverKey: decodeZ85(curve.server_key)!,
    pair: { publicKey, secretKey },
  };
}

/** A file by its schema. What is in it is quoted in no message. */
function read<S extends z.ZodType>(path: string, schema: S, maker: string): z.output<S> {
  let value: unknown;
  try {
    value = JSON.parse(Deno.readTextFileSync(path));
  } catch (error) {
    const reason = error instanceof Deno.errors.NotFound
      ? "no such file"
      : error instanceof SyntaxError
      ? "it is no JSON"
      : (error as Error).message;
    throw new CommandError(`read "${path}": ${reason}; expected a file that "${maker}" wrote`, {
      cause: error,
    });
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    const { path: at, message } = parsed.error.issues[0]!;
    throw new CommandError(
      `read "${path}": ${
        at.join(".") || "the file"
      }: ${message}; expected a file that "${maker}" wrote`,
    );
  }
  requireOwn(path);
  return parsed.data;
}
