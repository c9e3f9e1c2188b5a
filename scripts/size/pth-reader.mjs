/**
 * What the reader of `.pth` files adds to who imports `openWeights`, by gzip -9: a bundle of the sources with the
 * reader's files, and one with empty ones in their place. Keys of checkpoints, shards and what is no weight file aren't
 * part of the reader.
 */

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { installPackage } from '../with-package.mjs';

const { build } = createRequire(`${installPackage('scripts/size')}/`)('esbuild');

/** The most bytes. */
const LIMIT = 5000;

/** The reader's files, and what of each the rest imports. */
const READER = {
  crc32: '',
  'little-endian': '',
  pickle: 'export class Opaque {}',
  'pth-fault': 'export const malformed = () => {}, check = malformed',
  'pth-file': 'export const readPthZip = () => {}, readPthLegacy = readPthZip',
  'pth-objects': 'export class TensorRef {}',
  'pth-reader': 'export const pthTensors = () => {}',
  zip: '',
};

/** @param {Readonly<Record<string, string>>} instead contents of files of src/formats */
async function gzipBytes(instead) {
  const plugin = {
    name: 'instead',
    /** @param {any} build */
    setup(build) {
      const filter = new RegExp(`/formats/(${Object.keys(instead).join('|')})\\.ts$`);
      build.onLoad({ filter }, ({ path }) => ({ contents: instead[filter.exec(path)?.[1] ?? ''] }));
    },
  };
  const { outputFiles } = await build({
    stdin: { contents: "export { openWeights } from './src/index.ts'", loader: 'ts', resolveDir: root },
    ...{ bundle: true, minify: true, format: 'esm', target: 'es2022', write: false },
    // As scripts/bundle.mjs has it: a field without a value is a type.
    tsconfigRaw: { compilerOptions: { useDefineForClassFields: false } },
    plugins: Object.keys(instead).length > 0 ? [plugin] : [],
  });
  return gzipSync(outputFiles[0].contents, { level: 9 }).length;
}

const root = fileURLToPath(new URL('../../', import.meta.url));
const bytes = (await gzipBytes({})) - (await gzipBytes(READER));
console.log(`The reader of .pth files adds ${bytes} bytes, of at most ${LIMIT}.`);
if (bytes > LIMIT) process.exitCode = 1;
