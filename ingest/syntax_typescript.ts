/**
 * TypeScript and JavaScript through the compiler's own parser.
 *
 * Owns the reading of one file's tree: what it defines, what it imports. No program, no type checker, no other file.
 * What must hold: one pass over the tree, no parent pointers; the walk costs a fraction of the parse.
 */

import type { ts } from "ts-morph";
import type { Definition, DefinitionKind, Import, Problem } from "./source_file.ts";
import { lineAt, type Syntax, type SyntaxTree } from "./syntax_tree.ts";

type TypeScript = typeof ts;

/** Calls whose first argument names a test. */
const TEST_CALLS = new Set([
  "test",
  "it",
  "describe",
  "suite",
  "context",
  "bench",
  "specify",
  "step",
]);
/** Below this many characters a node cannot hold a definition. */
const SMALLEST_DEFINITION = 9;
/** How deep definitions are looked for; nested deeper is generated code. */
const MAX_DEPTH = 400;

/** Behind every offset of a text, and still a small integer. */
const MAX_OFFSET = 0x3fffffff;

let loaded: Promise<TypeScript> | undefined;

/** The compiler, loaded on first use: it takes longer to load than a search takes to answer. */
export function loadTypeScript(): Promise<TypeScript> {
  return loaded ??= import("ts-morph").then((module) => module.ts);
}

/**
 * Reads one file.
 *
 * @throws {RangeError} where the nesting is too deep for the compiler's recursive parser
 */
export function readTypeScript(compiler: TypeScript, path: string, text: string): Syntax<ts.Node> {
  const source = compiler.createSourceFile(
    path,
    text,
    {
      languageVersion: compiler.ScriptTarget.ESNext,
      jsDocParsingMode: compiler.JSDocParsingMode.ParseNone,
    },
    false,
    scriptKind(compiler, path),
  );
  const walk = new Walk(compiler, source, text);
  walk.file();
  return {
    tree: tree(compiler, source, text),
    lines: walk.lines,
    definitions: walk.definitions,
    scopes: [],
    imports: walk.imports,
    importRanges: walk.importRanges,
    problems: problems(source, path, walk.lines),
  };
}

function scriptKind(compiler: TypeScript, path: string): ts.ScriptKind {
  const extension = path.slice(path.lastIndexOf(".") + 1).toLowerCase();
  switch (extension) {
    case "tsx":
      return compiler.ScriptKind.TSX;
    case "jsx":
    case "js":
    case "mjs":
    case "cjs":
      return compiler.ScriptKind.JSX;
    default:
      return compiler.ScriptKind.TS;
  }
}

function problems(source: ts.SourceFile, path: string, lines: readonly number[]): Problem[] {
  // Not in the public type, yet what every editor shows; only the first says something.
  const found = (source as unknown as { parseDiagnostics?: ts.Diagnostic[] }).parseDiagnostics;
  const first = found?.[0];
  if (!first) return [];
  let message = first.messageText;
  while (typeof message !== "string") message = message.messageText;
  const more = found.length > 1 ? ` (and ${found.length - 1} more)` : "";
  return [{
    path,
    line: lineAt(lines, first.start ?? 0),
    reason: `parse "${path}": syntax error: ${message.replace(/\.$/, "")}${more}`,
  }];
}

/** The tree as the chunker sees it: real children, tokens and comments left out. */
function tree(compiler: TypeScript, source: ts.SourceFile, text: string): SyntaxTree<ts.Node> {
  const { JsxText } = compiler.SyntaxKind;
  const isEmpty = (node: ts.Node) => (node as ts.JsxText).containsOnlyTriviaWhiteSpaces;
  return {
    root: source,
    start: (node) => node.kind === JsxText ? node.pos : skipTrivia(text, node.pos, node.end),
    end: (node) => node.end,
    children(node) {
      const children: ts.Node[] = [];
      let ordered = true;
      let last = node.pos;
      compiler.forEachChild(node, (child) => {
        if (child.pos < last) ordered = false;
        last = child.end;
        if (child.end > child.pos && !(child.kind === JsxText && isEmpty(child))) {
          children.push(child);
        }
      });
      if (node === source && children.at(-1) === source.endOfFileToken) children.pop();
      if (!ordered) children.sort((a, b) => a.pos - b.pos);
      return children;
    },
  };
}

/**
 * One pass over the characters: where functions, classes, imports and the like stand, closed by a sentinel, and where lines
 * begin.
 */
