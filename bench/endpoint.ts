/**
 * `bench endpoint`: how fast a kernel answers over ZeroMQ, and what it withstands.
 *
 * The client is pyzmq (libzmq); the same client sends the same messages to an echo in pyzmq, in the same run and by turns, so that what is compared is one
 * server that checks, decodes, answers and signs with one that does nothing. What must hold: every message of a client that lives is answered, or
 * the run fails; the kernel is a process of its own, with the permissions of its task.
 */
import { join } from "node:path";
import { Signer } from "../kernel/doors/contract.ts";
import { KernelClient } from "../kernel/doors/kernel_client.ts";
import { WINDOW_MS } from "../kernel/doors/replay_guard.ts";
import { connectDealer } from "../kernel/doors/zmtp/dealer.ts";
import { encodeCommand, encodeGreeting, encodeProperties } from "../kernel/doors/zmtp/wire.ts";
import { REPOSITORY } from "./batos.ts";
import { KernelProcess } from "./kernel_process.ts";
import { median } from "./process.ts";

export interface EndpointBenchOptions {
  readonly rounds?: number;
  /** Fewer of everything, for a look. */
  readonly parts?: readonly string[];
  readonly log: (text: string) => void;
}

/** Rounds of each kind, by turns. */
const ROUNDS = 5;
/** Messages of a round. */
const TURNS = 20_000;
const STREAM = 50_000;
/** The soak. */
const MESSAGES = 1_000_000;
const SOAK_PARTS = 4;
const CONNECTS = 2_000;
const KILLED = 200;
/** Frames that are not what they should be. */
const FUZZED = 100_000;
/** Runs the parts; all of them by default. */
export async function benchEndpoint(
  { rounds = ROUNDS, parts = ["speed", "soak", "fuzz"], log }: EndpointBenchOptions,
): Promise<object> {
  const python = findPython();
  await using kernel = await KernelProcess.start();
  const result: Record<string, object> = {};
  if (parts.includes("speed")) {
    await using echo = await Echo.start(python);
    const figures: Record<string, number[]> = {};
    const measure = async (name: string, mode: string, port: number, count: number) =>
      (figures[name] ??= []).push(await client(python, mode, port, kernel.key, count));
    for (let round = 0; round < rounds; round++) {
      log(`round ${round + 1} of ${rounds}`);
      await measure("round_trips", "turns", kernel.port, TURNS);
      await measure("echo_round_trips", "turns", echo.port, TURNS);
      await measure("stream", "stream", kernel.port, STREAM);
      await measure("echo_stream", "stream", echo.port, STREAM);
    }
    const ratio = (name: string) =>
      median(figures[name]!.map((value, round) => value / figures[`echo_${name}`]![round]!));
    result.speed = {
      ...Object.fromEntries(
        Object.entries(figures).map(([name, values]) => [name, Math.round(median(values))]),
      ),
      round_trips_of_echo: round2(ratio("round_trips")),
      stream_of_echo: round2(ratio("stream")),
    };
  }
  if (parts.includes("soak")) {
    log("soak");
    const stream = (count: number) => client(python, "stream", kernel.port, kernel.key, count);
    await stream(STREAM);
    const handles = kernel.state().handles;
    const rates: number[] = [];
    const megabytes: number[] = [];
    // In parts: memory that is flat is the same after each.
    for (let part = 0; part < SOAK_PARTS; part++) {
      rates.push(await stream(MESSAGES / SOAK_PARTS));
      megabytes.push(kernel.state().megabytes);
    }
    log("connects");
    await client(python, "connects", kernel.port, kernel.key, CONNECTS);
    log("clients killed");
    await client(python, "killed", kernel.port, kernel.key, KILLED);
    // Until what is remembered of messages, against their repetition, may be forgotten.
    await new Promise((done) => setTimeout(done, WINDOW_MS * 1.5));
    await client(python, "turns", kernel.port, kernel.key, 1_000);
    const settled = kernel.state();
    result.soak = {
      messages: MESSAGES,
      connects: CONNECTS,
      killed: KILLED,
      lost: 0,
      messages_a_second: Math.round(median(rates)),
      handles_before: handles,
      handles_after: settled.handles,
      megabytes_after_the_first_quarter: megabytes[0]!,
      megabytes_after_the_last_quarter: megabytes.at(-1)!,
      megabytes_when_quiet_again: settled.megabytes,
    };
  }
  if (parts.includes("fuzz")) {
    log("fuzz");
    result.fuzz = await fuzz(kernel, FUZZED);
  }
  return result;
}

