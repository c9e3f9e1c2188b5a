/**
 * Next.js: one application, built by Turbopack and served. Next.js is a package of its own, test/bundle/next, which is
 * the application as well. Building runs the edge routes once, so on Node 20 there is none with the relaxed binary.
 */

import { cpSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { installPackage } from '../../../scripts/with-package.mjs';
import { Absent, after, outputOf, whileRunning } from '../command.mjs';
import { fetchResult, freePort } from '../http.mjs';

const FILES = ['app', 'next.config.mjs', 'package.json'];

export const checks = async (project) => {
  const builds = new Map();
  const ask = (major, route) => async () => {
    if (!builds.has(major)) builds.set(major, build(project, major));
    const { version, command, options } = await builds.get(major);
    const port = await freePort();
    const args = [...command, 'start', '--hostname', '127.0.0.1', '--port', String(port)];
    const use = (failed) =>
      Promise.race([failed, after(120, 'next start'), fetchResult(`http://127.0.0.1:${port}/${route}`)]);
    return { version, ...(await whileRunning(project.node(major), args, options, use)) };
  };
  return [
    ['Next.js by Turbopack, edge route on Node 20', ask(20, 'edge')],
    ['Next.js by Turbopack, edge route on Node 24', ask(24, 'edge')],
    ['Next.js by Turbopack, edge route on Node 24, layertap/relaxed', ask(24, 'relaxed')],
    ['Next.js by Turbopack, Node route on Node 24', ask(24, 'node')],
  ];
};

/** Builds the application in the user's project, which has layertap. */
async function build(project, major) {
  const packages = join(installed(), 'node_modules');
  const { version } = JSON.parse(readFileSync(join(packages, 'next/package.json'), 'utf8'));
  const cwd = join(project.folder, `next${major}`);
  for (const file of FILES) cpSync(join(project.packages, 'next', file), join(cwd, file), { recursive: true });
  if (major === 20) rmSync(join(cwd, 'app/relaxed'), { recursive: true });
  symlinkSync(packages, join(cwd, 'node_modules'));
  const command = [join(packages, 'next/dist/bin/next')];
  const options = { cwd, env: { NEXT_TELEMETRY_DISABLED: '1' } };
  await outputOf(project.node(major), [...command, 'build', '--turbopack'], { ...options, seconds: 300 });
  return { version, command, options };
}

function installed() {
  try {
    return installPackage('test/bundle/next');
  } catch (error) {
    throw new Absent(`Next.js can't be installed: ${error.message}`);
  }
}
