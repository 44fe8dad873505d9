/**
 * The deterministic driver: answers without a model, by the same actions.
 *
 * Owns the policy (which action next) and hands the text to `answer_text.ts`. What must hold: what it keeps between calls can
 * be made again, so the same state gives the same step and the same text; it proposes only actions of the table; its last step is an answer.
 */
import type { Driver, MorphState } from "./driver.ts";
import { composePast } from "./past.ts";
import type { Past } from "./past_question.ts";
import { actionKey, LONGEST_NAME, LONGEST_QUERY } from "./actions.ts";
import { areaFile, areaFolder, README_LINES, readmeOf } from "./answer_area.ts";
import { composeExtractive } from "./answer_text.ts";
import {
  DOCUMENTED_WITHIN,
  isHeadword,
  nameOf,
  referencesTo,
  settingText,
  settingUses,
} from "./answer_finds.ts";
import { CLASS_LIKE } from "./candidates.ts";
import { Evidence, lastName } from "./evidence.ts";
import { alike } from "./references.ts";
import { baseOf, isChangelog, parentOf, roleOf } from "./roles.ts";
import { Matcher } from "./matcher.ts";
import { asWritten } from "./text_places.ts";
import { parseQuestion, type Question, termsOf } from "./question.ts";
import { withCorrections } from "../rag/mod.ts";

/** Summaries and chunks asked for: enough to choose from, few enough to read in the trajectory. */
const SUMMARIES = 8;
const CHUNKS = 16;
const CHUNKS_OF_A_PART = 8;
/** Files looked into. */
const DESCENTS = 4;
/** Where lines were found on purpose. */
const FEW_DESCENTS = 2;
/** Names followed to their callers. */
const MOST_NAMES = 3;
/** Longer definitions are read in part: the lines that matter are already among the chunks. */
const LONGEST_READ = 160;
/** Of a long class its beginning is read. */
const CLASS_LINES = 30;
/** Of any other long definition its head, so that the lines that matter do not stand alone. */
const HEAD_LINES = 12;
/** Of a file its first lines, where it says what it is for. */
const FILE_HEAD = 24;
/** Lines before and behind a text that is read where it stands. */
const AROUND = 12;
/** Places where a text stands that are read, and settings in documents. */
const MOST_AROUND = 2;
/** Types built on the one asked for that are followed to those built on them. */
const MOST_SUBTYPES = 3;
/** Steps that are left to search and read, whatever is followed. */
const KEPT_STEPS = 5;
/** Places whose exact lines are read before answering. */
const MOST_READS = 3;

/** Earlier questions that an answer lists. */
const MOST_CYCLES = 12;

interface Proposal {
  readonly thought: string;
  readonly action: string;
  readonly arguments: Record<string, unknown>;
}

/** Thinks without a model: see the module text. */
export class ExtractiveDriver implements Driver {
  readonly name = "extractive";
  readonly #cache = new WeakMap<
    MorphState,
    { items: number; evidence: Evidence; matcher: Matcher }
  >();

  async propose(state: MorphState): Promise<Proposal> {
    const question = questionOf(state);
    const done = new Set(state.reasoning_log.map((step) => actionKey(step)));
    // The last step belongs to the answer.
    if (state.remaining.steps > 1) {
      for (const proposal of this.#plan(state, question)) {
        if (!done.has(actionKey(proposal))) return proposal;
      }
    }
    const text = await this.compose(state);
    return {
      thought: "There is enough to quote from, so answer.",
      action: "answer",
      arguments: { text, citations: [] },
    };
  }

  async compose(state: MorphState): Promise<string> {
    const question = questionOf(state);
    if (question.past) return composePast(state, question.past);
    return composeExtractive(state, question, this.#evidence(state, question));
  }

  /** Evidence is a function of the state; it is made once for as long as nothing new was retrieved. */
  #evidence(state: MorphState, question: Question): Evidence {
    const items = state.retrieved_context.length;
    const known = this.#cache.get(state);
    if (known?.items === items) return known.evidence;
    // A word that was read as another is another word to match.
    const isSame = known?.matcher.terms.join(" ") === question.terms.join(" ");
    const matcher = known && isSame ? known.matcher : new Matcher(question.terms);
    const evidence = new Evidence(state, question, matcher);
    this.#cache.set(state, { items, evidence, matcher });
    return evidence;
  }