function findMarks(
  text: string,
): { marks: number[]; lines: number[]; hasRequire: boolean; hasDynamicImport: boolean } {
  const marks: number[] = [];
  const lines = [0];
  let hasRequire = false;
  let hasDynamicImport = false;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 10:
        lines.push(at + 1);
        break;
      case 62: // =>
        if (text.charCodeAt(at - 1) === 61) marks.push(at - 1);
        break;
      case 40: { // require( import(
        const before = text.charCodeAt(at - 1);
        if (before === 101 && text.startsWith("require", at - 7)) {
          hasRequire = true;
          marks.push(at - 7);
        } else if (before === 116 && text.startsWith("import", at - 6)) {
          hasDynamicImport = true;
          marks.push(at - 6);
        } else if (before === 121 && text.startsWith("defineProperty", at - 14)) {
          marks.push(at - 14);
        }
        break;
      }
      case 117: // function enum namespace module
        if (text.charCodeAt(at - 1) === 102) {
          if (text.startsWith("nction", at + 1)) marks.push(at - 1);
        } else if (text.charCodeAt(at - 1) === 110 && text.startsWith("m ", at + 1)) {
          marks.push(at - 2);
        }
        break;
      case 108: // class
        if (text.charCodeAt(at - 1) === 99 && text.startsWith("ass", at + 1)) marks.push(at - 1);
        break;
      case 102: // interface
        if (text.charCodeAt(at - 1) === 114 && text.startsWith("inter", at - 5)) marks.push(at - 5);
        break;
    }
  }
  marks.push(MAX_OFFSET);
  return { marks, lines, hasRequire, hasDynamicImport };
}

/** Offset of the first character at or behind `at` that is neither white space nor comment. */
function skipTrivia(text: string, at: number, end: number): number {
  while (at < end) {
    const code = text.charCodeAt(at);
    if (code === 47) { // /
      const second = text.charCodeAt(at + 1);
      if (second === 47) {
        const newline = text.indexOf("\n", at);
        at = newline === -1 ? end : newline + 1;
        continue;
      }
      if (second !== 42) return at;
      const close = text.indexOf("*/", at + 2);
      at = close === -1 ? end : close + 2;
    } else if (code === 35) { // #: a shebang is trivia on the first line only
      if (at > 1 || text.charCodeAt(at + 1) !== 33) return at;
      const newline = text.indexOf("\n", at);
      at = newline === -1 ? end : newline + 1;
    } else if (code > 32 && code !== 0xa0 && code !== 0xfeff && (code < 0x2000 || !isWide(code))) {
      return at;
    } else at++;
  }
  return Math.min(at, end);
}

function isWide(code: number): boolean {
  return code <= 0x200b || code === 0x2028 || code === 0x2029 || code === 0x202f ||
    code === 0x205f || code === 0x3000;
}

/** One walk over one file. */
class Walk {
  readonly definitions: Definition[] = [];
  readonly imports: Import[] = [];
  readonly importRanges: number[] = [];
  readonly lines: number[];
  private readonly kinds: TypeScript["SyntaxKind"];
  /** Names of the scopes around the node at hand; replaced, never changed, so that definitions can share it. */
  private container: readonly string[] = [];
  private exported = false;
  private depth = 0;
  private readonly exportedNames = new Set<string>();
  private readonly hasRequire: boolean;
  private readonly hasDynamicImport: boolean;
  /** Where something stands that may define or import, ascending; a node without any is passed over. */
  private readonly marks: number[];
  private mark = 0;

  constructor(
    private readonly compiler: TypeScript,
    private readonly source: ts.SourceFile,
    private readonly text: string,
  ) {
    this.kinds = compiler.SyntaxKind;
    const { marks, lines, hasRequire, hasDynamicImport } = findMarks(text);
    this.marks = marks;
    this.lines = lines;
    this.hasRequire = hasRequire;
    this.hasDynamicImport = hasDynamicImport;
  }

  file(): void {
    for (const statement of this.source.statements) this.statement(statement);
    if (this.exportedNames.size === 0) return;
    const { definitions, exportedNames } = this;
    for (let index = 0; index < definitions.length; index++) {
      const definition = definitions[index]!;
      if (definition.exported) continue;
      const top = definition.container[0] ?? definition.name;
      const isMember = definition.container.length === 0 || definition.kind === "method" ||
        definition.kind === "property" || definition.kind === "enum_member";
      if (isMember && definition.container.length < 2 && exportedNames.has(top)) {
        definitions[index] = { ...definition, exported: true };
      }
    }
  }

  /** Something at the top of the file, of a namespace, or of a function's body. */
  private statement(node: ts.Node): void {
    const { SyntaxKind } = this.compiler;
    switch (node.kind) {
      case SyntaxKind.ImportDeclaration:
        return this.importDeclaration(node as ts.ImportDeclaration);
      case SyntaxKind.ImportEqualsDeclaration:
        return this.importEquals(node as ts.ImportEqualsDeclaration);
      case SyntaxKind.ExportDeclaration:
        return this.exportDeclaration(node as ts.ExportDeclaration);
      case SyntaxKind.ExportAssignment: {
        const { expression } = node as ts.ExportAssignment;
        return this.defaultExport(node, expression);
      }
      case SyntaxKind.VariableStatement:
        return this.variables(node as ts.VariableStatement);
      default:
        this.dispatch(node);
    }
  }

  /** Something below a statement: passed over if nothing in it can define or import. */
  private readonly visit = (node: ts.Node): void => {
    const { pos, end } = node;
    if (end - pos < SMALLEST_DEFINITION) return;
    const { kinds, marks } = this;
    // The walk goes forwards but for a few places, which the second loop serves.
    while (marks[this.mark]! < pos) this.mark++;
    while (this.mark > 0 && marks[this.mark - 1]! >= pos) this.mark--;
    if (marks[this.mark]! >= end) return;
    const { kind } = node;
    if (kind >= kinds.FirstTypeNode && kind <= kinds.LastTypeNode && !this.hasDynamicImport) return;
    if (++this.depth <= MAX_DEPTH) this.dispatch(node);
    this.depth--;
  };

