/**
 * Answers of a chat server that come in parts, each when a test says so: what is there in between can be looked at, without any clock.
 *
 * What must hold: a part is sent when it was released, and not before; a connection that its client closed is noticed.
 */
import type { ChatFault, ChatServer } from "./chat_server.ts";

/** See the module text. */
export class HeldAnswers {
  /** Answers that were begun, and those of them that their readers gave up. */
  begun = 0;
  given_up = 0;
  readonly #parts: readonly string[];
  #release: (() => void) | undefined;
  #released = 0;

  /**
   * @param server decides at once; what it answers as text are these parts
   * @param parts the first is sent at once, each further one after a call of `next`
   */
  constructor(server: ChatServer, parts: readonly string[]) {
    this.#parts = parts;
    const fault: ChatFault = ({ path, body }) => {
      if (!path.endsWith("/chat/completions")) return undefined;
      if (body.response_format === undefined) return this.#stream();
      const step = '{"thought":"enough","action":"answer","arguments":{}}';
      return Response.json({ choices: [{ message: { content: step }, finish_reason: "stop" }] });
    };
    server.fault = fault;
  }

  /** Lets the next part go, of the answer that is being sent or of the next one. */
  next(): void {
    this.#released++;
    this.#release?.();
  }

  #stream(): Response {
    this.begun++;
    const event = (data: object) =>
      new TextEncoder().encode(`data: ${JSON.stringify({ choices: [data] })}\n\n`);
    let at = 0;
    const body = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        if (at === this.#parts.length) {
          controller.enqueue(event({ delta: {}, finish_reason: "stop" }));
          return controller.close();
        }
        if (at > 0) {
          while (this.#released === 0) await new Promise<void>((done) => this.#release = done);
          this.#released--;
        }
        controller.enqueue(event({ delta: { content: this.#parts[at++] } }));
      },
      cancel: () => {
        this.given_up++;
        // Nobody waits for its parts any more.
        this.#release = undefined;
      },
    }, { highWaterMark: 0 });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  }
}
