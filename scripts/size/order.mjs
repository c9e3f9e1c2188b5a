/**
 * Looks for an order of what lies in the chunks that gzip likes, and writes it to ../order.json, which bundle.mjs goes
 * by:
 *
 *     npm run order -- sources 600 && npm run order -- statements 600
 *
 * gzip looks back 32 kB, which is a third of what a getter ships. So what is alike should lie close together. The first
 * command orders whole sources, each after those that it imports, as modules are run. The second one puts functions
 * elsewhere, which may lie anywhere in their chunk. A search goes on from the order that there is, for so many seconds.
 * It moves some neighbours, and keeps what makes none of two bundles larger: the ResNet-18 getter, and all models. What
 * the order doesn't name stays where bundles have it, so the order may be out of date.
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire, SourceMap } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import ts from 'typescript';
import { arranged, blocksOf, declaredBy } from '../statements.mjs';
import { installPackage } from '../with-package.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const ORDER = join(root, 'scripts/order.json');
const esbuild = createRequire(join(installPackage('scripts/size'), 'package.json'))('esbuild');

/** What is bundled. */
const BUNDLES = [
  "export { IntermediateLayerGetter, loadSafetensors, resnet18 } from './dist/index.js'",
  "export * from './dist/models/registry.js'",
];

/**
 * @typedef {object} Statement what a bundle has of one, minified
 * @property {string} name what it declares in the sources, the last of several
 * @property {string} source the file
 * @property {boolean} isFunction
 * @property {boolean} isVariable
 * @property {string} text
 */

