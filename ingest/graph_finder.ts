/**
 * Finds what the names of a file refer to, by asking the type checker.
 *
 * Owns the pass over identifiers and the targets of symbols. What must hold:
 * - an edge leads from a line to the name of a declaration, never to an alias: imports, barrels, re-exports, namespaces and
 *   default exports are followed to the end;
 * - declarations that are one thing (overloads, merged interfaces) are one target, the first of them; a value and a type
 *   that merely share a name (`const X`, `type X`) are two;
 * - locals of function bodies (parameters, plain variables) get no edges: nobody asks for them, and they are most of all.
 *
 * The relation is the one behind "find all references" of the language service: a property named in an object literal or in a
 * pattern refers to the property of the contextual type, a member that overrides or implements is linked to what it overrides.
 */
import type { ts as TS } from "ts-morph";
import {
  ANY_MEANING,
  isAssignmentPattern,
  isDeclarationName,
  isExportsObject,
  isLocal,
  kindOf,
  meaningAt,
  meaningOf,
  namesProperty,
  nameStart,
  VALUE,
} from "./graph_syntax.ts";
import { KIND_INDEX, LINK_INDEX, type LinkKind } from "./reference_edges.ts";

/** Declarations of a symbol that are one target: they share a meaning, directly or through one another. */
interface Target {
  readonly meaning: number;
  readonly file: number;
  readonly start: number;
}

const NO_TARGETS: readonly Target[] = [];

/** What is expected of an object literal. */
interface Expected {
  readonly type: TS.Type | undefined;
  readonly fitting: readonly TS.Type[];
}

// Offsets of a file are below this, so that a file and an offset make one exact number.
const OFFSETS = 2 ** 32;
// Chains of aliases are short; this ends a circle.
const MAX_ALIASES = 64;

/** The pass over the identifiers of one program, file by file. */
export class ReferenceFinder {
  readonly #ts: typeof TS;
  readonly #checker: TS.TypeChecker;
  readonly #fileIndex: ReadonlyMap<string, number>;
  readonly #targets = new Map<TS.Symbol, readonly Target[]>();
  #edges = new Map<number, Map<number, number>>(); // target file * 2^32 + start -> line -> kind
  #links: number[] = [];
  #linked = new Set<string>();
  #expected = new Map<TS.Node, Expected>();
  #source!: TS.SourceFile;
  #file = 0;

  constructor(ts: typeof TS, checker: TS.TypeChecker, fileIndex: ReadonlyMap<string, number>) {
    this.#ts = ts;
    this.#checker = checker;
    this.#fileIndex = fileIndex;
  }

