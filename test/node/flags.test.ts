/** V8's flags: where they work, where they say that they don't, and what bits depend on them. */

import { spawnSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

let fresh: typeof import('../../src/node/index.ts');
let wasm: typeof import('../../src/wasm/instantiate.ts');
let flags: string[];

/** A host whose V8 is told nothing: it would be told for all tests. */
function stubHost(versions: object, arch = 'x64') {
  const getBuiltinModule = () => ({ setFlagsFromString: (flag: string) => flags.push(flag) });
  vi.stubGlobal('process', { versions, arch, getBuiltinModule });
}

/** What a process of its own computes. */
interface Run {
  readonly binary: string;
  readonly first: Float32Array;
  readonly last: Float32Array;
}

const SCRIPT = `
  import { Bottleneck, ResNet, Tensor, zeros } from './dist/index.js';
  import * as flags from './dist/node/index.js';
  flags[process.argv[1]]?.();
  const model = new ResNet(Bottleneck, [1, 1, 1, 1]);
  let state = 1;
  const next = () => ((state = (Math.imul(state, 1664525) + 1013904223) | 0) / 2 ** 31);
  const between = (from, to) => from + (to - from) * Math.abs(next());
  const random = (shape, from, to) => new Tensor(zeros(shape).data.map(() => between(from, to)), shape);
  const dict = [...model.stateShapes()].filter(([key]) => !key.endsWith('num_batches_tracked'))
    .map(([key, shape]) => [key, key.endsWith('running_var') ? random(shape, 0.5, 2) : random(shape, -0.1, 0.1)]);
  model.loadStateDict(dict);
  const x = random([1, 3, 64, 64], -1, 1);
  const outputs = [];
  // Until V8 has compiled the kernels for good.
  for (let i = 0; i < 30; i++) { outputs.push(model.call(x)); await new Promise(setImmediate); }
  const [first, last] = [outputs[0], outputs.at(-1)].map(({ data }) => Buffer.from(data.buffer).toString('base64'));
  console.log(JSON.stringify({ binary: model.compiled.binary, first, last }));`;

/** Calls a function of layertap/node, if one is named, then runs a network. */
function runWith(name: string): Run {
  const args = ['--input-type=module', '-e', SCRIPT, name];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  const { binary, first, last } = JSON.parse(stdout) as Record<keyof Run, string>;
  const floats = (base64: string) => new Float32Array(new Uint8Array(Buffer.from(base64, 'base64')).buffer);
  return { binary, first: floats(first), last: floats(last) };
}

beforeEach(async () => {
  flags = [];
  vi.resetModules();
  fresh = await import('../../src/node/index.ts');
  wasm = await import('../../src/wasm/instantiate.ts');
});
afterEach(() => vi.unstubAllGlobals());

describe('enableRevectorization', () => {
  it('sets the flag on Node 24 and newer', () => {
    for (const node of ['24.0.0', '26.10.0']) {
      stubHost({ node });
      fresh.enableRevectorization();
    }
    expect(flags).toEqual(['--experimental-wasm-revectorize', '--experimental-wasm-revectorize']);
  });

  it.each([
    [{ node: '22.23.3' }, 'x64', 'Node 22.23.3 on x64'],
    [{ node: '24.21.0' }, 'arm64', 'Node 24.21.0 on arm64'],
    [{ node: '24.3.0', bun: '1.4.5' }, 'x64', 'Bun 1.4.5 on x64'],
    [{ node: '24.2.0', deno: '2.9.6' }, 'x64', 'Deno 2.9.6 on x64'],
    [{}, '', 'another host'],
  ])('refuses %o on %s', (versions, arch, got) => {
    stubHost(versions, arch);
    expect(() => fresh.enableRevectorization()).toThrow(
      `enableRevectorization: expected Node 24 or newer on x64, got ${got}`,
    );
    expect(() => fresh.enableRevectorization()).toThrow(expect.objectContaining({ code: 'ERR_UNSUPPORTED' }) as Error);
    expect(flags).toEqual([]);
  });

  it('refuses to be late', () => {
    wasm.instantiate('simd');
    stubHost({ node: '24.0.0' });
    expect(() => fresh.enableRevectorization()).toThrow(
      'enableRevectorization: expected to be called before anything is compiled, got kernels that are; call it first',
    );
    expect(flags).toEqual([]);
  });

  const major = Number.parseInt(process.versions.node, 10);
  const isHere = major >= 24 && process.arch === 'x64';
  if (!isHere) console.warn(`256-bit code is not tested: this is Node ${process.versions.node} on ${process.arch}.`);

  it.runIf(isHere)('changes no bit', () => {
    const [off, on] = ['', 'enableRevectorization'].map(runWith) as [Run, Run];
    expect(off.last.length).toBe(1000);
    expect(on.last).toEqual(off.last);
  });
});

describe('enableRelaxedSimd', () => {
  const isNode20 = process.versions.node.startsWith('20.');
  if (!isNode20) console.warn(`V8's flag for relaxed SIMD is not tested: this is Node ${process.versions.node}.`);

  /** Whether the engine runs the relaxed binary. */
  const stubEngine = (runsRelaxed: boolean) =>
    vi.stubGlobal('WebAssembly', Object.create(WebAssembly, { validate: { value: () => runsRelaxed } }));

  it('does nothing where relaxed SIMD is there anyway', () => {
    stubHost({ node: '24.0.0' });
    stubEngine(true);
    wasm.instantiate('simd');
    expect(fresh.enableRelaxedSimd()).toBe(true);
    expect(flags).toEqual([]);
  });

  it.runIf(isNode20)('makes Node 20 run the relaxed binary, in both of its tiers', () => {
    const off = runWith('');
    const on = runWith('enableRelaxedSimd');
    expect([off.binary, on.binary]).toEqual(['simd', 'relaxed']);
    expect(on.last).toEqual(on.first);
    // Sums are rounded otherwise, and no more than that.
    expect(on.last).not.toEqual(off.last);
    const largest = Math.max(...off.last.map(Math.abs));
    on.last.forEach((value, i) => {
      expect(Math.abs(value - off.last[i]!)).toBeLessThanOrEqual(1e-5 * largest);
    });
  });

  it('refuses other engines without it, and to be late', () => {
    stubEngine(false);
    stubHost({ node: '18.20.0' });
    expect(() => fresh.enableRelaxedSimd()).toThrow(
      'enableRelaxedSimd: expected an engine with relaxed SIMD, or Node 20, got Node 18.20.0',
    );
    wasm.instantiate('simd');
    stubHost({ node: '20.20.0' });
    expect(() => fresh.enableRelaxedSimd()).toThrow(
      'enableRelaxedSimd: expected to be called before anything is compiled, got kernels that are; call it first',
    );
    expect(flags).toEqual([]);
  });
});
