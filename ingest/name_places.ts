/**
 * What the place of a name says in the languages whose trees are built unlike the others: Swift, Scala, Lua, Elixir, Zig, Haskell.
 *
 * Owns one reader of places a grammar; `graph_names.ts` asks it first and has rules of its own for the rest. What must hold: a place is
 * judged by the node and its parents alone; what is neither declared nor used (a label, a key) counts as a declaration, which nobody shows.
 */
import type { Node } from "@vscode/tree-sitter-wasm";
import type { ReferenceKind } from "./reference_edges.ts";

/** What a name is where it stands. */
export interface Place {
  /** A local hides what has its name around the function; a declaration is no use of itself. */
  readonly role: "declaration" | "local" | "use";
  readonly kind: ReferenceKind;
  /** What stands before the dot; `.` where the language lets it go unsaid. */
  readonly receiver?: string;
}

/** @param offset where the name stands, since a node may hold a whole path */
type Reader = (node: Node, offset: number, name: string) => Place;

const DECLARED: Place = { role: "declaration", kind: "read" };
const LOCAL: Place = { role: "local", kind: "read" };
const used = (kind: ReferenceKind, receiver?: string): Place => ({ role: "use", kind, receiver });

const holds = (parent: Node | null, field: string, node: Node): boolean =>
  parent !== null && parent.childrenForFieldName(field).some((child) => child?.id === node.id);

/** The nearest parent of one of these types, at most so many steps up. */
function above(node: Node, steps: number, ...types: string[]): Node | undefined {
  for (let at = node.parent; at && steps > 0; at = at.parent, steps--) {
    if (types.includes(at.type)) return at;
  }
  return undefined;
}

const isFirst = (parent: Node | null, node: Node): boolean =>
  parent?.firstNamedChild?.id === node.id;

// --- Swift ---------------------------------------------------------------------------------------

const SWIFT_NAMED = new Set([
  "class_declaration",
  "protocol_declaration",
  "function_declaration",
  "protocol_function_declaration",
  "typealias_declaration",
  "associatedtype_declaration",
  "enum_entry",
  "type_parameter",
]);

const swift: Reader = (node) => {
  const { parent } = node;
  if (!parent) return DECLARED;
  if (above(node, 3, "import_declaration")) return used("import");
  if (SWIFT_NAMED.has(parent.type) && holds(parent, "name", node)) return DECLARED;
  if (parent.type === "macro_declaration" || parent.type === "value_argument_label") {
    return DECLARED;
  }
  if (parent.type === "parameter" || parent.type === "lambda_parameter") {
    return holds(parent, "external_name", node) ? DECLARED : LOCAL;
  }
  if (parent.type === "pattern" && holds(parent, "bound_identifier", node)) {
    return above(node, 40, "function_body", "lambda_literal", "computed_property")
      ? LOCAL
      : DECLARED;
  }
  if (holds(parent, "bound_identifier", node)) return LOCAL;
  // `[Foo].bar`, `Foo<Bar>`: the type around the name.
  const type = parent.type === "user_type" ? parent : undefined;
  if (type) {
    const receiver = node.previousNamedSibling?.type === "type_identifier"
      ? node.previousNamedSibling.text
      : undefined;
    const around = type.parent;
    if (around?.type === "attribute" || around?.type === "constructor_expression") {
      return used("call", receiver);
    }
    if (around?.type === "inheritance_specifier") {
      const owner = around.parent;
      const isClass = owner?.type === "protocol_declaration" ||
        owner?.children.some((child) => child?.type === "class");
      return used(isClass ? "extends" : "implements", receiver);
    }
    return used("type", receiver);
  }
  let top: Node = node;
  let receiver: string | undefined;
  if (parent.type === "navigation_suffix" && parent.parent) {
    top = parent.parent;
    receiver = top.firstNamedChild?.text;
  } else if (parent.type === "prefix_expression" && parent.text.startsWith(".")) {
    top = parent;
    receiver = ".";
  }
  if (top.parent?.type === "call_expression" && isFirst(top.parent, top)) {
    return used("call", receiver);
  }
  if (top.parent?.type === "directly_assignable_expression") return used("write", receiver);
  return used("read", receiver);
};

// --- Scala ---------------------------------------------------------------------------------------

