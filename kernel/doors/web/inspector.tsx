/**
 * One object from inside: its slots, which can be changed, its history, which can be undone, and messages to it.
 *
 * What must hold: a change is one transaction of the image, shown when it is committed; what the image refuses is said in its own words.
 */
/// <reference lib="dom" />
import { useEffect, useRef, useState } from "preact/hooks";
import type { Result } from "../../commands.ts";
import { run } from "./api.ts";
import { useResult } from "./load.ts";
import { go, kernel, problemText, useStore } from "./store.ts";
import { type Names, ObjectLink, ValueView } from "./value_view.tsx";
import { isNarrow } from "./world.tsx";
import { TextField } from "./text_field.tsx";

type Slot = Result<"image_get">["slots"][number];

interface InspectorProps {
  readonly oid: string;
  /** Another number reads the object again. */
  readonly version: number;
  readonly names: Names;
  readonly onChange: () => void;
}

/** Longest value that is edited on one line. */
const MAX_LINE = 60;
/** Messages that are offered: those nearest to the object come first. */
const MAX_OFFERED = 12;

/** The panel. */
export function Inspector({ oid, version, names, onChange }: InspectorProps) {
  const { table } = useStore(kernel);
  const [inherited, setInherited] = useState(false);
  const object = `@${oid}`;
  const { result, problem } = useResult("image_get", { object, inherited: true }, {
    again: version,
    keep: true,
  });
  const slots = result?.slots.filter(({ holder }) => inherited || holder === undefined) ?? [];
  const heading = useRef<HTMLHeadingElement>(null);
  const [trouble, setTrouble] = useState<string | undefined>();
  useEffect(() => heading.current?.focus({ preventScroll: !isNarrow() }), []);
  /** Runs a command that changes something, and shows what came of it. */
  const act = async (work: () => Promise<unknown>): Promise<boolean> => {
    try {
      await work();
      setTrouble(undefined);
      onChange();
      return true;
    } catch (error) {
      setTrouble(problemText(error));
      return false;
    }
  };
  const may = (command: string) => table !== undefined && command in table.commands;
  return (
    <section class="inspector" aria-labelledby="object-name">
      <header>
        <h2 id="object-name" ref={heading} tabIndex={-1}>
          {result?.name || names.get(oid) || object}
        </h2>
        <button type="button" class="quiet" onClick={() => go({ of: "" })}>Close</button>
      </header>
      {problem !== undefined && <p class="problem" role="alert">{problem}</p>}
      {trouble !== undefined && <p class="problem" role="alert">{trouble}</p>}
      {result !== undefined && (
        <>
          <p class="facts">
            @{oid}
            {result.parents.map(({ slot, oid, name }) => (
              <span key={slot}>
                {slot === "parent*" ? ", like " : `, ${slot} `}
                <ObjectLink oid={oid} name={name} />
              </span>
            ))}
          </p>
          <label class="check">
            <input
              type="checkbox"
              checked={inherited}
              onChange={(event) => setInherited(event.currentTarget.checked)}
            />
            Inherited slots too
          </label>
          <ul class="slots">
            {slots.map((slot) => (
              <SlotView
                key={`${slot.holder?.oid ?? ""}/${slot.name}`}
                slot={slot}
                names={names}
                onSet={(value) => act(() => run("image_set", { object, slot: slot.name, value }))}
              />
            ))}
          </ul>
          {slots.length === 0 && <p class="summary">It has no slots of its own.</p>}
          <NewSlot onSet={(slot, value) => act(() => run("image_set", { object, slot, value }))} />
          {may("image_send") && (
            <Message object={object} names={names} slots={result.slots} onSent={onChange} />
          )}
          {may("image_log") && (
            <History
              object={object}
              version={version}
              onUndo={(tid) => act(() => run("image_undo", { tids: [String(tid)] }))}
            />
          )}
        </>
      )}
    </section>
  );
}

function SlotView(
  { slot, names, onSet }: {
    slot: Slot;
    names: Names;
    onSet: (value: string) => Promise<boolean>;
  },
) {
  const { name, type, value, read_only, source, primitive, holder } = slot;
  /** What is typed, and what the slot held when that was begun. */
  const [draft, setDraft] = useState<{ text: string; before: string } | undefined>();
  const written = textOf(value);
  return (
    <li>
      <div class="slot-head">
        <code>{name}</code>
        {type !== "data" && <span class="tag">{type}</span>}
        {read_only && <span class="tag">read-only</span>}
        {holder !== undefined && (
          <small>
            of <ObjectLink {...holder} />
          </small>
        )}
        {type === "data" && !read_only && draft === undefined && (
          <button
            type="button"
            class="quiet"
            aria-label={`Change ${name}`}
            onClick={() => setDraft({ text: written, before: written })}
          >
            Change
          </button>
        )}
      </div>
      {draft !== undefined
        ? (
          <>
            <SlotForm
              name={name}
              text={draft.text}
              onText={(text) => setDraft({ ...draft, text })}
              onSet={async () => await onSet(draft.text) && setDraft(undefined)}
              onLeave={() => setDraft(undefined)}
            />
            {draft.before !== written && (
              <p class="note" role="status">
                Changed meanwhile, to: <ValueView value={value} names={names} />
              </p>
            )}
          </>
        )
        : type === "data"
        ? <ValueView value={value} names={names} />
        : source !== undefined
        ? <pre tabIndex={0}>{source}</pre>
        : <span class="value">{primitive}</span>}
    </li>
  );
}

