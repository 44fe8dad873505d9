/**
 * Adapters in a vLLM server: its endpoints to load and unload them while it runs.
 *
 * Owns what is asked of the server and what its answers mean; who connects, and with which key, is the caller's matter. What must
 * hold: a name at the server stands for one content, so that an adapter that was trained again is never taken for the old one;
 * what may have been loaded by a call that broke off is unloaded again.
 *
 * The server has to run with `--enable-lora` and `VLLM_ALLOW_RUNTIME_LORA_UPDATING=True`, and reads the adapter's files by itself,
 * so it must see them: on this machine, or through a folder that both share.
 *
 * The endpoints: https://docs.vllm.ai/en/stable/features/lora.html
 */
import { isAbsolute, join, relative } from "node:path";
import { AdapterError, reasonOf } from "./adapter_error.ts";
import type { AdapterHost, HotAdapter, WarmAdapter } from "./adapter_host.ts";

/** Whoever talks to the server. */
export interface AdapterServer {
  /** Its address, for messages. */
  readonly name: string;
  /**
   * Sends JSON to a path below the API's base (which ends in `/v1`), and gives the answer, whatever its status.
   * @throws when there is no answer
   */
  post(
    path: string,
    body: Readonly<Record<string, unknown>>,
    signal?: AbortSignal,
  ): Promise<{ readonly status: number; readonly text: string }>;
}

/** How a server sees the files. */
export interface VllmOptions {
  /** A folder here and what the server calls it, where it runs in a container or on another machine. */
  readonly mount?: { readonly here: string; readonly there: string };
}

const LOAD = "load_lora_adapter";
const UNLOAD = "unload_lora_adapter";
/** Digits of the content in a name: enough to tell the versions of an adapter apart. */
const ID_DIGITS = 12;
/** Of what a server says this much is shown. */
const SHOWN = 300;

/** See the module text. */
export class VllmHost implements AdapterHost {
  readonly name: string;
  readonly form = "peft";
  readonly #server: AdapterServer;
  readonly #mount: VllmOptions["mount"];

  constructor(server: AdapterServer, { mount }: VllmOptions = {}) {
    this.name = server.name;
    this.#server = server;
    this.#mount = mount;
  }

  /** Of its files: what the server holds of them, beside slots of a fixed size that it has made in advance. */
  async bytesOf({ record, bytes }: WarmAdapter): Promise<number> {
    if (record.scale !== 1) {
      throw new AdapterError(
        `load the adapter "${record.name}" into "${this.name}": its scale is ${record.scale}; expected 1, a server knows no other`,
        "unsupported",
      );
    }
    return bytes;
  }

  async load(adapter: WarmAdapter, signal: AbortSignal): Promise<HotAdapter> {
    const name = nameOf(adapter);
    const body = { lora_name: name, lora_path: this.#pathOf(adapter) };
    let answer: Awaited<ReturnType<AdapterServer["post"]>>;
    try {
      answer = await this.#server.post(LOAD, body, signal);
    } catch (error) {
      // The server may have got it, and load it now.
      await this.#server.post(UNLOAD, { lora_name: name }).catch(() => {});
      signal.throwIfAborted();
      throw this.#failure("load", adapter, reasonOf(error), error);
    }
    // Loaded before: by a process that did not come to unload it. The name says that it is this content.
    const isThere = answer.status === 400 && /already been loaded/.test(answer.text);
    if (answer.status !== 200 && !isThere) {
      throw this.#failure("load", adapter, describe(answer, LOAD));
    }
    return { name, scale: 1 };
  }

  async unload(adapter: WarmAdapter): Promise<void> {
    const name = nameOf(adapter);
    let answer: Awaited<ReturnType<AdapterServer["post"]>>;
    try {
      answer = await this.#server.post(UNLOAD, { lora_name: name });
    } catch (error) {
      throw this.#failure("unload", adapter, reasonOf(error), error);
    }
    // Gone: the server was started again.
    const isGone = (answer.status === 404 || answer.status === 400) &&
      /cannot be found/.test(answer.text);
    if (answer.status !== 200 && !isGone) {
      throw this.#failure("unload", adapter, describe(answer, UNLOAD));
    }
  }

  #pathOf({ folder }: WarmAdapter): string {
    if (this.#mount === undefined) return folder;
    const { here, there } = this.#mount;
    const inside = relative(here, folder);
    return /^\.\.(?:[/\\]|$)/.test(inside) || isAbsolute(inside) ? folder : join(there, inside);
  }

  #failure(what: string, { record }: WarmAdapter, found: string, cause?: unknown): AdapterError {
    return new AdapterError(
      `${what} the adapter "${record.name}" at "${this.name}": ${found}`,
      "failed",
      { cause },
    );
  }
}

/** What the server calls an adapter. */
function nameOf({ record, id }: WarmAdapter): string {
  return `${record.name}-${id.slice(0, ID_DIGITS)}`;
}

function describe({ status, text }: { status: number; text: string }, path: string): string {
  const said = messageIn(text).replace(/\p{Cc}+|\s+/gu, " ").trim();
  // A route that is not there says so in fewer words than vLLM does of an adapter that is not.
  if (status === 404 && (said === "Not Found" || said === "")) {
    return `it has no "${path}"; start vLLM with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True`;
  }
  const shown = said.length > SHOWN ? `${said.slice(0, SHOWN)}…` : said.replace(/\.$/, "");
  return `it answered ${status}${shown === "" ? "" : `: ${shown}`}`;
}

/** The sentence in an answer: vLLM's errors have changed their form, FastAPI's have another. */
function messageIn(text: string): string {
  try {
    const { message, error, detail } = JSON.parse(text) as Record<string, unknown>;
    const inner = (error as { message?: unknown } | undefined)?.message;
    const found = inner ?? message ?? error ?? detail;
    return typeof found === "string" ? found : JSON.stringify(found ?? "");
  } catch {
    return /^\s*</.test(text) ? "a web page" : text;
  }
}
