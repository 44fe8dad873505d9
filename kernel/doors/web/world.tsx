/**
 * The canvas: things that can be moved and looked into, on the ground of their families.
 *
 * Where a thing lies that somebody moved is itself data of the image: the slot `positions` of the object `world_morph`, so that it is there
 * again tomorrow, in another window at once, and can be undone like everything else. What must hold: a drag writes once, when it ends;
 * everything that a mouse can do here, the keyboard can.
 */
/// <reference lib="dom" />
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Result } from "../../commands.ts";
import { run } from "./api.ts";
import { useResult } from "./load.ts";
import { formatRoute } from "./route.ts";
import { problemText } from "./store.ts";
import { HEIGHT, layOut, type Point } from "./world_layout.ts";

/** An object as it lies here. */
export type Head = Result<"image_ls">["objects"][number];

/** Name of the object that knows where things lie. */
export const WORLD = "world_morph";
/** What one press of an arrow key moves, in pixels. */
const STEP = 16;
/** A pointer that moves less than this clicks. */
const CLICK = 4;
/** How far a line keeps from what it goes around. */
const ASIDE = 7;
/** Quiet time after which the place that keys moved a thing to is written. */
const SETTLE_MS = 500;

/** Places by OID. */
type Positions = Readonly<Record<string, Point>>;

/** What an object is called where it has no name: what it is like, and its number. */
export function titleOf({ oid, name, prototype }: Pick<Head, "oid" | "name" | "prototype">) {
  if (name !== "") return name;
  return prototype === null || prototype.name === "" ? `@${oid}` : `${prototype.name} @${oid}`;
}

/** Whether what is chosen is shown above the canvas and not beside it; as in the style sheet. */
export function isNarrow(): boolean {
  return matchMedia("(max-width: 48rem)").matches;
}

