/**
 * Which globals of the runtime a file uses, however it reaches them: by name, through `globalThis` and its aliases, by a
 * cast that describes them, or by destructuring.
 *
 * @module
 */
import ts from "typescript";
import { type Code, isDynamicImport, walk } from "./code.ts";

/**
 * A use of a global: `["process"]`, `["Date", "now"]`, `["Date", "new()"]` for `new Date()` without arguments,
 * `["Date", "(type)"]` where only the type is named.
 */
export interface GlobalUse {
  readonly node: ts.Node;
  /** The global and, where it is known, the member used. */
  readonly path: readonly [string, ...string[]];
}

/** Something that hides from these rules what a file uses. */
export interface Evasion {
  readonly node: ts.Node;
  /** The global concerned, or the construct. */
  readonly name: string;
  readonly message: string;
}

/** What {@linkcode globalsOf} finds. */
export interface Globals {
  readonly uses: GlobalUse[];
  readonly evasions: Evasion[];
}

const GLOBAL_OBJECTS = new Set(["globalThis", "self", "window", "global"]);
/** What hands out members that no reader can follow, where it is used otherwise than `Name.member`. */
const CONTAINERS = new Set([
  ...GLOBAL_OBJECTS,
  "Math",
  "Date",
  "crypto",
  "Bun",
  "Deno",
  "process",
  "performance",
]);

/** Finds the uses of globals in one file. */
export function globalsOf(code: Code, file: ts.SourceFile): Globals {
  const trail = new Trail(code);
  walk(file, (node) => {
    if (isDynamicImport(node) && !ts.isStringLiteralLike(node.arguments[0] ?? node)) {
      trail.evasions.push({ node, name: "import()", message: "import() must name its module by a literal" });
    }
    const name = referenceName(code, node);
    if (!name) return;
    if (isTypePosition(node as ts.Identifier)) return void trail.uses.push({ node, path: [name, "(type)"] });
    if (name === "eval" || name === "Function") {
      trail.evasions.push({ node, name, message: `${name} hides what a file uses` });
    }
    trail.follow(node as ts.Identifier, GLOBAL_OBJECTS.has(name) ? [] : [name]);
  });
  return trail;
}

/** The name of a reference to a global; undefined for anything else. */
function referenceName(code: Code, node: ts.Node): string | undefined {
  if (!ts.isIdentifier(node) || isMemberName(node)) return undefined;
  const symbol = ts.isShorthandPropertyAssignment(node.parent)
    ? code.checker.getShorthandAssignmentValueSymbol(node.parent)
    : code.checker.getSymbolAtLocation(node);
  return symbol?.declarations?.length ? undefined : node.text;
}

/** Whether an identifier names a member, a property or a label, rather than a variable. */
function isMemberName(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node;
  if (ts.isQualifiedName(parent)) return parent.right === node;
  if (ts.isBindingElement(parent)) return parent.propertyName === node || parent.name === node;
  if (ts.isLabeledStatement(parent) || ts.isBreakOrContinueStatement(parent) || ts.isMetaProperty(parent)) {
    return true;
  }
  if (ts.isImportSpecifier(parent) || ts.isExportSpecifier(parent) || ts.isNamespaceExport(parent)) {
    return true;
  }
  if (ts.isShorthandPropertyAssignment(parent)) return false;
  return "name" in parent && parent.name === node;
}

/**
 * Whether an identifier stands in a type, which is gone at run time. `typeof x` in a type is one too, but it names the
 * global that a cast is about, and so counts as a reference.
 */
function isTypePosition(node: ts.Identifier): boolean {
  for (let at: ts.Node = node; !ts.isStatement(at) && at.parent; at = at.parent) {
    if (ts.isTypeQueryNode(at)) return false;
    if (ts.isExpressionWithTypeArguments(at)) {
      return !ts.isHeritageClause(at.parent) || isImplements(at.parent);
    }
    if (ts.isTypeNode(at)) return true;
    if (ts.isExpression(at) && at !== node) return false;
  }
  return false;
}

function isImplements(clause: ts.HeritageClause): boolean {
  return clause.token === ts.SyntaxKind.ImplementsKeyword || ts.isInterfaceDeclaration(clause.parent);
}

/** A global's name and member, or nothing for the global object itself. */
type Path = readonly string[];

