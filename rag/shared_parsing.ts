/**
 * Parsing of a large tree by two threads: where the reader of the tree works, and beside it.
 *
 * Owns which text goes where. Grammars in WebAssembly take most of the time of an ingest, more than storing, which has a thread already;
 * the compiler of TypeScript does not, and a second one would take a hundred megabytes. What must hold: what is parsed is the same
 * wherever that happens; a small tree starts no thread.
 */
import {
  GarbageCollection,
  type Parse,
  parse,
  parsedByGrammar,
  type ParsedSource,
} from "../ingest/mod.ts";
import { CompilerThread } from "./compiler_thread.ts";

/** Characters parsed by grammars from which a thread is worth its start: a tenth of a second of work. */
const THREAD_FROM = 300_000;
/** Characters that wait there at most: more than it parses until this side looks again, which is every 15 milliseconds. */
const MOST_WAITING = 150_000;

/** See the module text. To be disposed of, which ends the thread and fails what waits for it. */
export class SharedParsing implements Disposable {
  readonly #garbage = new GarbageCollection();
  #thread: CompilerThread | undefined;
  #parsed = 0;
  #waiting = 0;

  /** Whether there is a thread. */
  get isShared(): boolean {
    return this.#thread !== undefined;
  }

  /**
   * Parses here or there.
   * @throws {TypeError} for a measure other than tokens, when it goes there.
   */
  readonly parse: Parse = async (path, text, options) => {
    if (this.#isForThread(path, text)) return await this.#parseBeside(path, text, options);
    const parsed = await parse(path, text, options);
    this.#garbage.parsed(text.length);
    return parsed;
  };

  #isForThread(path: string, text: string): boolean {
    if (!parsedByGrammar(path, text)) return false;
    this.#parsed += text.length;
    if (this.#parsed < THREAD_FROM || navigator.hardwareConcurrency < 2) return false;
    return this.#waiting === 0 || this.#waiting + text.length <= MOST_WAITING;
  }

  async #parseBeside(...[path, text, options]: Parameters<Parse>): Promise<ParsedSource> {
    this.#thread ??= new CompilerThread();
    this.#waiting += text.length;
    try {
      return await this.#thread.parse(path, text, options);
    } finally {
      this.#waiting -= text.length;
    }
  }

  [Symbol.dispose](): void {
    this.#thread?.[Symbol.dispose]();
  }
}