/** See the module text. */
export function World(
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
  const [whole, setWhole] = useState<ReadonlySet<string>>(new Set());
  const box = useRef<HTMLUListElement>(null);
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    if (box.current === null) return;
    setWidth(box.current.clientWidth);
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
  const put: Positions = { ...kept, ...moved };
  const shown = objects.filter(({ name }) => name !== WORLD);
  const always = Object.keys(put).concat(chosen).sort().join();
  const layout = useMemo(
    () => layOut(shown, width, whole, new Set(always.split(","))),
    [objects, width, whole, always],
  );
  // A narrower window shows all things too; where they lie stays what it is.
  const { wide } = layout;
  const inside = ([x, y]: Point): Point => [Math.max(0, Math.min(x, width - wide)), y];
  const places = new Map(
    [...layout.places].map((
      [oid, place],
    ) => [oid, put[oid] === undefined ? place : inside(put[oid])]),
  );
  const height = Math.max(
    layout.height,
    ...[...places.values()].map(([, y]) => y + HEIGHT + STEP),
  );
  const move = (oid: string, x: number, y: number) =>
    setMoved((moved) => ({
      ...moved,
      [oid]: [Math.round(Math.max(0, Math.min(x, width - wide))), Math.round(Math.max(0, y))],
    }));
  // Writes go one after the other, each of all that was moved until then.
  const latest = useRef<Positions>({});
  latest.current = put;
  const hasOne = useRef(false);
  hasOne.current ||= hasWorld;
  const writing = useRef(Promise.resolve());
  const write = (positions: () => Positions) => {
    writing.current = writing.current.then(async () => {
      try {
        if (!hasOne.current) await run("image_new", { name: WORLD });
        hasOne.current = true;
        const value = JSON.stringify(positions());
        await run("image_set", { object: WORLD, slot: "positions", value });
        setProblem(undefined);
        onChange();
      } catch (error) {
        setProblem(problemText(error));
      }
    });
  };
  const tidy = () => {
    setMoved({});
    write(() => ({}));
  };
  // What lies on the ground of its family needs no line; what was moved does, and prototypes where one of them is chosen.
  const heads = new Set(layout.families.map(({ oid }) => oid));
  const lines = shown.filter(({ oid, prototype }) =>
    prototype !== null && places.has(oid) && places.has(prototype.oid) &&
    (put[oid] !== undefined || put[prototype.oid] !== undefined ||
      heads.has(oid) && (oid === chosen || prototype.oid === chosen))
  );
  const ofChosen = new Set([chosen, shown.find(({ oid }) => oid === chosen)?.prototype?.oid]);
  return (
    <>
      {problem !== undefined && <p class="problem" role="alert">{problem}</p>}
      {Object.keys(put).length > 0 && (
        <p class="world-tools">
          <button type="button" class="quiet" onClick={tidy}>
            Put everything back in its place
          </button>
        </p>
      )}
      <ul class="world" ref={box} style={{ height: `${height}px` }} aria-label="Objects">
        <li class="ground" aria-hidden="true">
          {layout.families.map(({ oid, x, y, width, height }) => (
            <div
              key={oid}
              class={ofChosen.has(oid) ? "family chosen" : "family"}
              style={{ left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` }}
            />
          ))}
          <svg aria-hidden="true">
            {lines.map(({ oid, prototype }) => (
              <path
                key={oid}
                class={oid === chosen || prototype!.oid === chosen ? "chosen" : undefined}
                d={line(places.get(oid)!, places.get(prototype!.oid)!, wide)}
              />
            ))}
          </svg>
        </li>
        {/* Before the width is known nothing has a place: what is chosen would be looked for where it is not. */}
        {width > 0 && shown.filter(({ oid }) => places.has(oid)).map((object) => (
          <Thing
            key={object.oid}
            object={object}
            at={places.get(object.oid)!}
            wide={wide}
            isChosen={object.oid === chosen}
            isMoved={put[object.oid] !== undefined}
            onMove={move}
            onSettle={() => write(() => latest.current)}
          />
        ))}
        {layout.families.filter(({ more }) => more !== undefined).map(({ oid, more, hidden }) => (
          <li
            key={`more ${oid}`}
            class="thing"
            style={{
              left: `${more![0]}px`,
              top: `${more![1]}px`,
              width: `${wide}px`,
            }}
          >
            <button type="button" class="more" onClick={() => setWhole(new Set([...whole, oid]))}>
              {hidden.toLocaleString("en")} more
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}

/** From a thing to what it delegates to, between the sides that face each other. */
function line([x1, y1]: Point, [x2, y2]: Point, wide: number): string {
  const middle = (y: number) => y + HEIGHT / 2;
  // Below each other: around what lies between.
  if (x1 === x2) return `M${x1} ${middle(y1)}H${x1 - ASIDE}V${middle(y2)}H${x2}`;
  if (Math.abs(y1 - y2) < HEIGHT) {
    const [fromX, toX] = x1 > x2 ? [x1, x2 + wide] : [x1 + wide, x2];
    const bend = (toX - fromX) / 2;
    return `M${fromX} ${middle(y1)}C${fromX + bend} ${middle(y1)} ${toX - bend} ${
      middle(y2)
    } ${toX} ${middle(y2)}`;
  }
  const [fromX, toX] = [x1 + wide / 2, x2 + wide / 2];
  const [fromY, toY] = y1 > y2 ? [y1, y2 + HEIGHT] : [y1 + HEIGHT, y2];
  const bend = (toY - fromY) / 2;
  return `M${fromX} ${fromY}C${fromX} ${fromY + bend} ${toX} ${toY - bend} ${toX} ${toY}`;
}

const ARROWS: Readonly<Record<string, Point>> = {
  ArrowLeft: [-STEP, 0],
  ArrowRight: [STEP, 0],
  ArrowUp: [0, -STEP],
  ArrowDown: [0, STEP],
};

function Thing(
  { object, at: [x, y], wide, isChosen, isMoved, onMove, onSettle }: {
    object: Head;
    at: Point;
    wide: number;
    isChosen: boolean;
    isMoved: boolean;
    onMove: (oid: string, x: number, y: number) => void;
    onSettle: () => void;
  },
) {
  const { oid, name, prototype, slots, text } = object;
  const grip = useRef<{ x: number; y: number; far: boolean } | undefined>(undefined);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  // The place that is written is the one that was shown last.
  const settle = useRef(onSettle);
  settle.current = onSettle;
  const item = useRef<HTMLLIElement>(null);
  useEffect(() => {
    // Where it is shown from inside above the canvas, that is what one wants to see.
    if (isChosen && !isNarrow()) item.current?.scrollIntoView({ block: "nearest" });
  }, [isChosen]);
  const like = prototype === null
    ? "delegates to nothing"
    : `like ${prototype.name || `@${prototype.oid}`}`;
  // What has no name is known by its words.
  const [title, below] = name === "" && text !== undefined
    ? [text, `${prototype?.name ?? ""} @${oid}`]
    : [titleOf(object), text ?? `${like} · ${slots} ${slots === 1 ? "slot" : "slots"}`];
  return (
    <li
      ref={item}
      class={`thing${isChosen ? " chosen" : ""}${isMoved ? " moved" : ""}`}
      style={{ left: `${x}px`, top: `${y}px`, width: `${wide}px` }}
    >
      <a
        href={formatRoute({ view: "objects", of: oid, query: {}, at: undefined })}
        title={text}
        draggable={false}
        aria-current={isChosen ? "true" : undefined}
        aria-keyshortcuts="ArrowLeft ArrowRight ArrowUp ArrowDown"
        onPointerDown={(event) => {
          // A finger scrolls.
          if (event.button !== 0 || event.pointerType === "touch") return;
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
        <strong>{title}</strong>
        <span>{below}</span>
      </a>
    </li>
  );
}