/** Follows globals to what is done with them. */
class Trail implements Globals {
  readonly uses: GlobalUse[] = [];
  readonly evasions: Evasion[] = [];
  readonly #checker: ts.TypeChecker;

  constructor(code: Code) {
    this.#checker = code.checker;
  }

  /** Records what is done with an expression that stands for a global, or for the global object (an empty path). */
  follow(start: ts.Expression, path: Path): void {
    const node = climb(start, (type) => {
      if (path.length === 0) {
        for (const name of this.#members(type)) this.uses.push({ node: type, path: [name] });
      }
    });
    const { parent } = node;
    if (ts.isPropertyAccessExpression(parent) && parent.expression === node) {
      return this.#step(parent, path, parent.name.text);
    }
    if (ts.isElementAccessExpression(parent) && parent.expression === node) {
      const key = parent.argumentExpression;
      if (ts.isStringLiteralLike(key)) return this.#step(parent, path, key.text);
    }
    if (ts.isVariableDeclaration(parent) && parent.initializer === node) return this.#variable(parent, path);
    const known = plainUse(node);
    this.#use(start, path, known);
    const name = path[0] ?? "globalThis";
    if (known === undefined && path.length <= 1 && CONTAINERS.has(name)) {
      this.evasions.push({
        node: start,
        name,
        message: `${name} is handed on as a value: use its members by name`,
      });
    }
  }

  #use(node: ts.Node, path: Path, member?: string): void {
    const [name, ...rest] = member ? [...path, member] : path;
    if (name !== undefined) this.uses.push({ node, path: [name, ...rest] });
  }

  /** Goes on to a member. */
  #step(access: ts.Expression, path: Path, member: string): void {
    if (path.length > 0) this.#use(access, path, member);
    else this.follow(access, GLOBAL_OBJECTS.has(member) ? [] : [member]);
  }

  /** Follows `const x = <global>` to every use of `x`, and `const { a } = <global>` to what it takes. */
  #variable(declaration: ts.VariableDeclaration, path: Path): void {
    if (ts.isIdentifier(declaration.name)) {
      this.#use(declaration, path);
      return this.#alias(declaration.name, path);
    }
    for (const element of declaration.name.elements) {
      if (ts.isOmittedExpression(element)) continue;
      const key = element.propertyName ?? element.name;
      if (!element.dotDotDotToken && "text" in key) {
        this.#use(element, path, key.text);
      } else {
        const name = path[0] ?? "globalThis";
        this.evasions.push({
          node: element,
          name,
          message: `${name} is taken apart by names that are not literal`,
        });
      }
    }
  }

  #alias(name: ts.Identifier, path: Path): void {
    const symbol = this.#checker.getSymbolAtLocation(name);
    walk(name.getSourceFile(), (node) => {
      if (!ts.isIdentifier(node) || node === name || isMemberName(node)) return;
      if (this.#checker.getSymbolAtLocation(node) === symbol) this.follow(node, path);
    });
  }

  /** The members that a cast of the global object claims for it. */
  #members(type: ts.TypeNode): string[] {
    return this.#checker.getTypeFromTypeNode(type).getProperties().map((property) => property.name);
  }
}

/**
 * A use that takes no member: `""` for `typeof x` and `x instanceof Date`, `"new()"`, `"()"`; undefined for any other,
 * which hands the global on.
 */
function plainUse(node: ts.Expression): string | undefined {
  const { parent } = node;
  if (ts.isTypeOfExpression(parent) || ts.isTypeQueryNode(parent)) return "";
  if (ts.isBinaryExpression(parent) && parent.operatorToken.kind === ts.SyntaxKind.InstanceOfKeyword) {
    return "";
  }
  if (ts.isNewExpression(parent) && parent.expression === node) {
    return parent.arguments?.length ? "" : "new()";
  }
  if (ts.isCallExpression(parent) && parent.expression === node) return "()";
  return undefined;
}

/** Climbs over parentheses, casts, `!` and `satisfies`. */
function climb(start: ts.Expression, onCast: (type: ts.TypeNode) => void): ts.Expression {
  let node = start;
  for (;;) {
    const { parent } = node;
    if (
      ts.isAsExpression(parent) || ts.isSatisfiesExpression(parent) || ts.isTypeAssertionExpression(parent)
    ) {
      onCast(parent.type);
    } else if (!ts.isParenthesizedExpression(parent) && !ts.isNonNullExpression(parent)) {
      return node;
    }
    node = parent;
  }
}
