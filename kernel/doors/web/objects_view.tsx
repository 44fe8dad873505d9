/**
 * The world: objects of the image as things on a canvas that can be moved, looked into and changed.
 *
 * Where a thing lies is itself data of the image: the slot `positions` of the object `world_morph`, so that it is there again tomorrow, in
 * another window at once, and can be undone like everything else. What must hold: what is shown is what is committed; a drag writes once, when
 * it ends; everything that a mouse can do here, the keyboard can.
 */
/// <reference lib="dom" />
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Result } from "../../commands.ts";
import { run } from "./api.ts";
import { Inspector } from "./inspector.tsx";
import { useResult } from "./load.ts";
import { formatRoute } from "./route.ts";
import { go, problemText, useKernelMessages, useRoute } from "./store.ts";

type Head = Result<"image_ls">["objects"][number];

/** Name of the object that knows where things lie. */
const WORLD = "world_morph";
/** Objects on the canvas; more would be a heap. */
const LIMIT = 120;
/** Size of a thing and of the grid that things without a position lie on, in pixels. */
const WIDTH = 176;
const HEIGHT = 64;
const GAP = 28;
/** What one press of an arrow key moves. */
const STEP = 16;
/** A pointer that moves less than this clicks. */
const CLICK = 4;
/** Quiet time after which the place that keys moved a thing to is written. */
const SETTLE_MS = 500;

/** Places by OID. */
type Positions = Readonly<Record<string, readonly [x: number, y: number]>>;

/** The view. */
export function ObjectsView() {
  const { of } = useRoute();
  const [version, setVersion] = useState(0);
  const again = useCallback(() => setVersion((version) => version + 1), []);
  useKernelMessages(useCallback(({ type }) => {
    if (type === "uvm_state_update") again();
  }, [again]));
  const { result, problem, loading } = useResult("image_ls", { limit: LIMIT }, {
    again: version,
    keep: true,
  });
  const isEmpty = result?.objects.length === 0 || /holds none|no image yet/.test(problem ?? "");
  if (isEmpty) return <EmptyWorld onMade={again} />;
  if (problem !== undefined) return <p class="problem" role="alert">{problem}</p>;
  if (result === undefined) return loading ? <p class="summary">Opening the image…</p> : null;
  return (
    <div class={of === "" ? "objects" : "objects inspecting"}>
      <div>
        <h1>Objects</h1>
        <p class="summary">
          Drag a thing, or move it with the arrow keys; Enter looks into it. Lines lead to what it
          delegates to.
        </p>
        <World objects={result.objects} version={version} chosen={of} onChange={again} />
        <NewObject onMade={again} />
      </div>
      {of !== "" && <Inspector key={of} oid={of} version={version} onChange={again} />}
    </div>
  );
}

function EmptyWorld({ onMade }: { onMade: () => void }) {
  return (
    <div class="objects">
      <h1>Objects</h1>
      <p class="lead">
        The image of this workspace holds no objects yet. Make one: it stays, with its history.
      </p>
      <NewObject onMade={onMade} />
    </div>
  );
}

function NewObject({ onMade }: { onMade: () => void }) {
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
      <label>
        New object
        <input
          type="text"
          value={name}
          placeholder="name"
          autoComplete="off"
          onInput={(event) => setName(event.currentTarget.value)}
        />
      </label>
      <label>
        like
        <input
          type="text"
          value={prototype}
          placeholder="traits"
          autoComplete="off"
          onInput={(event) => setPrototype(event.currentTarget.value)}
        />
      </label>
      <button type="submit" disabled={name.trim() === ""}>Make it</button>
      {problem !== undefined && <p class="problem" role="alert">{problem}</p>}
    </form>
  );
}

