/**
 * What a position in a syntax tree says about the name that stands there, before any type is known.
 *
 * Owns those rules: they look at a node and its parents alone. The trees are the compiler's, TypeScript's and JavaScript's.
 */
import type { ts as TS } from "ts-morph";
import { KIND_INDEX, LITERAL_KIND } from "./reference_edges.ts";

// Meanings of a name, as bits: a position asks for some, a declaration has some.
export const VALUE = 1;
export const TYPE = 2;
export const NAMESPACE = 4;
export const ANY_MEANING = 7;

/** Whether a literal stands where a property name could. */
export function namesProperty(ts: typeof TS, node: TS.Node): boolean {
  const { parent } = node;
  return (ts.isElementAccessExpression(parent) && parent.argumentExpression === node) ||
    (ts.isIndexedAccessTypeNode(parent.parent) && ts.isLiteralTypeNode(parent) &&
      parent.parent.indexType === parent) ||
    ((ts.isPropertyAssignment(parent) || ts.isPropertySignature(parent) ||
      ts.isPropertyDeclaration(parent) ||
      ts.isMethodDeclaration(parent) || ts.isMethodSignature(parent) || ts.isAccessor(parent) ||
      ts.isEnumMember(parent)) && parent.name === node) ||
    (ts.isBindingElement(parent) && parent.propertyName === node);
}

/** Whether a name is the one that its parent declares. */
export function isDeclarationName(ts: typeof TS, node: TS.Node): boolean {
  const parent = node.parent as TS.NamedDeclaration;
  if (parent.name !== node) return false;
  switch (parent.kind) {
    case ts.SyntaxKind.PropertyAccessExpression:
    case ts.SyntaxKind.MetaProperty:
    case ts.SyntaxKind.JSDocNameReference:
    case ts.SyntaxKind.JSDocLink:
    case ts.SyntaxKind.JSDocLinkCode:
    case ts.SyntaxKind.JSDocLinkPlain:
    case ts.SyntaxKind.JSDocParameterTag:
    case ts.SyntaxKind.JSDocPropertyTag:
      return false;
    default:
      return true;
  }
}

/** Which meanings a name may have where it stands. */
export function meaningAt(ts: typeof TS, node: TS.Node): number {
  const { parent } = node;
  if (ts.isExportAssignment(parent)) return ANY_MEANING;
  let top = node;
  while (
    ts.isQualifiedName(top.parent) ||
    (ts.isPropertyAccessExpression(top.parent) && inHeritage(ts, top.parent))
  ) {
    if (
      (top.parent as TS.QualifiedName).left === top ||
      (top.parent as TS.PropertyAccessExpression).expression === top
    ) {
      return ts.isImportEqualsDeclaration(top.parent) ? ANY_MEANING : NAMESPACE | VALUE;
    }
    top = top.parent;
  }
  if (ts.isImportEqualsDeclaration(top.parent)) return ANY_MEANING;
  if (ts.isTypeQueryNode(top.parent)) return VALUE;
  if (ts.isExpressionWithTypeArguments(top.parent) && ts.isHeritageClause(top.parent.parent)) {
    const { token, parent: owner } = top.parent.parent;
    return token === ts.SyntaxKind.ExtendsKeyword && ts.isClassLike(owner) ? VALUE | TYPE : TYPE;
  }
  if (ts.isJSDocNameReference(parent) || isJSDocLink(ts, parent)) return ANY_MEANING;
  if (ts.isLiteralTypeNode(parent)) return VALUE;
  return ts.isPartOfTypeNode(node) || ts.isTypePredicateNode(parent)
    ? (ts.isTypePredicateNode(parent) ? VALUE : TYPE | NAMESPACE)
    : VALUE;
}

