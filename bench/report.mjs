/** What a run of the benchmarks says: rows and checks, as JSON and as Markdown. */

import { spawnSync } from 'node:child_process';
import { arch, cpus, platform, totalmem } from 'node:os';

/**
 * One measurement. Suites add figures of their own. The time and the memory are null where a suite measures something
 * else.
 *
 * @typedef {{ suite: string, model: string, runtime: string, engine: string, binary: string, threads: number, medianMs:
 *   number | null, minMs: number | null, gflops: number | null, peakRssMB: number | null, maxAbsDiff: number | null,
 *   [figure: string]: unknown,
 * }} Row
 * @typedef {Row & { medianMs: number, minMs: number, peakRssMB: number }} Timed a row with all of them
 */

/**
 * @typedef {{ name: string, value: number, bound: number, isLeast?: boolean }} Check the value may be at most the
 * bound, or at least
 */
/** @typedef {{ rows: Row[], checks: Check[], failures?: string[] }} Result of which some models may have failed */
/**
 * @typedef {{ machine: ReturnType<typeof machine>, commit: string | null, date: string }} Source where figures come
 * from
 */
/** @typedef {Result & Source} Report */

/** Where the figures were taken. */
function machine() {
  const [{ model }] = cpus();
  return {
    cpu: model.trim(),
    cpus: cpus().length,
    memoryGB: Math.round(totalmem() / 2 ** 30),
    platform: `${platform()} ${arch()}`,
  };
}

/** The commit that was measured, with a plus where files had been changed; null outside of a repository. */
function commit() {
  const { status, stdout } = spawnSync('git', ['describe', '--always', '--dirty=+', '--abbrev=10'], {
    encoding: 'utf8',
  });
  return status === 0 ? stdout.trim() : null;
}

/** @param {Check} check A figure that is no number holds nothing. */
export const holds = ({ value, bound, isLeast = false }) => (isLeast ? value >= bound : value <= bound);

/**
 * The columns of the tables: heading, key, and how a figure is written. @type {readonly [string, string, (value: any)
 * => string][]}
 */
const COLUMNS = [
  ['model', 'model', String],
  ['runtime', 'runtime', String],
  ['engine', 'engine', String],
  ['binary', 'binary', String],
  ['algorithm', 'algorithm', String],
  ['median ms', 'medianMs', significant],
  ['min ms', 'minMs', significant],
  ['ms per image', 'msPerImage', significant],
  ['import ms', 'importMs', significant],
  ['import CPU ms', 'importCpuMs', significant],
  ['load ms', 'loadMs', significant],
  ['compile ms', 'compileMs', significant],
  ['plan ms', 'planMs', significant],
  ['read ms', 'readMs', significant],
  ['pack ms', 'packMs', significant],
  ['first run ms', 'firstMs', significant],
  ['p99 ms', 'p99Ms', significant],
  ['GFLOP/s', 'gflops', (value) => value.toFixed(1)],
  ['of ceiling', 'share', (value) => `${Math.round(value * 100)} %`],
  ['ratio', 'ratio', (value) => value.toFixed(3)],
  ['layertap is faster by', 'speedup', (value) => `${value.toFixed(2)}×`],
  ['WASM MB', 'memoryMB', (value) => value.toFixed(1)],
  ['isolate MB', 'isolateMB', (value) => value.toFixed(1)],
  ['peak RSS MB', 'peakRssMB', String],
  ['JS bytes, minified', 'jsBytes', thousands],
  ['WASM bytes', 'wasmBytes', thousands],
  ['bytes, gzip -9', 'gzipBytes', thousands],
  ['max abs diff', 'maxAbsDiff', (value) => value.toExponential(1)],
];

/** @param {number} value at least three digits */
function significant(value) {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** @param {number} value */
function thousands(value) {
  return value.toLocaleString('en');
}

/** Where the figures of a run that begins now come from. @returns {Source} */
export function sourceOf() {
  return { machine: machine(), commit: commit(), date: new Date().toISOString() };
}

/**
 * A result with where it comes from; each row says it, too. @param {Source} source @param {Result} result @returns
 * {Report}
 */
export function reportOf(source, { rows, checks }) {
  const { machine, commit } = source;
  return { ...source, rows: rows.map((row) => ({ ...row, machine: machine.cpu, commit })), checks };
}

/**
 * One table for each suite, with the columns that it has figures for, then the checks. @param {Report} report @returns
 * {string}
 */
export function markdown({ rows, checks, machine: { cpu, cpus, memoryGB, platform }, commit, date }) {
  const source = `${cpu}, ${cpus} CPUs, ${memoryGB} GB, ${platform}; commit ${commit}; ${date.slice(0, 10)}`;
  const suites = [...new Set(rows.map(({ suite }) => suite))].map((suite) => {
    const own = rows.filter((row) => row.suite === suite);
    const columns = COLUMNS.filter(([, key]) => own.some((row) => (row[key] ?? null) !== null));
    const lines = own.map((row) =>
      columns.map(([, key, write]) => ((row[key] ?? null) === null ? '' : write(row[key]))),
    );
    return `### ${suite}\n\n${table(
      columns.map(([heading]) => heading),
      lines,
    )}`;
  });
  const lines = checks.map((check) => [
    ...[
      check.name,
      check.value.toFixed(3),
      `${check.isLeast ? '≥' : '≤'} ${check.bound}`,
      holds(check) ? 'yes' : '**no**',
    ],
  ]);
  if (checks.length > 0) suites.push(`### bounds\n\n${table(['what', 'measured', 'bound', 'holds'], lines)}`);
  return `${[source, ...suites].join('\n\n')}\n`;
}

/** @param {readonly string[]} headings @param {readonly (readonly string[])[]} lines @returns {string} */
function table(headings, lines) {
  const widths = headings.map((heading, i) => Math.max(heading.length, 3, ...lines.map((line) => line[i].length)));
  const written = [headings, widths.map((width) => '-'.repeat(width)), ...lines];
  return written.map((line) => `| ${line.map((cell, i) => cell.padEnd(widths[i])).join(' | ')} |`).join('\n');
}
