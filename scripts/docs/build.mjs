/**
 * Writes the documentation to out/docs: the pages of docs/ by VitePress, and the reference by TypeDoc beside them.
 * Fails where a page links to what isn't there, or an export has no docstring.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installPackage } from '../with-package.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const out = resolve(here, '../../out/docs');

/** Runs a command of this folder's package. @param {string} command @param {...string} args @throws {Error} */
function run(command, ...args) {
  const { status } = spawnSync(process.execPath, [join(here, 'node_modules', command), ...args], {
    cwd: here,
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error(`docs: ${command} failed`);
}

installPackage('scripts/docs');
run('vitepress/bin/vitepress.js', 'build', '.');
run('typedoc/bin/typedoc', '--options', join(here, 'typedoc.json'));

const pages = readdirSync(out).filter((name) => name.endsWith('.html'));
const lost = pages.flatMap((page) =>
  [...readFileSync(join(out, page), 'utf8').matchAll(/href="(\/reference\/[^"#]*)/g)]
    .map(([, link]) => /** @type {string} */ (link))
    .filter((link) => !existsSync(join(out, link)))
    .map((link) => `${page}: ${link}`),
);
if (lost.length > 0) throw new Error(`docs: expected links to pages that there are, got ${lost.join(', ')}`);