  /** The references and links of one file, in the form of `FileReferences`. */
  find(source: TS.SourceFile): { references: number[]; links: number[] } {
    this.#source = source;
    this.#file = this.#fileIndex.get(source.fileName)!;
    this.#edges = new Map();
    this.#links = [];
    this.#linked.clear();
    this.#expected.clear();
    this.#visit(source);
    const references: number[] = [];
    for (const [target, lines] of this.#edges) {
      const file = Math.floor(target / OFFSETS), start = target % OFFSETS;
      for (const [line, kind] of lines) references.push(line, kind, file, start);
    }
    return { references, links: this.#links };
  }

  #visit = (node: TS.Node): void => {
    const { SyntaxKind } = this.#ts;
    switch (node.kind) {
      case SyntaxKind.Identifier:
      case SyntaxKind.PrivateIdentifier:
        this.#name(node as TS.Identifier | TS.PrivateIdentifier);
        return;
      case SyntaxKind.StringLiteral:
      case SyntaxKind.NoSubstitutionTemplateLiteral:
      case SyntaxKind.NumericLiteral:
        if (namesProperty(this.#ts, node)) this.#name(node as TS.StringLiteral);
        return;
    }
    const { jsDoc } = node as { jsDoc?: readonly TS.Node[] };
    if (jsDoc) { for (const doc of jsDoc) this.#ts.forEachChild(doc, this.#visit); }
    this.#ts.forEachChild(node, this.#visit);
  };

  #name(node: TS.Identifier | TS.PrivateIdentifier | TS.StringLiteral): void {
    const ts = this.#ts;
    const { parent } = node;
    if (ts.isImportSpecifier(parent) || ts.isImportClause(parent) || ts.isNamespaceImport(parent)) {
      return this.#refer(node, this.#symbolAt(node), KIND_INDEX.import, ANY_MEANING);
    }
    if (ts.isExportSpecifier(parent) || ts.isNamespaceExport(parent)) {
      return this.#refer(node, this.#symbolAt(node), KIND_INDEX.reexport, ANY_MEANING);
    }
    if (ts.isImportEqualsDeclaration(parent) && parent.name === node) {
      return this.#refer(node, this.#symbolAt(node), KIND_INDEX.import, ANY_MEANING);
    }
    if (ts.isShorthandPropertyAssignment(parent) && parent.name === node) {
      const value = this.#checker.getShorthandAssignmentValueSymbol(parent);
      this.#refer(node, value, KIND_INDEX.read, VALUE);
      return this.#shape(node, parent);
    }
    if (isDeclarationName(ts, node)) return this.#declared(node);
    if (
      ts.isMetaProperty(parent) || ts.isBreakOrContinueStatement(parent) ||
      ts.isLabeledStatement(parent) || isExportsObject(ts, node)
    ) return;
    const symbol = this.#symbolAt(node);
    const kind = kindOf(ts, node, this.#source);
    // `exports.shown = hidden` writes nothing: it passes `hidden` on under another name.
    const passesOn = kind === KIND_INDEX.write && symbol &&
      (symbol.flags & ts.SymbolFlags.Alias) !== 0;
    this.#refer(node, symbol, passesOn ? KIND_INDEX.reexport : kind, meaningAt(ts, node));
  }

  #symbolAt(node: TS.Node): TS.Symbol | undefined {
    return this.#checker.getSymbolAtLocation(node);
  }

  // ---- declarations ------------------------------------------------------------------------------------------------

  #declared(node: TS.Identifier | TS.PrivateIdentifier | TS.StringLiteral): void {
    const ts = this.#ts;
    const { parent } = node;
    const symbol = this.#symbolAt(node);
    if (symbol && (symbol.flags & ts.SymbolFlags.Alias) !== 0) {
      // `const x = require("…")`, `const { x } = require("…")`.
      return this.#refer(node, symbol, KIND_INDEX.import, ANY_MEANING);
    }
    if (ts.isBindingElement(parent)) {
      if (!parent.propertyName && ts.isObjectBindingPattern(parent.parent)) {
        const property = this.#checker.getTypeAtLocation(parent.parent).getProperty(node.text);
        this.#refer(node, property, KIND_INDEX.read, VALUE);
        this.#link(node, property, "shape");
      }
      return;
    }
    if (ts.isPropertyAssignment(parent) || ts.isJsxAttribute(parent)) {
      return this.#shape(node, parent);
    }
    if (ts.isObjectLiteralExpression(parent.parent)) {
      return this.#shape(node, parent as TS.ObjectLiteralElementLike);
    }
    if (!symbol) return;
    this.#merged(node, symbol);
    if (ts.isClassElement(parent) || ts.isTypeElement(parent) || ts.isParameter(parent)) {
      this.#overrides(node, symbol);
    }
  }

  /** Ties a declaration to the first of those that are one thing with it. */
  #merged(node: TS.Node, symbol: TS.Symbol): void {
    if ((symbol.declarations?.length ?? 0) < 2) return;
    const start = node.getStart(this.#source);
    const meaning = meaningOf(this.#ts, node.parent as TS.Declaration);
    for (const target of this.#targetsOf(symbol)) {
      if ((target.meaning & meaning) !== 0) this.#addLink(start, LINK_INDEX.same, target);
    }
  }

  /** Ties a member to the members of base types that it overrides or implements. */
  #overrides(node: TS.Node, symbol: TS.Symbol): void {
    for (const property of this.#rootsOf(symbol)) {
      const owner = (property as { parent?: TS.Symbol }).parent;
      if (owner) this.#basesOf(node, owner, property.name, new Set());
    }
  }

  #basesOf(node: TS.Node, owner: TS.Symbol, name: string, seen: Set<TS.Symbol>): void {
    const ts = this.#ts;
    if (!(owner.flags & (ts.SymbolFlags.Class | ts.SymbolFlags.Interface)) || seen.has(owner)) {
      return;
    }
    seen.add(owner);
    for (const declaration of owner.declarations ?? []) {
      if (!ts.isClassLike(declaration) && !ts.isInterfaceDeclaration(declaration)) continue;
      for (const clause of declaration.heritageClauses ?? []) {
        for (const reference of clause.types) {
          const type = this.#checker.getTypeAtLocation(reference);
          const property = type.symbol && this.#checker.getPropertyOfType(type, name);
          if (property) this.#link(node, property, "overrides");
          if (type.symbol) this.#basesOf(node, type.symbol, name, seen);
        }
      }
    }
  }