const scala: Reader = (node) => {
  const { parent } = node;
  if (!parent) return DECLARED;
  const statement = above(node, 3, "import_declaration", "export_declaration");
  if (statement) {
    const path: string[] = [];
    for (const part of statement.childrenForFieldName("path")) {
      if (!part || part.startIndex >= node.startIndex) break;
      path.push(part.text);
    }
    return used(
      statement.type === "export_declaration" ? "reexport" : "import",
      path.length > 0 ? path.filter((part) => part !== ".").join(".") : undefined,
    );
  }
  if (
    holds(parent, "name", node) &&
    /(_definition|_declaration|_case|package_object)$/.test(parent.type)
  ) return DECLARED;
  if (parent.type === "class_parameter" && holds(parent, "name", node)) return DECLARED;
  if (/^(parameter|binding)$/.test(parent.type) && holds(parent, "name", node)) return LOCAL;
  if (/^(type_parameters|package_identifier)$/.test(parent.type)) return DECLARED;
  const holder = parent.type === "identifiers" ? parent : node;
  if (/^va[lr]_(definition|declaration)$/.test(holder.parent?.type ?? "")) {
    if (holds(holder.parent, "pattern", holder) || holds(holder.parent, "name", holder)) {
      return above(holder, 40, "block", "indented_block", "function_definition") ? LOCAL : DECLARED;
    }
  }
  if (parent.type === "enumerator" && isFirst(parent, node)) return LOCAL;
  if (parent.type === "lambda_expression" && holds(parent, "parameters", node)) return LOCAL;
  if (parent.type === "case_clause" && holds(parent, "pattern", node)) {
    return /^[a-z_]/.test(node.text) ? LOCAL : used("read");
  }
  if (parent.type === "assignment_expression" && holds(parent, "left", node)) {
    // `f(name = value)` names a parameter.
    return parent.parent?.type === "arguments" ? DECLARED : used("write");
  }
  let top: Node = node;
  let receiver: string | undefined;
  if (
    (parent.type === "field_expression" && holds(parent, "field", node)) ||
    (/^stable_(type_)?identifier$/.test(parent.type) && !isFirst(parent, node))
  ) {
    receiver = parent.firstNamedChild!.text;
    top = parent;
  }
  const isCalledType = (at: Node): boolean =>
    at.parent?.type === "instance_expression" || at.parent?.type === "annotation";
  let type = top;
  if (top.parent?.type === "generic_type" && isFirst(top.parent, top)) type = top.parent;
  if (isCalledType(type)) return used("call", receiver);
  if (type.parent?.type === "extends_clause") {
    return used(isFirst(type.parent, type) ? "extends" : "implements", receiver);
  }
  if (parent.type === "infix_expression" && holds(parent, "operator", node)) {
    return used("call", parent.childForFieldName("left")?.text);
  }
  if (top.parent?.type === "generic_function" && isFirst(top.parent, top)) top = top.parent;
  if (top.parent?.type === "call_expression" && holds(top.parent, "function", top)) {
    return used("call", receiver);
  }
  if (top.parent?.type === "case_class_pattern") return used("read", receiver);
  if (top.parent?.type === "assignment_expression" && holds(top.parent, "left", top)) {
    return used("write", receiver);
  }
  return used(node.type === "type_identifier" ? "type" : "read", receiver);
};

// --- Lua -----------------------------------------------------------------------------------------

const lua: Reader = (node) => {
  const { parent } = node;
  if (!parent) return DECLARED;
  if (parent.type === "parameters") return LOCAL;
  if (parent.type === "for_numeric_clause" && holds(parent, "name", node)) return LOCAL;
  if (parent.type === "field" && holds(parent, "name", node)) return DECLARED;
  if (parent.type === "attribute") return DECLARED;
  let top: Node = node;
  let receiver: string | undefined;
  const isMember = parent.type === "dot_index_expression" && holds(parent, "field", node) ||
    parent.type === "method_index_expression" && holds(parent, "method", node);
  if (isMember) {
    top = parent;
    receiver = parent.childForFieldName("table")?.text;
  }
  const around = top.parent;
  if (around?.type === "function_declaration" && holds(around, "name", top)) return DECLARED;
  if (around?.type === "variable_list") {
    const statement = around.parent;
    const isLocal = statement?.parent?.type === "variable_declaration" ||
      statement?.type === "variable_declaration";
    if (statement?.type === "for_generic_clause") return LOCAL;
    if (isLocal) return above(around, 60, ...LUA_FUNCTIONS) ? LOCAL : DECLARED;
    if (statement?.type === "assignment_statement") {
      const value = statement.lastNamedChild?.firstNamedChild;
      return value?.type === "function_definition" ? DECLARED : used("write", receiver);
    }
  }
  if (around?.type === "function_call" && holds(around, "name", top)) return used("call", receiver);
  return used("read", receiver);
};
const LUA_FUNCTIONS = ["function_declaration", "function_definition"];

