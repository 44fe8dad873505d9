/**
 * Whether a member is used, given what its receiver may be.
 *
 * Owns the verdict and what speaks for a member where the receiver's type is not known. What must hold: `sure` is said only where
 * the types say so; a doubt is told, not hidden.
 */
import type { Definition, TypeTerm } from "../ingest/mod.ts";
import type { Doubt, Located } from "./graph_values.ts";
import type { ReceiverTypes } from "./receiver_types.ts";

/** Names that types outside of the workspace have: that nobody else here has them says little. */
const COMMON = new Set(
  ("add append args body build cancel check clear close code commit connect content copy count create data date decode delete " +
    "dump encode end error execute extend fetch filter find flush format get group handle has hash host id index info " +
    "init insert is_set items join key keys kind label length level line lines list load lock log lower map match merge message method " +
    "mode name next number open options order parse path peek pop port pos position print process push put query read ready " +
    "release remove render replace reset resolve result root run save search select send session set setdefault shape size " +
    "sort source split start state status step stop strip submit sub tell text time title token top type types update upper url " +
    "user value values version wait warning width write").split(" "),
);

/**
 * @param term what stands before the dot, and `receiver` the same as it is written, in the file `from`
 * @param others the other definitions of the name
 */
export async function fitOfMember(
  types: ReceiverTypes,
  term: TypeTerm,
  receiver: string,
  from: number,
  { file, definition }: Located,
  others: readonly (Definition & { readonly file: number })[],
): Promise<"sure" | "none" | Doubt> {
  const { name } = definition;
  const around = { file: file.id, type: definition.container.join(".") };
  // What a method sets may be declared by a base.
  const declaring = await types.ownerOf(around.file, around.type, name);
  const owner = typeof declaring === "object" ? declaring : around;
  let isBelow = false, isUnknown = false;
  for (const known of await types.of(term, from)) {
    if (known.is === "unknown") isUnknown = true;
    if (known.is !== "value" && known.is !== "type" && known.is !== "super") continue;
    const found = await types.ownerOf(
      known.file,
      known.type,
      name,
      known.is === "super" ? "bases" : "type",
    );
    if (found === "unknown") isUnknown = true;
    else if (found !== "none" && found.file === owner.file && found.type === owner.type) {
      return "sure";
    } // The value may be of a type built on the one that is declared.
    else if (known.is === "value" && await types.isBelow(owner, known)) isBelow = true;
  }
  if (isUnknown) {
    const words = receiver.match(/[\p{L}\p{N}_]+(?=\W*$)/u)?.[0] ?? "";
    if (plain(words) === plain(definition.container.at(-1) ?? "")) return "likely";
    if (COMMON.has(name)) return "possible";
    for (const other of others) {
      const rival = { file: other.file, type: other.container.join(".") };
      if (other.container.length === 0) continue;
      if (!await types.isBelow(rival, owner) && !await types.isBelow(owner, rival)) {
        return "possible";
      }
    }
    return "likely";
  }
  // Where types have to be written, the base type is how its heirs are called.
  return !isBelow ? "none" : file.language === "java" ? "likely" : "possible";
}

function plain(name: string): string {
  return name.replace(/_/g, "").toLowerCase();
}