  private dispatch(node: ts.Node): void {
    const { kinds } = this;
    switch (node.kind) {
      case kinds.FunctionDeclaration:
        this.callable(node as ts.FunctionDeclaration, "function");
        break;
      case kinds.FunctionExpression:
        // A named function handed to a call is as good as a declaration.
        if ((node as ts.FunctionExpression).name) {
          this.callable(node as ts.FunctionExpression, "function");
        } else this.compiler.forEachChild(node, this.visit);
        break;
      case kinds.ClassDeclaration:
      case kinds.ClassExpression:
        this.classLike(node as ts.ClassLikeDeclaration);
        break;
      case kinds.InterfaceDeclaration:
        this.interface(node as ts.InterfaceDeclaration);
        break;
      case kinds.TypeAliasDeclaration:
        this.typeAlias(node as ts.TypeAliasDeclaration);
        break;
      case kinds.EnumDeclaration:
        this.enum(node as ts.EnumDeclaration);
        break;
      case kinds.ModuleDeclaration:
        this.module(node as ts.ModuleDeclaration);
        break;
      case kinds.VariableStatement:
        this.localVariables(node as ts.VariableStatement);
        break;
      case kinds.ExpressionStatement:
        this.expressionStatement(node as ts.ExpressionStatement);
        break;
      case kinds.CallExpression:
        this.call(node as ts.CallExpression);
        break;
      case kinds.BinaryExpression:
        this.binary(node as ts.BinaryExpression);
        break;
      case kinds.ImportType:
        this.importType(node as ts.ImportTypeNode);
        break;
      default:
        this.compiler.forEachChild(node, this.visit);
    }
  }

  /** Long chains of operators lean to the left: they are walked in a loop. */
  private binary(node: ts.BinaryExpression): void {
    let at: ts.Expression = node;
    while (at.kind === this.kinds.BinaryExpression) {
      this.visit((at as ts.BinaryExpression).right);
      at = (at as ts.BinaryExpression).left;
    }
    this.visit(at);
  }

  // --- imports ---------------------------------------------------------------------------------

  private addImport(
    node: ts.Node,
    specifier: string,
    kind: Import["kind"],
    names: Import["names"],
    typeOnly: boolean,
  ): void {
    const line = lineAt(this.lines, skipTrivia(this.text, node.pos, node.end));
    this.imports.push({ specifier, line, kind, names, typeOnly });
  }

  private importDeclaration(node: ts.ImportDeclaration): void {
    this.importRanges.push(node.pos, node.end);
    const specifier = this.stringOf(node.moduleSpecifier);
    if (specifier === undefined) return;
    const clause = node.importClause;
    const names: { name: string; alias: string }[] = [];
    let typeOnly = clause?.isTypeOnly ?? false;
    if (clause?.name) names.push({ name: "default", alias: clause.name.text });
    const bindings = clause?.namedBindings;
    if (bindings?.kind === this.kinds.NamespaceImport) {
      names.push({ name: "*", alias: (bindings as ts.NamespaceImport).name.text });
    } else if (bindings) {
      const { elements } = bindings as ts.NamedImports;
      let types = 0;
      for (const element of elements) {
        if (element.isTypeOnly) types++;
        names.push({
          name: (element.propertyName ?? element.name).text,
          alias: element.name.text,
        });
      }
      if (types > 0 && types === names.length) typeOnly = true;
    }
    this.addImport(node, specifier, "import", names, typeOnly);
  }

  private importEquals(node: ts.ImportEqualsDeclaration): void {
    const { moduleReference } = node;
    if (moduleReference.kind !== this.kinds.ExternalModuleReference) return;
    const specifier = this.stringOf((moduleReference as ts.ExternalModuleReference).expression);
    if (specifier === undefined) return;
    this.importRanges.push(node.pos, node.end);
    this.addImport(
      node,
      specifier,
      "require",
      [{ name: "*", alias: node.name.text }],
      node.isTypeOnly,
    );
  }

  private exportDeclaration(node: ts.ExportDeclaration): void {
    const clause = node.exportClause;
    const specifier = node.moduleSpecifier && this.stringOf(node.moduleSpecifier);
    if (specifier === undefined) {
      if (clause?.kind === this.kinds.NamedExports) {
        for (const element of (clause as ts.NamedExports).elements) {
          this.exportedNames.add((element.propertyName ?? element.name).text);
        }
      }
      return;
    }
    this.importRanges.push(node.pos, node.end);
    const names: { name: string; alias: string }[] = [];
    let typeOnly = node.isTypeOnly;
    if (!clause) names.push({ name: "*", alias: "*" });
    else if (clause.kind === this.kinds.NamespaceExport) {
      names.push({ name: "*", alias: (clause as ts.NamespaceExport).name.text });
    } else {
      let types = 0;
      for (const element of (clause as ts.NamedExports).elements) {
        if (element.isTypeOnly) types++;
        names.push({
          name: (element.propertyName ?? element.name).text,
          alias: element.name.text,
        });
      }
      if (types > 0 && types === names.length) typeOnly = true;
    }
    this.addImport(node, specifier, "reexport", names, typeOnly);
  }

