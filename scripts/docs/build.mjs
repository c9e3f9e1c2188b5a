/**
 * Writes the documentation to out/docs: the pages of docs/ by VitePress, and the reference of all entries by TypeDoc.
 * Fails where a page, or one of the reference, links to what isn't there, or an export has no docstring.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installPackage } from '../with-package.mjs';
import { entriesOf } from './entries.mjs';

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
const entries = entriesOf(JSON.parse(readFileSync(resolve(here, '../../package.json'), 'utf8')));
const points = [...entries.values()].flatMap((file) => ['--entryPoints', file]);
run('typedoc/bin/typedoc', '--options', join(here, 'typedoc.json'), ...points);

/** Every page's links to other pages of the site: those of the pages to the reference, and those within it. */
const pages = readdirSync(out, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.html'));
const lost = pages.flatMap((page) =>
  [...readFileSync(join(out, page), 'utf8').matchAll(/<a\b[^>]*? href="([^"#?]+)/g)]
    .map(([, link]) => /** @type {string} */ (link))
    .filter((link) => !/^[a-z]+:/.test(link))
    .filter((link) => !isThere(link.startsWith('/') ? join(out, link) : resolve(out, dirname(page), link)))
    .map((link) => `${page}: ${link}`),
);
if (lost.length > 0) throw new Error(`docs: expected links to pages that there are, got ${lost.join(', ')}`);

/** Whether there is such a page; hosts add `.html` and `index.html`. @param {string} path */
function isThere(path) {
  return [path, `${path}.html`, join(path, 'index.html')].some((file) => existsSync(file));
}
