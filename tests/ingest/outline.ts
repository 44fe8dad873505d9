/** Says in one line a thing what `parse()` found, so that tests read as a table. */
import { parse } from "../../ingest/parse.ts";
import type { Definition, Import } from "../../ingest/source_file.ts";

/** `kind scope.name`, with `+` in front where it is exported. */
export function definitionLine({ kind, container, name, exported }: Definition): string {
  return `${exported ? "+" : "-"}${kind} ${[...container, name].join(".")}`;
}

/** `kind specifier name=alias …`, with `type` in front where nothing of it is left at run time. */
export function importLine({ kind, specifier, names, typeOnly }: Import): string {
  const bound = names.map(({ name, alias }) => name === alias ? name : `${name}=${alias}`);
  return [typeOnly ? "type" : "", kind, specifier, ...bound].filter((part) => part !== "").join(
    " ",
  );
}

/** The definitions of a text, one line each. */
export async function outline(path: string, text: string): Promise<string[]> {
  return (await parse(path, text)).definitions.map(definitionLine);
}

/** The imports of a text, one line each. */
export async function importsOf(path: string, text: string): Promise<string[]> {
  return (await parse(path, text)).imports.map(importLine);
}

/** The parts of one definition, as text. */
export async function partsOf(path: string, text: string, name: string): Promise<Parts> {
  const { definitions } = await parse(path, text);
  const found = definitions.find((definition) => definition.name === name);
  if (!found) {
    throw new Error(`find definition "${name}": not among ${definitions.map(({ name }) => name)}`);
  }
  const { start, declaration, nameStart, body, end, startLine, endLine } = found;
  return {
    doc: text.slice(start, declaration),
    signature: text.slice(declaration, body),
    body: text.slice(body, end),
    named: text.slice(nameStart, nameStart + name.length),
    lines: [startLine, endLine],
  };
}

export interface Parts {
  readonly doc: string;
  readonly signature: string;
  readonly body: string;
  /** What stands where the name should. */
  readonly named: string;
  readonly lines: readonly [number, number];
}