  private importType(node: ts.ImportTypeNode): void {
    const argument = node.argument;
    if (argument.kind === this.kinds.LiteralType) {
      const specifier = this.stringOf((argument as ts.LiteralTypeNode).literal);
      if (specifier !== undefined) {
        let name: ts.EntityName | undefined = node.qualifier;
        while (name && name.kind === this.kinds.QualifiedName) {
          name = (name as ts.QualifiedName).left;
        }
        const first = name ? (name as ts.Identifier).text : "*";
        this.addImport(node, specifier, "import", [{ name: first, alias: first }], true);
      }
    }
    this.compiler.forEachChild(node, this.visit);
  }

  /** The specifier of `require("…")` or `import("…")`, else undefined. */
  private loadedBy(node: ts.Node): { specifier: string; kind: "require" | "dynamic" } | undefined {
    if (node.kind === this.kinds.AwaitExpression) node = (node as ts.AwaitExpression).expression;
    if (node.kind !== this.kinds.CallExpression) return undefined;
    const { expression, arguments: given } = node as ts.CallExpression;
    const isRequire = expression.kind === this.kinds.Identifier &&
      (expression as ts.Identifier).text === "require";
    if (!isRequire && expression.kind !== this.kinds.ImportKeyword) return undefined;
    const specifier = given[0] && this.stringOf(given[0]);
    return specifier === undefined
      ? undefined
      : { specifier, kind: isRequire ? "require" : "dynamic" };
  }

  /** `const x = require("…")` and its kin; true if it was one. */
  private requiredVariable(declaration: ts.VariableDeclaration): boolean {
    let initializer: ts.Node | undefined = declaration.initializer;
    if (!initializer || !(this.hasRequire || this.hasDynamicImport)) return false;
    let member: string | undefined;
    if (initializer.kind === this.kinds.PropertyAccessExpression) {
      member = (initializer as ts.PropertyAccessExpression).name.text;
      initializer = (initializer as ts.PropertyAccessExpression).expression;
    }
    let found = this.loadedBy(initializer);
    // `const debug = require("debug")("name")` binds what the module's function gives.
    if (!found && initializer.kind === this.kinds.CallExpression) {
      found = this.loadedBy((initializer as ts.CallExpression).expression);
    }
    if (!found) return false;
    const names: { name: string; alias: string }[] = [];
    const { name } = declaration;
    if (name.kind === this.kinds.Identifier) {
      names.push({ name: member ?? "*", alias: (name as ts.Identifier).text });
    } else if (name.kind === this.kinds.ObjectBindingPattern) {
      for (const element of (name as ts.ObjectBindingPattern).elements) {
        if (element.name.kind !== this.kinds.Identifier) continue;
        const alias = (element.name as ts.Identifier).text;
        names.push({
          name: element.propertyName ? this.nameOf(element.propertyName) : alias,
          alias,
        });
      }
    }
    this.addImport(declaration, found.specifier, found.kind, names, false);
    return true;
  }

  // --- declarations ----------------------------------------------------------------------------

  private add(
    name: string,
    kind: DefinitionKind,
    node: ts.Node,
    nameNode: ts.Node | undefined,
    body: number,
    exported: boolean,
    container = this.container,
  ): void {
    if (name === "") return;
    const { text, lines } = this;
    const begin = skipTrivia(text, node.pos, node.end);
    let declaration = begin;
    const modifiers = (node as { modifiers?: ts.NodeArray<ts.ModifierLike> }).modifiers;
    if (modifiers && text.charCodeAt(begin) === 64) {
      for (const modifier of modifiers) {
        if (modifier.kind === this.kinds.Decorator) {
          declaration = skipTrivia(text, modifier.end, node.end);
        }
      }
    }
    const nameStart = nameNode ? skipTrivia(text, nameNode.pos, nameNode.end) : declaration;
    this.definitions.push({
      name,
      kind,
      container,
      start: node.pos < begin ? docStart(text, node.pos, begin) : begin,
      declaration,
      nameStart,
      body: Math.max(Math.min(body, node.end), nameStart),
      end: node.end,
      startLine: lineAt(lines, declaration),
      endLine: lineAt(lines, node.end - 1),
      exported,
    });
  }

  /** Runs `inside` with one more scope. */
  private within(name: string, exported: boolean, inside: () => void): void {
    const { container, exported: before } = this;
    this.container = name === "" ? container : [...container, name];
    this.exported = exported;
    inside();
    this.container = container;
    this.exported = before;
  }

  private has(node: ts.Node, kind: ts.SyntaxKind): boolean {
    const modifiers = (node as { modifiers?: ts.NodeArray<ts.ModifierLike> }).modifiers;
    if (!modifiers) return false;
    for (const modifier of modifiers) if (modifier.kind === kind) return true;
    return false;
  }

  private callable(
    node: ts.FunctionLikeDeclaration,
    kind: DefinitionKind,
    name = node.name ? this.nameOf(node.name) : this.stem(),
    exported = this.has(node, this.kinds.ExportKeyword),
  ): void {
    this.add(name, kind, node, node.name, this.bodyOf(node), exported);
    this.inside(node, name);
  }