  /** A property of a literal: it writes the property of the type that is expected there. */
  #shape(
    node: TS.Identifier | TS.PrivateIdentifier | TS.StringLiteral,
    element: TS.ObjectLiteralElementLike | TS.JsxAttribute,
  ): void {
    const ts = this.#ts;
    const literal = element.parent as TS.Expression;
    if (ts.isObjectLiteralExpression(literal) && isAssignmentPattern(ts, literal)) {
      const property = this.#checker.getTypeAtLocation(literal).getProperty(node.text);
      return this.#refer(node, property, KIND_INDEX.read, VALUE);
    }
    const { type, fitting } = this.#expectedAt(literal);
    if (!type) return;
    for (const property of propertiesOf(type, fitting, node.text)) {
      this.#refer(node, property, KIND_INDEX.write, VALUE);
      this.#link(node, property, "shape");
    }
  }

  /** The type that is expected of a literal, and the members of a union that its discriminants leave. */
  #expectedAt(literal: TS.Expression): Expected {
    let expected = this.#expected.get(literal);
    if (!expected) {
      const checker = this.#checker as TS.TypeChecker & {
        isTypeInvalidDueToUnionDiscriminant?(type: TS.Type, literal: TS.Node): boolean;
      };
      const type = checker.getContextualType(literal);
      const fitting = type?.isUnion()
        ? type.types.filter((member) =>
          !checker.isTypeInvalidDueToUnionDiscriminant?.(member, literal)
        )
        : [];
      this.#expected.set(literal, expected = { type, fitting });
    }
    return expected;
  }

  // ---- references --------------------------------------------------------------------------------------------------

  #refer(node: TS.Node, symbol: TS.Symbol | undefined, kind: number, meaning: number): void {
    if (!symbol) return;
    const start = node.getStart(this.#source);
    for (const root of this.#rootsOf(symbol)) {
      for (const target of this.#targetsOf(root)) {
        if ((target.meaning & meaning) === 0) continue;
        if (target.file === this.#file && target.start === start) continue;
        const key = target.file * OFFSETS + target.start;
        let lines = this.#edges.get(key);
        if (!lines) this.#edges.set(key, lines = new Map());
        const line = this.#lineOf(start);
        const present = lines.get(line);
        if (present === undefined || kind < present) lines.set(line, kind);
      }
    }
  }

  #link(node: TS.Node, symbol: TS.Symbol | undefined, kind: LinkKind): void {
    if (!symbol) return;
    const start = node.getStart(this.#source);
    for (const root of this.#rootsOf(symbol)) {
      for (const target of this.#targetsOf(root)) {
        this.#addLink(start, LINK_INDEX[kind], target);
      }
    }
  }

  #addLink(start: number, kind: number, { file, start: to }: Target): void {
    const key = `${start} ${kind} ${file} ${to}`;
    if ((file === this.#file && to === start) || this.#linked.has(key)) return;
    this.#linked.add(key);
    this.#links.push(start, this.#lineOf(start), kind, file, to);
  }

  #lineOf(start: number): number {
    return this.#source.getLineAndCharacterOfPosition(start).line + 1;
  }

  /** The symbols behind a symbol: through aliases to what is imported, from a union's property to those of its members. */
  #rootsOf(symbol: TS.Symbol): readonly TS.Symbol[] {
    const { SymbolFlags } = this.#ts;
    if (symbol.flags & SymbolFlags.Alias) {
      const aliased = this.#checker.getAliasedSymbol(symbol);
      if (
        aliased.flags & SymbolFlags.ValueModule && aliased.declarations?.some(this.#ts.isSourceFile)
      ) {
        return [this.#lastAlias(symbol)];
      }
      symbol = this.#required(aliased) ?? aliased;
    }
    return symbol.flags & SymbolFlags.Transient ? this.#checker.getRootSymbols(symbol) : [symbol];
  }

  /** What `module.exports = require("…")` passes on: the compiler makes no alias of it. */
  #required(symbol: TS.Symbol): TS.Symbol | undefined {
    const ts = this.#ts;
    const declaration = symbol.escapedName === "export=" ? symbol.declarations?.[0] : undefined;
    if (!declaration || !ts.isBinaryExpression(declaration)) return undefined;
    const value = declaration.right;
    if (!ts.isCallExpression(value) || !ts.isIdentifier(value.expression)) return undefined;
    return value.expression.text === "require"
      ? this.#checker.getTypeAtLocation(value).symbol
      : undefined;
  }

  /** What stands for a whole module: the last name given to it on the way (`export * as core`). */
  #lastAlias(symbol: TS.Symbol): TS.Symbol {
    const checker = this.#checker as TS.TypeChecker & {
      getImmediateAliasedSymbol?(symbol: TS.Symbol): TS.Symbol | undefined;
    };
    for (let steps = 0; steps < MAX_ALIASES; steps++) {
      const next = checker.getImmediateAliasedSymbol?.(symbol);
      if (!next || !(next.flags & this.#ts.SymbolFlags.Alias)) break;
      symbol = next;
    }
    return symbol;
  }

  #targetsOf(symbol: TS.Symbol): readonly Target[] {
    let targets = this.#targets.get(symbol);
    if (targets) return targets;
    targets = this.#group(symbol);
    this.#targets.set(symbol, targets);
    return targets;
  }

  #group(symbol: TS.Symbol): readonly Target[] {
    const groups: { meaning: number; file: number; start: number }[] = [];
    for (const declaration of symbol.declarations ?? []) {
      const source = declaration.getSourceFile();
      const file = this.#fileIndex.get(source.fileName);
      if (file === undefined || isLocal(this.#ts, declaration)) continue;
      const start = nameStart(this.#ts, declaration, source);
      if (start === undefined) continue;
      let group = { meaning: meaningOf(this.#ts, declaration), file, start };
      for (let i = groups.length - 1; i >= 0; i--) {
        const other = groups[i]!;
        if ((other.meaning & group.meaning) === 0) continue;
        groups.splice(i, 1);
        const first =
          other.file < group.file || (other.file === group.file && other.start < group.start)
            ? other
            : group;
        group = { meaning: other.meaning | group.meaning, file: first.file, start: first.start };
      }
      groups.push(group);
    }
    return groups.length === 0 ? NO_TARGETS : groups;
  }
}

/** A property of an expected type; of a union, in the members that fit. */
function propertiesOf(type: TS.Type, fitting: readonly TS.Type[], name: string): TS.Symbol[] {
  const whole = type.getProperty(name);
  if (!type.isUnion()) return whole ? [whole] : [];
  const found = (members: readonly TS.Type[]): TS.Symbol[] =>
    members.map((member) => member.getProperty(name)).filter((property) => property !== undefined);
  const properties = found(fitting);
  if (whole && (properties.length === 0 || fitting.length === type.types.length)) return [whole];
  return properties.length === 0 ? found(type.types) : properties;
}