function World(
  { objects, version, chosen, onChange }: {
    objects: readonly Head[];
    version: number;
    chosen: string;
    onChange: () => void;
  },
) {
  const hasWorld = objects.some(({ name }) => name === WORLD);
  const kept = useResult("image_get", hasWorld ? { object: WORLD } : undefined, {
    again: version,
    keep: true,
  }).result?.slots.find(({ name }) => name === "positions")?.value as Positions | undefined;
  // What was moved and is not committed yet.
  const [moved, setMoved] = useState<Positions>({});
  const [problem, setProblem] = useState<string | undefined>();
  const box = useRef<HTMLUListElement>(null);
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    if (box.current === null) return;
    const observer = new ResizeObserver(([entry]) => setWidth(entry!.contentRect.width));
    observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    // A thing that was moved on meanwhile stays where it is now.
    setMoved((moved) =>
      Object.fromEntries(
        Object.entries(moved).filter(([oid, [x, y]]) =>
          kept?.[oid]?.[0] !== x || kept[oid][1] !== y
        ),
      )
    );
  }, [JSON.stringify(kept)]);
  const shown = objects.filter(({ name }) => name !== WORLD);
  const columns = Math.max(1, Math.floor((width - GAP) / (WIDTH + GAP)));
  // A narrower window shows all things too; where they lie stays what it is.
  const inside = ([x, y]: readonly [number, number]) =>
    [Math.max(0, Math.min(x, width - WIDTH)), y] as const;
  const positions = new Map(
    shown.map(({ oid }, index) => [
      oid,
      inside(
        moved[oid] ?? kept?.[oid] ?? [
          GAP + (index % columns) * (WIDTH + GAP),
          GAP + Math.floor(index / columns) * (HEIGHT + GAP),
        ] as const,
      ),
    ]),
  );
  const height = Math.max(...[...positions.values()].map(([, y]) => y)) + HEIGHT + GAP;
  const move = (oid: string, x: number, y: number) =>
    setMoved((moved) => ({
      ...moved,
      [oid]: [Math.round(Math.max(0, Math.min(x, width - WIDTH))), Math.round(Math.max(0, y))],
    }));
  // Writes go one after the other, each of all that was moved until then.
  const latest = useRef<Positions>({});
  latest.current = { ...kept, ...moved };
  const hasOne = useRef(false);
  hasOne.current ||= hasWorld;
  const writing = useRef(Promise.resolve());
  const settle = () => {
    writing.current = writing.current.then(async () => {
      try {
        if (!hasOne.current) await run("image_new", { name: WORLD });
        hasOne.current = true;
        const value = JSON.stringify(latest.current);
        await run("image_set", { object: WORLD, slot: "positions", value });
        setProblem(undefined);
        onChange();
      } catch (error) {
        setProblem(problemText(error));
      }
    });
  };
  return (
    <>
      {problem !== undefined && <p class="problem" role="alert">{problem}</p>}
      <ul class="world" ref={box} style={{ height: `${height}px` }}>
        <svg aria-hidden="true">
          {shown.map(({ oid, prototype }) => {
            const from = positions.get(oid)!;
            const to = prototype && positions.get(prototype.oid);
            return to && <path key={oid} d={line(from, to)} />;
          })}
        </svg>
        {shown.map((object) => (
          <Thing
            key={object.oid}
            object={object}
            at={positions.get(object.oid)!}
            isChosen={object.oid === chosen}
            onMove={move}
            onSettle={settle}
          />
        ))}
      </ul>
    </>
  );
}

/** From the top of a thing to the bottom of what it delegates to. */
function line([x1, y1]: readonly [number, number], [x2, y2]: readonly [number, number]): string {
  const [fromX, toX] = [x1 + WIDTH / 2, x2 + WIDTH / 2];
  const [fromY, toY] = y1 > y2 ? [y1, y2 + HEIGHT] : [y1 + HEIGHT, y2];
  const bend = (toY - fromY) / 2;
  return `M${fromX} ${fromY}C${fromX} ${fromY + bend} ${toX} ${toY - bend} ${toX} ${toY}`;
}

const ARROWS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-STEP, 0],
  ArrowRight: [STEP, 0],
  ArrowUp: [0, -STEP],
  ArrowDown: [0, STEP],
};

function Thing(
  { object: { oid, name, prototype, slots }, at: [x, y], isChosen, onMove, onSettle }: {
    object: Head;
    at: readonly [number, number];
    isChosen: boolean;
    onMove: (oid: string, x: number, y: number) => void;
    onSettle: () => void;
  },
) {
  const grip = useRef<{ x: number; y: number; far: boolean } | undefined>(undefined);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  // The place that is written is the one that was shown last.
  const settle = useRef(onSettle);
  settle.current = onSettle;
  const item = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (isChosen) item.current?.scrollIntoView({ block: "nearest" });
  }, [isChosen]);
  return (
    <li
      ref={item}
      class={isChosen ? "thing chosen" : "thing"}
      style={{ left: `${x}px`, top: `${y}px` }}
    >
      <a
        href={formatRoute({ view: "objects", of: oid, query: {}, at: undefined })}
        draggable={false}
        aria-current={isChosen ? "true" : undefined}
        aria-keyshortcuts="ArrowLeft ArrowRight ArrowUp ArrowDown"
        onPointerDown={(event) => {
          if (event.button !== 0) return;
          grip.current = { x: event.clientX - x, y: event.clientY - y, far: false };
          event.currentTarget.setPointerCapture(event.pointerId);
        }}
        onPointerMove={(event) => {
          const held = grip.current;
          if (held === undefined) return;
          const [toX, toY] = [event.clientX - held.x, event.clientY - held.y];
          held.far ||= Math.hypot(toX - x, toY - y) > CLICK;
          if (held.far) onMove(oid, toX, toY);
        }}
        onPointerUp={() => {
          if (grip.current?.far) setTimeout(() => settle.current());
          else grip.current = undefined;
        }}
        onPointerCancel={() => grip.current = undefined}
        onClick={(event) => {
          // The end of a drag is no click.
          if (grip.current?.far) event.preventDefault();
          grip.current = undefined;
        }}
        onKeyDown={(event) => {
          const by = ARROWS[event.key];
          if (by === undefined) return;
          event.preventDefault();
          onMove(oid, x + by[0], y + by[1]);
          clearTimeout(timer.current);
          timer.current = setTimeout(() => settle.current(), SETTLE_MS);
        }}
      >
        <strong>{name === "" ? `@${oid}` : name}</strong>
        <span>
          {prototype === null
            ? "delegates to nothing"
            : `like ${prototype.name || `@${prototype.oid}`}`}
          {" · "}
          {slots} {slots === 1 ? "slot" : "slots"}
        </span>
      </a>
    </li>
  );
}
