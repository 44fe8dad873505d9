/**
 * What TypeScript and JavaScript declare: functions, classes, types, enums, namespaces, variables, members, exports.
 *
 * Owns the making of definitions from declarations; which node is a declaration is decided in `syntax_typescript.ts`. What
 * must hold: a definition begins at its doc comment, and its declaration behind decorators; `container` is replaced, never
 * changed, since definitions share it.
 */

import type { ts } from "ts-morph";
import { ImportReader } from "./imports_typescript.ts";
import type { Definition, DefinitionKind } from "./source_file.ts";
import { lineAt } from "./syntax_tree.ts";
import { docStart, skipTrivia } from "./text_typescript.ts";

/** The middle layer of the walk over one file: from a declaration to definitions. */
export abstract class DefinitionReader extends ImportReader {
  readonly definitions: Definition[] = [];
  /** Names of the scopes around the node at hand; replaced, never changed, so that definitions can share it. */
  protected container: readonly string[] = [];
  /** Whether the scope around the node at hand can be seen from outside the file. */
  protected exported = false;

  /** Reads something at the top of the file, of a namespace, or of a function's body. */
  protected abstract statement(node: ts.Node): void;

  /** Adds a definition; `body` is the offset at which its body begins. */
  protected add(
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
  protected within(name: string, exported: boolean, inside: () => void): void {
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

  /** A function or method, and what is defined inside it. */
  protected callable(
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

  /** A class and its members; `whole` is the node that defines it where that is not the class itself. */
  protected classLike(
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
  protected assigned(
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

  /** An interface and its members. */
  protected interface(node: ts.InterfaceDeclaration): void {
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

  /** A type and, of a literal one, its members. */
  protected typeAlias(node: ts.TypeAliasDeclaration): void {
    const exported = this.has(node, this.kinds.ExportKeyword);
    const isLiteral = node.type.kind === this.kinds.TypeLiteral;
    const body = isLiteral ? skipTrivia(this.text, node.type.pos, node.type.end) : node.end;
    this.add(node.name.text, "type", node, node.name, body, exported);
    if (isLiteral) {
      const { members } = node.type as ts.TypeLiteralNode;
      this.within(node.name.text, exported, () => this.typeMembers(members));
    } else if (this.hasDynamicImport) this.visit(node.type);
  }

  /** An enum and its members. */
  protected enum(node: ts.EnumDeclaration): void {
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

  /** A namespace and its statements. */
  protected module(
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
  protected variables(node: ts.VariableStatement): void {
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
  protected localVariables(node: ts.VariableStatement): void {
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

  /** `export default …`, `module.exports = …`. */
  protected defaultExport(node: ts.Node, expression: ts.Expression): void {
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

  /** Where an assignment to a property lands. */
  protected placeOf(
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
}