// --- Elixir --------------------------------------------------------------------------------------

const DEFINES = /^(def|defp|defmacro|defmacrop|defguard|defguardp|defdelegate|defn|defnp)$/;
const TYPES = /^(spec|type|typep|opaque|callback|macrocallback)$/;

/** The call whose argument a node is, through `when` and `::`. */
function callAround(node: Node): Node | undefined {
  let at = node.parent;
  while (at?.type === "binary_operator" || at?.type === "keywords" || at?.type === "pair") {
    at = at.parent;
  }
  return at?.type === "arguments" ? at.parent ?? undefined : undefined;
}

const targetOf = (call: Node | undefined): string =>
  call?.type === "call" ? call.childForFieldName("target")?.text ?? "" : "";

const elixir: Reader = (node, offset, name) => {
  const { parent } = node;
  if (!parent) return DECLARED;
  if (node.type === "alias") {
    // `A` in `A.B` is where `B` lies.
    if (offset + name.length !== node.endIndex) return DECLARED;
    const receiver = node.text.slice(0, offset - node.startIndex).replace(/\.$/, "") || undefined;
    const inBraces = parent.type === "tuple" && parent.parent?.type === "dot";
    const outer = inBraces ? parent.parent! : node;
    const call = callAround(outer);
    const target = targetOf(call);
    if (/^(defmodule|defprotocol)$/.test(target) && outer.parent?.type === "arguments") {
      return DECLARED;
    }
    if (/^(alias|import|require|use)$/.test(target)) {
      const prefix = inBraces ? parent.parent!.firstNamedChild?.text : undefined;
      return used("import", [prefix, receiver].filter(Boolean).join(".") || undefined);
    }
    if (target === "defimpl" && outer.parent?.type === "arguments") {
      return used("implements", receiver);
    }
    if (/^(behaviour|impl)$/.test(target)) return used("implements", receiver);
    if (parent.type === "struct") return used("call", receiver);
    return used("read", receiver);
  }
  if (parent.type === "dot" && holds(parent, "right", node)) {
    const receiver = parent.childForFieldName("left")?.text;
    return used(parent.parent?.type === "call" ? "call" : "read", receiver);
  }
  if (parent.type === "call" && holds(parent, "target", node)) {
    const around = callAround(parent);
    const target = targetOf(around);
    if (DEFINES.test(target)) {
      // The head of the definition; what stands behind `do:` is its body.
      const isHead = around!.childCount > 0 &&
        !above(parent, 6, "keywords");
      return isHead ? DECLARED : used("call");
    }
    if (TYPES.test(target)) return holdsHead(parent) ? DECLARED : used("type");
    return used("call");
  }
  if (parent.type === "binary_operator") {
    const operator = parent.childForFieldName("operator")?.text;
    const isCaptured = operator === "/" && parent.parent?.type === "unary_operator" &&
      holds(parent, "left", node);
    if (isCaptured) return used("read");
    if (operator === "|>" && holds(parent, "right", node)) return used("call");
  }
  if (parent.type === "unary_operator" && parent.text.startsWith("@")) return used("read");
  // Everything else is a variable, or the head of a function without arguments.
  return DECLARED;
};

/** Whether a call stands left of `::`, as what is specified. */
function holdsHead(call: Node): boolean {
  return call.parent?.type === "binary_operator" && holds(call.parent, "left", call);
}

// --- Zig -----------------------------------------------------------------------------------------

const zig: Reader = (node) => {
  const { parent } = node;
  if (!parent) return DECLARED;
  if (parent.type === "variable_declaration") {
    const first = parent.namedChildren.find((child) => child?.type === "identifier");
    if (first?.id === node.id) {
      return above(node, 60, "function_declaration", "test_declaration") ? LOCAL : DECLARED;
    }
  }
  if (parent.type === "parameter" && holds(parent, "name", node)) return LOCAL;
  if (parent.type === "payload") return LOCAL;
  if (
    /^(function_declaration|container_field)$/.test(parent.type) && holds(parent, "name", node)
  ) return DECLARED;
  if (parent.type === "error_set_declaration") return DECLARED;
  let top: Node = node;
  let receiver: string | undefined;
  if (parent.type === "field_expression" && holds(parent, "member", node)) {
    top = parent;
    const object = parent.childForFieldName("object");
    receiver = object?.text ?? ".";
    if (object?.type === "builtin_function" && receiver.startsWith("@import")) {
      return used("import");
    }
  }
  const around = top.parent;
  if (around?.type === "call_expression" && holds(around, "function", top)) {
    return used("call", receiver);
  }
  if (around?.type === "struct_initializer" && isFirst(around, top)) return used("call", receiver);
  if (around?.type === "assignment_expression" && holds(around, "left", top)) {
    return used("write", receiver);
  }
  const isType = holds(around, "type", top) ||
    /^(pointer|nullable|slice|array|error_union)_type$/.test(around?.type ?? "");
  return used(isType ? "type" : "read", receiver);
};