  /** What is defined inside a function. */
  private inside(node: ts.FunctionLikeDeclaration, name: string): void {
    const { container, exported } = this;
    this.container = name === "" ? container : [...container, name];
    this.exported = false;
    for (const parameter of node.parameters) this.visit(parameter);
    if (node.type && this.hasDynamicImport) this.visit(node.type);
    if (node.body) this.visit(node.body);
    this.container = container;
    this.exported = exported;
  }

  private bodyOf(node: ts.FunctionLikeDeclaration): number {
    return node.body ? skipTrivia(this.text, node.body.pos, node.body.end) : node.end;
  }

  private classLike(
    node: ts.ClassLikeDeclaration,
    given = "",
    exported = this.has(node, this.kinds.ExportKeyword),
    whole: ts.Node = node,
  ): void {
    const isDefault = this.has(node, this.kinds.DefaultKeyword);
    const name = given || (node.name?.text ?? (isDefault ? this.stem() : ""));
    this.add(name, "class", whole, node.name, node.members.pos - 1, exported);
    this.within(name, exported, () => {
      if (node.heritageClauses) { for (const clause of node.heritageClauses) this.visit(clause); }
      for (const member of node.members) this.member(member);
    });
  }

  private member(node: ts.ClassElement): void {
    const { kinds } = this;
    const exported = this.exported && !this.has(node, kinds.PrivateKeyword) &&
      node.name?.kind !== kinds.PrivateIdentifier;
    switch (node.kind) {
      case kinds.MethodDeclaration:
      case kinds.GetAccessor:
      case kinds.SetAccessor:
        this.callable(node as ts.MethodDeclaration, "method", undefined, exported);
        break;
      case kinds.Constructor:
        this.callable(node as ts.ConstructorDeclaration, "method", "constructor", exported);
        for (const parameter of (node as ts.ConstructorDeclaration).parameters) {
          if (!parameter.modifiers?.length) continue;
          const isPrivate = this.has(parameter, kinds.PrivateKeyword);
          this.add(
            this.nameOf(parameter.name),
            "property",
            parameter,
            parameter.name,
            parameter.end,
            this.exported && !isPrivate,
          );
        }
        break;
      case kinds.PropertyDeclaration: {
        const { name, initializer } = node as ts.PropertyDeclaration;
        this.assigned(this.nameOf(name), "property", node, name, initializer, exported);
        break;
      }
      case kinds.ClassStaticBlockDeclaration:
        this.compiler.forEachChild(node, this.visit);
        break;
    }
  }

  /** Something that gets a value: a function if the value is one, else of the given kind. */
  private assigned(
    name: string,
    kind: "property" | "constant" | "variable",
    node: ts.Node,
    nameNode: ts.Node,
    value: ts.Expression | undefined,
    exported: boolean,
  ): void {
    while (value && this.isAssignment(value)) {
      // `var app = exports = module.exports = …`
      const target = this.placeOf(value.left);
      if (target?.isModule) exported = true;
      value = value.right;
    }
    const plain = value && this.unwrap(value);
    const callable = kind === "property" ? "method" : "function";
    if (plain && this.isFunction(plain)) {
      const body = (plain as ts.ArrowFunction).body;
      const at = body ? skipTrivia(this.text, body.pos, body.end) : node.end;
      this.add(name, callable, node, nameNode, at, exported);
      this.inside(plain as ts.ArrowFunction, name);
    } else if (plain?.kind === this.kinds.ClassExpression) {
      this.classLike(plain as ts.ClassExpression, name, exported, node);
    } else {
      const isLiteral = plain?.kind === this.kinds.ObjectLiteralExpression ||
        plain?.kind === this.kinds.ArrayLiteralExpression;
      const body = isLiteral ? skipTrivia(this.text, plain!.pos, plain!.end) : node.end;
      this.add(name, kind, node, nameNode, body, exported);
      if (plain?.kind === this.kinds.ObjectLiteralExpression && kind !== "property") {
        this.within(name, exported, () => this.objectMembers(plain as ts.ObjectLiteralExpression));
      } else if (value) this.within(name, false, () => this.visit(value));
    }
  }

  /** Members of an object that has a name, one level deep. */
  private objectMembers(node: ts.ObjectLiteralExpression): void {
    const { kinds } = this;
    for (const property of node.properties) {
      switch (property.kind) {
        case kinds.MethodDeclaration:
        case kinds.GetAccessor:
        case kinds.SetAccessor:
          this.callable(property as ts.MethodDeclaration, "method", undefined, this.exported);
          break;
        case kinds.PropertyAssignment: {
          const { name, initializer } = property as ts.PropertyAssignment;
          this.assigned(this.nameOf(name), "property", property, name, initializer, this.exported);
          break;
        }
        default:
          this.visit(property);
      }
    }
  }

  private interface(node: ts.InterfaceDeclaration): void {
    const exported = this.has(node, this.kinds.ExportKeyword);
    this.add(node.name.text, "interface", node, node.name, node.members.pos - 1, exported);
    this.within(node.name.text, exported, () => this.typeMembers(node.members));
  }

