/**
 * The benchmarks: `npm run bench [-- SUITE …] [options]`. Each suite is a file in suites/, each runtime a file in peers/.
 *
 *     --models A,B   models by torchvision's names, and those of models.mjs; resnet50 unless given
 *     --peers A,B    runtimes to compare with; tfjs-wasm unless given
 *     --node 20,24   Node versions; the running one unless given
 *     --rounds N     processes of each runtime; --runs N samples of each process
 *     --cpu N        the CPU that all measured processes share; the last one unless given
 *     --json FILE    writes the rows
 *
 * Ends with 1 where a bound doesn't hold. Times on a shared machine are noisy, so bounds are on ratios of times in one run.
 */

import { readdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { installPackage } from '../scripts/with-package.mjs';
import { enginesOf } from './engines.mjs';
import { modelOf } from './models.mjs';
import { commit, holds, machine, markdown } from './report.mjs';

/**
 * What a suite is given. `models` is null where none was named.
 *
 * @typedef {{
 *   engines: import('./engines.mjs').Engine[], models: string[] | null, peers: string[],
 *   rounds: number, runs: number, cpu: number, log(text: string): void,
 * }} Context
 */

const ALL = ['models', 'getter', 'kernels', 'memory'];

/** @param {string} folder @returns {string[]} */
const filesOf = (folder) =>
  readdirSync(new URL(folder, import.meta.url))
    .filter((file) => file.endsWith('.mjs'))
    .map((file) => file.slice(0, -'.mjs'.length));

/** @returns {{ suites: string[], json: string | undefined, context: Context }} @throws {Error} for a wrong argument */
function readArguments() {
  const text = /** @type {const} */ ({ type: 'string' });
  const options = { models: text, peers: text, node: text, rounds: text, runs: text, cpu: text, json: text };
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const suites = positionals.length > 0 ? positionals : ALL;
  const peers = values.peers?.split(',').filter(Boolean) ?? ['tfjs-wasm'];
  const models = values.models?.split(',') ?? null;
  for (const [what, folder, names] of /** @type {const} */ ([
    ['suite', 'suites/', suites],
    ['peer', 'peers/', peers],
  ])) {
    const known = filesOf(folder);
    const unknown = names.filter((name) => !known.includes(name));
    if (unknown.length > 0)
      throw new RangeError(`bench: expected a ${what} of ${known.join(', ')}, got ${unknown.join(', ')}`);
  }
  for (const name of models ?? []) modelOf(name);
  const [rounds, runs, cpu] = /** @type {const} */ (['rounds', 'runs', 'cpu']).map((name) => {
    const value = Number(values[name] ?? { rounds: 2, runs: 15, cpu: availableParallelism() - 1 }[name]);
    if (!Number.isSafeInteger(value) || value < (name === 'cpu' ? 0 : 1)) {
      throw new RangeError(`bench: expected a whole number for --${name}, got "${values[name]}"`);
    }
    return value;
  });
  const log = (/** @type {string} */ line) => void process.stderr.write(`${line} …\n`);
  return {
    suites,
    json: values.json,
    context: { engines: enginesOf(values.node), models, peers, rounds, runs, cpu, log },
  };
}

/** @type {ReturnType<typeof readArguments>} */
let given;
try {
  given = readArguments();
} catch (error) {
  process.stderr.write(`${/** @type {Error} */ (error).message}\n`);
  process.exit(2);
}
const { suites, json, context } = given;
if (context.peers.length > 0) installPackage('bench/peers');

/** @type {import('./report.mjs').Result} */
const result = { rows: [], checks: [] };
for (const name of suites) {
  /** @type {{ run(context: Context): Promise<import('./report.mjs').Result> }} */
  const suite = await import(`./suites/${name}.mjs`);
  const { rows, checks } = await suite.run(context);
  result.rows.push(...rows);
  result.checks.push(...checks);
}

const report = { machine: machine(), commit: commit(), date: new Date().toISOString() };
const { cpu, cpus } = report.machine;
process.stdout.write(`${cpu}, ${cpus} CPUs, commit ${report.commit}\n\n${markdown(result)}`);
if (json) writeFileSync(json, `${JSON.stringify({ ...report, ...result }, null, 2)}\n`);
process.exitCode = result.checks.every(holds) ? 0 : 1;
