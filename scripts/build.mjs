/**
 * Builds what is stale: assembly/ → build/*.wasm, from them and the sources src/wasm/*.gen.ts, then src/ → dist/ (bundle.mjs says how).
 * `--force` builds all.
 */

import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';
import ts from 'typescript';
import { bundle, copyTypes } from './bundle.mjs';
import { differenceOf, fused } from './difference.mjs';
import { textOf } from './text.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);
const force = process.argv.includes('--force');
/** The binaries that ship, and their names in the package. */
const shipped = { simd: 'dist/kernels.wasm', relaxed: 'dist/kernels.relaxed.wasm' };

const targets = Object.keys(JSON.parse(readFileSync('asconfig.json', 'utf8')).targets);
const { version } = JSON.parse(readFileSync('package.json', 'utf8'));

/** @param {string} folder @returns {string[]} */
const filesIn = (folder) =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? filesIn(join(folder, entry.name)) : [join(folder, entry.name)],
  );

/** @param {string[]} outputs @param {string[]} inputs */
const isStale = (outputs, inputs) => {
  if (force || !outputs.every(existsSync)) return true;
  const built = Math.min(...outputs.map((file) => statSync(file).mtimeMs));
  return inputs.some((file) => statSync(file).mtimeMs > built);
};

const self = 'scripts/build.mjs';
const kernelSources = filesIn('assembly').filter((file) => file.endsWith('.ts'));
const binaries = targets.map((target) => `build/${target}.wasm`);
const generated = ['src/wasm/kernels.gen.ts', 'src/wasm/binaries.gen.ts'];

if (
  isStale(
    [...binaries, ...generated],
    [
      ...kernelSources,
      'asconfig.json',
      'package.json',
      self,
      ...['difference', 'shrink', 'text'].map((name) => `scripts/${name}.mjs`),
    ],
  )
) {
  mkdirSync('build', { recursive: true });
  for (const target of targets) {
    const { error, stderr } = await asc.main(['--target', target]);
    if (error) {
      process.stderr.write(stderr.toString());
      process.exit(1);
    }
  }
  run('scripts/shrink.mjs', ...Object.keys(shipped).map((target) => `build/${target}.wasm`));
  targets.forEach(label);
  writeFileSync(generated[0], kernelTypes());
  writeFileSync(generated[1], inlinedBinaries());
}

/** Declarations of all sources; those that users get are copied. */
const types = 'build/types';
/** Entries with types, by their path in dist/. */
const typed = ['index', 'threads/index', 'node/index', 'wasm/relaxed'];

const entries = [...typed.map((name) => `dist/${name}.js`), 'dist/index.d.ts', ...Object.values(shipped)];
const bundlers = ['bundle', 'pure'].map((name) => `scripts/${name}.mjs`);
const sources = filesIn('src');
if (isStale(entries, [...sources, 'bench/internals.mjs', 'tsconfig.json', self, ...bundlers])) {
  for (const folder of ['dist', types]) rmSync(folder, { recursive: true, force: true });
  run(createRequire(import.meta.url).resolve('typescript/bin/tsc'), '-p', 'tsconfig.json', '--outDir', types);
  await bundle(sources);
  copyTypes(
    types,
    typed.map((name) => `${name}.d.ts`),
  );
  for (const [target, file] of Object.entries(shipped)) copyFileSync(`build/${target}.wasm`, file);
}

/** Runs a script in a process of its own. */
function run(/** @type {string[]} */ ...args) {
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

/** Appends a custom section `layertap` to a binary that says what it is, so that setModule can tell. */
function label(/** @type {string} */ target) {
  const file = `build/${target}.wasm`;
  const string = (/** @type {string} */ text) => [text.length, ...Buffer.from(text)];
  const content = [...string('layertap'), ...Buffer.from(`${version} ${target}`)];
  writeFileSync(file, Buffer.concat([readFileSync(file), Buffer.from([0, content.length, ...content])]));
}

/** The type of a binary's exports, with the kernels' own docstrings, from assembly/'s exported functions. */
function kernelTypes() {
  const members = [];
  for (const file of kernelSources.sort()) {
    const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022, true);
    for (const node of source.statements) {
      const exported =
        ts.isFunctionDeclaration(node) && node.modifiers?.some((m) => m.kind === ts.SyntaxKind.ExportKeyword);
      if (!exported || !node.name?.text.startsWith('f32_')) continue;
      const parameters = node.parameters.map((p) => `${p.name.getText()}: number`).join(', ');
      const docs = ts.getJSDocCommentsAndTags(node).map((doc) => doc.getText());
      const result = node.type?.getText() === 'void' ? 'void' : 'number';
      members.push(`${docs.join('\n')}\n${node.name.text}(${parameters}): ${result};`);
    }
  }
  const body = members.join('\n').replace(/^/gm, '  ');
  return `// Generated by ${self} from assembly/. Do not edit.\n\n/** The package's version, which the binaries are labelled with. */\nexport const VERSION = '${version}';\n\n/** What a kernel binary exports. */\nexport interface Kernels {\n  readonly memory: WebAssembly.Memory;\n${body}\n}\n`;
}

/**
 * The two binaries that ship, as text, so that importing the package needs neither a file nor a URL: one of them as it is, the other
 * as its difference.
 */
function inlinedBinaries() {
  const [simd, relaxed] = ['simd', 'relaxed'].map((name) => readFileSync(`build/${name}.wasm`));
  const difference = differenceOf(fused(simd), relaxed);
  return `// Generated by ${self} from build/. Do not edit.

/** The simd binary as text; ${simd.length} bytes. */
export const simd: string =
  ${JSON.stringify(textOf(simd))};

/** What makes the relaxed binary of it, with its products and sums fused, as text; ${difference.length} bytes for ${relaxed.length}. */
export const relaxedDifference: string =
  ${JSON.stringify(textOf(difference))};

/** Bytes of the relaxed binary. */
export const relaxedBytes = ${relaxed.length};
`;
}