// --- Haskell -------------------------------------------------------------------------------------

const HASKELL_DECLARES =
  /^(data_type|newtype|class|type_synomym|type_family|data_family|kind_signature|prefix|record|gadt_constructor|newtype_constructor|signature|function|binding_list)$/;
const HASKELL_TYPE =
  /^(apply|function|tuple|list|parens|signature|field|strict_field|context|forall|prefix|type_patterns|qualified|infix)$/;

const haskell: Reader = (node) => {
  const { parent } = node;
  if (!parent) return DECLARED;
  const holder = parent.type === "prefix_id" || parent.type === "field_name" ? parent : node;
  const owner = holder.parent;
  if (!owner) return DECLARED;
  if (above(node, 3, "export", "children")) return used("reexport");
  if (above(node, 4, "import_name")) {
    return used("import", above(node, 6, "import")?.childForFieldName("module")?.text);
  }
  if (HASKELL_DECLARES.test(owner.type) && holds(owner, "name", holder)) return DECLARED;
  if (owner.type === "binding_list") return DECLARED;
  if (owner.type === "bind" && holds(owner, "name", holder)) {
    return above(owner, 2, "local_binds") ? LOCAL : DECLARED;
  }
  if (owner.type === "field" && holds(owner, "name", holder)) return DECLARED;
  if (owner.type === "type_params") return DECLARED;
  if (node.type === "variable" && isBound(node)) return LOCAL;
  let top: Node = holder;
  let receiver: string | undefined;
  if (owner.type === "qualified") {
    top = owner;
    receiver = owner.childForFieldName("module")?.text.replace(/\.$/, "");
  }
  const around = top.parent;
  if (around?.type === "instance" && holds(around, "name", top)) {
    return used("implements", receiver);
  }
  if (above(top, 2, "deriving")) return used("implements", receiver);
  if (/^field_(update|pattern)$/.test(around?.type ?? "")) return used("write", receiver);
  if (node.type === "name") {
    for (let at: Node | null = around; at; at = at.parent) if (!HASKELL_TYPE.test(at.type)) break;
    return used("type", receiver);
  }
  // The head of a chain of applications.
  const isApplied = around?.type === "apply" && holds(around, "function", top);
  const isOperator = around?.type === "infix" && holds(around, "operator", top) ||
    around?.type === "infix_id";
  return used(isApplied || isOperator ? "call" : "read", receiver);
};

/** Whether a variable stands in a pattern, which binds it. */
function isBound(node: Node): boolean {
  for (let at = node; at.parent; at = at.parent) {
    const { parent }: { parent: Node | null } = at;
    if (parent!.type === "patterns" || parent!.type === "lambda_patterns") return true;
    if (holds(parent, "pattern", at)) return true;
    // In a view pattern the function is used.
    if (
      !/^(parens|tuple|list|apply|as|infix|irrefutable|strict|record|field_pattern)$/.test(
        parent!.type,
      )
    ) {
      return false;
    }
  }
  return false;
}

// --- Python --------------------------------------------------------------------------------------

/** What a name in a string is: part of a quoted annotation, or an entry of `__all__`; undefined for any other string. */
export function quotedPlace(content: Node, offset: number, name: string): Place | undefined {
  const string = content.parent;
  if (!string) return undefined;
  const before = content.text.slice(0, offset - content.startIndex);
  const list = /^(list|tuple)$/.test(string.parent?.type ?? "") ? string.parent : undefined;
  if (list) {
    const statement = above(list, 2, "assignment", "augmented_assignment");
    const isListed = content.text === name &&
      statement?.childForFieldName("left")?.text === "__all__";
    if (isListed) return used("read");
  }
  if (!above(string, 5, "type")) return undefined;
  return used("type", /([\w.]+)\.$/.exec(before)?.[1]);
}

/** By the names of grammars in `languages.ts`. */
export const PLACES: Readonly<Record<string, Reader>> = { swift, scala, lua, elixir, zig, haskell };