/** The echo in pyzmq. */
class Echo implements AsyncDisposable {
  private constructor(readonly child: Deno.ChildProcess, readonly port: number) {}

  static async start(python: string): Promise<Echo> {
    const child = new Deno.Command(python, {
      args: [join(REPOSITORY, "bench", "peers", "zmq_echo.py")],
      stdout: "piped",
    }).spawn();
    const lines = child.stdout.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
    let text = "";
    while (!text.includes("\n")) {
      const { value, done } = await lines.next();
      if (done) throw new Error("start the echo in pyzmq: it ended before it listened");
      text += value;
    }
    return new Echo(child, Number(text));
  }

  async [Symbol.asyncDispose]() {
    try {
      this.child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.child.status;
  }
}

/** A Python with pyzmq and msgpack. */
function findPython(): string {
  for (const program of ["python3", "/usr/bin/python3"]) {
    try {
      const { success } = new Deno.Command(program, {
        args: ["-c", "import zmq, msgpack"],
        stderr: "null",
      }).outputSync();
      if (success) return program;
    } catch {
      // Not this one.
    }
  }
  throw new Error(
    "find pyzmq: no python3 with pyzmq and msgpack; apt-get install python3-zmq python3-msgpack",
  );
}

/** Runs the client in Python; what it could not do fails the run. */
async function client(
  python: string,
  mode: string,
  port: number,
  key: string,
  count: number,
): Promise<number> {
  const script = join(REPOSITORY, "bench", "peers", "zmq_client.py");
  const { success, stdout, stderr } = await new Deno.Command("timeout", {
    args: ["300", python, script, mode, String(port), key, String(count)],
    stdout: "piped",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`client "${mode}": ${new TextDecoder().decode(stderr).trim()}`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** Frames that are wrong at the level of the transport, of the signature, of the contract; an honest client watches. */
async function fuzz(kernel: KernelProcess, count: number): Promise<object> {
  await using honest = new KernelClient({ folder: join(kernel.folder, ".batos") });
  await honest.connect();
  const signer = new Signer(Uint8Array.fromHex(kernel.key));
  let frames = 0;
  let executed = 0;
  let connections = 0;
  let slowest = 0;
  const noise = (most: number) =>
    crypto.getRandomValues(new Uint8Array(1 + Math.floor(Math.random() * most)));
  const open = async () => {
    connections++;
    return await connectDealer({
      hostname: "127.0.0.1",
      port: kernel.port,
      identity: `fuzz-${crypto.randomUUID()}`,
      frames: [32, 100_000],
      onMessage: ([, payload]) => {
        // Replies to signed noise alone could mean that something was done.
        if (new TextDecoder("latin1").decode(payload).includes("\xa5reply")) executed++;
      },
    });
  };
  const ready = new Uint8Array([
    ...encodeGreeting(),
    ...encodeCommand(
      "READY",
      encodeProperties({ "Socket-Type": new TextEncoder().encode("DEALER") }),
    ),
  ]);
  while (frames < count) {
    const begin = performance.now();
    await honest.call("ping");
    slowest = Math.max(slowest, performance.now() - begin);
    const raw = await Deno.connect({ hostname: "127.0.0.1", port: kernel.port });
    connections++;
    try {
      await raw.write(ready);
      for (let n = 0; n < 100; n++, frames++) await raw.write(noise(64));
    } catch {
      // It was closed at the first octet that could not be right, as it should be.
      frames++;
    }
    raw.close();
    const connection = await open();
    for (let n = 0; n < 9; n++, frames++) connection.send([noise(40), noise(300)]);
    await connection.close();
    const insider = await open();
    const request = () => ({
      v: 1,
      id: "1",
      time: Date.now(),
      nonce: crypto.getRandomValues(new Uint8Array(16)),
      command: "ingest",
      mission_brief: { type: "command", selector: "ingest", args: [], kwargs: {} },
    });
    for (let n = 0; n < 9; n++, frames++) {
      // Signed, so that it comes past the signature: then damaged values, which no schema knows.
      const damaged = { ...request(), [`f${n}`]: noise(30), command: noise(8), v: n };
      insider.send(signer.seal(n % 2 === 0 ? noise(100) : damaged));
    }
    await insider.close();
  }
  await honest.call("ping");
  return { frames, connections, executed, slowest_honest_ping_ms: round2(slowest) };
}

function round2(value: number): number {
  return Math.round(value * 100) / 100;
}