  private typeMembers(members: ts.NodeArray<ts.TypeElement>): void {
    const { kinds } = this;
    for (const member of members) {
      const isMethod = member.kind === kinds.MethodSignature || member.kind === kinds.GetAccessor ||
        member.kind === kinds.SetAccessor;
      if (isMethod || member.kind === kinds.PropertySignature) {
        const kind = isMethod ? "method" : "property";
        this.add(this.nameOf(member.name!), kind, member, member.name, member.end, this.exported);
      }
      if (this.hasDynamicImport) this.compiler.forEachChild(member, this.visit);
    }
  }

  private typeAlias(node: ts.TypeAliasDeclaration): void {
    const exported = this.has(node, this.kinds.ExportKeyword);
    const isLiteral = node.type.kind === this.kinds.TypeLiteral;
    const body = isLiteral ? skipTrivia(this.text, node.type.pos, node.type.end) : node.end;
    this.add(node.name.text, "type", node, node.name, body, exported);
    if (isLiteral) {
      const { members } = node.type as ts.TypeLiteralNode;
      this.within(node.name.text, exported, () => this.typeMembers(members));
    } else if (this.hasDynamicImport) this.visit(node.type);
  }

  private enum(node: ts.EnumDeclaration): void {
    const exported = this.has(node, this.kinds.ExportKeyword);
    this.add(node.name.text, "enum", node, node.name, node.members.pos - 1, exported);
    this.within(node.name.text, exported, () => {
      for (const member of node.members) {
        this.add(
          this.nameOf(member.name),
          "enum_member",
          member,
          member.name,
          member.end,
          exported,
        );
      }
    });
  }

  private module(
    node: ts.ModuleDeclaration,
    exported = this.has(node, this.kinds.ExportKeyword),
  ): void {
    const { body } = node;
    const at = body ? skipTrivia(this.text, body.pos, body.end) : node.end;
    const name = this.nameOf(node.name);
    this.add(name, "module", node, node.name, at, exported);
    if (!body) return;
    this.within(name, exported, () => {
      if (body.kind === this.kinds.ModuleBlock) {
        for (const statement of (body as ts.ModuleBlock).statements) this.statement(statement);
      } else if (body.kind === this.kinds.ModuleDeclaration) {
        // `namespace A.B` is one inside the other, with one modifier for both.
        this.module(body as ts.ModuleDeclaration, exported);
      }
    });
  }

  /** Variables at the top of a file or namespace: all of them are definitions. */
  private variables(node: ts.VariableStatement): void {
    const { kinds } = this;
    const exported = this.has(node, kinds.ExportKeyword);
    const { flags, declarations } = node.declarationList;
    const kind = (flags & this.compiler.NodeFlags.Const) !== 0 ? "constant" : "variable";
    let allRequired = true;
    for (const declaration of declarations) {
      if (this.requiredVariable(declaration) && !exported) continue;
      allRequired = false;
      const { name, initializer } = declaration;
      // With one declaration the statement is the definition, doc comment and `export` included.
      const whole = declarations.length === 1 ? node : declaration;
      if (name.kind === kinds.Identifier) {
        this.assigned((name as ts.Identifier).text, kind, whole, name, initializer, exported);
      } else {
        this.bindings(name as ts.BindingPattern, kind, whole, exported);
        if (initializer) this.visit(initializer);
      }
    }
    if (allRequired) this.importRanges.push(node.pos, node.end);
  }

  private bindings(
    pattern: ts.BindingPattern,
    kind: "constant" | "variable",
    whole: ts.Node,
    exported: boolean,
  ): void {
    for (const element of pattern.elements) {
      if (element.kind !== this.kinds.BindingElement) continue;
      const { name } = element as ts.BindingElement;
      if (name.kind === this.kinds.Identifier) {
        this.add((name as ts.Identifier).text, kind, whole, name, whole.end, exported);
      } else this.bindings(name as ts.BindingPattern, kind, whole, exported);
    }
  }

  /** Variables inside functions: only those that hold functions or classes. */
  private localVariables(node: ts.VariableStatement): void {
    const { declarations } = node.declarationList;
    for (const declaration of declarations) {
      if (this.requiredVariable(declaration)) continue;
      const { name, initializer } = declaration;
      if (!initializer) continue;
      const plain = this.unwrap(initializer);
      const isDefinition = name.kind === this.kinds.Identifier &&
        (this.isFunction(plain) || plain.kind === this.kinds.ClassExpression);
      const whole = declarations.length === 1 ? node : declaration;
      if (isDefinition) {
        this.assigned((name as ts.Identifier).text, "constant", whole, name, initializer, false);
      } else this.visit(initializer);
    }
  }

  private defaultExport(node: ts.Node, expression: ts.Expression): void {
    const plain = this.unwrap(expression);
    const { kinds } = this;
    if (plain.kind === kinds.Identifier) {
      this.exportedNames.add((plain as ts.Identifier).text);
    } else if (this.isFunction(plain)) {
      const body = (plain as ts.ArrowFunction).body;
      const name = (plain as ts.FunctionExpression).name?.text ?? this.stem();
      const at = skipTrivia(this.text, body.pos, body.end);
      this.add(name, "function", node, (plain as ts.FunctionExpression).name, at, true);
      this.inside(plain as ts.ArrowFunction, name);
    } else if (plain.kind === kinds.ClassExpression) {
      const named = (plain as ts.ClassExpression).name?.text ?? this.stem();
      this.classLike(plain as ts.ClassExpression, named, true, node);
    } else if (plain.kind === kinds.ObjectLiteralExpression) {
      this.exportedObject(plain as ts.ObjectLiteralExpression);
    } else {
      this.add(this.stem(), "constant", node, undefined, node.end, true);
      this.visit(expression);
    }
  }

