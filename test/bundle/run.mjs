/**
 * Loads the packed package in every runtime as a user would, and lets each compute what probe.mjs says:
 *
 *     npm run test:bundle [-- RUNTIMES] [--json FILE] [--write]
 *
 * RUNTIMES: node,deno,bun,workerd,edge-runtime,chromium,firefox,webkit,bundlers,next; all unless given
 *
 * A runtime that isn't there is skipped, loudly. All deterministic features have to have one hash. `--write` keeps the
 * results of the groups that ran in results.json, which the table of docs/runtimes.md is written from.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { installPackage } from '../../scripts/with-package.mjs';
import { Absent } from './command.mjs';
import { packedProject } from './project.mjs';
import { writeTable } from './table.mjs';

const here = dirname(fileURLToPath(import.meta.url));

/** Each group and the file that has its checks. */
const GROUPS = new Map([
  ['node', 'node'],
  ['deno', 'others'],
  ['bun', 'others'],
  ['workerd', 'workerd'],
  ['edge-runtime', 'edge-runtime'],
  ['chromium', 'browsers'],
  ['firefox', 'browsers'],
  ['webkit', 'browsers'],
  ['bundlers', 'bundlers'],
  ['next', 'next'],
]);

const { values: options, positionals } = parseArgs({
  options: { json: { type: 'string' }, write: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const named = positionals.flatMap((list) => list.split(','));
const unknown = named.filter((group) => !GROUPS.has(group));
if (unknown.length > 0) {
  console.error(`test:bundle: expected groups of ${[...GROUPS.keys()].join(', ')}, got ${unknown.join(', ')}`);
  process.exit(2);
}
const groups = named.length > 0 ? named : [...GROUPS.keys()];

const packages = installPackage('test/bundle');
const project = await packedProject(packages);
const results = [];
try {
  for (const group of groups) {
    const { checks } = await import(`./runtimes/${GROUPS.get(group)}.mjs`);
    for (const [name, check] of await checks(project, group)) results.push(await outcomeOf(group, name, check));
  }
} finally {
  project.remove();
}

const hashes = new Set(results.flatMap(({ hash }) => hash ?? []));
const count = (status) => results.filter((result) => result.status === status).length;
if (hashes.size > 1) console.log(`\nThe deterministic features differ: ${[...hashes].join(', ')}`);
else if (hashes.size === 1) console.log(`\nAll deterministic features have the hash ${[...hashes][0]}.`);
console.log(`${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped.`);

const report = { machine: `${process.platform} ${process.arch}, kernel ${release().split('-')[0]}`, results };
if (options.json) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
const passed = count('failed') === 0 && hashes.size <= 1;
if (options.write) {
  if (!passed || count('skipped') > 0)
    throw new Error('test:bundle: expected a run without failures and gaps to write');
  const file = join(here, 'results.json');
  const kept = JSON.parse(readFileSync(file, 'utf8')).results.filter(({ group }) => !groups.includes(group));
  const all = [...GROUPS.keys()].flatMap((name) => [...kept, ...results].filter(({ group }) => group === name));
  writeFileSync(file, `${JSON.stringify({ ...report, results: all }, null, 2)}\n`);
  writeTable();
}
process.exitCode = passed ? 0 : 1;

/**
 * @param {string} group @param {string} name
 * @param {() => Promise<object>} check gives what the probe gave
 */
async function outcomeOf(group, name, check) {
  const start = Date.now();
  try {
    const result = await check();
    const seconds = ((Date.now() - start) / 1000).toFixed(1);
    console.log(`ok       ${name} (${seconds} s)${result.binary ? `: ${result.binary} binary` : ''}`);
    return { group, name, status: 'passed', ...result };
  } catch (error) {
    if (error instanceof Absent) {
      console.log(`SKIPPED  ${name}: ${error.message}`);
      return { group, name, status: 'skipped', reason: error.message };
    }
    console.log(`FAILED   ${name}: ${error.stack}`);
    return { group, name, status: 'failed', reason: error.message };
  }
}
