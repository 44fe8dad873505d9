/**
 * What listens on a port of this machine that is taken, as far as it says so itself.
 *
 * Owns the look: the operating system knows the process, but a task of ours may not ask it (that takes every permission there is). What must hold: the look
 * is short, sends nothing but a request for a page, and never fails.
 */

/** Time for one answer: it comes from this machine. */
const LOOK_MS = 300;

/** Longest greeting that is repeated. */
const MAX_BANNER = 40;

/** What listens there, in words that follow "in use by". */
export async function describeHolder(hostname: string, port: number): Promise<string> {
  // A ZeroMQ socket greets whoever connects, and so do SSH, mail and databases; a web server waits to be asked.
  const said = await listenTo(hostname, port, "") ||
    await listenTo(hostname, port, requestOf(port));
  if (said.startsWith("\xff") && said[9] === "\x7f") {
    return "a ZeroMQ socket, such as the kernel of another workspace";
  }
  if (/^HTTP\/1\.\d /.test(said)) {
    return /batos/i.test(said) ? "the page of another workspace's kernel" : "a web server";
  }
  const banner = /^[\x20-\x7e]+/.exec(said)?.[0].slice(0, MAX_BANNER);
  return banner ? `a program that says "${banner}"` : "another program";
}

function requestOf(port: number): string {
  return `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`;
}

/** The first bytes that come back, one character each; empty when none come in time. */
async function listenTo(hostname: string, port: number, request: string): Promise<string> {
  let socket: Deno.TcpConn | undefined;
  const timer = setTimeout(() => socket?.close(), LOOK_MS);
  try {
    socket = await Deno.connect({ hostname, port });
    if (request !== "") await socket.write(new TextEncoder().encode(request));
    const buffer = new Uint8Array(4_096);
    const count = await socket.read(buffer);
    return new TextDecoder("latin1").decode(buffer.subarray(0, count ?? 0));
  } catch {
    return "";
  } finally {
    clearTimeout(timer);
    try {
      socket?.close();
    } catch {
      // The timer did.
    }
  }
}
