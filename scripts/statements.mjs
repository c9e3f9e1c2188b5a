/**
 * Puts the functions of a chunk into an order that compresses well. gzip looks back 32 kB, a third of what a getter
 * ships, so what is alike should lie close together. A function may lie anywhere. Classes and constants stay in their
 * order, since a class has to come after the one that it extends.
 */

import { decode, encode } from '@jridgewell/sourcemap-codec';
import ts from 'typescript';

/**
 * @typedef {object} Block lines of a chunk with a statement
 * @property {string} name what it declares, the last of several
 * @property {boolean} isFunction
 * @property {number} first its first line, with comments before it
 * @property {number} end the line after it
 */

/**
 * The name of what a statement declares, the last of several; undefined for others.
 *
 * @param {ts.Statement | ts.VariableDeclaration} statement @returns {ts.Identifier | undefined}
 */
export function declaredBy(statement) {
  const declaration = ts.isVariableStatement(statement) ? statement.declarationList.declarations.at(-1) : statement;
  const { name } = /** @type {any} */ (declaration);
  return name && ts.isIdentifier(name) ? name : undefined;
}

/** A chunk's lines by statements, numbers behind names left out. @param {string} code @returns {Block[]} */
export function blocksOf(code) {
  const source = ts.createSourceFile('chunk.js', code, ts.ScriptTarget.ES2022);
  /** @type {Block[]} */
  const blocks = [];
  let first = 0;
  for (const statement of source.statements) {
    const end = source.getLineAndCharacterOfPosition(statement.end).line + 1;
    const isFunction = ts.isFunctionDeclaration(statement);
    // Statements of one line stay together.
    if (end === first) blocks[blocks.length - 1].isFunction = false;
    else blocks.push({ name: declaredBy(statement)?.text.replace(/\$\d+$/, '') ?? '', isFunction, first, end });
    first = end;
  }
  return blocks;
}

/**
 * Functions where `order` says: after the class or constant before them there. Those that it has before all of these,
 * or doesn't name, stay where they are.
 *
 * @template {{ name: string, isFunction: boolean }} T
 * @param {readonly T[]} statements @param {readonly string[]} order names of statements
 * @returns {T[]}
 */
export function arranged(statements, order) {
  const fixed = new Set(statements.filter(({ isFunction }) => !isFunction).map(({ name }) => name));
  /** What each function goes behind, and its place among all. @type {Map<string, { anchor: string, place: number }>} */
  const places = new Map();
  let anchor = '';
  for (const [place, name] of order.entries()) {
    if (fixed.has(name)) anchor = name;
    else if (anchor !== '') places.set(name, { anchor, place });
  }
  const isMoved = (/** @type {T} */ { name, isFunction }) => isFunction && places.has(name);
  const placeOf = (/** @type {T} */ { name }) => places.get(name)?.place ?? 0;
  /** @type {Map<string, T[]>} */
  const followers = new Map();
  for (const statement of statements.filter(isMoved)) {
    const anchor = places.get(statement.name)?.anchor ?? '';
    followers.set(anchor, [...(followers.get(anchor) ?? []), statement]);
  }
  return statements.flatMap((statement) => {
    if (isMoved(statement)) return [];
    const behind = statement.isFunction ? [] : (followers.get(statement.name) ?? []);
    // Once, should two statements have one name.
    if (behind.length > 0) followers.delete(statement.name);
    return [statement, ...behind.sort((a, b) => placeOf(a) - placeOf(b))];
  });
}

/**
 * A chunk with its functions where `order` says, and its source map's mappings.
 *
 * @param {string} code @param {string} mappings @param {readonly string[]} order
 */
export function rearranged(code, mappings, order) {
  const blocks = blocksOf(code);
  const lines = code.split('\n');
  const mapped = decode(mappings);
  const rest = { first: blocks.at(-1)?.end ?? 0, end: lines.length };
  const numbers = [...arranged(blocks, order), rest].flatMap(({ first, end }) =>
    Array.from({ length: end - first }, (_, i) => first + i),
  );
  return {
    code: numbers.map((i) => lines[i]).join('\n'),
    mappings: encode(numbers.map((i) => mapped[i] ?? [])),
  };
}
