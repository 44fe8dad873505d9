/**
 * The part of the command table that is about clients elsewhere: whom the kernel of a workspace admits.
 *
 * Owns their contract; see `commands.ts` for what must hold. All of them are a command line's own: who was let in from elsewhere lets nobody else in. No
 * result holds a secret.
 */
import { z } from "zod";
import { command, field, foundWhen, repo } from "./entry.ts";

const name = field(z.string().min(1).max(64), "What the client is called here", {
  placeholder: "NAME",
});

const publicKey = field(z.string(), "Public key, as Z85");

/** The entries, in the order of `--help`. */
export const keyCommands = {
  key_allow: command({
    summary: "Admit a client from elsewhere",
    doc:
      "Writes a connection file for the client: where the kernel is, its key, what messages are signed with, and a secret key that is kept nowhere " +
      "else. Bring it there over a way that you trust, and remove it here. Who makes their own key pair (`key new`) gives its public key, and no " +
      "secret has to travel. A running kernel admits the client at once.",
    examples: [
      ["key allow laptop --address tcp://192.168.1.20:5600", "a key pair is made for it"],
      ["key allow laptop 'PUBLIC_KEY' --address tcp://host:5600", "it has a key pair"],
    ],
    positionals: ["name", "public_key"],
    local: true,
    input: z.object({
      name,
      public_key: field(
        z.string().optional(),
        "Public key of the client, as Z85, in single quotes",
        {
          placeholder: "PUBLIC_KEY",
        },
      ),
      address: field(z.string(), "Where the client reaches the kernel", {
        placeholder: "tcp://HOST:PORT",
      }),
      out: field(
        z.string().min(1).optional(),
        "File to write (default: .batos/keys/NAME.connection.json)",
        { placeholder: "FILE" },
      ),
      repo,
    }),
    result: z.object({
      name: z.string(),
      public_key: publicKey,
      server_key: field(z.string(), "Public key of the kernel, as Z85"),
      file: field(z.string(), "The connection file for the client"),
      has_secret: field(z.boolean(), "Whether the secret key of the client is in it"),
    }),
    exit: () => 0,
  }),

  key_list: command({
    summary: "List the clients that are admitted",
    doc: "Names, public keys and since when.",
    examples: [["key list", "who may come in"]],
    positionals: [],
    local: true,
    input: z.object({ repo }),
    result: z.object({
      clients: z.array(z.object({
        name: z.string(),
        public_key: publicKey,
        added: field(z.string(), "ISO 8601"),
      })),
    }),
    exit: foundWhen(({ clients }) => clients.length > 0),
  }),

  key_revoke: command({
    summary: "Admit a client no longer",
    doc: "A running kernel ends its conversations within a second.",
    examples: [["key revoke laptop", "it is out"]],
    positionals: ["name"],
    local: true,
    input: z.object({ name, repo }),
    result: z.object({
      name: z.string(),
      revoked: field(z.boolean(), "False where there was none of that name"),
    }),
    exit: foundWhen(({ revoked }) => revoked),
  }),

  key_new: command({
    summary: "Make a key pair for a client",
    doc:
      "On the machine of the client: the secret stays in the file, which only you can read; the public key goes to who runs the kernel, for " +
      "`key allow`.",
    examples: [["key new laptop.key.json", "a file, and the public key to give away"]],
    positionals: ["file"],
    local: true,
    input: z.object({
      file: field(z.string().min(1).max(4096), "File to write", { placeholder: "FILE" }),
      repo,
    }),
    result: z.object({ file: z.string(), public_key: publicKey }),
    exit: () => 0,
  }),

  key_server: command({
    summary: "Show the public key of this workspace's kernel",
    doc:
      "Clients recognise the kernel by it. It is made when it is first needed; the secret part is in .batos/keys/server.json.",
    examples: [["key server", "40 characters of Z85"]],
    positionals: [],
    local: true,
    input: z.object({ repo }),
    result: z.object({ server_key: publicKey }),
    exit: () => 0,
  }),
};
