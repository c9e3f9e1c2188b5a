/**
 * Gives properties that are nobody's business outside of the package short names in dist/. A bundler shortens names of
 * variables by itself, but can't know of a property who else reads it.
 *
 * A property is internal where all of its declarations are in {@link FOLDERS}, and neither a type that an entry exports
 * nor a type of the host has one of that name. A name that stands in a string is left as it is, since somebody may read
 * the property by it: kernels, states, options.
 */

import { readFileSync } from 'node:fs';
import ts from 'typescript';

/** Folders of src/ whose properties are internal unless told otherwise. */
const FOLDERS = /^src\/(features|graph|nn|ops|plan|tensor|wasm)\//;

/** Those with classes that users extend. Their names begin with a `$`, as no user's own properties do. */
const EXTENDED = /^src\/(features|nn)\//;

/** Folders that read such properties. In others a property of that name is another one, as of a server's answer. */
const READERS = /^src\/(features|graph|models|nn|ops|plan|tensor|threads|wasm)\//;

/** Whose types are internal, though types of users mention them, unless an entry exports them by name. */
const INNER = /\/(graph|ops|plan|wasm)\/[^/]*(\/[^/]*)?\.d\.ts$/;

/** The binaries' exports, which have the names that they have. */
const KERNELS = 'src/wasm/kernels.gen.ts';

/** Where kernels' arguments are named by strings, all names in one. */
const STEPS = 'src/wasm/steps.gen.ts';

/** What declares a property of a type. */
const isMember = (/** @type {ts.Node} */ node) =>
  ts.isPropertySignature(node) ||
  ts.isPropertyDeclaration(node) ||
  ts.isMethodSignature(node) ||
  ts.isMethodDeclaration(node) ||
  ts.isAccessor(node);

/** @param {ts.Node} node @param {(node: ts.Node) => void} visit */
function walk(node, visit) {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

/** The name that a node declares, uses or is; undefined where it isn't one. @param {any} node */
const nameOf = (node) => {
  const name = ts.isPropertyAccessExpression(node) || isNamed(node) ? node.name : undefined;
  return name && ts.isIdentifier(name) ? name : undefined;
};

const isNamed = (/** @type {ts.Node} */ node) =>
  isMember(node) || ts.isPropertyAssignment(node) || ts.isShorthandPropertyAssignment(node);

/** @param {string} file @param {string} [text] */
const parsed = (file, text = readFileSync(file, 'utf8')) =>
  ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true);

/**
 * The names that properties of users' types have, and those of the host's. Users' types are what the entries export,
 * what those extend, and what they mention outside of {@link INNER}.
 *
 * @param {readonly string[]} declarations the entries' types
 */
function publicNames(declarations) {
  const program = ts.createProgram([...declarations], {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'],
    types: [],
    allowImportingTsExtensions: true,
    noEmit: true,
  });
  const checker = program.getTypeChecker();
  /** @type {Set<string>} */
  const names = new Set();
  const addName = (/** @type {any} */ { name }) => name && ts.isIdentifier(name) && names.add(name.text);
  for (const file of program.getSourceFiles()) if (program.isSourceFileDefaultLibrary(file)) walk(file, addName);
  /** @type {Set<ts.Node>} */
  const reached = new Set();
  const reach = (/** @type {ts.Symbol | undefined} */ symbol, isMentioned = false) => {
    if (symbol && symbol.flags & ts.SymbolFlags.Alias) symbol = checker.getAliasedSymbol(symbol);
    for (const declaration of symbol?.declarations ?? []) {
      const file = declaration.getSourceFile();
      if (program.isSourceFileDefaultLibrary(file) || (isMentioned && INNER.test(file.fileName))) continue;
      reached.add(declaration);
    }
  };
  for (const declaration of declarations) {
    const file = /** @type {ts.Node} */ (program.getSourceFile(declaration));
    const module = /** @type {ts.Symbol} */ (checker.getSymbolAtLocation(file));
    for (const exported of checker.getExportsOfModule(module)) reach(exported);
  }
  for (const declaration of reached) {
    walk(declaration, (node) => {
      addName(node);
      if (!ts.isIdentifier(node)) return;
      const isExtended = ts.isExpressionWithTypeArguments(node.parent);
      reach(checker.getSymbolAtLocation(node), !isExtended);
    });
  }
  return names;
}

/**
 * The short names of internal properties.
 *
 * @param {readonly string[]} sources all files of src/
 * @param {readonly string[]} declarations the entries' types
 * @param {readonly string[]} readers other files that read properties of dist/
 * @returns {ReadonlyMap<string, string>}
 */
export function shortNames(sources, declarations, readers) {
  const taken = publicNames(declarations);
  /** How often a property is named. @type {Map<string, number>} */
  const counts = new Map();
  const internal = new Set();
  const extended = new Set();
  for (const source of sources) {
    walk(parsed(source), (node) => {
      const name = nameOf(node)?.text;
      if (name) {
        counts.set(name, (counts.get(name) ?? 0) + 1);
        if (isMember(node)) (FOLDERS.test(source) && source !== KERNELS ? internal : taken).add(name);
        if (!READERS.test(source)) taken.add(name);
        if (EXTENDED.test(source) && isMember(node)) extended.add(name);
      }
      if (ts.isStringLiteralLike(node)) taken.add(node.text);
    });
  }
  for (const reader of readers)
    walk(parsed(reader), (node) => {
      if (ts.isIdentifier(node)) taken.add(node.text);
    });
  const countOf = (/** @type {string} */ name) => counts.get(name) ?? 0;
  const long = [...internal].filter((name) => name.length > 2 && !taken.has(name));
  long.sort((a, b) => countOf(b) - countOf(a) || (a < b ? -1 : 1));
  const free = shortest((name) => !taken.has(name) && !counts.has(name));
  return new Map(long.map((name) => [name, (extended.has(name) ? '$' : '') + free.next().value]));
}

/** Names of one letter, then of two. @param {(name: string) => boolean} isFree @returns {Generator<string>} */
function* shortest(isFree) {
  const letters = [...'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'];
  for (const head of ['', ...letters]) for (const last of letters) if (isFree(head + last)) yield head + last;
}

/**
 * TypeScript with short names. No line moves.
 *
 * @param {string} text @param {string} file @param {ReadonlyMap<string, string>} names
 */
export function shortened(text, file, names) {
  /** @type {[at: number, end: number, inserted: string][]} */
  const edits = [];
  walk(parsed(file, text), (node) => {
    if (ts.isBindingElement(node) && ts.isObjectBindingPattern(node.parent) && !node.dotDotDotToken) {
      const name = /** @type {ts.Identifier} */ (node.propertyName ?? node.name);
      const short = names.get(name.text);
      if (short)
        edits.push([
          name.getStart(),
          node.propertyName ? name.end : name.getStart(),
          short + (node.propertyName ? '' : ': '),
        ]);
      return;
    }
    const name = nameOf(node);
    const short = name && names.get(name.text);
    if (short && ts.isShorthandPropertyAssignment(node)) edits.push([name.getStart(), name.getStart(), `${short}: `]);
    else if (short) edits.push([name.getStart(), name.end, short]);
    if (file === STEPS && ts.isStringLiteral(node)) {
      const words = node.text.split(' ').map((word) => names.get(word) ?? word);
      edits.push([node.getStart(), node.end, `'${words.join(' ')}'`]);
    }
  });
  let result = '';
  let copied = 0;
  for (const [at, end, inserted] of edits.sort(([a], [b]) => a - b)) {
    result += text.slice(copied, at) + inserted;
    copied = end;
  }
  return result + text.slice(copied);
}
