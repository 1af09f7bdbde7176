/**
 * Parsed source files, as the architecture's rules look at them.
 *
 * The compiler parses and binds the files without any library, so a name that it cannot resolve is a global: strings,
 * comments, members and local variables of the same name are told apart from it.
 *
 * @module
 */
import { posix } from "node:path";
import ts from "typescript";

/** Source texts by their path from the repository's root. */
export type Sources = ReadonlyMap<string, string>;

/** Something that breaks a rule. */
export interface Violation {
  /** Path from the repository's root. */
  readonly file: string;
  /** Line, from 1. */
  readonly line: number;
  /** What is wrong and what to do instead. */
  readonly message: string;
}

/** One import or re-export. */
export interface Import {
  /** As written. */
  readonly specifier: string;
  /** Path from the root where the specifier is relative, else undefined. */
  readonly target: string | undefined;
  /** Whether it is gone when types are stripped. */
  readonly typeOnly: boolean;
  /** The names imported, as the other module calls them; `"*"` for everything. */
  readonly names: readonly string[];
  readonly line: number;
}

/** All parsed files. */
export interface Code {
  readonly files: ReadonlyMap<string, ts.SourceFile>;
  readonly checker: ts.TypeChecker;
}

/** Parses the sources together. */
export function parse(sources: Sources): Code {
  const files = new Map([...sources].map(([path, text]) => [
    path,
    ts.createSourceFile("/" + path, text, { languageVersion: ts.ScriptTarget.ESNext }, true),
  ]));
  const host: ts.CompilerHost = {
    getSourceFile: (name) => files.get(name.slice(1)),
    getDefaultLibFileName: () => "lib.d.ts",
    getCurrentDirectory: () => "/",
    getCanonicalFileName: (name) => name,
    getNewLine: () => "\n",
    useCaseSensitiveFileNames: () => true,
    fileExists: (name) => files.has(name.slice(1)),
    readFile: (name) => sources.get(name.slice(1)),
    writeFile: () => {},
  };
  const options = { noLib: true, noResolve: true, types: [], moduleDetection: ts.ModuleDetectionKind.Force };
  const program = ts.createProgram([...files.keys()].map((path) => "/" + path), options, host);
  return { files, checker: program.getTypeChecker() };
}

/** The line of a node, from 1. */
export function lineOf(node: ts.Node): number {
  return node.getSourceFile().getLineAndCharacterOfPosition(node.getStart()).line + 1;
}

/** The path of a node's file from the root. */
export function pathOf(node: ts.Node): string {
  return node.getSourceFile().fileName.slice(1);
}

/** Makes a violation at a node. */
export function violation(node: ts.Node, message: string): Violation {
  return { file: pathOf(node), line: lineOf(node), message };
}

/** Calls `visit` for every node of a tree. */
export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

/** Everything that a file imports: declarations, re-exports, `import()` of a literal, and `import("…")` types. */
export function importsOf(file: ts.SourceFile): Import[] {
  const found: Import[] = [];
  walk(file, (node) => {
    const specifier = specifierOf(node);
    if (!specifier) return;
    found.push({
      specifier: specifier.text,
      target: resolve(pathOf(node), specifier.text),
      typeOnly: isTypeOnly(node),
      names: namesOf(node),
      line: lineOf(node),
    });
  });
  return found;
}

function specifierOf(node: ts.Node): ts.StringLiteralLike | undefined {
  let expression: ts.Node | undefined;
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) expression = node.moduleSpecifier;
  else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
    expression = node.argument.literal;
  } else if (isDynamicImport(node)) expression = node.arguments[0];
  return expression && ts.isStringLiteralLike(expression) ? expression : undefined;
}

/** Whether a node is `import(…)`. */
export function isDynamicImport(node: ts.Node): node is ts.CallExpression {
  return ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword;
}

function isTypeOnly(node: ts.Node): boolean {
  if (ts.isImportTypeNode(node)) return true;
  if (ts.isExportDeclaration(node)) return node.isTypeOnly || allTypes(node.exportClause);
  if (!ts.isImportDeclaration(node)) return false;
  const clause = node.importClause;
  return clause !== undefined && (clause.isTypeOnly || (!clause.name && allTypes(clause.namedBindings)));
}

function allTypes(clause: ts.NamedImportBindings | ts.NamedExportBindings | undefined): boolean {
  if (!clause || (!ts.isNamedImports(clause) && !ts.isNamedExports(clause))) return false;
  return clause.elements.length > 0 && clause.elements.every((element) => element.isTypeOnly);
}

function namesOf(node: ts.Node): string[] {
  const clause = ts.isImportDeclaration(node)
    ? node.importClause?.namedBindings
    : ts.isExportDeclaration(node)
    ? node.exportClause
    : undefined;
  const named = clause && (ts.isNamedImports(clause) || ts.isNamedExports(clause))
    ? clause.elements.map((element) => (element.propertyName ?? element.name).text)
    : ["*"];
  return ts.isImportDeclaration(node) && node.importClause?.name ? ["default", ...named] : named;
}

function resolve(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith(".")) return undefined;
  return posix.normalize(posix.join(posix.dirname(from), specifier));
}
