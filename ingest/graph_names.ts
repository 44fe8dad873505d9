/**
 * References by name and scope, for the languages that tree-sitter parses.
 *
 * Owns what a grammar's nodes say about how a name is used. What must hold: only identifiers count, never strings or comments, but for the
 * annotations that Python quotes and its `__all__`;
 * a name that a parameter or a local variable of an enclosing function takes is not a reference; nothing is claimed about
 * types, so whoever shows these edges marks them as found by name.
 */
import type * as sitter from "@vscode/tree-sitter-wasm";
import type { ReferenceKind } from "./reference_edges.ts";
import { keptTree } from "./kept_trees.ts";
import { languageFor } from "./languages.ts";
import { type Place, PLACES, quotedPlace } from "./name_places.ts";
import { lineAt, lineStarts } from "./syntax_tree.ts";
import type { FileFacts, TypeTerm } from "./type_terms.ts";

type Node = sitter.Node;

/** One use of a name. */
export interface NameUse {
  /** Offset of the name in the text. */
  readonly start: number;
  readonly line: number;
  readonly kind: ReferenceKind;
  /** What stands before the dot, as written: `a.b` in `a.b.name`; undefined for a bare name. */
  readonly receiver: string | undefined;
  /** What the text says about the type of that, or of what goes unsaid, in languages whose types are read (`type_terms.ts`). */
  readonly type?: TypeTerm;
}

/** Whether references of a file are found by name. */
export function hasNameGraph(path: string, text?: string): boolean {
  return languageFor(path, text).grammar !== undefined;
}

/**
 * The uses of `name` in a text, in order; declarations of the name are not among them.
 *
 * @param declaredAt offset where the definition in question has its name, if it is in this text: a local of that name is then
 *   what is looked for, not what hides it.
 */
export async function findNameUses(
  path: string,
  text: string,
  name: string,
  declaredAt?: number,
): Promise<NameUse[]> {
  const offsets = occurrences(text, name);
  const { grammar } = languageFor(path, text);
  if (offsets.length === 0 || grammar === undefined) return [];
  const tree = await keptTree(path, text, grammar);
  // From here on nothing is awaited, so no tree goes while it is read.
  if (!tree) return [];
  const { types } = tree;
  return usesIn(tree.root, grammar, text, name, offsets, declaredAt).map(({ node, ...use }) => {
    if (!types) return use;
    const object = use.receiver !== undefined ? objectOf(node) : undefined;
    const type = object ? types.term(object) : types.implicit?.(node);
    return type ? { ...use, type } : use;
  });
}

/** What a file says about types, where those of its language are read. */
export async function findTypeFacts(path: string, text: string): Promise<FileFacts | undefined> {
  const { grammar } = languageFor(path, text);
  return grammar === undefined ? undefined : (await keptTree(path, text, grammar))?.facts;
}

/** Offsets at which `name` stands as a whole word. */
export function occurrences(text: string, name: string): number[] {
  const offsets: number[] = [];
  if (name === "") return offsets;
  for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + name.length)) {
    if (!isWord(text.charCodeAt(at - 1)) && !isWord(text.charCodeAt(at + name.length))) {
      offsets.push(at);
    }
  }
  return offsets;
}

function isWord(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 48 && code <= 57) ||
    code === 95 || code >= 128;
}

type Role = "declaration" | "local" | "use";

interface Occurrence {
  readonly node: Node;
  readonly role: Role;
  readonly place: Place | undefined;
  readonly scope: number; // id of the innermost enclosing function, 0 at the top
}

