/**
 * The packages as a user gets them: both tarballs installed into an empty folder outside of the repository, where every
 * command of the READMEs is run. Needs the npm registry, for what the command line depends on; so `npm run
 * test:examples` runs it.
 */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, it } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const tarballs = mkdtempSync(join(tmpdir(), 'layertap-packed-'));
const user = mkdtempSync(join(tmpdir(), 'layertap-user-'));
const installed = (/** @type {string[]} */ ...path) => join(user, 'node_modules', ...path);

/**
 * Runs a command line and returns what it printed.
 *
 * @param {string} line
 * @param {{ cwd?: string, env?: Record<string, string> }} [options]
 */
function run(line, { cwd = user, env = {} } = {}) {
  const options = { cwd, env: { ...process.env, ...env }, shell: true, encoding: /** @type {const} */ ('utf8') };
  const { status, stdout, stderr } = spawnSync(line, options);
  assert.equal(status, 0, `${line} ended with ${status}:\n${stdout}${stderr}`);
  return { stdout, stderr };
}

/** @param {string} page */
function commandsOf(page) {
  const lines = readFileSync(page, 'utf8').replaceAll(/\\\n\s*/g, '');
  return [...lines.matchAll(/^ {4}(npx layertap-cli .*)$/gm)].map(([, command]) => command);
}

/**
 * Weights of a whole model, of the size that torch's initialisation has.
 *
 * @param {import('layertap')} layertap
 * @param {import('layertap').Module<any>} model
 */
function weightsOf({ saveSafetensors, Tensor }, model) {
  let state = 1;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  };
  const tensors = [...model.stateShapes()].filter(([key]) => !key.endsWith('num_batches_tracked'));
  return saveSafetensors(
    tensors.map(([key, shape]) => {
      const [outputs, ...rest] = shape;
      const inputs = rest.reduce((a, b) => a * b, 1);
      const isScale = rest.length === 0 && /(weight|running_var)$/.test(key);
      const bound = Math.sqrt(3 / inputs);
      const data = Float32Array.from({ length: outputs * inputs }, () => (isScale ? 1 : random() * bound));
      return [key, new Tensor(data, shape)];
    }),
  );
}

before(async () => {
  for (const folder of ['.', 'cli']) run(`npm pack --pack-destination "${tarballs}"`, { cwd: join(root, folder) });
  const files = readdirSync(tarballs).map((file) => `"${join(tarballs, file)}"`);
  assert.equal(files.length, 2);
  const { stderr } = run(`npm install --no-audit --no-fund ${files.join(' ')}`);
  // Such as npm's warning of scripts that an installation would have to run.
  assert.doesNotMatch(stderr, /layertap/);

  const layertap = await import(pathToFileURL(installed('layertap', 'dist', 'index.js')).href);
  writeFileSync(join(user, 'resnet50.safetensors'), weightsOf(layertap, layertap.resnet50()));
  writeFileSync(join(user, 'deeplab.safetensors'), weightsOf(layertap, layertap.deeplabv3_resnet50()));
  const sharp = createRequire(installed('layertap-cli', 'package.json'))('sharp');
  const pixels = Uint8Array.from({ length: 64 * 48 * 3 }, (_, i) => (i * i * 37) % 251);
  mkdirSync(join(user, 'photos'));
  for (const name of ['photo.jpg', 'photos/a.jpg', 'photos/b.jpg']) {
    await sharp(pixels, { raw: { width: 64, height: 48, channels: 3 } }).toFile(join(user, name));
  }
});

after(() => {
  for (const folder of [tarballs, user]) rmSync(folder, { recursive: true });
});

it('the command line is installed with the core that was packed, not with one of its own', () => {
  assert.ok(!existsSync(installed('layertap-cli', 'node_modules', 'layertap')));
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const manifest = JSON.parse(readFileSync(installed('layertap-cli', 'package.json'), 'utf8'));
  assert.equal(manifest.version, version);
  assert.equal(manifest.dependencies.layertap, version);
});

it('both packages say where they come from, and under which licence', () => {
  const licence = readFileSync(join(root, 'LICENSE'), 'utf8');
  for (const name of ['layertap', 'layertap-cli']) {
    const { repository, bugs, homepage } = JSON.parse(readFileSync(installed(name, 'package.json'), 'utf8'));
    assert.equal(repository.url, 'git+https://github.com/layertap/layertap.git');
    assert.match(bugs, /^https:\/\/github\.com\/layertap\/layertap\//);
    assert.match(homepage, /^https:\/\/github\.com\/layertap\/layertap/);
    assert.equal(readFileSync(installed(name, 'LICENSE'), 'utf8'), licence);
  }
});

it('every command of the READMEs runs, and fetches nothing', () => {
  // Weights by name are fetched: test/cli/weights.test.ts serves them.
  const commands = ['layertap', 'layertap-cli']
    .flatMap((name) => commandsOf(installed(name, 'README.md')))
    .filter((command) => !command.includes('_Weights.'));
  assert.deepEqual(
    new Set(commands.map((command) => command.split(' ')[2])),
    new Set(['extract', 'classify', 'embed', 'similar', 'segment', 'convert', 'inspect', 'models', 'weights']),
  );
  // Both pages show some of the same.
  for (const command of new Set(commands)) {
    const { stdout, stderr } = run(command, { env: { npm_config_offline: 'true' } });
    assert.equal(stderr, '', command);
    assert.notEqual(stdout, '', command);
  }
  const written = readdirSync(user).filter(
    (name) => !['node_modules', 'package.json', 'package-lock.json'].includes(name),
  );
  assert.deepEqual(written.sort(), [
    'c3.safetensors',
    'deeplab.safetensors',
    'e.safetensors',
    'features',
    'features.safetensors',
    'maps',
    'mask.png',
    'photo.jpg',
    'photos',
    'resnet50.safetensors',
  ]);
  assert.deepEqual(readdirSync(join(user, 'maps')).sort(), [
    'aux-overlay.png',
    'aux.png',
    'contact-sheet.png',
    'out-overlay.png',
    'out.png',
  ]);
  assert.deepEqual(readdirSync(join(user, 'features')).sort(), ['a.jpg.npy', 'b.jpg.npy']);
});

it('the installed command is called layertap', () => {
  const { stdout } = run('npx layertap --version', { env: { npm_config_offline: 'true' } });
  assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
});