  /** Steps in order of need; the first that was not done yet is next. Lazy: later ones look at what earlier ones found. */
  *#plan(state: MorphState, question: Question): Generator<Proposal> {
    if (question.past) {
      yield* askPast(state, question.past);
      return;
    }
    const query = withoutName(question.query, state.workspace).slice(0, LONGEST_QUERY);
    if (question.area !== undefined) yield* lookAround(state, question.area);
    if (question.shape === "history") {
      yield {
        thought: "Ask git and the changelog who speaks of it.",
        action: "history",
        arguments: { path: "", query: question.query.slice(0, LONGEST_QUERY) },
      };
    }
    yield {
      thought: "Look at the summaries first: which files are about this?",
      action: "search",
      arguments: { query, level: "summaries", k: SUMMARIES },
    };
    for (const path of question.paths.slice(0, 2)) {
      yield {
        thought: `The question names ${path}, so look into it.`,
        action: "descend",
        arguments: { path },
      };
      if (question.shape === "impact") yield followName(path, false);
    }
    yield* lookForTexts(state, question);
    if (question.defaultOf !== undefined) yield* lookForDefault(state, question.defaultOf);
    const certain = question.compared.length > 0 ||
      ["callers", "impact", "where", "what"].includes(question.shape);
    const symbols = question.symbols.filter((name) => name.length <= LONGEST_NAME)
      .slice(0, MOST_NAMES - 1);
    const resolve = question.shape === "callers" || question.shape === "impact" ||
      question.wantsSubtypes;
    if (certain) yield* symbols.map((name) => followName(name, resolve));
    if (question.wantsSubtypes) yield* followSubtypes(state, resolve);
    yield {
      thought: "Search all chunks for the whole question.",
      action: "search",
      arguments: { query, level: "chunks", k: CHUNKS },
    };
    for (const part of question.parts) {
      yield {
        thought: `This part can be looked for on its own: ${part.trim().slice(0, 200)}`,
        action: "search",
        arguments: {
          query: part.trim().slice(0, LONGEST_QUERY),
          level: "chunks",
          k: CHUNKS_OF_A_PART,
        },
      };
    }
    if (!certain) yield* symbols.map((name) => followName(name, false));
    let evidence = this.#evidence(state, question);
    if (question.shape === "list" && question.listed) {
      const folders = evidence.places.map((place) => parentOf(place.path));
      const path = folders.find((folder) => termsOf(baseOf(folder)).includes(question.listed));
      if (path) {
        yield {
          thought: `${path} is called what is to be listed.`,
          action: "descend",
          arguments: { path },
        };
      }
    }
    const files = [
      ...new Set(evidence.places.filter((place) => place.score > 0).map((place) => place.path)),
    ].slice(0, question.texts.length > 0 || question.wantsSubtypes ? FEW_DESCENTS : DESCENTS);
    for (const path of files) {
      yield {
        thought: `Go down into ${path} for its definitions and chunks.`,
        action: "descend",
        arguments: { path },
      };
    }
    evidence = this.#evidence(state, question);
    const isToldOf = state.retrieved_context.some((item) =>
      item.type === "commit" || item.type === "lines" && isChangelog(item.path)
    );
    if (question.shape === "history" && !isToldOf || question.shape === "why") {
      for (const path of files.slice(0, 2)) {
        yield {
          thought: `Ask git what happened to ${path}.`,
          action: "history",
          arguments: { path, query: "" },
        };
      }
    }
    const lead = evidence.places.find((place) =>
      place.role === "code" && place.name && place.name.length <= LONGEST_NAME &&
      place.kind !== "section"
    );
    if (
      lead && state.remaining.steps > 2 &&
      !symbols.some((symbol) => lastName(symbol) === lastName(lead.name))
    ) {
      yield followName(
        lead.name,
        resolve && question.symbols.some((name) => alike(name, lead.name)),
      );
    }
    const first = evidence.places[0];
    if (
      first?.role === "code" && first.startLine > FILE_HEAD && !evidence.lines(first.path).has(1)
    ) {
      yield {
        thought: `Read how ${first.path} begins: what it is for may be said there.`,
        action: "read",
        arguments: { path: first.path, start_line: 1, end_line: FILE_HEAD },
      };
    }
    for (const place of evidence.places.slice(0, MOST_READS)) {
      const lines = place.endLine - place.startLine + 1;
      const most = CLASS_LIKE.has(place.kind)
        ? CLASS_LINES
        : lines > LONGEST_READ
        ? HEAD_LINES
        : lines;
      const end = Math.min(place.endLine, place.startLine + most - 1);
      let known = 0;
      for (let line = place.startLine; line <= end; line++) {
        if (evidence.lines(place.path).has(line)) known++;
      }
      if (known === end - place.startLine + 1) continue;
      yield {
        thought: `Read the exact lines of ${place.name || place.path}.`,
        action: "read",
        arguments: { path: place.path, start_line: place.startLine, end_line: end },
      };
    }
  }
}

/** The question as it was asked, but for words that stand nowhere and were read as others. */
function questionOf({ initial_prompt, retrieved_context, workspace }: MorphState): Question {
  const spelling = retrieved_context.filter((item) => item.type === "spelling");
  return parseQuestion(withCorrections(initial_prompt, spelling), workspace);
}