function usesIn(
  root: Node,
  grammar: string,
  text: string,
  name: string,
  offsets: readonly number[],
  declaredAt: number | undefined,
): (NameUse & { readonly node: Node })[] {
  const found: Occurrence[] = [];
  const outer = new Map<number, number>(); // function -> the function around it
  const placeOf = PLACES[grammar];
  for (const offset of offsets) {
    const end = offset + name.length;
    const node = root.namedDescendantForIndex(offset, end);
    if (!node || node.startIndex > offset || node.endIndex < end) continue;
    const quoted = grammar === "python" && node.type === "string_content"
      ? quotedPlace(node, offset, name)
      : undefined;
    if (quoted) {
      found.push({ node, role: "use", place: quoted, scope: enclosing(node, outer) });
      continue;
    }
    if (!isIdentifier(node.type)) continue;
    // Elixir's modules are whole paths; elsewhere a name has at most a mark before it.
    const isPath = node.type === "alias" && grammar === "elixir";
    if (node.endIndex - node.startIndex > name.length + 1 && !isPath) continue;
    // `fetch` is no `fetch!`, `f` no `f'`.
    if (node.endIndex > end && /[?!']/.test(text.charAt(end))) continue;
    const place = placeOf?.(node, offset, name);
    const role = place?.role ?? roleOf(node);
    found.push({ node, role, place, scope: enclosing(node, outer) });
  }
  // Functions that say of this name that it is the one at the top: what they assign is that.
  const global = new Set(
    found.filter(({ node }) => node.parent?.type === "global_statement").map(({ scope }) => scope),
  );
  const hidden = new Set<number>(); // functions that have a local of this name
  for (const { node, role, scope } of found) {
    if (role !== "local" || scope === 0 || global.has(scope)) continue;
    if (node.startIndex !== declaredAt) hidden.add(scope);
  }
  const lines = lineStarts(text);
  const uses: (NameUse & { readonly node: Node })[] = [];
  for (const { node, role, place, scope } of found) {
    const isUse = role === "use" || (role === "local" && global.has(scope));
    if (!isUse || node.startIndex === declaredAt) continue;
    const receiver = place ? place.receiver : receiverOf(node);
    if (receiver === undefined && hides(scope, hidden, outer)) continue;
    uses.push({
      node,
      start: node.startIndex,
      line: lineAt(lines, node.startIndex),
      kind: place?.kind ?? kindOf(node),
      receiver,
    });
  }
  return uses;
}

function hides(
  scope: number,
  hidden: ReadonlySet<number>,
  outer: ReadonlyMap<number, number>,
): boolean {
  for (let at = scope; at !== 0; at = outer.get(at) ?? 0) if (hidden.has(at)) return true;
  return false;
}

// ---- what the nodes of the grammars mean ---------------------------------------------------------------------------

// Leaves that are names; strings and comments have leaves of other kinds.
const IDENTIFIERS = new Set([
  "constant", // Ruby
  "name", // PHP
  "variable_name", // Bash, PHP
  "word", // Bash
  "command_name", // Bash
  "alias", // Elixir
  "variable", // Haskell
  "constructor", // Haskell
  "operator", // Haskell
]);

function isIdentifier(type: string): boolean {
  return type.endsWith("identifier") || IDENTIFIERS.has(type);
}

const FUNCTIONS = new Set([
  "function_definition",
  "function_declaration",
  "function_item",
  "function_expression",
  "method_declaration",
  "method_definition",
  "constructor_declaration",
  "local_function_statement",
  "lambda",
  "lambda_expression",
  "lambda_literal",
  "closure_expression",
  "func_literal",
  "anonymous_function",
  "arrow_function",
  "method",
  "singleton_method",
  "block",
  "do_block",
  "init_declaration", // Swift
  "subscript_declaration", // Swift
  "function", // Haskell
  "test_declaration", // Zig
]);

// `block` is a function in Ruby alone; elsewhere it is a body, where a variable lives as well, so no harm is done.

function enclosing(node: Node, outer: Map<number, number>): number {
  let innermost = 0;
  let previous = 0;
  for (let at = node.parent; at; at = at.parent) {
    if (!FUNCTIONS.has(at.type)) continue;
    if (innermost === 0) {
      innermost = at.id;
      // The name of a function belongs to the scope around it.
      if (field(at, "name", node)) {
        innermost = 0;
        continue;
      }
    }
    if (previous !== 0) {
      if (outer.has(previous)) break;
      outer.set(previous, at.id);
    }
    previous = at.id;
  }
  return innermost;
}

function field(parent: Node, name: string, node: Node): boolean {
  return parent.childForFieldName(name)?.id === node.id;
}

const PARAMETERS = /parameter/;
// Nodes with a `name` that is not a declaration but a mention.
const MENTIONS = new Set([
  "keyword_argument",
  "method_invocation",
  "scoped_identifier",
  "scoped_type_identifier",
  "qualified_identifier",
  "qualified_name",
  "member_access_expression",
  "member_call_expression",
  "nullsafe_member_call_expression",
  "nullsafe_member_access_expression",
  "scoped_call_expression",
  "scoped_property_access_expression",
  "class_constant_access_expression",
  "struct_expression",
  "annotation",
  "marker_annotation",
  "attribute",
  "generic_name",
  "generic_type",
  "aliased_import",
  "use_as_clause",
  "import_spec",
  "command",
  "template_function",
  "template_type",
  "template_method",
  "dependent_name",
  "qualified_type",
  "namespace_use_clause",
  "using_directive",
  "field_initializer",
  "argument",
]);
const VARIABLES = new Set([
  "variable_declarator",
  "init_declarator",
  "let_declaration",
  "short_var_declaration",
  "var_spec",
  "const_spec",
  "variable_declaration",
  "for_statement",
  "for_in_clause",
  "for_expression",
  "range_clause",
  "for_range_loop",
  "enhanced_for_statement",
  "foreach_statement",
  "named_expression",
  "as_pattern_target",
  "except_clause",
]);
// Languages declare a variable by assigning it: inside a function the assignment makes a local.
const ASSIGNMENTS = new Set(["assignment", "variable_assignment", "augmented_assignment"]);

function roleOf(node: Node): Role {
  const { parent } = node;
  if (!parent) return "use";
  if (parent.type === "keyword_argument" || parent.type === "argument") {
    return field(parent, "name", node) ? "local" : "use";
  }
  for (let at: Node | null = node, depth = 0; at?.parent && depth < 4; at = at.parent, depth++) {
    const above: Node = at.parent;
    if (PARAMETERS.test(above.type) && !above.type.startsWith("type_")) {
      const isTypeOrValue = field(above, "type", at) || field(above, "value", at) ||
        field(above, "default_value", at);
      return isTypeOrValue || node.type === "type_identifier" ? "use" : "local";
    }
    if (above.type === "lambda_parameters" || above.type === "block_parameters") return "local";
    if (!PATTERNS.has(above.type)) break;
  }
  if (field(parent, "declarator", node)) return inFunctionBody(parent) ? "local" : "declaration";
  for (let at: Node = node; at.parent; at = at.parent) {
    const above: Node = at.parent;
    if (VARIABLES.has(above.type)) {
      const declares = field(above, "name", at) || field(above, "left", at) ||
        field(above, "pattern", at) ||
        field(above, "declarator", at) ||
        (above.type === "variable_declaration" && at === node && !field(above, "type", at));
      if (declares) return inFunctionBody(above) ? "local" : "declaration";
    }
    if (ASSIGNMENTS.has(above.type) && (field(above, "left", at) || field(above, "name", at))) {
      if (at.type === "attribute" || at.type === "call" || at.type === "subscript") return "use";
      // At the top the first assignment declares, the others write; both are left to the definitions of the file.
      return inFunctionBody(above) ? "local" : "use";
    }
    if (!PATTERNS.has(above.type)) break;
  }
  if (field(parent, "name", node) && !MENTIONS.has(parent.type)) return "declaration";
  return "use";
}

const PATTERNS = new Set([
  "pattern_list",
  "tuple_pattern",
  "list_pattern",
  "tuple",
  "expression_list",
  "identifier_list",
  "pointer_declarator",
  "reference_declarator",
  "array_declarator",
  "mut_pattern",
  "ref_pattern",
  "reference_pattern",
  "left_assignment_list",
  "splat_parameter",
  "typed_parameter",
  "variable_name",
  "list_splat_pattern",
  "dictionary_splat_pattern",
]);

function inFunctionBody(node: Node): boolean {
  for (let at: Node | null = node; at; at = at.parent) {
    if (FUNCTIONS.has(at.type) && at.type !== "block") return true;
    if (at.type.startsWith("class_") || at.type === "field_declaration") return false;
  }
  return false;
}

// Accesses to a member: the node, and the fields of the object and of the member.
const MEMBERS: Readonly<Record<string, readonly [object: string, member: string]>> = {
  attribute: ["object", "attribute"],
  selector_expression: ["operand", "field"],
  field_expression: ["value", "field"],
  scoped_identifier: ["path", "name"],
  scoped_type_identifier: ["path", "name"],
  qualified_identifier: ["scope", "name"],
  qualified_type: ["package", "name"],
  field_access: ["object", "field"],
  method_invocation: ["object", "name"],
  member_access_expression: ["expression", "name"],
  qualified_name: ["qualifier", "name"],
  member_call_expression: ["object", "name"],
  nullsafe_member_call_expression: ["object", "name"],
  scoped_call_expression: ["scope", "name"],
  scoped_property_access_expression: ["scope", "name"],
  class_constant_access_expression: ["scope", "name"],
  call: ["receiver", "method"],
  scope_resolution: ["scope", "name"],
  navigation_expression: ["", ""],
};

/** The access whose member `node` is. */
function accessOf(node: Node): Node | undefined {
  const { parent } = node;
  const fields = parent && MEMBERS[parent.type];
  if (!parent || !fields) {
    // Kotlin wraps the name in a suffix.
    return parent?.type === "navigation_suffix" ? parent.parent ?? undefined : undefined;
  }
  if (fields[1] === "") return parent.lastNamedChild?.id === node.id ? parent : undefined;
  if (field(parent, fields[1], node)) return parent;
  const last = parent.lastNamedChild;
  // Some grammars give the parts of a path no names.
  const isLast = parent.type === "field_expression" || parent.type === "scoped_type_identifier";
  return isLast && last?.id === node.id ? parent : undefined;
}

function receiverOf(node: Node): string | undefined {
  return objectOf(node)?.text;
}

/** What stands before the dot. */
function objectOf(node: Node): Node | undefined {
  const access = accessOf(node);
  if (!access) return undefined;
  const name = MEMBERS[access.type]?.[0];
  // The same node has other fields in other grammars: C++'s `argument`, Java's `scope`.
  const object = name
    ? access.childForFieldName(name) ?? access.childForFieldName("argument") ??
      access.childForFieldName("scope") ??
      (access.type === "scoped_type_identifier" ? access.firstNamedChild : null)
    : access.firstNamedChild;
  return object && object.id !== node.id ? object : undefined;
}

const IMPORTS =
  /^(import_|future_import|use_declaration|preproc_include|using_d|namespace_use|package_import|import$)/;
const EXTENDS = new Set([
  "superclass",
  "base_class_clause",
  "base_clause",
  "delegation_specifier",
  "extends_interfaces",
]);
const IMPLEMENTS = new Set(["super_interfaces", "class_interface_clause"]);
// Types written with a path that are no access to a member.
const QUALIFIED_TYPES = new Set([
  "user_type",
  "stable_type_identifier",
  "nested_namespace_specifier",
]);
// Inside of these, in the head of a declaration, a name is an argument of what the type is built on.
const BASE_ARGUMENTS =
  /^(type_arguments|type_argument_list|template_argument_list|value_arguments|arguments|keyword_argument)$/;
// What Ruby mixes modules in by.
const MIXINS = /^(include|extend|prepend)$/;
const TYPES = /(^|_)type(_|$)|type_annotation|type_arguments|user_type/;
const CALLS: Readonly<Record<string, readonly string[]>> = {
  call: ["function", "method"],
  call_expression: ["function"],
  invocation_expression: ["function"],
  function_call_expression: ["function"],
  method_invocation: ["name"],
  member_call_expression: ["name"],
  nullsafe_member_call_expression: ["name"],
  scoped_call_expression: ["name"],
  object_creation_expression: ["type"],
  new_expression: ["type"],
  macro_invocation: ["macro"],
  composite_literal: ["type"],
  struct_expression: ["name"],
  command: ["name"],
};
const CALLED_AROUND = new Set([
  "decorator",
  "annotation",
  "marker_annotation",
  "command_name",
  "constructor_invocation",
]);
const GENERIC = new Set([
  "generic_function",
  "generic_name",
  "generic_type",
  "template_function",
  "template_type",
  "command_name",
  "user_type",
]);

function kindOf(node: Node): ReferenceKind {
  // PHP takes a trait into a class by the word that imports elsewhere.
  const isTrait = node.parent?.type === "use_declaration" &&
    node.parent.parent?.type === "declaration_list" && node.type === "name";
  if (isTrait) return "extends";
  for (let at: Node | null = node.parent, depth = 0; at && depth < 6; at = at.parent, depth++) {
    if (IMPORTS.test(at.type)) {
      return at.firstNamedChild?.type === "visibility_modifier" ? "reexport" : "import";
    }
  }
  let top = node;
  for (let access = accessOf(top); access; access = accessOf(top)) {
    if (CALLS[access.type]?.some((name) => field(access!, name, top))) return "call";
    top = access;
  }
  while (top.parent && GENERIC.has(top.parent.type) && top.parent.firstNamedChild?.id === top.id) {
    top = top.parent;
  }
  const heritage = isQualifier(node) ? undefined : heritageOf(top);
  if (heritage) return heritage;
  const { parent } = top;
  if (!parent) return "read";
  if (CALLS[parent.type]?.some((name) => field(parent, name, top))) return "call";
  // Kotlin's calls and PHP's `new` name no field.
  const callsFirst = parent.type === "call_expression" ||
    parent.type === "object_creation_expression";
  if (callsFirst && parent.firstNamedChild?.id === top.id) return "call";
  if (CALLED_AROUND.has(parent.type)) return "call";
  if (/assignment|update_expression|postfix|inc_statement/.test(parent.type)) {
    if (
      field(parent, "left", top) || field(parent, "argument", top) || field(parent, "operand", top)
    ) return "write";
  }
  if (parent.type === "expression_list" && parent.parent && field(parent.parent, "left", parent)) {
    return "write";
  }
  if (node.type === "type_identifier" || (top !== node && TYPES.test(top.type))) return "type";
  for (let at: Node | null = parent, depth = 0; at && depth < 3; at = at.parent, depth++) {
    if (/(expression|statement|block|argument_list|arguments)$/.test(at.type)) break;
    if (TYPES.test(at.type)) return "type";
  }
  if (
    field(parent, "type", top) || field(parent, "return_type", top) || field(parent, "returns", top)
  ) return "type";
  return "read";
}

/** Whether a name only leads to another: of `Shape.Factory` nothing is built on `Shape`. */
function isQualifier({ parent, nextNamedSibling }: Node): boolean {
  return parent !== null && (parent.type in MEMBERS || QUALIFIED_TYPES.has(parent.type)) &&
    /(identifier|^name|^constant|generic_name|template_type)$/.test(nextNamedSibling?.type ?? "");
}

function heritageOf(node: Node): ReferenceKind | undefined {
  const { parent } = node;
  if (!parent) return undefined;
  if (parent.type === "impl_item" && field(parent, "trait", node)) return "implements";
  // Go embeds a type by naming it as a field without a name of its own.
  const isEmbedded = parent.type === "field_declaration" && field(parent, "type", node) &&
    parent.parent?.type === "field_declaration_list" && !parent.childForFieldName("name") &&
    !parent.childForFieldName("declarator");
  if (isEmbedded) return "extends";
  // Go embeds an interface by naming it alone.
  const isAlone = (parent.type === "type_elem" || parent.type === "constraint_elem") &&
    parent.parent?.type === "interface_type" && parent.namedChildCount === 1;
  if (isAlone) return "extends";
  const isMixedIn = parent.type === "argument_list" && parent.parent?.type === "call" &&
    MIXINS.test(parent.parent.childForFieldName("method")?.text ?? "") &&
    !parent.parent.childForFieldName("receiver");
  if (isMixedIn) return "extends";
  let below = node;
  for (let at: Node | null = parent, depth = 0; at && depth < 3; at = at.parent, depth++) {
    if (BASE_ARGUMENTS.test(at.type)) return undefined;
    // `Generic[T]` is built on Generic.
    if (at.type === "subscript" && field(at, "subscript", below)) return undefined;
    below = at;
    if (EXTENDS.has(at.type)) return "extends";
    if (IMPLEMENTS.has(at.type)) return "implements";
    if (at.type === "base_list") return /^I[A-Z]/.test(node.text) ? "implements" : "extends";
    if (at.type === "argument_list") {
      return at.parent?.type === "class_definition" ? "extends" : undefined;
    }
    if (/(body|block|suite|declaration_list)$/.test(at.type)) return undefined;
  }
  return undefined;
}
