/** Where the kernels come from: inlined, imported by the host, or given. */

import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MULTIPLY_ADDS, NOP, streamsOf, takenApart } from '../../scripts/streams.mjs';
import { textOf } from '../../scripts/text.mjs';
import { streams } from '../../src/wasm/binaries.gen.ts';
import { kernelsOf } from '../../src/wasm/both.ts';
import { decoded, bytesOf as inlinedBytesOf } from '../../src/wasm/modules.ts';
import { runStep } from '../../src/wasm/step.ts';
import { f32_affine } from '../../src/wasm/steps.gen.ts';
import { joined } from '../../src/wasm/streams.ts';

const bytesOf = (file: string) => new Uint8Array(readFileSync(file));
const { version } = JSON.parse(readFileSync('package.json', 'utf8'));

/** layertap as a host sees it that has just started. */
let fresh: typeof import('../../src/wasm/instantiate.ts');

/** A host that forbids compiling at run time. */
const forbidding = new Proxy(WebAssembly, {
  get(target, name) {
    if (name !== 'Module') return Reflect.get(target, name);
    return class {
      static readonly customSections = target.Module.customSections;
      constructor() {
        throw new target.CompileError('disallowed by embedder');
      }
    };
  },
});

afterEach(() => vi.unstubAllGlobals());

beforeEach(async () => {
  vi.resetModules();
  fresh = await import('../../src/wasm/instantiate.ts');
});

describe('setModule', () => {
  const simd = new WebAssembly.Module(bytesOf('dist/kernels.wasm'));

  it('makes a given binary the only choice', () => {
    fresh.setModule(simd);
    expect(fresh.chooseBinary()).toBe('simd');
    expect(fresh.chooseBinary(true)).toBe('simd');
  });

  it('takes both binaries, and prefers relaxed unless determinism is asked for', () => {
    expect(fresh.chooseBinary(), 'test/support/setup.ts makes every Node accept it').toBe('relaxed');
    fresh.setModule(simd);
    fresh.setModule(new WebAssembly.Module(bytesOf('dist/kernels.relaxed.wasm')));
    expect(fresh.chooseBinary()).toBe('relaxed');
    expect(fresh.chooseBinary(true)).toBe('simd');
  });

  it('lets a host run that forbids compiling', () => {
    vi.stubGlobal('WebAssembly', forbidding);
    fresh.setModule(simd);
    const { kernels } = fresh.instantiate('simd');
    const pixels = { firstPixel: 0, pixels: 0, channels: 4, x: 0, pixelBytes: 16, out: 0, outBytes: 16 };
    expect(() => runStep(kernels, f32_affine({ ...pixels, epilogue: 0 }))).not.toThrow();
  });

  const expected = `setModule: expected the module of layertap ${version}'s kernels.wasm or kernels.relaxed.wasm`;

  it('refuses what is not a module', () => {
    const given = bytesOf('dist/kernels.wasm') as Uint8Array;
    expect(() => fresh.setModule(given)).toThrow(`${expected}, got a Uint8Array of ${given.length}`);
  });

  it('refuses a module of something else', () => {
    const empty = new WebAssembly.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
    expect(() => fresh.setModule(empty)).toThrow(`${expected}, got a module of something else`);
  });

  it('refuses the kernels of another version', () => {
    const bytes = Buffer.from(bytesOf('dist/kernels.wasm'));
    bytes.write('9.9.9 ', bytes.lastIndexOf(`${version} simd`));
    expect(() => fresh.setModule(new WebAssembly.Module(bytes))).toThrow(`${expected}, got "9.9.9 simd"`);
  });
});

describe('a host that forbids compiling', () => {
  it('is told what to do', () => {
    vi.stubGlobal('WebAssembly', forbidding);
    expect(() => fresh.instantiate('simd')).toThrow(
      `layertap: expected a host that compiles WebAssembly with SIMD, got "CompileError: disallowed by embedder"; ` +
        "allow 'wasm-unsafe-eval' in the page's Content-Security-Policy, or call setModule with the simd binary",
    );
  });
});

describe('the first use', () => {
  it.each(['relaxed', 'simd'])('decodes each text once, where %s is what runs', (binary) => {
    const validates = { value: () => binary === 'relaxed' };
    vi.stubGlobal('WebAssembly', Object.create(WebAssembly, { validate: validates }));
    const encode = vi.spyOn(TextEncoder.prototype, 'encode');
    try {
      expect(fresh.instantiate(fresh.chooseBinary()).binary).toBe(binary);
      expect(encode.mock.calls).toEqual(streams.map((text) => [text]));
    } finally {
      encode.mockRestore();
    }
  });
});

