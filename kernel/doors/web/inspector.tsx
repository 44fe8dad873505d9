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
import { formatRoute } from "./route.ts";
import { go, kernel, problemText, useStore } from "./store.ts";

type Slot = Result<"image_get">["slots"][number];

interface InspectorProps {
  readonly oid: string;
  /** Another number reads the object again. */
  readonly version: number;
  readonly onChange: () => void;
}

/** The panel. */
export function Inspector({ oid, version, onChange }: InspectorProps) {
  const { table } = useStore(kernel);
  const [inherited, setInherited] = useState(false);
  const object = `@${oid}`;
  const { result, problem } = useResult("image_get", { object, inherited }, {
    again: version,
    keep: true,
  });
  const heading = useRef<HTMLHeadingElement>(null);
  const [trouble, setTrouble] = useState<string | undefined>();
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);
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
        <h2 id="object-name" ref={heading} tabIndex={-1}>{result?.name || object}</h2>
        <button type="button" class="quiet" onClick={() => go({ of: "" })}>Close</button>
      </header>
      {problem !== undefined && <p class="problem" role="alert">{problem}</p>}
      {trouble !== undefined && <p class="problem" role="alert">{trouble}</p>}
      {result !== undefined && (
        <>
          <p class="facts">
            @{oid}
            {result.prototype !== null && (
              <>
                , like <ObjectLink {...result.prototype} />
              </>
            )}
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
            {result.slots.map((slot) => (
              <SlotView
                key={`${slot.holder?.oid ?? ""}/${slot.name}`}
                slot={slot}
                onSet={(value) => act(() => run("image_set", { object, slot: slot.name, value }))}
              />
            ))}
          </ul>
          {result.slots.length === 0 && <p class="summary">It has no slots of its own.</p>}
          <NewSlot onSet={(slot, value) => act(() => run("image_set", { object, slot, value }))} />
          {may("image_send") && <Message object={object} onSent={onChange} />}
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

function ObjectLink({ oid, name }: { oid: string; name: string }) {
  return (
    <a href={formatRoute({ view: "objects", of: oid, query: {}, at: undefined })}>
      {name || `@${oid}`}
    </a>
  );
}

function SlotView(
  { slot, onSet }: { slot: Slot; onSet: (value: string) => Promise<boolean> },
) {
  const { name, type, value, read_only, source, primitive, holder } = slot;
  const [draft, setDraft] = useState<string | undefined>();
  const isRef = typeof value === "object" && value !== null && "$ref" in value;
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
            onClick={() => setDraft(isRef ? `@${value.$ref}` : JSON.stringify(value))}
          >
            Change
          </button>
        )}
      </div>
      {draft === undefined
        ? type === "data"
          ? isRef
            ? <ObjectLink oid={String(value.$ref)} name="" />
            : <span class="value">{JSON.stringify(value)}</span>
          : source !== undefined
          ? <pre tabIndex={0}>{source}</pre>
          : <span class="value">{primitive}</span>
        : (
          <form
            class="inline-form"
            onSubmit={async (event) => {
              event.preventDefault();
              if (await onSet(draft)) setDraft(undefined);
            }}
          >
            <label>
              <span class="sr-only">Value of {name}, as JSON, text, or @object</span>
              <input
                type="text"
                value={draft}
                autoFocus
                spellcheck={false}
                onInput={(event) => setDraft(event.currentTarget.value)}
                onKeyDown={(event) => {
                  if (event.key !== "Escape") return;
                  event.stopPropagation();
                  setDraft(undefined);
                }}
              />
            </label>
            <button type="submit" class="primary">Set</button>
            <button type="button" class="quiet" onClick={() => setDraft(undefined)}>
              Leave it
            </button>
          </form>
        )}
    </li>
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
      <label>
        New slot
        <input
          type="text"
          value={name}
          placeholder="name"
          autoComplete="off"
          onInput={(event) => setName(event.currentTarget.value)}
        />
      </label>
      <label>
        holds
        <input
          type="text"
          value={value}
          placeholder="JSON, text or @object"
          autoComplete="off"
          spellcheck={false}
          onInput={(event) => setValue(event.currentTarget.value)}
        />
      </label>
      <button type="submit" disabled={name.trim() === ""}>Add</button>
    </form>
  );
}

function Message({ object, onSent }: { object: string; onSent: () => void }) {
  const [text, setText] = useState("");
  const [answer, setAnswer] = useState<{ text: string; isProblem: boolean } | undefined>();
  const send = async () => {
    const [selector = "", ...args] = text.trim().split(/\s+/);
    try {
      const [result] = await run("image_send", { object, selector, args });
      setAnswer({ text: JSON.stringify(result!.value), isProblem: false });
      onSent();
    } catch (error) {
      setAnswer({ text: problemText(error), isProblem: true });
    }
  };
  return (
    <form
      class="inline-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (text.trim() !== "") void send();
      }}
    >
      <label>
        Message
        <input
          type="text"
          value={text}
          placeholder="printString"
          autoComplete="off"
          spellcheck={false}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </label>
      <button type="submit" disabled={text.trim() === ""}>Send</button>
      {answer !== undefined && (
        <output class={answer.isProblem ? "problem" : "value"}>{answer.text}</output>
      )}
    </form>
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
              {tid} · {new Date(time).toLocaleString()} {description}
            </p>
            <p>
              {changes?.map(({ slot, change }) => `${change} ${slot ?? "the object"}`).join(", ")}
            </p>
            <button type="button" class="quiet" onClick={() => onUndo(tid)}>
              Undo {tid}
            </button>
          </li>
        ))}
      </ol>
    </details>
  );
}
