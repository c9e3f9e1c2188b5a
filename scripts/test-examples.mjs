/**
 * Runs the tests of the examples that are packages of their own, which it installs first, and those of the packed command
 * line: `npm run test:examples [-- FOLDER …]`, where `cli` names the command line.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { installPackage } from './with-package.mjs';

const all = readdirSync('examples').filter((name) => existsSync(join('examples', name, 'package-lock.json')));
const asked = process.argv.slice(2);
let failed = false;
for (const name of asked.length > 0 ? asked : [...all, 'cli']) {
  const folder = name === 'cli' ? join('test', 'cli') : join(installPackage(join('examples', name)), 'test');
  const files = readdirSync(folder).filter((file) => file.endsWith('.test.mjs'));
  const args = ['--test', '--test-reporter=spec', '--test-concurrency=1', ...files.map((file) => join(folder, file))];
  failed = spawnSync(process.execPath, args, { stdio: 'inherit' }).status !== 0 || failed;
}
process.exit(failed ? 1 : 0);
