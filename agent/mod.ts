/**
 * The agent: from a question to an answer whose every citation was checked.
 *
 * The tour: `askInCycle()` runs a question as a cognitive cycle of the image (`question_cycle.ts`), `answerQuestion()` without one
 * (`answer.ts`). Both make a plan (`plan.ts`), run a QueryMorph for each part of it (`inquiry.ts`, `query_morph.ts`: thought, action,
 * observation) over the closed table of actions (`actions.ts`) under a budget (`governor.ts`), and weave what came back. Personas
 * are objects of the image (`personas.ts`); a conversation is one too (`kept_conversations.ts`). A `Driver` thinks (`driver.ts`): `model_driver.ts` asks a model with the
 * prompts of `prompt.ts` under the schema of `step_schema.ts`; `extractive.ts` is the one without a model, and acts in place of any driver that fails; it parses the question (`question.ts`), scores places (`evidence.ts`) and
 * writes the text (`answer_text.ts`). `citations.ts` checks what the text cites before anyone sees it. Models that write are in
 * `models/`: `openModel()` makes one of a name. Adapters for them are in `adapters/`: `importIntoImage()` brings one in,
 * an `AdapterWeaver` makes it hot.
 *
 * @module
 */
export { type Answer, answerQuestion, type AskOptions } from "./answer.ts";
export type { TextPiece } from "./answer_draft.ts";
export type { Turn } from "./conversation.ts";
export {
  CONVERSATION,
  conversationIn,
  conversationsIn,
  forgetConversations,
  lastAtCommandLines,
  turnChanges,
} from "./kept_conversations.ts";
export { type CyclePlace, openCyclePlace, OpenCycles } from "./open_cycles.ts";
export { type PersonaAdapterOptions, PersonaAdapters } from "./persona_adapters.ts";
export { FACETS, facetsIn, PERSONAS } from "./personas.ts";
export type { Plan, SubQuestion } from "./plan.ts";
export {
  askInCycle,
  type CycleAnswer,
  openCycles,
  QUESTION_OBJECTS,
  QUESTION_RECORDS,
} from "./question_cycle.ts";
export { answerByModel, type AskedModel } from "./asked_model.ts";
export { type ActionName, type Embed, parseStep, STEP, type Step } from "./actions.ts";
export { checkCitations, type Citation, type CitationStatus } from "./citations.ts";
export type { ContextItem, Driver, MorphState, RefinedQuery, StepRecord } from "./driver.ts";
export { ExtractiveDriver } from "./extractive.ts";
export {
  assemblePrompt_withBudget,
  type Budget,
  DEFAULT_BUDGET,
  type Prompt,
  type TokenCounter,
} from "./governor.ts";
export { MEMORY_PROTOTYPES, type MemoryMount, memoryOid, mountMemory } from "./memory_mount.ts";
export type { MemoryPort } from "./memory_port.ts";
export type { TrailPort } from "./past.ts";
export type { GraphPort } from "./references.ts";
export { MODEL_MS, ModelDriver, type ModelDriverOptions, type ModelUse } from "./model_driver.ts";
export { DEFAULT_ROLE } from "./prompt.ts";
export type { StepEvent } from "./query_morph.ts";
export {
  KEY_VARIABLE,
  type ModelChoice,
  type ModelPorts,
  NO_MODEL,
  openModel,
  parseModelName,
} from "./models/choose.ts";
export {
  type GenerateRequest,
  type Generation,
  type JsonSchema,
  type LanguageModel,
  LanguageModelError,
  type LanguageModelFailure,
  type Message,
  type ModelAdapter,
  type ModelCall,
  recordCalls,
} from "./models/language_model.ts";
export { OpenModels, SharedModel } from "./models/shared.ts";

export { importAndShow, listAdapters } from "./adapters/adapter_desk.ts";
export { AdapterError, type AdapterErrorKind } from "./adapters/adapter_error.ts";
export type { AdapterHost, HotAdapter, WarmAdapter } from "./adapters/adapter_host.ts";
export {
  ADAPTER_OBJECTS,
  adapterRecord,
  adaptersIn,
  forgetAdapter,
  importIntoImage,
} from "./adapters/adapter_image.ts";
export {
  ADAPTER_RECORD,
  type AdapterRecord,
  type BlobSink,
  importAdapter,
  type ImportedAdapter,
  type ImportOptions,
  type PutBlob,
} from "./adapters/adapter_record.ts";
export { AdapterShelf, type ShelfOptions } from "./adapters/adapter_shelf.ts";
export {
  type Activation,
  type ActiveAdapter,
  type AdapterTier,
  AdapterWeaver,
  type WeaverOptions,
  type WeaverStatus,
} from "./adapters/adapter_weaver.ts";
export { type AdapterContexts, LlamaHost } from "./adapters/llama_host.ts";
export { type ConvertOptions, PeftAdapter } from "./adapters/peft_adapter.ts";
export { type AdapterServer, VllmHost, type VllmOptions } from "./adapters/vllm_host.ts";
