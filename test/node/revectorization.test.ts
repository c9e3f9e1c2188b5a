/** enableRevectorization: where it works, where it says that it doesn't, and that no bit depends on it. */

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
    const script = `
      import { Bottleneck, ResNet, Tensor, zeros } from './dist/index.js';
      import { enableRevectorization } from './dist/node/index.js';
      if (process.argv[1] === 'on') enableRevectorization();
      const model = new ResNet(Bottleneck, [1, 1, 1, 1]);
      let state = 1;
      const next = () => ((state = (Math.imul(state, 1664525) + 1013904223) | 0) / 2 ** 31);
      const random = (shape, from, to) => new Tensor(zeros(shape).data.map(() => from + (to - from) * Math.abs(next())), shape);
      const dict = [...model.stateShapes()].filter(([key]) => !key.endsWith('num_batches_tracked'))
        .map(([key, shape]) => [key, key.endsWith('running_var') ? random(shape, 0.5, 2) : random(shape, -0.1, 0.1)]);
      model.loadStateDict(dict);
      const x = random([1, 3, 64, 64], -1, 1);
      let y;
      // Until V8 has compiled the kernels for good.
      for (let i = 0; i < 30; i++) { y = model.call(x); await new Promise(setImmediate); }
      console.log(Buffer.from(y.data.buffer).toString('base64'));`;
    const [off, on] = ['off', 'on'].map((mode) => {
      const args = ['--input-type=module', '-e', script, mode];
      const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
      expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
      return stdout;
    });
    expect(off!.length).toBeGreaterThan(1000);
    expect(on).toBe(off);
  });
});
