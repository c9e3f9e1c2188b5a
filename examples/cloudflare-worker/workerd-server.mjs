/**
 * Bundles the worker as a deployment does and serves it by workerd, Cloudflare's runtime, on 127.0.0.1. As a program
 * (`npm run serve`): the digits network on port 8787.
 */

import { spawn, spawnSync } from 'node:child_process';
import { closeSync, cpSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, extname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import workerd from 'workerd';

const here = dirname(fileURLToPath(import.meta.url));

/**
 * An isolate of Cloudflare's has 128 MB, workerd itself no limit: 100 MiB for each WebAssembly memory, and for
 * JavaScript's old objects what then is left. Where they may be many, V8 hardly ever collects them, and what workerd
 * holds for each in its own memory piles up.
 */
const ISOLATE_FLAGS = ['--wasm-max-mem-pages=1600', '--max-old-space-size=24'];

/** The worker's module unless another one is given. */
const ENTRY = join(here, 'workerd.mjs');

const SCRIPT = 'worker.js';

/** What workerd calls the kinds of modules. */
const MODULES = { '.js': 'esModule', '.wasm': 'wasm', '.safetensors': 'data' };

/**
 * Bundles a module for workerd into a folder: the script, and beside it the WebAssembly and data modules that it
 * imports.
 *
 * @param {string} entry
 * @param {string} folder
 * @param {string} weights what `./weights.safetensors` stands for
 */
async function bundle(entry, folder, weights) {
  await build({
    entryPoints: [entry],
    outfile: join(folder, SCRIPT),
    bundle: true,
    format: 'esm',
    minify: true,
    conditions: ['workerd', 'worker'],
    logLevel: 'warning',
    plugins: [
      {
        name: 'modules',
        setup(plugin) {
          plugin.onResolve({ filter: /\.safetensors$/ }, ({ path }) => {
            cpSync(weights, join(folder, basename(path)));
            return { path: `./${basename(path)}`, external: true };
          });
          plugin.onResolve({ filter: /\.wasm(\?module)?$/ }, async ({ path, resolveDir, pluginData }) => {
            if (pluginData === 'inner') return undefined;
            const file = await plugin.resolve(path.replace('?module', ''), {
              resolveDir,
              kind: 'import-statement',
              pluginData: 'inner',
            });
            if (file.errors.length > 0) return { errors: file.errors };
            cpSync(file.path, join(folder, basename(file.path)));
            return { path: `./${basename(file.path)}`, external: true };
          });
        },
      },
    ],
  });
}

/**
 * Starts workerd with an isolate's limits, and resolves once it listens.
 *
 * @param {object} options
 * @param {string} options.weights the weight file
 * @param {string} [options.model] a name of models.mjs
 * @param {number} [options.port] a free one unless given
 * @param {string} [options.entry] the worker's module
 * @param {boolean} [options.inspects] whether V8's inspector listens, too
 * @returns {Promise<{ url: string, inspector: string, pid: number | undefined, exited: Promise<void>, stop():
 *   Promise<void> }>}
 */
export async function startWorkerd({ weights, model = 'digits', port = 0, entry = ENTRY, inspects = false }) {
  const folder = mkdtempSync(join(tmpdir(), 'layertap-worker-'));
  await bundle(entry, folder, weights);
  // The first module is the Worker itself.
  const files = [SCRIPT, ...readdirSync(folder).filter((name) => extname(name) in MODULES && name !== SCRIPT)];
  const modules = files.map((name) => `(name = "${name}", ${MODULES[extname(name)]} = embed "${name}")`);
  cpSync(weights, join(folder, 'assets/weights.safetensors'));
  const flags = ISOLATE_FLAGS.map((flag) => JSON.stringify(flag));
  writeFileSync(
    join(folder, 'config.capnp'),
    `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  v8Flags = [${flags.join(', ')}],
  services = [
    (name = "main", worker = (
      compatibilityDate = "2026-11-01",
      modules = [${modules.join(', ')}],
      bindings = [(name = "MODEL", text = "${model}"), (name = "WEIGHTS", service = "assets")],
    )),
    (name = "assets", disk = (path = ${JSON.stringify(join(folder, 'assets'))})),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
`,
  );
  // Reading a text that embeds large weights takes workerd seconds.
  const config = join(folder, 'config.bin');
  const compiled = openSync(config, 'w');
  const { status } = spawnSync(workerd.default, ['compile', join(folder, 'config.capnp'), '--config-only'], {
    stdio: ['ignore', compiled, 'inherit'],
  });
  closeSync(compiled);
  if (status !== 0) throw new Error(`workerd compile ended with ${status}`);
  const inspection = inspects ? ['--inspector-addr=127.0.0.1:0'] : [];
  const child = spawn(workerd.default, ['serve', '--binary', config, '--control-fd=3', ...inspection], {
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
  });
  /** @type {Promise<void>} */
  const exited = new Promise((done) => {
    child.once('exit', () => {
      rmSync(folder, { recursive: true, force: true });
      done();
    });
  });
  const ports = new Map();
  /** @type {Promise<void>} */
  const listening = new Promise((done, fail) => {
    createInterface({ input: /** @type {import('node:stream').Readable} */ (child.stdio[3]) }).on('line', (line) => {
      const message = JSON.parse(line);
      ports.set(message.event, message.port);
      if (ports.has('listen') && (ports.has('listen-inspector') || !inspects)) done();
    });
    child.once('exit', (code) => fail(new Error(`workerd ended with ${code}`)));
  });
  async function stop() {
    // A debugger that is connected keeps workerd from ending otherwise.
    child.kill(inspects ? 'SIGKILL' : 'SIGTERM');
    await exited;
  }
  await listening;
  const [url, inspector] = ['listen', 'listen-inspector'].map((event) => `http://127.0.0.1:${ports.get(event)}`);
  return { url, inspector, pid: child.pid, exited, stop };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const worker = await startWorkerd({ weights: join(here, 'digits/weights.safetensors'), port: 8787 });
  console.log(`the digits network on ${worker.url}; try:\n`);
  console.log(
    `  curl -H 'content-type: image/png' --data-binary @${join(here, 'test/scene.png')} ${worker.url}/mask -o mask.png`,
  );
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void worker.stop());
  await worker.exited;
}