/** The question without the name of the repository, which every file could answer to. */
function withoutName(text: string, workspace: string): string {
  if (!/^\w+$/.test(workspace)) return text;
  const shorter = text.replace(new RegExp(`\\b${workspace}\\b`, "gi"), "").replace(/\s+/g, " ")
    .trim();
  return termsOf(shorter).length ? shorter : text;
}

/** What a place holds as a whole: its children, and where they are one level further down, those. */
function* lookAround(state: MorphState, area: string): Generator<Proposal> {
  yield {
    thought: area ? `Look at ${area} as a whole.` : "Look at the repository as a whole.",
    action: "descend",
    arguments: { path: area },
  };
  const file = areaFile(state);
  if (file !== undefined) {
    yield {
      thought: `Read how ${file} begins.`,
      action: "read",
      arguments: { path: file, start_line: 1, end_line: README_LINES },
    };
    yield followName(file, false);
  }
  const folder = areaFolder(state);
  const readme = folder === undefined ? undefined : readmeOf(state, folder);
  if (readme) {
    yield {
      thought: `Read how ${readme} begins.`,
      action: "read",
      arguments: { path: readme, start_line: 1, end_line: README_LINES },
    };
  }
  const inner = folder &&
    state.retrieved_context.flatMap((item) =>
      item.type === "summary" && item.summary.level === "folder" &&
        [`${folder}/src`, `${folder}/lib`].includes(item.summary.path)
        ? [item.summary.path]
        : []
    )[0];
  if (inner) {
    yield {
      thought: `The code of ${folder} is in ${inner}.`,
      action: "descend",
      arguments: { path: inner },
    };
  }
}

/** The time that the question names; where nothing is found there, any other. */
function* askPast(
  state: MorphState,
  { query, since, until, only, last }: Past,
): Generator<Proposal> {
  const k = last ? 1 : MOST_CYCLES;
  yield {
    thought: "This is about earlier questions, so look into the audit trail.",
    action: "audit",
    arguments: { query, ...since && { since }, ...until && { until }, only, k },
  };
  if (since && !state.retrieved_context.some((item) => item.type === "cycle")) {
    yield {
      thought: "Nothing then; look at other times.",
      action: "audit",
      arguments: { query, only, k },
    };
  }
}

/** Where the texts of the question stand, and what is around them. */
function* lookForTexts(state: MorphState, { texts }: Question): Generator<Proposal> {
  for (const text of texts.slice(0, MOST_AROUND)) {
    yield {
      thought: `Look where “${text}” stands, word by word.`,
      action: "references",
      arguments: { name: text.slice(0, LONGEST_NAME), resolve: false },
    };
    const uses = asWritten(referencesTo(state, text, ["text", "near"]), text);
    for (const use of uses.slice(0, MOST_AROUND)) {
      yield {
        thought: `Read the lines around it in ${use.path}.`,
        action: "read",
        arguments: {
          path: use.path,
          start_line: Math.max(1, use.line - AROUND),
          end_line: use.line + AROUND,
        },
      };
    }
  }
}

/** Lines that hold a setting, and what documents say below its name. */
function* lookForDefault(state: MorphState, wanted: string): Generator<Proposal> {
  const text = settingText(wanted);
  if (!text.trim()) return;
  // A single word is a name; several are written as one in many ways.
  yield followName(text.slice(0, LONGEST_NAME), false);
  const documented = settingUses(state, wanted).filter((use) =>
    roleOf(use.path) === "doc" && !isChangelog(use.path) && isHeadword(use.text, nameOf(wanted))
  );
  for (const use of documented.slice(0, MOST_AROUND)) {
    yield {
      thought: `Read what ${use.path} says of it.`,
      action: "read",
      arguments: {
        path: use.path,
        start_line: use.line,
        end_line: use.line + DOCUMENTED_WITHIN,
      },
    };
  }
}

/** What is built on the types that were found to be built on the one asked for. */
function* followSubtypes(state: MorphState, resolve: boolean): Generator<Proposal> {
  const names = state.retrieved_context.flatMap((item) =>
    item.type === "reference" && item.kind === "subtype" && item.within &&
      roleOf(item.path) === "code"
      ? [lastName(item.within)]
      : []
  );
  for (const name of [...new Set(names)].slice(0, MOST_SUBTYPES)) {
    if (state.remaining.steps <= KEPT_STEPS) return;
    yield followName(name, resolve);
  }
}

function followName(name: string, resolve: boolean): Proposal {
  return {
    thought: `Find where ${name} is defined and who uses it.`,
    action: "references",
    arguments: { name, resolve },
  };
}
