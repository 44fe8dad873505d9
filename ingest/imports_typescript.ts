/**
 * What TypeScript and JavaScript import: declarations, `import x = require()`, re-exports, `require()`, `import()`, and the
 * types that name a module.
 *
 * Owns the state of the walk over one file that imports need, and the small questions to a node that the layers above share.
 * What must hold: no program, no type checker, no other file; the compiler is handed in, never imported, so that it is loaded
 * only where a file is parsed.
 */

import type { ts } from "ts-morph";
import type { Import } from "./source_file.ts";
import { lineAt } from "./syntax_tree.ts";
import { findMarks, skipTrivia } from "./text_typescript.ts";

/** The compiler, as a value. */
export type TypeScript = typeof ts;

/** The lowest layer of the walk over one file: imports, and what names and strings a node holds. */
export abstract class ImportReader {
  readonly imports: Import[] = [];
  /** `[start, end, start, end, …]` of the import statements, ascending. */
  readonly importRanges: number[] = [];
  /** Offsets at which lines begin. */
  readonly lines: number[];
  protected readonly kinds: TypeScript["SyntaxKind"];
  /** What `export { … }` and its kin name. */
  protected readonly exportedNames = new Set<string>();
  /** Whether the text may hold `require(` and `import(`: nothing looks for them where it does not. */
  protected readonly hasRequire: boolean;
  protected readonly hasDynamicImport: boolean;
  /** Where something stands that may define or import, ascending; a node without any is passed over. */
  protected readonly marks: number[];
  /** Reads something below a statement; a field, so that it can be handed to the compiler as it is. */
  protected abstract readonly visit: (node: ts.Node) => void;

  constructor(
    protected readonly compiler: TypeScript,
    protected readonly source: ts.SourceFile,
    protected readonly text: string,
  ) {
    this.kinds = compiler.SyntaxKind;
    const { marks, lines, hasRequire, hasDynamicImport } = findMarks(text);
    this.marks = marks;
    this.lines = lines;
    this.hasRequire = hasRequire;
    this.hasDynamicImport = hasDynamicImport;
  }

  // --- imports ---------------------------------------------------------------------------------

  /** Adds an import that `node` makes. */
  protected addImport(
    node: ts.Node,
    specifier: string,
    kind: Import["kind"],
    names: Import["names"],
    typeOnly: boolean,
  ): void {
    const line = lineAt(this.lines, skipTrivia(this.text, node.pos, node.end));
    this.imports.push({ specifier, line, kind, names, typeOnly });
  }

  /** `import … from "…"`. */
  protected importDeclaration(node: ts.ImportDeclaration): void {
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

  /** `import x = require("…")`. */
  protected importEquals(node: ts.ImportEqualsDeclaration): void {
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

  /** `export … from "…"`, and `export { … }`, which only names. */
  protected exportDeclaration(node: ts.ExportDeclaration): void {
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

  /** `import("…").A` as a type. */
  protected importType(node: ts.ImportTypeNode): void {
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
  protected loadedBy(
    node: ts.Node,
  ): { specifier: string; kind: "require" | "dynamic" } | undefined {
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
  protected requiredVariable(declaration: ts.VariableDeclaration): boolean {
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

  // --- small helpers ---------------------------------------------------------------------------

  /** Whether it is `… = …`. */
  protected isAssignment(node: ts.Node): node is ts.BinaryExpression {
    return node.kind === this.kinds.BinaryExpression &&
      (node as ts.BinaryExpression).operatorToken.kind === this.kinds.EqualsToken;
  }

  /** Whether it is a function that stands as a value. */
  protected isFunction(node: ts.Node): boolean {
    return node.kind === this.kinds.ArrowFunction || node.kind === this.kinds.FunctionExpression;
  }

  /** The expression behind parentheses, `as`, `satisfies`, `!`. */
  protected unwrap(node: ts.Expression): ts.Expression {
    const { kinds } = this;
    let at = node;
    while (
      at.kind === kinds.ParenthesizedExpression || at.kind === kinds.AsExpression ||
      at.kind === kinds.SatisfiesExpression || at.kind === kinds.NonNullExpression ||
      at.kind === kinds.TypeAssertionExpression
    ) at = (at as ts.ParenthesizedExpression).expression;
    return at;
  }

  /** The text of a string, else undefined. */
  protected stringOf(node: ts.Node): string | undefined {
    return node.kind === this.kinds.StringLiteral ||
        node.kind === this.kinds.NoSubstitutionTemplateLiteral
      ? (node as ts.StringLiteral).text
      : undefined;
  }

  /** A name as it is written, quotes aside. */
  protected nameOf(node: ts.Node): string {
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
  protected stem(): string {
    const parts = this.source.fileName.split("/");
    const stem = (path: string) => path.replace(/\..*$/, "");
    const name = stem(parts.at(-1) ?? "");
    return name === "index" || name === "mod" ? parts.at(-2) ?? name : name;
  }
}
