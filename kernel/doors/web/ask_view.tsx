/**
 * Asking: the first thing one sees, and the conversation that follows.
 *
 * What must hold: somebody who has never seen the page can ask at once, or pick a question about this very repository; what happens
 * while it thinks is shown and can be stopped; the answer is announced to a screen reader.
 */
/// <reference lib="dom" />
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { namesIn } from "./answer_blocks.ts";
import { AnswerText, DraftText, Foundation, Steps } from "./answer.tsx";
import { Prose } from "./code.tsx";
import {
  ask,
  begin,
  conversation,
  forget,
  forgetting,
  isRunning,
  recent,
  resume,
  stopAsking,
  type Turn,
} from "./conversation.ts";
import { exampleQuestions, gist } from "./examples.ts";
import { useExamples } from "./load.ts";
import { formatRoute } from "./route.ts";
import { NothingRead } from "./status.tsx";
import { kernel, useStore } from "./store.ts";

/** The view. */
export function AskView() {
  const { turns } = useStore(conversation);
  const end = useRef<HTMLDivElement>(null);
  const last = turns.at(-1);
  useEffect(() => {
    // A new question is brought into view; an answer stays where it began.
    if (last !== undefined && isRunning(last)) {
      document.getElementById(`turn-${last.id}`)?.scrollIntoView({ block: "start" });
    }
  }, [last?.id]);
  if (turns.length === 0) return <Welcome />;
  return (
    <div class="conversation">
      <div class="conversation-head">
        <h1 class="sr-only">Conversation</h1>
        <button type="button" class="quiet" onClick={begin}>New conversation</button>
      </div>
      {turns.map((turn) => <TurnView key={turn.id} turn={turn} isLast={turn === last} />)}
      <div ref={end} />
      <div class="dock">
        <QuestionForm
          label="Ask a follow-up question"
          busy={last !== undefined && isRunning(last)}
        />
      </div>
    </div>
  );
}

function Welcome() {
  const { table, index } = useStore(kernel);
  const isThere = index.kind === "there";
  const { workspace, names, isReady } = useExamples(isThere && index.status.files > 0);
  const name = table?.workspace.name ?? "this repository";
  return (
    <div class="welcome">
      <h1>Ask about {name}</h1>
      <p class="lead">
        Answers quote your own files, and every citation is checked on disk before you see it.
        Nothing leaves this machine.
      </p>
      <QuestionForm label="Your question" focus />
      <div class="examples">
        {index.kind === "reading" && (
          <div class="reading">
            <p>
              Reading {name}. You can ask already: the answer comes as soon as everything is read.
            </p>
            <progress
              value={index.share}
              max={1}
              aria-label={`Reading ${name}: ${index.detail}`}
            />
            <p class="facts">{index.detail}</p>
          </div>
        )}
        {isThere && index.status.files === 0 && <NothingRead name={name} />}
        {isReady && workspace !== undefined && (
          <>
            <h2>Try</h2>
            <ul>
              {exampleQuestions(workspace, names).map((question) => (
                <li key={question}>
                  <button type="button" onClick={() => ask(question)}>{question}</button>
                </li>
              ))}
            </ul>
          </>
        )}
      </div>
      <Earlier />
      {workspace !== undefined && (
        <section class="overview">
          <h2>What is here</h2>
          <p>
            <Prose text={gist(workspace.text)} />
          </p>
          <ul class="rows">
            {workspace.children.filter(({ level, path }) =>
              level === "folder" && !path.startsWith(".")
            ).map(({ path, text }) => (
              <li key={path}>
                <a href={formatRoute({ view: "map", of: path, query: {}, at: undefined })}>
                  <span class="row-name">{path}/</span>
                  <span class="row-gist">
                    <Prose text={gist(text)} />
                  </span>
                </a>
              </li>
            ))}
          </ul>
        </section>
      )}
    </div>
  );
}