/** How the line uses the name: an index into `REFERENCE_KINDS`, or `LITERAL_KIND`. */
export function kindOf(ts: typeof TS, node: TS.Node, source: TS.SourceFile): number {
  let top = node;
  // Only the last name of a chain is called, written or inherited from.
  while (
    (ts.isPropertyAccessExpression(top.parent) && top.parent.name === top) ||
    (ts.isElementAccessExpression(top.parent) && top.parent.argumentExpression === top) ||
    (ts.isQualifiedName(top.parent) && top.parent.right === top)
  ) top = top.parent;
  let { parent } = top;
  if (ts.isLiteralTypeNode(parent)) return isNamed(source, node) ? KIND_INDEX.type : LITERAL_KIND;
  while (ts.isNonNullExpression(parent) || ts.isParenthesizedExpression(parent)) {
    top = parent;
    parent = top.parent;
  }
  if (ts.isExpressionWithTypeArguments(parent) && ts.isHeritageClause(parent.parent)) {
    return parent.parent.token === ts.SyntaxKind.ImplementsKeyword
      ? KIND_INDEX.implements
      : KIND_INDEX.extends;
  }
  if (ts.isImportEqualsDeclaration(parent)) return KIND_INDEX.import;
  if (ts.isExportAssignment(parent) || isModuleExports(ts, parent, top)) {
    return KIND_INDEX.reexport;
  }
  if (isCallee(ts, parent, top)) return KIND_INDEX.call;
  if (isWritten(ts, parent, top)) return KIND_INDEX.write;
  if (ts.isTypeQueryNode(parent) || ts.isPartOfTypeNode(top) || ts.isTypePredicateNode(parent)) {
    return KIND_INDEX.type;
  }
  return KIND_INDEX.read;
}

/** Whether the file has the name of a literal as an identifier or as the name of a property. */
function isNamed(source: TS.SourceFile, literal: TS.Node): boolean {
  // Not in the public type: every name of the file, as the parser interned it.
  const { identifiers } = source as { identifiers?: ReadonlyMap<string, string> };
  return identifiers?.has((literal as TS.StringLiteral).text) ?? true;
}

/** `exports` in `exports.x = …`: the compiler takes it for `x`. */
export function isExportsObject(
  ts: typeof TS,
  { text, parent }: TS.Node & { text: string },
): boolean {
  return (text === "exports" || text === "module") && ts.isPropertyAccessExpression(parent) &&
    ts.isBinaryExpression(parent.parent) && parent.parent.left === parent &&
    parent.name.text !== text;
}

/** Whether a value is the right side of `module.exports = …`. */
function isModuleExports(ts: typeof TS, parent: TS.Node, node: TS.Node): boolean {
  return ts.isBinaryExpression(parent) && parent.right === node &&
    parent.operatorToken.kind === ts.SyntaxKind.EqualsToken &&
    ts.isPropertyAccessExpression(parent.left) && parent.left.name.text === "exports" &&
    ts.isIdentifier(parent.left.expression) && parent.left.expression.text === "module";
}

function isJSDocLink(ts: typeof TS, node: TS.Node): boolean {
  return ts.isJSDocLink(node) || ts.isJSDocLinkCode(node) || ts.isJSDocLinkPlain(node);
}

function isCallee(ts: typeof TS, parent: TS.Node, node: TS.Node): boolean {
  if (ts.isCallExpression(parent) || ts.isNewExpression(parent) || ts.isDecorator(parent)) {
    return parent.expression === node;
  }
  if (ts.isTaggedTemplateExpression(parent)) return parent.tag === node;
  return (ts.isJsxOpeningElement(parent) || ts.isJsxSelfClosingElement(parent) ||
    ts.isJsxClosingElement(parent)) &&
    parent.tagName === node;
}

