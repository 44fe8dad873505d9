/**
 * Objects of the image: a canvas of them, one of them from inside, and a way to make more.
 *
 * What must hold: what is shown is what is committed, by this window, another one or a program, as soon as the kernel tells of it.
 */
/// <reference lib="dom" />
import { useMemo, useState } from "preact/hooks";
import { run } from "./api.ts";
import { Inspector } from "./inspector.tsx";
import { useImageVersion, useResult } from "./load.ts";
import { go, problemText, useRoute } from "./store.ts";
import { type Head, titleOf, WORLD, World } from "./world.tsx";
import { TextField } from "./text_field.tsx";

/** Objects that are looked at; more are found by name or text. */
const LIMIT = 1000;
/** Time between two keys of somebody who types on. */
const TYPING_MS = 150;

/** The view. */
export function ObjectsView() {
  const { of } = useRoute();
  const [version, again] = useImageVersion();
  const [pattern, setPattern] = useState("");
  const wanted = pattern.trim();
  const { result, problem, loading } = useResult("image_ls", {
    limit: LIMIT,
    ...(wanted !== "" && { pattern: wanted }),
  }, { again: version, keep: true, delay: wanted === "" ? 0 : TYPING_MS });
  const isEmpty = wanted === "" &&
    (result?.objects.length === 0 || /holds none|no image yet/.test(problem ?? ""));
  const names = useMemo(
    () => new Map(result?.objects.map((object) => [object.oid, titleOf(object)])),
    [result],
  );
  if (isEmpty) return <EmptyWorld onMade={again} />;
  if (result === undefined) {
    return problem !== undefined
      ? <p class="problem" role="alert">{problem}</p>
      : loading
      ? <p class="summary">Opening the image…</p>
      : null;
  }
  return (
    <div class={of === "" ? "objects" : "objects inspecting"}>
      <div>
        <h1>Objects</h1>
        <p class="lead">
          What batos remembers is made of objects that you can look into and change: every question
          with its cycle, the personas and the words they think in, and whatever you make.
        </p>
        <div class="object-tools">
          <TextField
            label="Find"
            value={pattern}
            placeholder="name, prototype or text"
            type="search"
            onText={setPattern}
          />
          <NewObject names={result.objects} onMade={again} />
        </div>
        {problem !== undefined && <p class="problem" role="alert">{problem}</p>}
        <p class="summary" role="status">
          {howMany(result.objects, result.next !== undefined, wanted)}
        </p>
        <World objects={result.objects} version={version} chosen={of} onChange={again} />
        <p class="summary">
          Each prototype stands beside what delegates to it. Drag a thing, or move it with the arrow
          keys; Enter looks into it.
        </p>
      </div>
      {of !== "" && (
        <Inspector
          key={of}
          oid={of}
          version={version}
          names={names}
          onChange={again}
        />
      )}
    </div>
  );
}

function howMany(objects: readonly Head[], isMore: boolean, pattern: string): string {
  const count = objects.filter(({ name }) => name !== WORLD).length;
  if (pattern !== "" && count === 0) return `Nothing here has “${pattern}” in it.`;
  const number = count.toLocaleString("en");
  if (isMore) return `The first ${number}; find others by name or text.`;
  return `${number} ${count === 1 ? "object" : "objects"}${
    pattern === "" ? "" : ` with “${pattern}”`
  }`;
}

function EmptyWorld({ onMade }: { onMade: () => void }) {
  return (
    <div class="objects">
      <h1>Objects</h1>
      <p class="lead">
        The image of this workspace holds no objects yet. Ask something: the question and how it was
        answered become objects. Or make one yourself: it stays, with its history.
      </p>
      <NewObject names={[]} onMade={onMade} />
    </div>
  );
}

function NewObject({ names, onMade }: { names: readonly Head[]; onMade: () => void }) {
  const [name, setName] = useState("");
  const [prototype, setPrototype] = useState("");
  const [problem, setProblem] = useState<string | undefined>();
  const make = async () => {
    try {
      const [made] = await run("image_new", {
        name: name.trim(),
        ...(prototype.trim() !== "" && { prototype: prototype.trim() }),
      });
      setName("");
      setProblem(undefined);
      onMade();
      go({ of: made!.oid });
    } catch (error) {
      setProblem(problemText(error));
    }
  };
  return (
    <form
      class="inline-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (name.trim() !== "") void make();
      }}
    >
      <TextField
        label="New object"
        value={name}
        placeholder="name"
        onText={setName}
      />
      <TextField
        label="like"
        value={prototype}
        placeholder="traits"
        list="prototypes"
        onText={setPrototype}
      />
      <datalist id="prototypes">
        {names.filter(({ name }) => name !== "").map(({ oid, name }) => (
          <option key={oid} value={name} />
        ))}
      </datalist>
      <button type="submit" disabled={name.trim() === ""}>Make it</button>
      {problem !== undefined && <p class="problem" role="alert">{problem}</p>}
    </form>
  );
}
