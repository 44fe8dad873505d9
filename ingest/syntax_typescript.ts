/**
 * TypeScript and JavaScript through the compiler's own parser.
 *
 * Owns the reading of one file: the parse, the tree as the chunker sees it, and the walk that decides what each node is.
 * Declarations are read in `definitions_typescript.ts`, imports in `imports_typescript.ts`. What must hold: one pass over the
 * tree, no parent pointers; the walk costs a fraction of the parse.
 */

import type { ts } from "ts-morph";
import { DefinitionReader } from "./definitions_typescript.ts";
import type { TypeScript } from "./imports_typescript.ts";
import type { Problem } from "./source_file.ts";
import { lineAt, type Syntax, type SyntaxTree } from "./syntax_tree.ts";
import { skipTrivia } from "./text_typescript.ts";

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

/** One walk over one file: which node is what. */
class Walk extends DefinitionReader {
  private depth = 0;
  private mark = 0;

  /** Reads the whole file. */
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
  protected override statement(node: ts.Node): void {
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
  protected override readonly visit = (node: ts.Node): void => {
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
}
