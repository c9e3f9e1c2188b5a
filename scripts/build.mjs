/**
 * Builds what is stale: assembly/ → build/*.wasm, from them and the sources src/wasm/*.gen.ts, then src/ → dist/
 * (bundle.mjs says how). `--force` builds all. Not by wireit: it would tell what is stale, and do nothing else here.
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
import { bundle, copyTypes } from './bundle.mjs';
import { kernelBindings } from './kernel-bindings.mjs';
import { shortNames } from './short-names.mjs';
import { joined, streamsOf } from './streams.mjs';
import { textOf } from './text.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);
const force = process.argv.includes('--force');
/** The binaries that ship, and their names in the package. */
const shipped = { simd: 'dist/kernels.wasm', relaxed: 'dist/kernels.relaxed.wasm', both: 'dist/kernels.both.wasm' };

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
const binaries = [...targets, 'simd', 'both'].map((target) => `build/${target}.wasm`);
const generated = ['kernels', 'steps', 'binaries'].map((name) => `src/wasm/${name}.gen.ts`);

if (
  isStale(
    [...binaries, ...generated],
    [
      ...kernelSources,
      'asconfig.json',
      'package.json',
      self,
      'src/wasm/streams.ts',
      ...['bodies', 'both', 'fused', 'kernel-bindings', 'locals', 'shrink', 'streams', 'text'].map(
        (name) => `scripts/${name}.mjs`,
      ),
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
  run('scripts/shrink.mjs', 'build/relaxed.wasm');
  run('scripts/locals.mjs', 'build/relaxed.wasm');
  run('scripts/fused.mjs', 'build/relaxed.wasm');
  const streams = streamsOf(readFileSync('build/relaxed.wasm'));
  const { size } = statSync('build/relaxed.wasm');
  writeFileSync('build/simd.wasm', joined(streams, size, false));
  run('scripts/both.mjs', 'build/simd.wasm', 'build/relaxed.wasm', 'build/both.wasm');
  for (const name of ['simd', 'relaxed']) label(name);
  const bindings = kernelBindings(kernelSources, version, self);
  for (const [name, text] of Object.entries(bindings)) writeFileSync(`src/wasm/${name}`, text);
  writeFileSync('src/wasm/binaries.gen.ts', inlined(streams, size));
}

/** Declarations of all sources; those that users get are copied. */
const types = 'build/types';
/** Entries with types, by their path in dist/. */
const typed = [
  ...['index', 'models/registry', 'hub/index', 'weights/index', 'threads/index', 'node/index', 'tools/index'],
  'wasm/relaxed',
];

const entries = [...typed.map((name) => `dist/${name}.js`), 'dist/index.d.ts', ...Object.values(shipped)];
const bundlers = ['bundle.mjs', 'order.json', 'pure.mjs', 'short-names.mjs', 'statements.mjs'].map(
  (name) => `scripts/${name}`,
);
const sources = filesIn('src');
if (isStale(entries, [...sources, 'bench/internals.mjs', 'tsconfig.json', self, ...bundlers])) {
  for (const folder of ['dist', types]) rmSync(folder, { recursive: true, force: true });
  run(createRequire(import.meta.url).resolve('typescript/bin/tsc'), '-p', 'tsconfig.json', '--outDir', types);
  const benches = filesIn('bench').filter((file) => file.endsWith('.mjs') && !file.includes('node_modules'));
  const declarations = typed.map((name) => `${types}/${name}.d.ts`);
  await bundle(sources, shortNames(sources, declarations, benches));
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

/**
 * The streams of both binaries as text, so that importing the package needs neither a file nor a URL.
 *
 * @param {readonly Buffer[]} streams @param {number} size
 */
function inlined(streams, size) {
  return `// Generated by ${self} from build/. Do not edit.

/** Bytes of either binary. */
export const SIZE = ${size};

/** The streams of both binaries, as text. */
export const streams: readonly string[] = [
${streams.map((stream) => `  ${JSON.stringify(textOf(stream))},`).join('\n')}
];
`;
}
