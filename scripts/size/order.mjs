/**
 * Looks for an order of the sources in the chunks that gzip likes, and writes it to ../order.json, which bundle.mjs
 * goes by: `npm run order -- SECONDS`. gzip looks back 32 kB, which is a third of what a getter ships. So what is alike
 * should lie close together.
 *
 * The search goes on from the order that there is. It moves some neighbours elsewhere, and keeps what makes none of two
 * bundles larger: the ResNet-18 getter, and all models. What a file imports stays before it, as modules are run. A
 * source that the order doesn't name is put before the first that imports it, so the order may be out of date.
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire, SourceMap } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import ts from 'typescript';
import { installPackage } from '../with-package.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const ORDER = join(root, 'scripts/order.json');
const esbuild = createRequire(join(installPackage('scripts/size'), 'package.json'))('esbuild');

/** What is bundled. Without the binaries' text, which is first in all of them. */
const BUNDLES = [
  "export { IntermediateLayerGetter, loadSafetensors, resnet18 } from './dist/index.edge-light.js'",
  "export * from './dist/models/registry.edge-light.js'",
];

/** What a bundle has of each source, minified. @param {string} contents @returns {Promise<Map<string, string>>} */
async function piecesOf(contents) {
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
  const map = new SourceMap(JSON.parse(textOf('.js.map')));
  const pieces = new Map();
  for (const [row, line] of textOf('.js').split('\n').entries()) {
    for (const [column, character] of [...line, '\n'].entries()) {
      const entry = map.findEntry(row, column);
      const source = 'originalSource' in entry ? entry.originalSource.replace(/^.*\/src\//, 'src/') : '';
      pieces.set(source, (pieces.get(source) ?? '') + character);
    }
  }
  return pieces;
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

const bundles = await Promise.all(BUNDLES.map(piecesOf));
const there = new Set(bundles.flatMap((pieces) => [...pieces.keys()]).filter((file) => file.startsWith('src/')));
/** What has to lie before each source: what it imports, and for those that depend on the binaries, all others. */
const before = new Map([...there].map((file) => [file, allImportsOf(file)]));
const varying = 'src/wasm/modules.ts';
const isTwin = (/** @type {string} */ file) => file.startsWith('src/wasm/modules.') || before.get(file)?.has(varying);
const others = [...there].filter((file) => !isTwin(file));
for (const [file, files] of before) if (isTwin(file)) for (const other of others) files.add(other);

/** How many bytes a bundle has after gzip. @param {Map<string, string>} pieces @param {readonly string[]} order */
const sizeOf = (pieces, order) =>
  gzipSync([...order, ''].map((file) => pieces.get(file) ?? '').join(''), { level: 9 }).length;

/** Those of `files` in their order, but each after what has to lie before it. @param {Iterable<string>} files */
function sorted(files) {
  const done = new Set();
  const add = (/** @type {string} */ file) => {
    if (done.has(file) || !there.has(file)) return;
    for (const earlier of before.get(file) ?? []) add(earlier);
    done.add(file);
  };
  for (const file of files) add(file);
  return [...done];
}

const draw = (/** @type {number} */ count) => Math.floor(Math.random() * count);

/** An order with some neighbours elsewhere, where they may be. @param {readonly string[]} order */
function changed(order) {
  const rest = [...order];
  const moved = rest.splice(draw(rest.length), 1 + draw(6));
  const first = rest.findLastIndex((file) => moved.some((one) => before.get(one)?.has(file))) + 1;
  const end = rest.findIndex((file) => moved.some((one) => before.get(file)?.has(one)));
  const at = first + draw((end < 0 ? rest.length : end) - first + 1);
  return [...rest.slice(0, at), ...moved, ...rest.slice(at)];
}

let order = sorted([...JSON.parse(readFileSync(ORDER, 'utf8')), ...there]);
let sizes = bundles.map((pieces) => sizeOf(pieces, order));
process.stdout.write(`${sizes} bytes before\n`);
const end = Date.now() + Number(process.argv[2] ?? 60) * 1000;
while (Date.now() < end) {
  const candidate = changed(order);
  const candidateSizes = [];
  for (const [i, pieces] of bundles.entries()) {
    candidateSizes.push(sizeOf(pieces, candidate));
    if (candidateSizes[i] > sizes[i]) break;
  }
  if (candidateSizes.some((size, i) => size > sizes[i])) continue;
  [order, sizes] = [candidate, candidateSizes];
}
process.stdout.write(`${sizes} bytes after\n`);
const named = order.filter((file) => !file.startsWith('src/wasm/modules.'));
writeFileSync(ORDER, `${JSON.stringify(named, null, 2)}\n`);
