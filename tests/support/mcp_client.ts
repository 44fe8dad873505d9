/**
 * The SDK's own client of the Model Context Protocol, connected to `batos mcp` as a process of its own.
 *
 * Owns the process: it ends when the client is disposed of. What must hold: the client keeps to the protocol as agents do, so it
 * checks structured results against the schemas that the server gave.
 */
import { Client } from "@modelcontextprotocol/sdk/client";
// @ts-types="@modelcontextprotocol/sdk/client/stdio"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
// @ts-types="@modelcontextprotocol/sdk/types"
import { type CallToolResult, ListRootsRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { MODELS_LOCK, ROOT } from "../end_to_end/harness.ts";

/** Longest that a test waits for one answer, in milliseconds. */
const PATIENCE = 60_000;

/** What a tool said. */
export interface Answer {
  readonly text: string;
  // deno-lint-ignore no-explicit-any
  readonly data: any;
  readonly isError: boolean;
  /** Messages of the progress notifications. */
  readonly progress: readonly string[];
}

/** A connected client. */
export class McpClient implements AsyncDisposable {
  readonly client: Client;

  constructor(client: Client) {
    this.client = client;
  }

  /**
   * Starts `batos mcp` in a folder and connects to it.
   * @param options.root folder that the client says it works in; without one it has no roots
   */
  static async start(
    cwd: string,
    options: { words?: readonly string[]; root?: string; env?: Record<string, string> } = {},
  ): Promise<McpClient> {
    const transport = new StdioClientTransport({
      command: Deno.execPath(),
      args: ["run", "-A", `--lock=${MODELS_LOCK}`, `${ROOT}main.ts`, "mcp", ...options.words ?? []],
      cwd,
      env: { ...Deno.env.toObject(), NO_COLOR: "1", ...options.env },
      stderr: "ignore",
    });
    const roots = options.root === undefined ? undefined : {};
    const client = new Client({ name: "test", version: "1" }, { capabilities: { roots } });
    if (options.root !== undefined) {
      client.setRequestHandler(ListRootsRequestSchema, () => ({
        roots: [{ uri: `file://${options.root}`, name: "here" }],
      }));
    }
    await client.connect(transport);
    // The client checks structured content of tools whose schemas it knows.
    await client.listTools();
    return new McpClient(client);
  }

  /** Calls a tool. */
  async call(
    name: string,
    args: Record<string, unknown>,
    signal?: AbortSignal,
  ): Promise<Answer> {
    return await callTool(this.client, name, args, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
  }
}

/** Calls a tool of any client. */
export async function callTool(
  client: Client,
  name: string,
  args: Record<string, unknown>,
  signal?: AbortSignal,
): Promise<Answer> {
  const progress: string[] = [];
  const result = await client.callTool({ name, arguments: args }, undefined, {
    signal,
    timeout: PATIENCE,
    onprogress: ({ message = "" }) => progress.push(message),
  }) as CallToolResult;
  const [first] = result.content;
  return {
    text: first?.type === "text" ? first.text : "",
    data: result.structuredContent,
    isError: result.isError === true,
    progress,
  };
}
