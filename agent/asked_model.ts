/**
 * Answers by the model that was chosen, and what happens when it cannot be used.
 *
 * Owns that rule: a model that a person named just now must answer, or say why it cannot; one that was chosen some time ago costs
 * itself and not the answer, and that is said. What must hold: a model that was opened for one answer is closed when it is there, whatever happened.
 */
import { ModelError, type Progress } from "../kernel/mod.ts";
import { type ModelChoice, type ModelPorts, openModel, parseModelName } from "./models/choose.ts";
import { type LanguageModel, LanguageModelError } from "./models/language_model.ts";
import type { OpenModels } from "./models/shared.ts";
import type { ModelUse } from "./model_driver.ts";
import { unlessAborted } from "./unless_aborted.ts";

/** How a model is asked. */
export interface AskedModel extends Omit<ModelPorts, "llama"> {
  /** As `model use` takes it. */
  readonly name: string;
  /** Whether somebody named it for this very question. */
  readonly isNamed: boolean;
  /** Where models stay open, in a process that serves; elsewhere the model is closed when the answer is there. */
  readonly models?: OpenModels | undefined;
  /** Told how far loading is, and what whoever waits has to know. */
  readonly progress: (progress: Progress) => void;
}

/** What is looked at of an answer. */
interface Answered {
  readonly model?: ModelUse;
  readonly steps: readonly { readonly replaced?: string }[];
  readonly ended?: string;
}

/**
 * What `answer` gives with the model, or without one where the model cannot be used.
 * @throws {LanguageModelError} or {ModelError} when a model that was named for this question cannot be used.
 */
export async function answerByModel<A extends Answered>(
  { name, isNamed, models, progress, ...ports }: AskedModel,
  answer: (model: LanguageModel | undefined) => Promise<A>,
): Promise<A> {
  const note = (detail: string) => progress({ phase: "", detail, note: true });
  const onLoad = (share: number) =>
    progress({ phase: "loading the model, percent", done: Math.round(share * 100) });
  try {
    const choice = parseModelName(name);
    await using lease = await leaseOf(choice, { ...ports, llama: { onLoad } }, models);
    const { model } = lease;
    const answered = await answer(model);
    const problem = model && whatRulesDid(answered);
    if (problem) note(problem);
    return answered;
  } catch (error) {
    const isModels = error instanceof LanguageModelError || error instanceof ModelError;
    if (isNamed || !isModels) throw error;
    note(`${error.message}; answering without a model`);
    return await answer(undefined);
  }
}

/** The model for as long as it is needed; none where the choice is none. */
async function leaseOf(
  choice: ModelChoice,
  ports: ModelPorts,
  models: OpenModels | undefined,
): Promise<{ readonly model: LanguageModel | undefined } & AsyncDisposable> {
  if (models === undefined || choice.kind === "extractive") {
    const model = await openModel(choice, ports);
    return { model, [Symbol.asyncDispose]: async () => await model?.[Symbol.asyncDispose]() };
  }
  const { signal, ...shared } = ports;
  // Others may wait for the same model: who gives up leaves it to them.
  const leasing = models.lease(choice.name, async () => (await openModel(choice, shared))!);
  try {
    return await unlessAborted(leasing, signal);
  } catch (error) {
    if (signal?.aborted) leasing.then((lease) => lease[Symbol.asyncDispose](), () => undefined);
    throw error;
  }
}

/** How far rules took the place of the model. */
function whatRulesDid({ steps, ended }: Answered): string | undefined {
  const replaced = steps.filter((step) => step.replaced !== undefined);
  const why = replaced.at(-1)?.replaced;
  if (why === undefined) return ended;
  return `${replaced.length} of ${steps.length} steps were done by rules: ${why}`;
}
