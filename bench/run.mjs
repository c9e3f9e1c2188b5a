/**
 * The benchmarks: `npm run bench [-- SUITE …] [options]`. Each suite is a file in suites/, each runtime a file in
 * peers/.
 *
 *     against X      the suite takes one argument: a commit, or a folder with a dist/, that this build is compared with
 *     --models A,B   models by torchvision's names, and those of models.mjs; each suite has its own unless given
 *     --peers A,B    runtimes to compare with, of peers.mjs; tfjs-wasm, onnxruntime-web and litert unless given
 *     --node 24,26   Node versions; the running one unless given
 *     --rounds N     processes of each runtime; --runs N samples of each process
 *     --photos N     of the suite cli; 1000 unless given
 *     --cpu N        the CPU that all measured processes share; the last one unless given
 *     --json FILE    writes rows and checks; --markdown FILE the tables
 *     --chart FILE   draws the times of the suite models or zoo as SVG; --curves FILE those of the suite scale
 *
 * Ends with 1 where a bound doesn't hold. Times on a shared machine are noisy, so bounds are on ratios of times in one
 * run.
 */

import { readdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { drawings } from './chart.mjs';
import { enginesOf } from './engines.mjs';
import { modelOf } from './models.mjs';
import { PEERS } from './peers.mjs';
import { holds, markdown, reportOf, sourceOf } from './report.mjs';

/**
 * What a suite is given. `models` is null where none was named.
 *
 * @typedef {{
 *   engines: import('./engines.mjs').Engine[], models: string[] | null, peers: string[],
 *   rounds: number, runs: number, photos: number, cpu: number, against: string, log(text: string): void,
 * }} Context
 */

const ALL = ['models', 'getter', 'kernels', 'layers', 'scale', 'start', 'memory', 'weights', 'threads', 'size'];

/** @param {string} folder @returns {string[]} */
const filesOf = (folder) =>
  readdirSync(new URL(folder, import.meta.url))
    .filter((file) => file.endsWith('.mjs'))
    .map((file) => file.slice(0, -'.mjs'.length));

/**
 * @returns {{ suites: string[], files: Record<string, string | undefined>, context: Context }} @throws {Error} for a
 * wrong argument
 */
function readArguments() {
  const text = /** @type {const} */ ({ type: 'string' });
  const names = ['models', 'peers', 'node', 'rounds', 'runs', 'photos', 'cpu', 'json', 'markdown', 'chart', 'curves'];
  const options = Object.fromEntries(names.map((name) => [name, text]));
  const parsed = parseArgs({ options, allowPositionals: true });
  const { positionals } = parsed;
  const values = /** @type {Record<string, string | undefined>} */ (parsed.values);
  const at = positionals.indexOf('against');
  const [against] = at < 0 ? [''] : positionals.splice(at + 1, 1);
  if (against === undefined) throw new RangeError('bench: expected a commit or a folder after against, got nothing');
  const suites = positionals.length > 0 ? positionals : ALL;
  const peers = values.peers?.split(',').filter(Boolean) ?? ['tfjs-wasm', 'onnxruntime-web', 'litert'];
  const models = values.models?.split(',') ?? null;
  for (const [what, known, names] of /** @type {const} */ ([
    ['suite', filesOf('suites/'), suites],
    ['peer', Object.keys(PEERS), peers],
  ])) {
    const unknown = names.filter((name) => !known.includes(name));
    if (unknown.length > 0)
      throw new RangeError(`bench: expected a ${what} of ${known.join(', ')}, got ${unknown.join(', ')}`);
  }
  for (const name of models ?? []) modelOf(name);
  for (const [option, drawn] of Object.entries({ chart: ['models', 'zoo'], curves: ['scale'] })) {
    if (values[option] && drawn.filter((suite) => suites.includes(suite)).length !== 1)
      throw new RangeError(`bench: expected the suite ${drawn.join(' or ')} for --${option}, got ${suites.join(', ')}`);
  }
  const defaults = { rounds: 2, runs: 15, photos: 1000, cpu: availableParallelism() - 1 };
  const [rounds, runs, photos, cpu] = /** @type {const} */ (['rounds', 'runs', 'photos', 'cpu']).map((name) => {
    const value = Number(values[name] ?? defaults[name]);
    if (!Number.isSafeInteger(value) || value < (name === 'cpu' ? 0 : 1)) {
      throw new RangeError(`bench: expected a whole number for --${name}, got "${values[name]}"`);
    }
    return value;
  });
  const log = (/** @type {string} */ line) => void process.stderr.write(`${line} …\n`);
  return {
    suites,
    files: values,
    context: { engines: enginesOf(values.node), models, peers, rounds, runs, photos, cpu, against, log },
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
const { suites, files, context } = given;

// Before suites that take hours.
const draw = files.chart || files.curves ? await drawings() : null;
const source = sourceOf();
/** @type {import('./report.mjs').Result} */
const result = { rows: [], checks: [] };
let tables = '';
/** @type {string[]} */
const allFailures = [];
for (const name of suites) {
  /** @type {{ run(context: Context): Promise<import('./report.mjs').Result> }} */
  const suite = await import(`./suites/${name}.mjs`);
  const { rows, checks, failures = [] } = await suite.run(context);
  allFailures.push(...failures);
  result.rows.push(...rows);
  result.checks.push(...checks);
  // After each suite: a later one that fails doesn't take hours with it.
  const report = reportOf(source, result);
  tables = markdown(report);
  if (files.json) writeFileSync(files.json, `${JSON.stringify(report, null, 2)}\n`);
  if (files.markdown) writeFileSync(files.markdown, tables);
  const file = name === 'scale' ? files.curves : files.chart;
  if (file && draw?.[name]) writeFileSync(file, draw[name](report));
}
process.stdout.write(tables);
for (const failure of allFailures) process.stderr.write(`${failure}\n`);
process.exitCode = allFailures.length === 0 && result.checks.every(holds) ? 0 : 1;
