/**
 * The text of an answer as blocks that the page can show.
 *
 * Owns the small part of Markdown that answers use: headings, lists, fenced code, `code`, **bold**, and places such as
 * `src/router.ts:10-42`. Pure. What must hold: nothing becomes markup but what is listed here, so text from files stays text; a place
 * becomes a link only when the answer's checked citations hold it.
 */

/** A piece of running text. */
export type Inline =
  | { readonly kind: "text" | "code" | "bold"; readonly text: string }
  | { readonly kind: "place"; readonly path: string; readonly start: number; readonly end: number };

/** A block of an answer. */
export type Block =
  | { readonly kind: "heading" | "paragraph"; readonly content: readonly Inline[] }
  | { readonly kind: "list"; readonly items: readonly (readonly Inline[])[] }
  | {
    readonly kind: "code";
    readonly language: string;
    readonly text: string;
    /** The place before it that has as many lines: what it shows. Where there is none, nobody knows the numbers of its lines. */
    readonly place?: { readonly path: string; readonly start: number; readonly end: number };
  };

/** Whether a place stands among the citations that were checked. */
export type IsCited = (path: string, start: number, end: number) => boolean;

/** Parses an answer. */
export function answerBlocks(text: string, isCited: IsCited): Block[] {
  const blocks: Block[] = [];
  const lines = text.split("\n");
  let paragraph: string[] = [];
  let items: string[] = [];
  let places: { path: string; start: number; end: number }[] = [];
  const read = (line: string): Inline[] => {
    const content = inlines(line, isCited);
    places.push(...content.filter((piece) => piece.kind === "place"));
    return content;
  };
  const flush = () => {
    if (paragraph.length > 0) {
      blocks.push({ kind: "paragraph", content: read(paragraph.join("\n")) });
    }
    if (items.length > 0) blocks.push({ kind: "list", items: items.map(read) });
    paragraph = [];
    items = [];
  };
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!;
    const fence = /^\s*(`{3,}|~{3,})\s*([\w+-]*)\s*$/.exec(line);
    if (fence !== null) {
      flush();
      const [, mark = "", language = ""] = fence;
      const from = i + 1;
      do i++; while (i < lines.length && lines[i]!.trim() !== mark);
      const code = lines.slice(from, i);
      // Lines that were left out shift those behind them.
      const isWhole = !code.some((line) => line.startsWith("… "));
      const place = places.find(({ start, end }) => isWhole && end - start + 1 === code.length);
      blocks.push({
        kind: "code",
        language,
        text: code.join("\n"),
        ...(place !== undefined && {
          place: { path: place.path, start: place.start, end: place.end },
        }),
      });
      places = [];
      continue;
    }
    const heading = /^#{1,6}\s+(.*)$/.exec(line) ??
      // The extractive answer writes its headings as words with a colon.
      /^((?:Sources|Also relevant)):$/.exec(line);
    const item = /^\s*[-*]\s+(.*)$/.exec(line);
    // A list or a heading begins another thought.
    if (heading !== null || item !== null) places = [];
    if (heading !== null) {
      flush();
      blocks.push({ kind: "heading", content: inlines(heading[1]!, isCited) });
    } else if (item !== null) {
      if (paragraph.length > 0) flush();
      items.push(item[1]!);
    } else if (line.trim() === "") {
      flush();
    } else {
      if (items.length > 0) flush();
      paragraph.push(line);
    }
  }
  flush();
  return blocks;
}

/** Running text, cut at what it marks. */
export function inlines(text: string, isCited: IsCited): Inline[] {
  const found: Inline[] = [];
  const put = (text: string) => {
    if (text !== "") found.push({ kind: "text", text });
  };
  let at = 0;
  for (const match of text.matchAll(/`([^`\n]+)`|\*\*([^*\n]+)\*\*/g)) {
    put(text.slice(at, match.index));
    const [, code, bold] = match;
    if (bold !== undefined) found.push({ kind: "bold", text: bold });
    else {
      const [, path = "", first = "0", last = first] = /^(.+?):(\d+)(?:-(\d+))?$/.exec(code!) ?? [];
      const start = Number(first);
      const end = Number(last);
      if (path !== "" && isCited(path, start, end)) found.push({ kind: "place", path, start, end });
      else found.push({ kind: "code", text: code! });
    }
    at = match.index + match[0].length;
  }
  put(text.slice(at));
  return found;
}

/** Names that an answer is about: those it explains as definitions, in order. */
export function namesIn(answer: string): string[] {
  const names = [...answer.matchAll(/^`([\w$.#]+)` \(\w+, `/gm)].map((match) => match[1]!);
  return [...new Set(names)];
}