  /** `module.exports = { a, b: c, d() {} }`, `export default { … }`. */
  private exportedObject(node: ts.ObjectLiteralExpression): void {
    const { kinds } = this;
    for (const property of node.properties) {
      if (property.kind === kinds.ShorthandPropertyAssignment) {
        this.exportedNames.add((property as ts.ShorthandPropertyAssignment).name.text);
      } else if (property.kind === kinds.PropertyAssignment) {
        const value = (property as ts.PropertyAssignment).initializer;
        if (value.kind === kinds.Identifier) this.exportedNames.add((value as ts.Identifier).text);
      }
    }
    this.within("", true, () => this.objectMembers(node));
  }

  // --- expressions -----------------------------------------------------------------------------

  private expressionStatement(node: ts.ExpressionStatement): void {
    const { expression } = node;
    if (this.isAssignment(expression)) this.assignment(node, expression);
    else if (this.container.length === 0) this.dispatch(expression);
    else this.visit(expression);
  }

  /** `exports.a = …`, `module.exports = …`, `A.prototype.b = …`, `app.use = function …`. */
  private assignment(whole: ts.Node, node: ts.BinaryExpression): void {
    const { kinds } = this;
    let value = node.right;
    const targets: ts.Expression[] = [node.left];
    while (this.isAssignment(value)) {
      targets.push(value.left);
      value = value.right;
    }
    const plain = this.unwrap(value);
    let handled = false;
    for (const target of targets) {
      const place = this.placeOf(target);
      if (!place) continue;
      if (place.isModule) {
        if (!handled) this.defaultExport(whole, value);
        handled = true;
        break;
      }
      const isCallable = this.isFunction(plain) || plain.kind === kinds.ClassExpression;
      if (place.isExport && plain.kind === kinds.Identifier) {
        this.exportedNames.add((plain as ts.Identifier).text);
      }
      if (handled || !(isCallable || (place.isExport && this.container.length === 0))) continue;
      handled = true;
      const name = (target as ts.PropertyAccessExpression).name;
      const { container } = this;
      this.container = place.owner === "" ? container : [...container, place.owner];
      const kind = place.isExport ? "constant" : "property";
      const exported = place.isExport || container.length === 0;
      const required = this.hasRequire ? this.loadedBy(plain) : undefined;
      if (required) {
        const names = [{ name: "*", alias: place.name }];
        this.addImport(whole, required.specifier, required.kind, names, false);
        this.add(place.name, kind, whole, name, whole.end, exported);
      } else this.assigned(place.name, kind, whole, name, value, exported);
      this.container = container;
    }
    if (!handled) {
      this.visit(node.left);
      this.visit(value);
    }
  }

  /** Where an assignment to a property lands. */
  private placeOf(
    target: ts.Expression,
  ): { name: string; owner: string; isExport: boolean; isModule: boolean } | undefined {
    const { kinds } = this;
    if (target.kind !== kinds.PropertyAccessExpression) return undefined;
    const { name, expression } = target as ts.PropertyAccessExpression;
    const place = { name: name.text, owner: "", isExport: false, isModule: false };
    if (expression.kind === kinds.Identifier) {
      const object = (expression as ts.Identifier).text;
      place.isModule = object === "module" && place.name === "exports";
      place.isExport = object === "exports";
      if (!place.isExport) place.owner = object;
    } else if (expression.kind === kinds.PropertyAccessExpression) {
      const outer = expression as ts.PropertyAccessExpression;
      if (outer.expression.kind !== kinds.Identifier) return place;
      const object = (outer.expression as ts.Identifier).text;
      if (object === "module" && outer.name.text === "exports") place.isExport = true;
      else place.owner = outer.name.text === "prototype" ? object : outer.name.text;
    }
    return place;
  }

  private call(node: ts.CallExpression): void {
    const { kinds } = this;
    const { expression, arguments: given } = node;
    if (this.hasRequire || this.hasDynamicImport) {
      const found = this.loadedBy(node);
      if (found) {
        this.addImport(node, found.specifier, found.kind, [], false);
        return;
      }
    }
    const first = given[0];
    if (given.length === 1 && first!.kind === kinds.ObjectLiteralExpression) {
      this.testObject(node, expression, first as ts.ObjectLiteralExpression);
    } else if (given.length >= 2 && this.isTest(expression)) {
      const title = this.stringOf(given[0]!);
      const last = given[given.length - 1]!;
      if (title !== undefined && given.some((argument) => this.isFunction(argument))) {
        this.add(title, "test", node, given[0], skipTrivia(this.text, last.pos, last.end), false);
        this.visit(expression);
        this.within(title, false, () => {
          for (const argument of given) this.visit(argument);
        });
        return;
      }
    } else if (
      given.length >= 3 && expression.kind === kinds.PropertyAccessExpression &&
      (expression as ts.PropertyAccessExpression).name.text === "defineProperty"
    ) {
      const name = this.stringOf(given[1]!);
      const object = given[0]!;
      const isNamed = object.kind === kinds.Identifier;
      if (name !== undefined && name !== "__esModule" && isNamed) {
        const owner = (object as ts.Identifier).text;
        const isExport = owner === "exports";
        const container = isExport ? this.container : [...this.container, owner];
        const body = skipTrivia(this.text, given[2]!.pos, given[2]!.end);
        this.add(name, "property", node, given[1], body, isExport, container);
      }
    }
    this.visit(expression);
    for (const argument of given) this.visit(argument);
  }

