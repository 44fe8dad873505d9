/**
 * A language server as a child process, asked over its standard input and output (Language Server Protocol 3.17).
 *
 * Owns framing, numbering and the few requests that a server makes of its client. What must hold: an answer goes to who asked; when
 * the server ends, or says nothing for too long, whoever waits is told; nothing outlives the process.
 */

/** A server that says nothing for so long has hung: the slowest first answer seen, over a thousand files, took 20 seconds. */
const PATIENCE_MS = 120_000;

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: ReturnType<typeof setTimeout>;
}

interface Message {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: { readonly items?: readonly { readonly section?: string }[] };
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

/** See the module text. */
export class LanguageServer implements AsyncDisposable {
  readonly #name: string;
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #waiting = new Map<number, Waiting>();
  readonly #settings: Readonly<Record<string, unknown>>;
  readonly #reading: Promise<void>;
  #next = 1;

  private constructor(command: readonly string[], settings: Readonly<Record<string, unknown>>) {
    this.#name = command.at(-2) ?? command[0]!;
    this.#settings = settings;
    this.#child = new Deno.Command(command[0]!, {
      args: command.slice(1),
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#reading = this.#read();
  }

  /**
   * Starts a server on a folder.
   * @param settings what it is answered when it asks for its configuration, by section.
   */
  static async start(
    command: readonly string[],
    folder: string,
    settings: Readonly<Record<string, unknown>>,
  ): Promise<LanguageServer> {
    const server = new LanguageServer(command, settings);
    const rootUri = uriOf(folder);
    await server.request("initialize", {
      processId: Deno.pid,
      rootUri,
      workspaceFolders: [{ uri: rootUri, name: "bench" }],
      capabilities: {
        workspace: { configuration: true },
        textDocument: { documentSymbol: { hierarchicalDocumentSymbolSupport: true } },
      },
    });
    server.notify("initialized", {});
    return server;
  }

  /** Asks, and waits for the answer; throws what the server says is wrong, or that it says nothing. */
  async request(method: string, params: unknown): Promise<unknown> {
    const id = this.#next++;
    const answer = new Promise<unknown>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new Error(`cannot ask "${this.#name}" for "${method}": it has not answered`));
      }, PATIENCE_MS);
      this.#waiting.set(id, { resolve, reject, timer });
    });
    this.#send({ id, method, params });
    return await answer;
  }

  /** Tells, without an answer. */
  notify(method: string, params: unknown): void {
    this.#send({ method, params });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await this.#child.status;
    await this.#reading;
    await this.#input.abort().catch(() => {});
  }

  #send(message: object): void {
    const body = new TextEncoder().encode(JSON.stringify({ jsonrpc: "2.0", ...message }));
    const head = new TextEncoder().encode(`Content-Length: ${body.length}\r\n\r\n`);
    // A server that is gone is told of by `#read`.
    this.#input.write(head).catch(() => {});
    this.#input.write(body).catch(() => {});
  }

  async #read(): Promise<void> {
    let held = new Uint8Array();
    for await (const piece of this.#child.stdout) {
      const joined = new Uint8Array(held.length + piece.length);
      joined.set(held);
      joined.set(piece, held.length);
      held = joined;
      for (;;) {
        const end = endOfHead(held);
        if (end < 0) break;
        const head = new TextDecoder().decode(held.subarray(0, end));
        const length = Number(/Content-Length: *(\d+)/i.exec(head)?.[1]);
        if (!(held.length >= end + length)) break;
        this.#take(JSON.parse(new TextDecoder().decode(held.subarray(end, end + length))));
        held = held.slice(end + length);
      }
    }
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(new Error(`cannot ask "${this.#name}": it has ended`));
    }
    this.#waiting.clear();
  }

  #take(message: Message): void {
    if (message.method !== undefined) {
      if (message.id !== undefined) {
        const result = message.method === "workspace/configuration"
          ? message.params?.items?.map(({ section }) => this.#settings[section ?? ""] ?? null)
          : null;
        this.#send({ id: message.id, result });
      }
      return;
    }
    const waiting = this.#waiting.get(Number(message.id));
    if (!waiting) return;
    this.#waiting.delete(Number(message.id));
    clearTimeout(waiting.timer);
    if (message.error) {
      waiting.reject(new Error(`"${this.#name}" refuses: ${message.error.message}`));
    } else waiting.resolve(message.result);
  }
}

/** The address of a file or folder as the protocol names it. */
export function uriOf(path: string): string {
  return `file://${path.split("/").map(encodeURIComponent).join("/")}`;
}

/** Offset behind the empty line that ends the head of a message; negative while it has not come. */
function endOfHead(bytes: Uint8Array): number {
  for (let at = 0; at + 3 < bytes.length; at++) {
    if (bytes[at] === 13 && bytes[at + 1] === 10 && bytes[at + 2] === 13) return at + 4;
  }
  return -1;
}
