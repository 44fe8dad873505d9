/**
 * The program: hands the command table its handlers, and the command line to it.
 *
 * Owns the wiring and nothing else. What must hold: what a command needs is loaded inside its handler, so that a search starts at once;
 * nothing here opens a connection.
 */
import { fileURLToPath } from "node:url";
import { commandHandlers, locate } from "./agent/commands/mod.ts";
import config from "./deno.json" with { type: "json" };
import { delegateToKernel, runCommandLine } from "./kernel/mod.ts";

const { version } = config;

const handlers = commandHandlers({
  version,
  main: fileURLToPath(import.meta.resolve("./main.ts")),
  task: config.tasks.mcp.command,
});

if (import.meta.main) {
  // A kernel that serves this workspace already does the work; without one it is done here.
  const delegated = delegateToKernel(handlers, { locate, version });
  Deno.exit(await runCommandLine(Deno.args, delegated, { version }));
}
