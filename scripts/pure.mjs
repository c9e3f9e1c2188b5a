/**
 * Says to bundlers that what a file computes while it loads may be left out where nothing uses it. As files of their
 * own modules are left out whole, by `sideEffects` in package.json; as parts of one module each of their values has to
 * say it.
 */

import ts from 'typescript';

/** Whether a statement only says what something is. */
const isDeclaration = (/** @type {ts.Statement} */ statement) =>
  ts.isImportDeclaration(statement) ||
  ts.isExportDeclaration(statement) ||
  ts.isFunctionDeclaration(statement) ||
  ts.isInterfaceDeclaration(statement) ||
  ts.isTypeAliasDeclaration(statement) ||
  ts.isModuleDeclaration(statement);

const PURE = '/* @__PURE__ */ ';

/** Code that bundlers don't leave out by themselves: it may call something, or run a getter. */
const isComputed = (/** @type {ts.Node} */ node) =>
  ts.isCallExpression(node) ||
  ts.isNewExpression(node) ||
  ts.isTaggedTemplateExpression(node) ||
  ts.isTemplateExpression(node) ||
  ts.isPropertyAccessExpression(node) ||
  ts.isElementAccessExpression(node) ||
  ts.isSpreadElement(node) ||
  ts.isSpreadAssignment(node);

/** Whether a value computes something at once, rather than in a function that is called later. */
const computes = (/** @type {ts.Node} */ node) =>
  isComputed(node) || (!ts.isFunctionLike(node) && (ts.forEachChild(node, computes) ?? false));

/**
 * The calls that a value is made of, arguments of others included; null where it computes something else as well.
 * @returns {ts.Node[] | null}
 */
function callsIn(/** @type {ts.Node} */ value) {
  // Not in TypeScript's own types, though it is exported.
  const node = /** @type {any} */ (ts).skipOuterExpressions(value);
  if (!computes(node)) return [];
  // An object or a list of such values: bundlers look into it.
  const parts = ts.isObjectLiteralExpression(node)
    ? node.properties.map((property) => (ts.isPropertyAssignment(property) ? property.initializer : property))
    : ts.isArrayLiteralExpression(node)
      ? [...node.elements]
      : null;
  if (parts) {
    const inner = parts.filter(computes).map(callsIn);
    return inner.every((calls) => calls !== null) ? inner.flat() : null;
  }
  if (!ts.isCallExpression(node) && !ts.isNewExpression(node)) return null;
  /** @type {(ts.Node[] | null)[]} */
  const inner = (node.arguments ?? []).map(callsIn);
  return inner.every((calls) => calls !== null) ? [node, ...inner.flat()] : null;
}

/** What a value of numbers alone is, as `64 * 2 ** 20`; undefined for others. @returns {number | undefined} */
function numberOf(/** @type {ts.Node} */ node) {
  if (ts.isNumericLiteral(node)) return Number(node.text);
  if (!ts.isBinaryExpression(node)) return undefined;
  const [a, b] = [numberOf(node.left), numberOf(node.right)];
  if (a === undefined || b === undefined) return undefined;
  const results = new Map([
    [ts.SyntaxKind.AsteriskAsteriskToken, a ** b],
    [ts.SyntaxKind.AsteriskToken, a * b],
    [ts.SyntaxKind.SlashToken, a / b],
    [ts.SyntaxKind.PlusToken, a + b],
    [ts.SyntaxKind.MinusToken, a - b],
    [ts.SyntaxKind.LessThanLessThanToken, a << b],
  ]);
  return results.get(node.operatorToken.kind);
}

/**
 * TypeScript with each value of a top-level constant marked as pure where it computes something: a call as it is, else
 * in a function that is called. Powers of numbers are computed here, since bundlers take `**` for something that may
 * throw, as it does for a number and a bigint. No line moves.
 *
 * @param {string} text @param {string} file its name, for errors
 * @returns {string}
 * @throws {Error} where a statement does something while the file loads, as a class with a static field does: it is
 *   assigned
 */
export function marked(text, file) {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true);
  /** @type {[at: number, inserted: string, end?: number][]} */
  const insertions = [];
  const fold = (/** @type {ts.Node} */ node) => {
    const value = ts.isBinaryExpression(node) ? numberOf(node) : undefined;
    if (value !== undefined && Number.isSafeInteger(value)) insertions.push([node.getStart(), String(value), node.end]);
    else if (!ts.isFunctionLike(node)) ts.forEachChild(node, fold);
  };
  const mark = (/** @type {ts.Expression | undefined} */ value) => {
    if (!value || ts.isClassExpression(value) || !computes(value)) return;
    const calls = callsIn(value);
    for (const call of calls ?? []) insertions.push([call.getStart(), PURE]);
    if (!calls) insertions.push([value.getStart(), `${PURE}(() => (`], [value.getEnd(), '))()']);
  };
  for (const statement of source.statements) {
    if (ts.isExportAssignment(statement)) {
      mark(statement.expression);
    } else if (ts.isVariableStatement(statement)) {
      for (const { initializer } of statement.declarationList.declarations) {
        mark(initializer);
        if (initializer) fold(initializer);
      }
    } else if (ts.isClassDeclaration(statement)) {
      for (const member of statement.members) {
        const isStatic =
          ts.isPropertyDeclaration(member) &&
          member.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.StaticKeyword);
        if (isStatic && member.initializer)
          throw new Error(`${file}: expected a static getter, got the static field ${member.name.getText()}`);
      }
    } else if (!isDeclaration(statement)) {
      throw new Error(
        `${file}: expected nothing to be done while a file loads, got ${statement.getText().slice(0, 80)}`,
      );
    }
  }
  let result = '';
  let copied = 0;
  for (const [at, inserted, end = at] of insertions.sort(([a], [b]) => a - b)) {
    result += text.slice(copied, at) + inserted;
    copied = end;
  }
  return result + text.slice(copied);
}