describe('the file with both binaries', () => {
  const both = new WebAssembly.Module(bytesOf('dist/kernels.both.wasm'));

  it.each(['simd', 'relaxed'] as const)('has the kernels of %s, to the bit', (binary) => {
    const file = binary === 'simd' ? 'dist/kernels.wasm' : 'dist/kernels.relaxed.wasm';
    const alone = fresh.kernelsIn(new WebAssembly.Module(bytesOf(file)), fresh.newMemory());
    const kernels = kernelsOf(binary, fresh.kernelsIn(both, fresh.newMemory()));
    expect(Object.keys(alone).filter((name) => !(name in kernels))).toEqual([]);
    // x·scale + shift, once and twice rounded.
    const [record, scale, shift, x, out] = [1024, 2048, 2064, 4096, 8192];
    const results = [alone, kernels].map((of) => {
      const { buffer } = of.memory;
      new Int32Array(buffer, record, 2).set([scale, shift]);
      new Float32Array(buffer, record + 20, 2).set([-Infinity, Infinity]);
      new Float32Array(buffer, scale, 8).fill(1 / 3, 0, 4).fill(-0.1, 4);
      new Float32Array(buffer, x, 400).set(Array.from({ length: 400 }, (_, i) => i / 7));
      const pixels = { firstPixel: 0, pixels: 100, channels: 4, x, pixelBytes: 16, out, outBytes: 16 };
      runStep(of, f32_affine({ ...pixels, epilogue: record }));
      return new Float32Array(buffer, out, 400).slice();
    });
    const once = Array.from({ length: 400 }, (_, i) =>
      Math.fround(Math.fround(i / 7) * Math.fround(1 / 3) + Math.fround(-0.1)),
    );
    expect(results[1]).toEqual(results[0]);
    expect(results[1]!.every((y, i) => y === once[i])).toBe(binary === 'relaxed');
  });
});

describe('a host that gives little memory', () => {
  const atMost = (pages: number) =>
    new Proxy(WebAssembly, {
      get: (target, name) =>
        name === 'Memory'
          ? class extends target.Memory {
              constructor(descriptor: WebAssembly.MemoryDescriptor) {
                if (descriptor.maximum! > pages) throw new RangeError('could not allocate memory');
                super(descriptor);
              }
            }
          : Reflect.get(target, name),
    });

  it('gets along with what it gives', () => {
    vi.stubGlobal('WebAssembly', atMost(5000));
    const { memory } = fresh.instantiate('simd').kernels;
    memory.grow(4095);
    expect(() => memory.grow(1)).toThrow(RangeError);
  });

  it('is told where it gives none', () => {
    vi.stubGlobal('WebAssembly', atMost(0));
    expect(() => fresh.instantiate('simd')).toThrow(
      'layertap: expected a WebAssembly memory, got "RangeError: could not allocate memory"',
    );
  });
});

describe('the inlined binaries', () => {
  it.each(['simd', 'relaxed'] as const)('%s has the bytes of the file that ships, but for its label', (binary) => {
    const file = bytesOf(binary === 'simd' ? 'dist/kernels.wasm' : 'dist/kernels.relaxed.wasm');
    const inlined = inlinedBytesOf(binary);
    expect(inlined).toEqual(file.slice(0, inlined.length));
    const [label, ...others] = WebAssembly.Module.customSections(new WebAssembly.Module(file), 'layertap');
    expect(others).toEqual([]);
    // The section's number and size, and its name after that one's length.
    expect(file.length - inlined.length).toBe(2 + 1 + 'layertap'.length + label!.byteLength);
  });

  it('are the same but for multiply-adds, which are fused in the relaxed one', () => {
    const [simd, relaxed] = (['simd', 'relaxed'] as const).map((name) => {
      const { instructions } = takenApart(Buffer.from(inlinedBytesOf(name)));
      return instructions.map((one) => one.name);
    });
    const unfused = relaxed!.flatMap((name, i) => {
      const one = MULTIPLY_ADDS.find(({ fused }) => fused === name);
      if (one) return [one.sum];
      if (name !== NOP) return [name];
      if (relaxed![i - 1] === NOP) return [];
      const end = relaxed!.findIndex((other, j) => j > i && other !== NOP);
      return MULTIPLY_ADDS.find(({ nops }) => nops === end - i)!.product.split(/,(?=253)/);
    });
    expect(relaxed!.filter((name) => name === MULTIPLY_ADDS[0]!.fused).length).toBeGreaterThan(300);
    expect(unfused.findIndex((name, i) => name !== simd![i])).toBe(-1);
    expect(unfused.length).toBe(simd!.length);
  });

  it('are read from text, whatever bytes they have, in characters that need no escape', () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const text = textOf(bytes);
    expect(text).toMatch(/^[ -~]+$/);
    expect(text).not.toMatch(/["\\]/);
    expect(decoded(text)).toEqual(new Uint8Array(bytes));
    expect(decoded('')).toEqual(new Uint8Array(0));
  });

  it('come together again from streams', () => {
    const bytes = readFileSync('build/relaxed.wasm');
    expect(joined(streamsOf(bytes), bytes.length, true)).toEqual(new Uint8Array(bytes));
  });

  it('are taken apart at the very byte where a constant ends', () => {
    // f32.const 1, f64.const 1, i32.const 1, end.
    const body = [0, 0x43, 0, 0, 0x80, 0x3f, 0x44, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x41, 1, 0x0b];
    const module = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 10, body.length + 2, 1, body.length, ...body];
    const { instructions } = takenApart(Buffer.from(module));
    expect(instructions.map(({ name }) => name)).toEqual(['67', '68', '65', '11']);
  });

  it('are refused by the build where a function has more locals than a byte tells', () => {
    expect(() => streamsOf(readFileSync('build/debug.wasm'))).toThrow('streams: expected locals below 128, got 128');
  });

  it('are refused by the build where an instruction is not known', () => {
    // memory.init, whose bytes nobody counts.
    const module = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 10, 8, 1, 6, 0, 0xfc, 8, 0, 0, 0x0b];
    expect(() => streamsOf(Buffer.from(module))).toThrow('streams: expected memory.copy or memory.fill, got 252,8');
  });
});
