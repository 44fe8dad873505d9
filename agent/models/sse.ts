/**
 * Server-sent events: a stream of bytes as the data of its events.
 *
 * Owns the wire form (https://html.spec.whatwg.org/multipage/server-sent-events.html), of which completions use the data alone. What
 * must hold: lines end with CR, LF or both, wherever the network cuts; an event that has no end because the connection closed is
 * not handed out; neither a line without an end nor an event without one fills the memory.
 */

/** Anything longer is no event of a completion but a runaway server. */
const LONGEST = 8 << 20;

/** @throws {RangeError} when a line, or the data of an event, is longer than eight megabytes. */
export async function* eventData(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  let data: string[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    rest += decoder.decode(chunk, { stream: true });
    // A CR at the very end may be half of a line end.
    const lines = rest.split(/\r\n|\n|\r(?=[^])/);
    rest = lines.pop()!;
    if (rest.length > LONGEST) {
      throw new RangeError(`a line of the stream is longer than ${LONGEST} characters`);
    }
    for (const line of lines) {
      if (line === "") {
        if (data.length > 0) yield data.join("\n");
        data = [];
        length = 0;
      } else if (line.startsWith("data:")) {
        data.push(line.slice(line[5] === " " ? 6 : 5));
        // Each is at least a line break of the event.
        length += line.length;
        if (length > LONGEST) {
          throw new RangeError(`an event of the stream is longer than ${LONGEST} characters`);
        }
      }
    }
  }
}