/** Conversations that can be gone on with. */
function Earlier() {
  const { list } = useStore(recent);
  const { words } = useStore(forgetting);
  const said = useRef<HTMLParagraphElement>(null);
  // The button that was pressed is gone; whoever uses keys goes on from here.
  useEffect(() => {
    if (words !== "") said.current?.focus();
  }, [words]);
  if (list.length === 0 && words === "") return null;
  return (
    <section class="overview">
      <h2>Earlier conversations</h2>
      {words !== "" && <p class="facts" role="status" tabIndex={-1} ref={said}>{words}</p>}
      <ul class="rows earlier">
        {list.map(({ id, title, questions, time }) => (
          <li key={id}>
            <button type="button" class="row" onClick={() => resume(id)}>
              <span class="row-title">{title}</span>
              <span class="facts">
                {questions === 1 ? "1 question" : `${questions} questions`} ·{" "}
                <time dateTime={new Date(time).toISOString()}>
                  {new Date(time).toLocaleString()}
                </time>
              </span>
            </button>
            <button
              type="button"
              class="quiet"
              aria-label={`Forget: ${title}`}
              onClick={() => void forget(id)}
            >
              Forget
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function QuestionForm(
  { label, focus = false, busy = false }: { label: string; focus?: boolean; busy?: boolean },
) {
  const [text, setText] = useState("");
  const input = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    if (focus) input.current?.focus();
  }, [focus]);
  const submit = () => {
    if (busy || text.trim() === "") return;
    void ask(text);
    setText("");
  };
  return (
    <form
      class="question"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <label for="question" class={focus ? "sr-only" : undefined}>{label}</label>
      <div class="question-box">
        <textarea
          id="question"
          ref={input}
          rows={1}
          value={text}
          placeholder="How does … work? Where is …?"
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
            event.preventDefault();
            submit();
          }}
        />
        {busy
          ? <button type="button" class="stop" onClick={stopAsking}>Stop</button>
          : <button type="submit" class="primary" disabled={text.trim() === ""}>Ask</button>}
      </div>
    </form>
  );
}

interface TurnProps {
  readonly turn: Turn;
  readonly isLast: boolean;
}

/** A turn is drawn again when it has changed: many times a second while its answer is written, and then never. */
function TurnView({ turn, isLast }: TurnProps) {
  return useMemo(() => <TurnBody turn={turn} isLast={isLast} />, [turn, isLast]);
}

function TurnBody({ turn, isLast }: TurnProps) {
  const { question, steps, doing, notes, draft = "", answer, problem } = turn;
  const running = isRunning(turn);
  return (
    <article class="turn" id={`turn-${turn.id}`} aria-labelledby={`question-${turn.id}`}>
      <h2 id={`question-${turn.id}`}>{question}</h2>
      {answer?.meant !== undefined && (
        <p class="meant">
          Understood as: <Prose text={answer.meant} />
        </p>
      )}
      {notes.map((note, index) => <p class="note" key={index}>{note}</p>)}
      {running && (
        <div class="thinking">
          <p role="status">
            <span class="pulse" aria-hidden="true" />
            {doing}
          </p>
          {steps.length > 0 && (
            <Steps
              steps={steps}
              open={draft === ""}
              summary={`${steps.length} steps so far`}
            />
          )}
        </div>
      )}
      {running && draft !== "" && <DraftText text={draft} isOver={false} />}
      {problem !== undefined && (
        <p class="problem" role="alert">
          {problem !== "cancelled"
            ? problem
            : draft === ""
            ? "Stopped before there was an answer."
            : "Stopped while the answer was written. This much was there:"}
        </p>
      )}
      {problem !== undefined && draft !== "" && <DraftText text={draft} isOver />}
      {problem !== undefined && isLast && (
        <p>
          <button type="button" onClick={() => ask(question)}>Ask it again</button>
        </p>
      )}
      {problem !== undefined && steps.length > 0 && (
        <Steps steps={steps} open={false} summary={`${steps.length} steps until then`} />
      )}
      {answer !== undefined && (
        <>
          <p class="sr-only" role="status">The answer is there.</p>
          <Foundation answer={answer} />
          <AnswerText answer={answer} />
          {answer.ended !== undefined && <p class="note">Ended early: {answer.ended}</p>}
          <Steps
            steps={answer.steps}
            open={false}
            summary={`How it was found: ${answer.steps.length} steps, ${
              answer.tokens.toLocaleString("en")
            } tokens, ${seconds(answer.steps.reduce((sum, { ms }) => sum + ms, 0))}, ${
              answer.driver === "extractive" ? "no model" : answer.driver
            }`}
          />
          {isLast && <Further names={namesIn(answer.answer)} />}
        </>
      )}
    </article>
  );
}

/** Questions that follow from what an answer is about. */
function Further({ names: [name, other] }: { names: readonly string[] }) {
  if (name === undefined) return null;
  const questions = [
    `Where is ${name} used?`,
    `Which tests cover ${name}?`,
    ...(other === undefined ? [] : [`How does ${other} work?`]),
  ];
  return (
    <div class="further">
      <h3>Ask next</h3>
      <ul>
        {questions.map((question) => (
          <li key={question}>
            <button type="button" onClick={() => ask(question)}>{question}</button>
          </li>
        ))}
        <li>
          <a href={formatRoute({ view: "symbol", of: name, query: {}, at: undefined })}>
            Show what is connected with {name}
          </a>
        </li>
      </ul>
    </div>
  );
}

function seconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
