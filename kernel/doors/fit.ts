/**
 * Results cut to what a caller wants to read, with an account of what was left out.
 *
 * Pure. What must hold: lists are cut from their end, where what matters least stands; nothing is cut that is not counted.
 */

/**
 * Characters that a token stands for at least, in code: tokenizers of current models take 3 to 4. An estimate that errs
 * towards more tokens keeps a result within the limit that was asked for.
 */
const CHARACTERS_A_TOKEN = 3;

/** Room for a number of tokens, in characters. */
export function charactersOf(tokens: number): number {
  return tokens * CHARACTERS_A_TOKEN;
}

/** How many entries of which list found no room. */
export type LeftOut = Readonly<Record<string, number>>;

/**
 * A result whose JSON is at most so many characters, as far as cutting these lists can make it so: the one that takes most room
 * loses its last entry, again and again. Of every list one entry stays.
 */
export function fitLists<R extends object>(
  result: R,
  lists: readonly (keyof R & string)[],
  characters: number,
): { readonly result: R; readonly leftOut: LeftOut } {
  let size = JSON.stringify(result).length;
  const sizes = new Map<string, number[]>();
  const totals = new Map<string, number>();
  for (const name of lists) {
    const each = (result[name] as readonly unknown[]).map((item) =>
      JSON.stringify(item).length + 1
    );
    sizes.set(name, each);
    totals.set(name, each.reduce((sum, one) => sum + one, 0));
  }
  const leftOut: Record<string, number> = {};
  while (size > characters) {
    const [name] = [...totals].filter(([list]) => sizes.get(list)!.length > 1)
      .toSorted((one, other) => other[1] - one[1])[0] ?? [];
    if (name === undefined) break;
    const last = sizes.get(name)!.pop()!;
    totals.set(name, totals.get(name)! - last);
    size -= last;
    leftOut[name] = (leftOut[name] ?? 0) + 1;
  }
  const cut = Object.fromEntries(
    Object.keys(leftOut).map((name) => {
      const items = result[name as keyof R] as readonly unknown[];
      return [name, items.slice(0, sizes.get(name)!.length)];
    }),
  );
  return { result: { ...result, ...cut }, leftOut };
}

/**
 * The beginning of a text in whole lines, at most so many characters; a first line that is longer is cut within.
 * @returns the text, and how many of its lines are whole in it
 */
export function fitLines(text: string, characters: number): { text: string; lines: number } {
  if (text.length <= characters) return { text, lines: lineCount(text) };
  const end = text.lastIndexOf("\n", characters - 1) + 1;
  if (end === 0) return { text: text.slice(0, characters), lines: 0 };
  return { text: text.slice(0, end), lines: lineCount(text.slice(0, end)) };
}

function lineCount(text: string): number {
  return text === "" ? 0 : text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
}
