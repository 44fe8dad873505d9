/**
 * MCP over standard input and output: one client, which started this process.
 *
 * Owns the streams of the process while it runs. What must hold: nothing but protocol goes to standard output; the process ends when
 * the client closes its end, whatever is running then.
 */
import process from "node:process";
// @ts-types="@modelcontextprotocol/sdk/server/stdio"
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { createMcpServer, type McpParts } from "./server.ts";

/** Longest message that is taken in, in bytes: a question of a million characters fits. */
const MAX_MESSAGE = 8_000_000;

/**
 * Serves until the client is gone or the signal fires.
 * @throws the signal's reason
 */
export async function serveMcpStdio(
  parts: McpParts & { readonly signal: AbortSignal },
): Promise<void> {
  const { signal } = parts;
  const gone = new AbortController();
  const server = createMcpServer({ ...parts, signal: AbortSignal.any([signal, gone.signal]) });
  // A library that prints would break the protocol.
  console.log = console.info = console.debug = console.error;
  const closed = Promise.withResolvers<void>();
  const end = () => closed.resolve();
  const { stdin, stdout } = process;
  const transport = new StdioServerTransport(stdin, stdout, { maxBufferSize: MAX_MESSAGE });
  const forget = server.onclose;
  server.onclose = () => {
    forget?.();
    end();
  };
  stdin.once("end", end);
  stdin.once("close", end);
  stdout.once("error", end); // the client closed the pipe that it read from
  signal.addEventListener("abort", end);
  try {
    await server.connect(transport);
    await closed.promise;
  } finally {
    signal.removeEventListener("abort", end);
    gone.abort(new DOMException("the client is gone", "AbortError"));
    await server.close();
    stdin.destroy();
  }
  signal.throwIfAborted();
}
