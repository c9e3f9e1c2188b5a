/** Each example is complete in itself: what two of them need is there twice, and the same. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

const COPIES: readonly (readonly [file: string, copies: readonly string[]])[] = [
  [
    'network.mjs',
    ['batch', 'cloudflare-worker', 'nextjs-edge', 'similar'].map((example) => `${example}/digits/network.mjs`),
  ],
  [
    'weights.safetensors',
    ['batch', 'browser', 'cloudflare-worker', 'nextjs-edge', 'similar'].map(
      (example) => `${example}/digits/weights.safetensors`,
    ),
  ],
  ['scene.png', ['browser', 'cloudflare-worker', 'nextjs-edge'].map((example) => `${example}/test/scene.png`)],
  ['golden.safetensors', ['cloudflare-worker/test/golden.safetensors']],
];

it.each(COPIES)("%s is the digits example's in the others, too", (file, copies) => {
  const original = readFileSync(join('examples/digits', file));
  for (const copy of copies) expect(readFileSync(join('examples', copy)).equals(original), copy).toBe(true);
});

it("network.mjs is the digits example's in the page, too, but for where a page finds the package", () => {
  const original = readFileSync('examples/digits/network.mjs', 'utf8');
  const inPage = original.replace("from 'layertap'", "from '../node_modules/layertap/dist/index.js'");
  expect(readFileSync('examples/browser/digits/network.mjs', 'utf8')).toBe(inPage);
  expect(inPage).not.toBe(original);
});

const commandLine = JSON.parse(readFileSync('cli/package.json', 'utf8'));

describe.each(readdirSync('examples'))('examples/%s', (name) => {
  const folder = join('examples', name);
  const { dependencies = {}, devDependencies = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(?:mjs|js|jsx)$/.test(file) && !/node_modules|\.next/.test(file))
    .map((file) => join(folder, file));

  it('imports from its own folder and from what it depends on, and nothing else', () => {
    for (const file of sources) {
      const specifiers = [...readFileSync(file, 'utf8').matchAll(/(?:from|import|import\() ?'([^']+)'/g)];
      for (const [, written = ''] of specifiers) {
        // A page imports what it depends on by its files.
        const specifier = written.replace(/^\.{1,2}\/node_modules\//, '');
        // Weights that a reader puts there.
        if (specifier.startsWith('node:') || specifier === './weights.safetensors') continue;
        if (specifier.startsWith('.')) {
          const target = join(dirname(file), specifier);
          expect(relative(folder, target).startsWith('..'), `${file} imports ${specifier}`).toBe(false);
          expect(existsSync(target), `${file} imports ${specifier}`).toBe(true);
          continue;
        }
        const own = specifier
          .split('/')
          .slice(0, specifier.startsWith('@') ? 2 : 1)
          .join('/');
        expect(Object.keys({ ...dependencies, ...devDependencies }), `${file} imports ${specifier}`).toContain(own);
      }
    }
  });

  it('depends on layertap as on any other package, in its lock file too', () => {
    expect(dependencies).toHaveProperty('layertap', '0.1.0');
    const { packages } = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8'));
    expect(packages['']).toEqual({
      name: expect.any(String),
      dependencies,
      ...(packages[''].devDependencies && { devDependencies }),
    });
    expect(packages['node_modules/layertap'].version).toBe('0.1.0');
    const cli = packages['node_modules/layertap-cli'];
    expect(cli?.dependencies).toEqual(dependencies['layertap-cli'] && commandLine.dependencies);
  });
});