  /** `Deno.test({ name: "…", fn() {} })`. */
  private testObject(
    node: ts.CallExpression,
    expression: ts.Expression,
    object: ts.ObjectLiteralExpression,
  ): void {
    const { kinds } = this;
    if (!this.isTest(expression)) return;
    for (const property of object.properties) {
      if (property.kind !== kinds.PropertyAssignment) continue;
      const { name, initializer } = property as ts.PropertyAssignment;
      const title = this.nameOf(name) === "name" ? this.stringOf(initializer) : undefined;
      if (title === undefined) continue;
      const body = skipTrivia(this.text, object.pos, object.end);
      this.add(title, "test", node, initializer, body, false);
    }
  }

  private isTest(expression: ts.Expression): boolean {
    const { kinds } = this;
    // `it.only`, `test.each(table)`, `Deno.test`.
    let at: ts.Expression = expression;
    for (let depth = 0; depth < 4; depth++) {
      if (at.kind === kinds.Identifier) return TEST_CALLS.has((at as ts.Identifier).text);
      if (at.kind === kinds.PropertyAccessExpression) {
        const { name, expression: object } = at as ts.PropertyAccessExpression;
        if (object.kind === kinds.Identifier && (object as ts.Identifier).text === "Deno") {
          return name.text === "test" || name.text === "bench";
        }
        at = object;
      } else if (at.kind === kinds.CallExpression) at = (at as ts.CallExpression).expression;
      else if (at.kind === kinds.TaggedTemplateExpression) {
        at = (at as ts.TaggedTemplateExpression).tag;
      } else return false;
    }
    return false;
  }

  // --- small helpers ---------------------------------------------------------------------------

  private isAssignment(node: ts.Node): node is ts.BinaryExpression {
    return node.kind === this.kinds.BinaryExpression &&
      (node as ts.BinaryExpression).operatorToken.kind === this.kinds.EqualsToken;
  }

  private isFunction(node: ts.Node): boolean {
    return node.kind === this.kinds.ArrowFunction || node.kind === this.kinds.FunctionExpression;
  }

  /** The expression behind parentheses, `as`, `satisfies`, `!`. */
  private unwrap(node: ts.Expression): ts.Expression {
    const { kinds } = this;
    let at = node;
    while (
      at.kind === kinds.ParenthesizedExpression || at.kind === kinds.AsExpression ||
      at.kind === kinds.SatisfiesExpression || at.kind === kinds.NonNullExpression ||
      at.kind === kinds.TypeAssertionExpression
    ) at = (at as ts.ParenthesizedExpression).expression;
    return at;
  }

  private stringOf(node: ts.Node): string | undefined {
    return node.kind === this.kinds.StringLiteral ||
        node.kind === this.kinds.NoSubstitutionTemplateLiteral
      ? (node as ts.StringLiteral).text
      : undefined;
  }

  private nameOf(node: ts.Node): string {
    const { kinds } = this;
    switch (node.kind) {
      case kinds.Identifier:
      case kinds.PrivateIdentifier:
      case kinds.StringLiteral:
      case kinds.NumericLiteral:
      case kinds.NoSubstitutionTemplateLiteral:
        return (node as ts.Identifier).text;
      default:
        return this.text.slice(skipTrivia(this.text, node.pos, node.end), node.end);
    }
  }

  /** What an anonymous default export is called: the name of the file, or of its folder for an index file. */
  private stem(): string {
    const parts = this.source.fileName.split("/");
    const stem = (path: string) => path.replace(/\..*$/, "");
    const name = stem(parts.at(-1) ?? "");
    return name === "index" || name === "mod" ? parts.at(-2) ?? name : name;
  }
}

/**
 * Where the doc comment of a declaration begins, else `begin`: the comments above it with no empty line between, or a
 * `/**` comment that is the last thing above it, as the compiler has it.
 */
function docStart(text: string, from: number, begin: number): number {
  let start = begin;
  let at = from;
  // A comment on the line where the previous node ends belongs to that node.
  let ownLine = from === 0;
  let newlines = 0;
  let isDoc = false;
  let found = -1;
  while (at < begin) {
    const code = text.charCodeAt(at);
    if (code === 10) {
      ownLine = true;
      if (++newlines > 1 && !isDoc) found = -1;
      at++;
    } else if (code === 47) {
      if (newlines > 1) found = -1;
      if (ownLine && found === -1) found = at;
      const isLine = text.charCodeAt(at + 1) === 47;
      isDoc = !isLine && text.charCodeAt(at + 2) === 42;
      const close = isLine ? text.indexOf("\n", at) : text.indexOf("*/", at + 2);
      at = close === -1 ? begin : isLine ? close : close + 2;
      newlines = 0;
    } else at++;
  }
  if (found !== -1) start = found;
  return start;
}
