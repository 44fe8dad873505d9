/**
 * Values of the image as people read them: references as links, lists and maps as such, long ones folded.
 *
 * Owns the looks of the JSON form of values (`kernel/image/value_json.ts`). What must hold: nothing is hidden for good: what is
 * folded can be opened.
 */
/// <reference lib="dom" />
import { formatRoute } from "./route.ts";

/** Names of objects by their OIDs, as far as they are known. */
export type Names = ReadonlyMap<string, string>;

/** Longest text that is shown at once. */
const MAX_TEXT = 400;
/** Most entries that are shown at once. */
const MAX_ENTRIES = 8;

/** A link to an object. */
export function ObjectLink({ oid, name = "" }: { oid: string; name?: string | undefined }) {
  return (
    <a href={formatRoute({ view: "objects", of: oid, query: {}, at: undefined })}>
      {name || `@${oid}`}
    </a>
  );
}

/** A value. */
export function ValueView(
  { value, names, depth = 0 }: { value: unknown; names: Names; depth?: number },
) {
  if (typeof value === "string") return <TextView text={value} />;
  if (typeof value !== "object" || value === null) {
    return <span class="value">{String(value)}</span>;
  }
  if (Array.isArray(value)) {
    return (
      <Entries entries={value.map((one, index) => [String(index), one])} {...{ names, depth }} />
    );
  }
  const special = specialOf(value as Record<string, unknown>, names);
  if (special !== undefined) return special;
  const pairs = "$map" in value ? value.$map as [string, unknown][] : Object.entries(value);
  return <Entries entries={pairs} {...{ names, depth }} />;
}

/** What JSON lacks is a map with one key that begins with `$`. */
function specialOf(value: Record<string, unknown>, names: Names) {
  const [[key, inner] = ["", null], ...others] = Object.entries(value);
  if (others.length > 0) return undefined;
  switch (key) {
    case "$ref":
      return <ObjectLink oid={String(inner)} name={names.get(String(inner))} />;
    case "$number":
    case "$bigint":
      return <span class="value">{String(inner)}</span>;
    case "$date":
      return (
        <time class="value" dateTime={String(inner)}>
          {inner === null ? "no date" : new Date(String(inner)).toLocaleString()}
        </time>
      );
    case "$blob": {
      const { size, hash } = inner as { size: number; hash: string };
      return (
        <span class="value" title={hash}>
          {size.toLocaleString("en")} bytes, kept beside the image
        </span>
      );
    }
    case "$array": {
      const { type, base64 } = inner as { type: string; base64: string };
      const bytes = Math.floor(base64.replace(/=+$/, "").length * 3 / 4);
      return <span class="value">{type}, {bytes.toLocaleString("en")} bytes</span>;
    }
  }
}

function TextView({ text }: { text: string }) {
  if (text.length <= MAX_TEXT) return <span class="value text">{text === "" ? '""' : text}</span>;
  return (
    <details class="folded">
      <summary>
        <span class="value text">{text.slice(0, MAX_TEXT)}…</span>{" "}
        <small>{text.length.toLocaleString("en")} characters</small>
      </summary>
      <span class="value text">{text}</span>
    </details>
  );
}

function Entries(
  { entries, names, depth }: {
    entries: readonly (readonly [string, unknown])[];
    names: Names;
    depth: number;
  },
) {
  if (entries.length === 0) return <span class="value">empty</span>;
  const list = (
    <dl class="entries">
      {entries.map(([key, value]) => (
        <div key={key}>
          <dt>{key}</dt>
          <dd>
            <ValueView value={value} names={names} depth={depth + 1} />
          </dd>
        </div>
      ))}
    </dl>
  );
  if (entries.length <= MAX_ENTRIES && depth < 2) return list;
  return (
    <details class="folded">
      <summary>{entries.length === 1 ? "1 entry" : `${entries.length} entries`}</summary>
      {list}
    </details>
  );
}
