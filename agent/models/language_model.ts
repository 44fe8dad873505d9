/**
 * What a language model is: messages in, text out, under a schema where one is asked for, and an exact account of tokens.
 *
 * Owns the interface that `llama.ts` and `openai.ts` are siblings of, the errors they share, and the record of calls. What must hold:
 * - nothing is cut on the way in: a prompt that does not fit the window is refused before anything is sent;
 * - at most `maxTokens` are written, and the result says whether the model ended or was ended;
 * - an aborted call rejects with the signal's reason, and the next call works;
 * - text under a schema is still data that nobody trusts: a schema is a help for the model, not a proof.
 */
import type { AdapterHost } from "../adapters/adapter_host.ts";

/** One turn of a conversation. The first may be of the system; then user and assistant take turns, the user last. */
export interface Message {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

/** A LoRA adapter that a call wants applied. */
export interface ModelAdapter {
  /** What a server that has loaded it calls it. */
  readonly name: string;
  /** Its GGUF file, for a model in this process. */
  readonly path?: string;
  /** 1 by default. */
  readonly scale?: number;
}

/** One call. */
export interface GenerateRequest {
  readonly messages: readonly Message[];
  /** JSON Schema of the text that is wanted, of the kinds that `grammar.ts` knows; any text when absent. */
  readonly schema?: JsonSchema;
  /** Most tokens to write. */
  readonly maxTokens: number;
  /** 0, the default, always takes the likeliest token. */
  readonly temperature?: number;
  readonly seed?: number;
  readonly adapter?: ModelAdapter;
  readonly signal?: AbortSignal;
  /** Called with each piece of the text as it comes; put together they are the text. */
  readonly onText?: (piece: string) => void;
}

/** A JSON Schema; `grammar.ts` says of which kinds. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** What a call gave. */
export interface Generation {
  readonly text: string;
  /** Tokens of the prompt, those whose state was kept included. */
  readonly tokensIn: number;
  /** Tokens of the prompt that had not to be read again; 0 where the model does not say. */
  readonly tokensReused: number;
  readonly tokensOut: number;
  /** Whether the model ended its turn, or `maxTokens` ended it. */
  readonly stopped: "end" | "length";
}

/** See the module text. */
export interface LanguageModel extends AsyncDisposable {
  /** As `model use` takes it, for example `llama:hf:owner/repo/file.gguf`. */
  readonly name: string;
  /** Size of the window: prompt and text together. */
  readonly contextTokens: number;
  /** Whether counts are of the model's own tokenizer, or an estimate that the window has a margin for. */
  readonly counting: "exact" | "estimate";
  /** Where a weaver makes adapters hot; calls then name them. */
  readonly adapters?: AdapterHost;
  /** Tokens of a text that stands in a message. */
  count(text: string): number;
  /** Tokens of a whole prompt as it is sent. */
  countPrompt(messages: readonly Message[]): number;
  /**
   * @throws {LanguageModelError} when the model cannot be used, or the prompt does not fit.
   * @throws the signal's reason when aborted.
   */
  generate(request: GenerateRequest): Promise<Generation>;
}

/**
 * Why a model did not do what it was asked: `unusable`: it cannot be opened, or the server cannot be reached or refuses us, and asking
 * again now is of no use; `overflow`: the prompt does not fit its window; `failed`: this call failed, another may not.
 */
export type LanguageModelFailure = "unusable" | "overflow" | "failed";

/** A model that cannot be opened, or a call that failed: one line that says what would be right. */
export class LanguageModelError extends Error {
  override name = "LanguageModelError";
  constructor(message: string, readonly kind: LanguageModelFailure, options?: ErrorOptions) {
    super(message, options);
  }
}

/** The account of one call, for an audit trail. */
export interface ModelCall {
  readonly model: string;
  readonly adapter: string | undefined;
  readonly prompt: readonly Message[];
  /** What was written, up to where it ended; of a failed call what had come. */
  readonly response: string;
  readonly tokensIn: number;
  readonly tokensOut: number;
  readonly ms: number;
  readonly status: "SUCCESS" | "FAILURE";
  /** Why it failed. */
  readonly error?: string;
}

/** The same model, each of whose calls is told to `onCall`, failed and aborted ones too. Closing it closes the model. */
export function recordCalls(
  model: LanguageModel,
  onCall: (call: ModelCall) => void,
): LanguageModel {
  return {
    name: model.name,
    contextTokens: model.contextTokens,
    counting: model.counting,
    adapters: model.adapters,
    count: (text) => model.count(text),
    countPrompt: (messages) => model.countPrompt(messages),
    [Symbol.asyncDispose]: () => model[Symbol.asyncDispose](),
    async generate(request) {
      const started = performance.now();
      let heard = "";
      const tell = (rest: Pick<ModelCall, "response" | "tokensIn" | "tokensOut" | "status">) => ({
        model: model.name,
        adapter: request.adapter?.name,
        prompt: request.messages,
        ms: Math.round((performance.now() - started) * 10) / 10,
        ...rest,
      });
      try {
        const result = await model.generate({
          ...request,
          onText: (piece) => {
            heard += piece;
            request.onText?.(piece);
          },
        });
        const { text: response, tokensIn, tokensOut } = result;
        onCall(tell({ response, tokensIn, tokensOut, status: "SUCCESS" }));
        return result;
      } catch (error) {
        onCall({
          ...tell({
            response: heard,
            tokensIn: counted(() => model.countPrompt(request.messages)),
            tokensOut: counted(() => model.count(heard)),
            status: "FAILURE",
          }),
          error: error instanceof Error ? error.message : String(error),
        });
        throw error;
      }
    },
  };
}

/** A count for the record of a failure: a model that was closed meanwhile counts no more. */
function counted(count: () => number): number {
  try {
    return count();
  } catch {
    return 0;
  }
}

/** Refuses a prompt that does not leave room for the text that is wanted. */
export function requireRoom(
  model: Pick<LanguageModel, "name" | "contextTokens">,
  promptTokens: number,
  maxTokens: number,
): void {
  if (promptTokens + maxTokens <= model.contextTokens) return;
  throw new LanguageModelError(
    `ask "${model.name}": the prompt of ${promptTokens} tokens and ${maxTokens} to write do not fit its window of ${model.contextTokens}; shorten the prompt, or open the model with a larger window`,
    "overflow",
  );
}