/** @param {string} contents @returns {Promise<Statement[]>} */
async function statementsOf(contents) {
  const { outputFiles } = await esbuild.build({
    stdin: { contents, resolveDir: root },
    bundle: true,
    format: 'esm',
    minify: true,
    sourcemap: 'external',
    write: false,
    outdir: 'dist',
    absWorkingDir: root,
    loader: { '.wasm': 'copy' },
  });
  const textOf = (/** @type {string} */ end) => outputFiles.find(({ path }) => path.endsWith(end)).text;
  const payload = JSON.parse(textOf('.js.map'));
  const map = new SourceMap(payload);
  const lines = new Map(payload.sources.map((source, i) => [source, payload.sourcesContent[i].split('\n')]));
  const code = ts.createSourceFile('bundle.js', textOf('.js'), ts.ScriptTarget.ES2022, true);
  // A bundler joins variables that follow each other, so each is one by itself.
  /** @type {(ts.Statement | ts.VariableDeclaration)[]} */
  const parts = [];
  for (const statement of code.statements) {
    if (ts.isVariableStatement(statement)) parts.push(...statement.declarationList.declarations);
    else parts.push(statement);
  }
  return parts.map((part) => {
    const { line, character } = code.getLineAndCharacterOfPosition((declaredBy(part) ?? part).getStart());
    const entry = map.findEntry(line, character);
    const { originalSource: path = '', originalLine = 0, originalColumn = 0 } = 'originalSource' in entry ? entry : {};
    return {
      name: /^[\w$]*/.exec((lines.get(path)?.[originalLine] ?? '').slice(originalColumn))?.[0] ?? '',
      source: path.replace(/^.*\/src\//, 'src/'),
      isFunction: ts.isFunctionDeclaration(part),
      isVariable: ts.isVariableDeclaration(part),
      text: part.getText(),
    };
  });
}

/** The sources that a source imports, types aside. @param {string} file @returns {string[]} */
function importsOf(file) {
  if (!existsSync(join(root, file))) return [];
  const source = ts.createSourceFile(file, readFileSync(join(root, file), 'utf8'), ts.ScriptTarget.ES2022);
  const isOfValues = (/** @type {ts.NamedImportBindings | ts.NamedExportBindings | undefined} */ names) =>
    !names || !('elements' in names) || names.elements.some(({ isTypeOnly }) => !isTypeOnly);
  return source.statements.flatMap((statement) => {
    const isImport = ts.isImportDeclaration(statement);
    if (!isImport && !ts.isExportDeclaration(statement)) return [];
    const [clause, names] = isImport
      ? [statement.importClause, statement.importClause?.namedBindings]
      : [statement, statement.exportClause];
    if (clause?.isTypeOnly || !isOfValues(names) || !statement.moduleSpecifier) return [];
    const { text } = /** @type {ts.StringLiteral} */ (statement.moduleSpecifier);
    return text.startsWith('.') ? [relative(root, resolve(root, dirname(file), text))] : [];
  });
}

/** All that a source imports, by way of others too. @param {string} file @param {Set<string>} found */
function allImportsOf(file, found = new Set()) {
  for (const imported of importsOf(file)) {
    if (found.has(imported)) continue;
    found.add(imported);
    allImportsOf(imported, found);
  }
  return found;
}

const bundles = await Promise.all(BUNDLES.map(statementsOf));
const order = JSON.parse(readFileSync(ORDER, 'utf8'));

/** @param {readonly Statement[]} statements */
function sizeOf(statements) {
  const texts = statements.map(({ text, isVariable }, i) => {
    if (!isVariable) return text;
    const joined = statements[i - 1]?.isVariable ? `,${text}` : `var ${text}`;
    return statements[i + 1]?.isVariable ? joined : `${joined};`;
  });
  // Names are given by how often they stand where, so another order has others: a search for the order of given names
  // finds what these names have in common by chance.
  const { code } = esbuild.transformSync(texts.join(''), { format: 'esm', minify: true });
  return gzipSync(code, { level: 9 }).length;
}

/** Files of which each condition has its own. */
const VARYING = /^src\/wasm\/modules\./;

const draw = (/** @type {number} */ count) => Math.floor(Math.random() * count);

/**
 * The best order that is found in time.
 *
 * @param {readonly string[]} start @param {(order: readonly string[]) => readonly string[]} change a similar order
 * @param {(statements: readonly Statement[], order: readonly string[]) => readonly Statement[]} arrange
 */
function best(start, change, arrange) {
  const sizesOf = (/** @type {readonly string[]} */ names) => bundles.map((bundle) => sizeOf(arrange(bundle, names)));
  let [names, sizes] = [start, sizesOf(start)];
  process.stdout.write(`${sizes} bytes before\n`);
  const end = Date.now() + Number(process.argv[3] ?? 60) * 1000;
  while (Date.now() < end) {
    const candidate = change(names);
    // The second bundle is the larger one, and seldom has to be looked at.
    if (sizeOf(arrange(bundles[0], candidate)) > sizes[0]) continue;
    const candidateSizes = sizesOf(candidate);
    if (candidateSizes.every((size, i) => size <= sizes[i])) [names, sizes] = [candidate, candidateSizes];
  }
  process.stdout.write(`${sizes} bytes after\n`);
  return names;
}

/** Sources in a better order. @returns {readonly string[]} */
function orderedSources() {
  const there = new Set(bundles.flat().flatMap(({ source }) => (source.startsWith('src/') ? source : [])));
  /** What has to lie before each source: what it imports, and for those that depend on the binaries, all others. */
  const before = new Map([...there].map((file) => [file, allImportsOf(file)]));
  const isTwin = (/** @type {string} */ file) => [file, ...(before.get(file) ?? [])].some((one) => VARYING.test(one));
  const others = [...there].filter((file) => !isTwin(file));
  for (const [file, files] of before) if (isTwin(file)) for (const other of others) files.add(other);
  /** @type {Set<string>} */
  const start = new Set();
  const add = (/** @type {string} */ file) => {
    if (start.has(file) || !there.has(file)) return;
    for (const earlier of before.get(file) ?? []) add(earlier);
    start.add(file);
  };
  for (const file of [...order.sources, ...there]) add(file);
  const change = (/** @type {readonly string[]} */ files) => {
    const rest = [...files];
    const moved = rest.splice(draw(rest.length), 1 + draw(6));
    const first = rest.findLastIndex((file) => moved.some((one) => before.get(one)?.has(file))) + 1;
    const end = rest.findIndex((file) => moved.some((one) => before.get(file)?.has(one)));
    const at = first + draw((end < 0 ? rest.length : end) - first + 1);
    return [...rest.slice(0, at), ...moved, ...rest.slice(at)];
  };
  const found = best([...start], change, (statements, files) => {
    const places = new Map(files.map((file, i) => [file, i]));
    const placeOf = (/** @type {Statement} */ { source }) => places.get(source) ?? files.length;
    return [...statements].sort((a, b) => placeOf(a) - placeOf(b));
  });
  return found.filter((file) => !VARYING.test(file));
}

/** Statements with the functions of the first bundle in a better order. @returns {readonly string[]} */
function orderedStatements() {
  const blocks = ['common', 'main'].map((name) => blocksOf(readFileSync(join(root, `dist/chunks/${name}.js`), 'utf8')));
  const chunks = blocks.map((all) => all.flatMap(({ name }) => name || []));
  const chunkOf = new Map(chunks.flatMap((names, chunk) => names.map((name) => [name, chunk])));
  const functions = bundles[0].flatMap(({ name, isFunction }) => (isFunction && chunkOf.has(name) ? name : []));
  const any = () => functions[draw(functions.length)];
  const change = (/** @type {readonly string[]} */ names) => {
    const rest = [...names];
    const at = rest.indexOf(any());
    const chunk = chunkOf.get(rest[at]);
    const run = names.slice(at, at + 1 + draw(3));
    const end = run.findIndex((name) => !functions.includes(name) || chunkOf.get(name) !== chunk);
    const moved = rest.splice(at, end < 0 ? run.length : end);
    const to = rest.indexOf(any());
    if (to < 0 || chunkOf.get(rest[to]) !== chunk) return names;
    rest.splice(to + draw(2), 0, ...moved);
    return rest;
  };
  /** Statements as they lie in a bundle of the chunks, which has less than these. */
  const arrange = (/** @type {readonly Statement[]} */ statements, /** @type {readonly string[]} */ names) => {
    const places = new Map(blocks.flatMap((all) => arranged(all, names)).map(({ name }, place) => [name, place]));
    let last = -1;
    const placed = statements.map((statement) => {
      last = places.get(statement.name) ?? last;
      return { statement, place: last };
    });
    return placed.sort((a, b) => a.place - b.place).map(({ statement }) => statement);
  };
  return best([...new Set(chunks.flat())], change, arrange);
}

const found = process.argv[2] === 'statements' ? { statements: orderedStatements() } : { sources: orderedSources() };
writeFileSync(ORDER, `${JSON.stringify({ ...order, ...found }, null, 2)}\n`);
