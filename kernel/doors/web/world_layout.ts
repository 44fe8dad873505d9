/**
 * Where things lie on the canvas that nobody has put anywhere: each prototype with what delegates to it beside it, as a family.
 *
 * Pure. What must hold: every thing has a place of its own, none on another, all within the width; the same objects give the same
 * picture.
 */

/** What of an object matters for its place. */
export interface Placed {
  readonly oid: string;
  readonly name: string;
  readonly prototype: { readonly oid: string; readonly name: string } | null;
}

/** A place, in pixels from the upper left corner. */
export type Point = readonly [x: number, y: number];

/** A prototype and the ground on which what delegates to it lies. */
export interface Family {
  /** Of the prototype. */
  readonly oid: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** How many of it are not shown. */
  readonly hidden: number;
  /** Where it says so. */
  readonly more: Point | undefined;
}

/** The picture. */
export interface Layout {
  /** Width of every thing. */
  readonly wide: number;
  readonly places: ReadonlyMap<string, Point>;
  readonly families: readonly Family[];
  readonly height: number;
}

/** Height of a thing, and the space around it, in pixels. */
export const HEIGHT = 60;
const GAP = 12;
/** Things are as wide as fills the canvas, between these: names have to be read, and a few things are no wall. */
const MIN_WIDTH = 180;
const MAX_WIDTH = 250;
/** Two beside each other fit a phone, if they are narrower. */
const PHONE = 300;
/** Space between a family and the next. */
const APART = 28;
/** Of a family as many are shown at first: two rows. Cycles and their morphs become many. */
export const MOST_AT_FIRST = 12;
/** With fewer columns a prototype stands above its family. */
const FEWEST_COLUMNS = 4;

/**
 * Lays things out.
 * @param whole families that are shown whole, by the OIDs of their prototypes
 * @param always things that are shown whatever their number
 */
export function layOut(
  objects: readonly Placed[],
  width: number,
  whole: ReadonlySet<string>,
  always: ReadonlySet<string>,
): Layout {
  const columns = Math.max(
    width < PHONE ? 1 : 2,
    Math.floor((width - GAP) / (MIN_WIDTH + GAP)),
  );
  // One space more parts a prototype from its family.
  const fill = Math.floor((width - 2 * GAP) / columns) - GAP;
  const wide = Math.max(1, Math.min(MAX_WIDTH, fill));
  const known = new Set(objects.map(({ oid }) => oid));
  const parentOf = ({ prototype, oid }: Placed) =>
    prototype !== null && prototype.oid !== oid && known.has(prototype.oid) ? prototype.oid : "";
  const children = Map.groupBy(objects, parentOf);
  const isHead = ({ oid }: Placed) => children.has(oid);
  const places = new Map<string, Point>();
  const families: Family[] = [];
  let y = GAP;
  const put = (leaves: readonly Placed[], head: Placed | undefined) => {
    const isWhole = head === undefined || whole.has(head.oid);
    const shown = isWhole || leaves.length <= MOST_AT_FIRST ? leaves : firstOf(leaves, always);
    const hidden = leaves.length - shown.length;
    const beside = head !== undefined && columns >= FEWEST_COLUMNS;
    if (head !== undefined) {
      places.set(head.oid, [GAP, y]);
      if (!beside) y += HEIGHT + (leaves.length > 0 ? GAP : 0);
    }
    const from = beside ? 1 : 0;
    const room = columns - from;
    const at = (index: number): Point => [
      GAP + (from + index % room) * (wide + GAP) + (beside ? GAP : 0),
      y + Math.floor(index / room) * (HEIGHT + GAP),
    ];
    for (const [index, { oid }] of shown.entries()) places.set(oid, at(index));
    const cells = shown.length + (hidden > 0 ? 1 : 0);
    const rows = Math.max(beside ? 1 : 0, Math.ceil(cells / room));
    const height = rows * (HEIGHT + GAP) - GAP;
    if (head !== undefined && leaves.length > 0) {
      const [x] = at(0);
      families.push({
        oid: head.oid,
        x: x - GAP / 2,
        y: y - GAP / 2,
        width: Math.min(cells, room) * (wide + GAP),
        height: height + GAP,
        hidden,
        more: hidden > 0 ? at(shown.length) : undefined,
      });
    }
    y += Math.max(0, height) + APART;
  };
  const seen = new Set<string>();
  const visit = (head: Placed) => {
    if (seen.has(head.oid)) return;
    seen.add(head.oid);
    const own = children.get(head.oid)!;
    put(own.filter((one) => !isHead(one)), head);
    own.filter(isHead).forEach(visit);
  };
  const roots = children.get("") ?? [];
  roots.filter(isHead).forEach(visit);
  // Prototypes that delegate to each other in a ring have no beginning.
  objects.filter(isHead).forEach(visit);
  const alone = roots.filter((one) => !isHead(one));
  if (alone.length > 0) put(alone, undefined);
  return { wide, places, families, height: y - APART + GAP };
}

/** Those with names, the newest of the others, and whatever must be among them, in the order in which they came. */
function firstOf(leaves: readonly Placed[], always: ReadonlySet<string>): readonly Placed[] {
  const weight = ({ oid, name }: Placed) => always.has(oid) ? 2 : name !== "" ? 1 : 0;
  const chosen = new Set(
    leaves.map((one, index) => ({ one, index }))
      .toSorted((a, b) => weight(b.one) - weight(a.one) || b.index - a.index)
      .filter(({ one }, index) => index < MOST_AT_FIRST - 1 || always.has(one.oid))
      .map(({ one }) => one),
  );
  return leaves.filter((one) => chosen.has(one));
}