function isWritten(ts: typeof TS, parent: TS.Node, node: TS.Node): boolean {
  if (ts.isBinaryExpression(parent)) {
    const { kind } = parent.operatorToken;
    return parent.left === node && kind >= ts.SyntaxKind.FirstAssignment &&
      kind <= ts.SyntaxKind.LastAssignment;
  }
  if (ts.isPrefixUnaryExpression(parent) || ts.isPostfixUnaryExpression(parent)) {
    return parent.operator === ts.SyntaxKind.PlusPlusToken ||
      parent.operator === ts.SyntaxKind.MinusMinusToken;
  }
  if (ts.isDeleteExpression(parent)) return true;
  return (ts.isForOfStatement(parent) || ts.isForInStatement(parent)) &&
    parent.initializer === node;
}

/** Whether an object literal is the left side of a destructuring assignment. */
export function isAssignmentPattern(ts: typeof TS, literal: TS.ObjectLiteralExpression): boolean {
  const { parent } = literal;
  if (ts.isBinaryExpression(parent)) {
    return parent.left === literal && parent.operatorToken.kind === ts.SyntaxKind.EqualsToken;
  }
  return ts.isForOfStatement(parent) && parent.initializer === literal;
}

function inHeritage(ts: typeof TS, node: TS.Node): boolean {
  let top = node;
  while (ts.isPropertyAccessExpression(top.parent)) top = top.parent;
  return ts.isExpressionWithTypeArguments(top.parent) && ts.isHeritageClause(top.parent.parent);
}

/** The meanings of what a declaration declares. */
export function meaningOf(ts: typeof TS, declaration: TS.Declaration): number {
  const { SyntaxKind } = ts;
  switch (declaration.kind) {
    case SyntaxKind.InterfaceDeclaration:
    case SyntaxKind.TypeAliasDeclaration:
    case SyntaxKind.TypeParameter:
    case SyntaxKind.TypeLiteral:
    case SyntaxKind.JSDocTypedefTag:
    case SyntaxKind.JSDocCallbackTag:
    case SyntaxKind.JSDocEnumTag:
      return TYPE;
    case SyntaxKind.ClassDeclaration:
    case SyntaxKind.ClassExpression:
    case SyntaxKind.EnumDeclaration:
    case SyntaxKind.EnumMember:
      return VALUE | TYPE;
    case SyntaxKind.ModuleDeclaration:
      return VALUE | NAMESPACE;
    case SyntaxKind.NamespaceImport:
    case SyntaxKind.NamespaceExport:
    case SyntaxKind.ImportClause:
    case SyntaxKind.ImportSpecifier:
    case SyntaxKind.ExportSpecifier:
    case SyntaxKind.ImportEqualsDeclaration:
    case SyntaxKind.NamespaceExportDeclaration:
    case SyntaxKind.ExportAssignment:
    case SyntaxKind.SourceFile:
      return ANY_MEANING;
    default:
      return VALUE;
  }
}

/** Whether a declaration is a parameter, a type parameter, or a plain variable inside a function body. */
export function isLocal(ts: typeof TS, declaration: TS.Declaration): boolean {
  if (ts.isTypeParameterDeclaration(declaration)) return true;
  if (ts.isParameter(declaration)) {
    return !ts.isParameterPropertyDeclaration(declaration, declaration.parent);
  }
  if (ts.isVariableDeclaration(declaration)) {
    const { initializer } = declaration;
    if (initializer && (ts.isFunctionLike(initializer) || ts.isClassLike(initializer))) {
      return false;
    }
  } else if (!ts.isBindingElement(declaration)) return false;
  for (let node: TS.Node = declaration.parent; !ts.isSourceFile(node); node = node.parent) {
    if (
      ts.isFunctionLike(node) || ts.isCatchClause(node) || ts.isClassStaticBlockDeclaration(node)
    ) return true;
  }
  return false;
}

/** Where the name of a declaration stands; its own start where it has no name. */
export function nameStart(
  ts: typeof TS,
  declaration: TS.Declaration,
  source: TS.SourceFile,
): number | undefined {
  if (ts.isSourceFile(declaration)) return undefined;
  const name = ts.getNameOfDeclaration(declaration);
  return (name ?? declaration).getStart(source);
}