/** A value as it is typed: JSON, or a reference. */
function textOf(value: unknown): string {
  if (typeof value === "object" && value !== null && "$ref" in value) return `@${value.$ref}`;
  const line = JSON.stringify(value) ?? "null";
  return line.length > MAX_LINE && typeof value === "object"
    ? JSON.stringify(value, null, 2)
    : line;
}

function SlotForm(
  { name, text, onText, onSet, onLeave }: {
    name: string;
    text: string;
    onText: (text: string) => void;
    onSet: () => void;
    onLeave: () => void;
  },
) {
  // What began long stays so: the field does not change while one types in it.
  const [isLong] = useState(text.length > MAX_LINE);
  const common = {
    value: text,
    autoFocus: true,
    spellcheck: false,
    onInput: (event: { currentTarget: { value: string } }) => onText(event.currentTarget.value),
    onKeyDown: (event: KeyboardEvent) => {
      if (event.key === "Escape") {
        event.stopPropagation();
        onLeave();
      } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) onSet();
    },
  };
  return (
    <form
      class="inline-form"
      onSubmit={(event) => {
        event.preventDefault();
        onSet();
      }}
    >
      <label class={isLong ? "wide whole" : "wide"}>
        <span class="sr-only">Value of {name}, as JSON, text, or @object</span>
        {isLong
          ? <textarea {...common} rows={Math.min(16, text.split("\n").length + 1)} />
          : <input type="text" {...common} />}
      </label>
      <button type="submit" class="primary" aria-keyshortcuts="Control+Enter">Set</button>
      <button type="button" class="quiet" onClick={onLeave}>Leave it</button>
    </form>
  );
}

function NewSlot({ onSet }: { onSet: (name: string, value: string) => Promise<boolean> }) {
  const [name, setName] = useState("");
  const [value, setValue] = useState("");
  return (
    <form
      class="inline-form"
      onSubmit={async (event) => {
        event.preventDefault();
        if (name.trim() === "" || !await onSet(name.trim(), value)) return;
        setName("");
        setValue("");
      }}
    >
      <TextField
        label="New slot"
        value={name}
        placeholder="name"
        onText={setName}
      />
      <TextField
        label="holds"
        value={value}
        placeholder="JSON, text or @object"
        onText={setValue}
      />
      <button type="submit" disabled={name.trim() === ""}>Add</button>
    </form>
  );
}

function Message(
  { object, names, slots, onSent }: {
    object: string;
    names: Names;
    slots: readonly Slot[];
    onSent: () => void;
  },
) {
  const [text, setText] = useState("");
  const [answer, setAnswer] = useState<{ value: unknown } | { problem: string } | undefined>();
  const field = useRef<HTMLInputElement>(null);
  const send = async (text: string) => {
    const [selector = "", ...args] = text.trim().split(/\s+/);
    try {
      const [result] = await run("image_send", { object, selector, args });
      setAnswer({ value: result!.value });
      onSent();
    } catch (error) {
      setAnswer({ problem: problemText(error) });
    }
  };
  const understood = slots.filter(({ name, type }) => type !== "data" && !name.startsWith("_"));
  return (
    <section class="message">
      <h3>Send it a message</h3>
      <form
        class="inline-form"
        onSubmit={(event) => {
          event.preventDefault();
          if (text.trim() !== "") void send(text);
        }}
      >
        <label class="wide">
          <span class="sr-only">Message</span>
          <input
            ref={field}
            type="text"
            value={text}
            placeholder="printString"
            autoComplete="off"
            spellcheck={false}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </label>
        <button type="submit" disabled={text.trim() === ""}>Send</button>
      </form>
      {answer !== undefined && (
        <output class={"problem" in answer ? "problem" : undefined}>
          {"problem" in answer ? answer.problem : <ValueView value={answer.value} names={names} />}
        </output>
      )}
      {understood.length > 0 && (
        <ul class="chips" aria-label="Messages that it understands">
          {understood.slice(0, MAX_OFFERED).map(({ name }) => (
            <li key={name}>
              <button
                type="button"
                onClick={() => {
                  setText(name);
                  // What takes arguments waits for them.
                  if (name.includes(":") || !/^\w/.test(name)) field.current?.focus();
                  else void send(name);
                }}
              >
                {name}
              </button>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function History(
  { object, version, onUndo }: {
    object: string;
    version: number;
    onUndo: (tid: number) => void;
  },
) {
  const { result } = useResult("image_log", { object, limit: 10 }, { again: version, keep: true });
  if (result === undefined || result.transactions.length === 0) return null;
  return (
    <details class="history">
      <summary>History</summary>
      <ol>
        {result.transactions.map(({ tid, time, description, changes }) => (
          <li key={tid}>
            <p class="facts">
              <time dateTime={time}>{new Date(time).toLocaleString()}</time> ·{" "}
              {description || "change"} · {tid}
            </p>
            <p>
              {changes?.map(({ slot, change }) => `${change} ${slot ?? "the object"}`).join(", ")}
            </p>
            <button
              type="button"
              class="quiet"
              aria-label={`Undo transaction ${tid}`}
              onClick={() => onUndo(tid)}
            >
              Undo
            </button>
          </li>
        ))}
      </ol>
    </details>
  );
}
