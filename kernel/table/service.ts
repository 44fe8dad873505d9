/**
 * The part of the command table that is about the kernel as a service: `serve`, and the console that talks to it.
 *
 * Owns their contract; see `commands.ts` for what must hold. Both are a command line's own: one opens the doors, the other takes over a terminal.
 */
import { z } from "zod";
import { command, field, repo } from "./entry.ts";

/** The entries, in the order of `--help`. */
export const serviceCommands = {
  serve: command({
    summary: "Run the kernel of a workspace as a service",
    doc:
      "Keeps the index current and what questions need in memory, until Ctrl-C. ask, search, refs, impact and outline in this workspace " +
      "use it by themselves. Programs reach it over ZeroMQ: address and key are in .batos/connection.json. People reach it with a " +
      "browser: the address of the page is printed, and holds the key of the page. With --listen, clients elsewhere that `key allow` " +
      "admitted reach it too, encrypted (CURVE); nobody else does.",
    examples: [
      ["serve", "the workspace around the current folder"],
      ["serve --port 5600", "on a port of your choice"],
      ["serve --listen tcp://0.0.0.0:5600", "for admitted clients elsewhere as well"],
      ["serve --no-page", "no web page, no HTTP"],
      ["serve --no-watch", "leave the index as it is until something asks"],
    ],
    positionals: [],
    local: true,
    untilStopped: true,
    input: z.object({
      repo,
      port: field(
        z.int().min(1).max(65_535).optional(),
        "Port on 127.0.0.1 (default: 5555, or a free one when that is in use)",
        { placeholder: "PORT" },
      ),
      listen: field(
        z.string().optional(),
        "Serve clients elsewhere at this address, with CURVE; see `key allow`",
        { placeholder: "tcp://HOST:PORT" },
      ),
      page: field(z.boolean().default(true), "Serve the web page and the JSON API", {
        off: "Neither the web page nor HTTP",
      }),
      page_port: field(
        z.int().min(1).max(65_535).optional(),
        "Port of the page on 127.0.0.1 (default: 5556 or that of the last time, or a free one)",
        { placeholder: "PORT" },
      ),
      watch: field(z.boolean().default(true), "Take changed files in as they change", {
        off: "Do not watch for changed files",
      }),
    }),
    result: z.object({
      root: z.string(),
      version: z.string(),
      pid: z.int(),
      endpoint: field(z.string(), "Address of the ZeroMQ endpoint"),
      connection_file: field(z.string(), "Where its key is"),
      page: field(z.string().optional(), "Address of the web page, with its key"),
      remote: field(
        z.object({
          endpoint: z.string(),
          server_key: field(z.string(), "Public key of the kernel, as Z85"),
          clients: field(z.int(), "How many are admitted"),
        }).optional(),
        "The endpoint for clients elsewhere",
      ),
    }),
    exit: () => 0,
  }),

  console: command({
    summary: "Talk to the running kernel of a workspace",
    doc:
      "Takes questions and commands, line by line; results appear above the prompt, several may run at a time. Tab completes, " +
      "Ctrl-C cancels what runs, Ctrl-D leaves. It comes back by itself when the kernel is restarted. " +
      "Where input is no terminal its lines are done in order. A kernel elsewhere is reached with the file that `key allow` wrote there.",
    examples: [
      ["console", "in a workspace where batos serve is running"],
      ["console --connection laptop.connection.json", "a kernel elsewhere"],
      ["console < questions.txt", "one line after the other"],
    ],
    positionals: [],
    local: true,
    input: z.object({
      connection: field(
        z.string().min(1).optional(),
        "Connection file of a kernel elsewhere, as `key allow` wrote it",
        { placeholder: "FILE", local: true },
      ),
      key: field(
        z.string().min(1).optional(),
        "File of `key new`, where the secret is not in the connection file",
        { placeholder: "FILE", local: true },
      ),
      repo,
    }),
    result: z.object({
      failed: field(z.int().min(0), "Lines that ended in an error, where input is no terminal"),
    }),
    exit: (results) => results.some(({ failed }) => failed > 0) ? 2 : 0,
  }),
};
