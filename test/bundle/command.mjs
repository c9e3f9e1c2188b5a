/** Commands that end by themselves or are ended, and what a check throws where its runtime isn't there. */

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';

/** Thrown where a runtime is absent: the check is skipped, not failed. */
export class Absent extends Error {}

/** The file, if it is there. @param {string} file @param {string} what to say where it isn't @throws {Absent} */
export function present(file, what) {
  if (!existsSync(file)) throw new Absent(`${what} is not installed`);
  return file;
}

/**
 * What a command prints, once it has ended.
 *
 * @param {string} command @param {readonly string[]} args
 * @param {{ cwd: string, env?: Record<string, string>, seconds?: number }} options
 * @returns {Promise<string>}
 * @throws Error with both outputs, where it fails or takes too long
 */
export function outputOf(command, args, { cwd, env, seconds = 120 }) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, timeout: seconds * 1000 });
    const [out, err] = [collect(child.stdout), collect(child.stderr)];
    child.on('error', reject);
    child.on('close', (status, signal) => {
      if (status === 0) return resolve(out());
      reject(new Error(`${command} ${args.join(' ')} ended with ${status ?? signal}:\n${out()}${err()}`));
    });
  });
}

/**
 * Starts a command, and ends it with all that it started when `use` is done.
 *
 * @template T
 * @param {string} command @param {readonly string[]} args
 * @param {{ cwd: string, env?: Record<string, string> }} options
 * @param {(failed: Promise<never>) => Promise<T>} use `failed` rejects where the command ends before
 * @returns {Promise<T>}
 */
export async function whileRunning(command, args, { cwd, env }, use) {
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, detached: true });
  const [out, err] = [collect(child.stdout), collect(child.stderr)];
  const ended = new Promise((resolve) => child.on('close', resolve));
  const failed = new Promise((_, reject) => {
    child.on('error', reject);
    child.on('close', (status) => reject(new Error(`${command} ended with ${status}:\n${out()}${err()}`)));
  });
  failed.catch(() => {});
  try {
    return await use(failed);
  } finally {
    // The group: browsers and workerd have children of their own.
    if (child.exitCode === null && child.pid) process.kill(-child.pid, 'SIGKILL');
    await ended;
  }
}

/** The last line of an output as JSON: what the probe printed. @param {string} output */
export function printedResult(output) {
  return JSON.parse(output.trim().split('\n').at(-1));
}

/** @param {number} seconds @param {string} what @returns {Promise<never>} */
export function after(seconds, what) {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`${what} took more than ${seconds} s`)), seconds * 1000).unref();
  });
}

function collect(stream) {
  const chunks = [];
  stream.on('data', (chunk) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString();
}
