/** Runs the command line as a user would, in a folder of its own, and makes the files that it is given. */

import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import { loadSafetensors } from '../../src/formats/safetensors-read.ts';
import { saveSafetensors } from '../../src/formats/safetensors-write.ts';
import type { Module } from '../../src/nn/module.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { generatedParameter } from '../support/generator.ts';

/** The command's file. */
export const BIN = fileURLToPath(new URL('../../cli/bin/layertap.js', import.meta.url));

const ALL = `
  import { run } from ${JSON.stringify(new URL('../../cli/src/program.js', import.meta.url))};
  process.stdout.setMaxListeners(0);
  for (const args of JSON.parse(process.argv[1])) {
    const status = await run(args);
    process.stdout.write('\\0' + status + '\\0');
    process.stderr.write('\\0');
  }
`;

/** A temporary folder, removed after the file's tests, where commands run. */
export class Folder {
  readonly path = mkdtempSync(join(tmpdir(), 'layertap-cli-'));

  /** Where commands keep weights that they read, each run elsewhere. */
  readonly #caches = mkdtempSync(join(tmpdir(), 'layertap-caches-'));
  #runs = 0;

  constructor() {
    afterAll(() => [this.path, this.#caches].map((path) => rmSync(path, { recursive: true })));
  }

  /** The environment of a command. */
  #env(more: Readonly<Record<string, string>> = {}) {
    return { ...process.env, XDG_CACHE_HOME: join(this.#caches, String(this.#runs++)), ...more };
  }

  /** Runs `layertap` with these arguments. */
  run(...args: readonly string[]) {
    const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...args], {
      cwd: this.path,
      encoding: 'utf8',
      env: this.#env(),
    });
    return { status, stdout, stderr };
  }

  /** As {@link run}, beside this process, which may answer it; with these variables in the environment. */
  runBeside(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    return new Promise<{ status: number; stdout: string; stderr: string }>((resolve) => {
      const options = { cwd: this.path, env: this.#env(env) };
      const child = execFile(process.execPath, [BIN, ...args], options, (_, stdout, stderr) =>
        resolve({ status: child.exitCode!, stdout, stderr }),
      );
    });
  }

  /** Runs these command lines one after another in one process, which saves loading the program for each. */
  runAll(lines: readonly (readonly string[])[]) {
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', ALL, JSON.stringify(lines)], {
      cwd: this.path,
      encoding: 'utf8',
      env: this.#env(),
    });
    const [printed, errors] = [stdout.split('\0'), stderr.split('\0')];
    return lines.map((_, i) => ({ status: Number(printed[2 * i + 1]), stdout: printed[2 * i]!, stderr: errors[i]! }));
  }

  /** As {@link run}, with what comes in by stdin. */
  runWith(input: Uint8Array, ...args: readonly string[]) {
    const options = { cwd: this.path, encoding: 'utf8', env: this.#env(), input } as const;
    const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...args], options);
    return { status, stdout, stderr };
  }

  /** The bytes that a command writes to stdout. */
  runBytes(...args: readonly string[]): Uint8Array {
    return spawnSync(process.execPath, [BIN, ...args], { cwd: this.path, env: this.#env(), maxBuffer: 2 ** 28 }).stdout;
  }

  /** The names of the files in the folder, or one below it. */
  list(below = '.'): string[] {
    return readdirSync(join(this.path, below)).sort();
  }

  /** Removes all that is in the folder. */
  clear(): void {
    for (const name of this.list()) rmSync(join(this.path, name), { recursive: true });
  }

  read(name: string): Uint8Array {
    return readFileSync(join(this.path, name));
  }

  write(name: string, content: Uint8Array | string): void {
    writeFileSync(join(this.path, name), content);
  }

  readTensors(name: string): Map<string, Tensor> {
    return loadSafetensors(this.read(name));
  }

  writeTensors(name: string, tensors: Iterable<readonly [string, Tensor]>): void {
    this.write(name, saveSafetensors(tensors));
  }
}

/** Generated weights for a module, without num_batches_tracked, as files from before PyTorch 0.4.1 are. */
export function weightsOf(module: Module<any>): [string, Tensor][] {
  return [...module.stateShapes()]
    .filter(([key]) => !key.endsWith('num_batches_tracked'))
    .map(([key, shape]) => [key, generatedParameter(key, shape)]);
}
