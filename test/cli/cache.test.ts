/** Where the command line looks for weights before it asks a server, and what it keeps of what it read. */

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cachesOf } from '../../cli/src/cache.js';
import { saveSafetensors } from '../../src/formats/safetensors-write.ts';
import { resnet18 } from '../../src/models/resnet.ts';
import { squeezenet1_1 } from '../../src/models/squeezenet.ts';
import { SqueezeNet1_1_Weights } from '../../src/weights/index.ts';
import { type FileServerOptions, servedBytes, serveFile } from '../support/file-server.ts';
import { fillParameters, generatedTensor } from '../support/generator.ts';
import { COMMIT, serveHub } from '../support/hub-server.ts';
import { pthOf } from '../support/pth.ts';
import { timmConfig, timmFile } from '../support/timm.ts';
import { Folder } from './command.ts';

const folder = new Folder();
folder.writeTensors('x.safetensors', [['input', generatedTensor('input', [1, 3, 33, 33])]]);

/** Files of the same size, and of other numbers. */
const model = fillParameters(squeezenet1_1());
const file = pthOf('zip', model.stateDict());
for (const parameter of model.parameters()) (parameter.tensor.data as Float32Array).fill(0.5);
const other = pthOf('zip', model.stateDict());

/** Where the caches are, one place for each test. */
let home = '';
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'layertap-'));
});
afterEach(() => rmSync(home, { recursive: true }));

const NAME = new URL(SqueezeNet1_1_Weights.DEFAULT.url).pathname.split('/').pop()!;
const EXTRACT = ['extract', '--layers', 'features.3', '--input', 'x.safetensors', '--deterministic'];

/** The features that a command gives. */
async function featuresOf(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const all = [...EXTRACT, ...args, '--output', 'f.safetensors'];
  const { status, stderr } = await folder.runBeside(all, { XDG_CACHE_HOME: home, ...env });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return folder.readTensors('f.safetensors').get('features.3')!.data;
}

const write = (path: string, bytes: Uint8Array | string) => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
};

/** The number of files in a folder; 0 where there is none. */
const countIn = (...path: readonly string[]) => {
  try {
    return readdirSync(join(...path)).length;
  } catch {
    return 0;
  }
};

describe.each([
  ['torchvision’s weights', (_: string) => ['--weights', 'SqueezeNet1_1_Weights.DEFAULT']],
  ['a URL', (url: string) => ['--model', 'squeezenet1_1', '--weights', url]],
] as const)('of %s', (_, argsFor) => {
  const serve = async (bytes: Uint8Array, options?: FileServerOptions) => {
    const server = await serveFile(servedBytes(bytes), options);
    const { origin } = new URL(server.url);
    return { server, args: argsFor(`${server.url}?token=secret`), env: { LAYERTAP_MIRROR: origin } };
  };

  it('what was read is kept, and the server is asked for the state of the file alone', async () => {
    const { server, args, env } = await serve(file);
    await using _server = server;
    const features = await featuresOf(args, env);
    const asked = server.ranges.length;
    expect(asked).toBeGreaterThan(1);
    expect(await featuresOf(args, env)).toEqual(features);
    expect(server.ranges.slice(asked)).toEqual(['bytes=0-65535']);
    expect(countIn(home, 'layertap')).toBeGreaterThan(1);
  });

  it('another file at the same address is read anew, not mixed with the first', async () => {
    const served = { bytes: file, etag: '"first"' };
    const { server, args, env } = await serve(file, {
      headers: () => ({ etag: served.etag }),
      fault: ({ range, response }) => {
        if (!range) return false;
        const part = served.bytes.subarray(range.begin, range.end);
        const said = `bytes ${range.begin}-${range.end - 1}/${served.bytes.length}`;
        response.writeHead(206, { 'content-range': said, etag: served.etag }).end(part);
        return true;
      },
    });
    await using _server = server;
    const first = await featuresOf(args, env);
    Object.assign(served, { bytes: other, etag: '"second"' });
    const second = await featuresOf(args, env);
    expect(second).not.toEqual(first);
    Object.assign(served, { bytes: file, etag: '"third"' });
    expect(await featuresOf(args, env)).toEqual(first);
  });

  it('is kept where --cache, LAYERTAP_CACHE or XDG_CACHE_HOME says, and nowhere with --no-cache', async () => {
    const { server, args, env } = await serve(file);
    await using _server = server;
    const counts = () => ['a', 'b', 'layertap'].map((name) => countIn(home, name) > 0);
    await featuresOf([...args, '--no-cache'], { ...env, LAYERTAP_CACHE: join(home, 'b') });
    expect(counts()).toEqual([false, false, false]);
    await featuresOf([...args, '--cache', join(home, 'a')], { ...env, LAYERTAP_CACHE: join(home, 'b') });
    expect(counts()).toEqual([true, false, false]);
    await featuresOf(args, { ...env, LAYERTAP_CACHE: join(home, 'b') });
    expect(counts()).toEqual([true, true, false]);
    await featuresOf(args, env);
    expect(counts()).toEqual([true, true, true]);
  });

  it('is done without where the folder can’t be used, which one line says', async () => {
    const { server, args, env } = await serve(file);
    await using _server = server;
    const features = await featuresOf([...args, '--no-cache'], env);
    write(join(home, 'c'), 'a file');
    const proc = ['--cache /proc/nope/x', ['--cache', '/proc/nope/x'], {}, 'no such file or directory'] as const;
    type Case = readonly [string, readonly string[], object, string];
    const cases: Case[] = [
      [`--cache ${home}/c`, ['--cache', join(home, 'c')], {}, 'file already exists'],
      [`--cache ${home}/c/d`, ['--cache', join(home, 'c/d')], {}, 'file already exists'],
      [`LAYERTAP_CACHE ${home}/c`, [], { LAYERTAP_CACHE: join(home, 'c') }, 'file already exists'],
      [`${home}/c/layertap`, [], { XDG_CACHE_HOME: join(home, 'c') }, 'file already exists'],
      // A folder that takes none: Node's own recursive mkdir never ends there.
      ...(existsSync('/proc/self') ? [proc] : []),
    ];
    for (const [name, more, own, reason] of cases) {
      const all = [...EXTRACT, ...args, ...more, '--output', 'f.safetensors'];
      const { status, stderr } = await folder.runBeside(all, { XDG_CACHE_HOME: home, ...env, ...own });
      expect([status, stderr]).toEqual([
        0,
        `layertap: warning: ${name}: expected a writable folder, got "${reason}"; nothing is cached\n`,
      ]);
      expect(folder.readTensors('f.safetensors').get('features.3')!.data).toEqual(features);
    }
  });
});

describe('what PyTorch has downloaded', () => {
  const checkpoint = () => join(home, 'torch/hub/checkpoints', NAME);

  it('is read in place of the server, by its name with a hash', async () => {
    await using server = await serveFile(servedBytes(other));
    const { origin } = new URL(server.url);
    write(checkpoint(), file);
    const named = await featuresOf(['--weights', 'SqueezeNet1_1_Weights.DEFAULT'], { LAYERTAP_MIRROR: origin });
    const name = `squeezenet-${createHash('sha256').update(file).digest('hex').slice(0, 10)}.pth`;
    write(join(dirname(checkpoint()), name), file);
    const args = ['--model', 'squeezenet1_1', '--weights', `${origin}/models/${name}`];
    expect(await featuresOf(args)).toEqual(named);
    expect(server.ranges).toEqual([]);
    expect(await featuresOf([...args, '--no-cache'])).not.toEqual(named);
  });

  it.each(['squeezenet-20240131.pth', NAME])(
    'is left alone where it has another hash than its name: %s',
    async (name) => {
      await using server = await serveFile(servedBytes(file));
      const args = ['--model', 'squeezenet1_1', '--weights', `${new URL(server.url).origin}/models/${name}`];
      write(join(dirname(checkpoint()), name), other);
      expect(await featuresOf(args)).toEqual(await featuresOf([...args, '--no-cache']));
    },
  );

  it('is left alone where a name has no hash, which may be anybody’s', async () => {
    await using server = await serveFile(servedBytes(file));
    write(join(home, 'torch/hub/checkpoints/weights.safetensors'), other);
    await featuresOf(['--model', 'squeezenet1_1', '--weights', server.url]);
    expect(server.ranges.length).toBeGreaterThan(0);
  });

  it('is named where it is cut, or another file', async () => {
    write(checkpoint(), file.subarray(0, 4_000_000));
    const args = ['--weights', 'SqueezeNet1_1_Weights.DEFAULT', '--output', 'f.safetensors'];
    const { stderr } = await folder.runBeside([...EXTRACT, ...args], { XDG_CACHE_HOME: home });
    expect(stderr).toContain(
      `--weights SqueezeNet1_1_Weights.IMAGENET1K_V1: ${checkpoint()}: pth: the end is missing: 4000000 of at least`,
    );
    write(checkpoint(), file);
    const convert = ['convert', 'SqueezeNet1_1_Weights.DEFAULT', 'w.safetensors'];
    const whole = await folder.runBeside(convert, { XDG_CACHE_HOME: home });
    expect(whole.stderr).toContain(`${checkpoint()}: openWeights: expected a file whose SHA-256 begins with b8a52dc0`);
  });
});

describe('repositories of the hub', () => {
  const REPO = 'timm/resnet18.tag';
  const weights = timmFile(resnet18(), null);
  const args = ['extract', '--weights', `hub:${REPO}`, '--layers', 'layer1', '--input', 'x.safetensors'];
  const run = async (endpoint: string, ...more: readonly string[]) => {
    const all = [...args, '--output', 'f.safetensors', ...more];
    const { status, stderr } = await folder.runBeside(all, { XDG_CACHE_HOME: home, HF_ENDPOINT: endpoint });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    return folder.readTensors('f.safetensors').get('layer1')!.data;
  };
  const config = timmConfig('resnet18');

  it('are kept by their commit: of a branch, the config alone is asked for', async () => {
    const server = await serveHub({ repos: { [REPO]: { 'config.json': config, 'model.safetensors': weights } } });
    const features = await run(server.endpoint);
    server.requests.length = 0;
    expect(await run(server.endpoint)).toEqual(features);
    expect(server.requests.map(({ path }) => path)).toEqual([`/${REPO}/resolve/main/config.json`]);
    server.requests.length = 0;
    await run(server.endpoint, '--no-cache');
    expect(server.requests.length).toBeGreaterThan(2);
    await server.close();
  });

  it('are read where Python has downloaded them', async () => {
    const base = join(home, 'huggingface/hub/models--timm--resnet18.tag');
    write(join(base, 'refs/main'), COMMIT);
    write(join(base, 'snapshots', COMMIT, 'config.json'), JSON.stringify(config));
    write(join(base, 'snapshots', COMMIT, 'model.safetensors'), weights);
    // Nothing answers there.
    await run('http://127.0.0.1:9');
  });
});

it('an index of shards by URL is read with its shards, which are kept', async () => {
  const tensors = [...fillParameters(squeezenet1_1()).stateDict()];
  const shards = new Map([
    ['1.safetensors', saveSafetensors(tensors.slice(0, 20))],
    ['2.safetensors', saveSafetensors(tensors.slice(20))],
  ]);
  const map = tensors.map(([name], i) => [name, i < 20 ? '1.safetensors' : '2.safetensors']);
  const index = new TextEncoder().encode(JSON.stringify({ weight_map: Object.fromEntries(map) }));
  const asked: string[] = [];
  await using server = await serveFile(servedBytes(index), {
    fault: ({ request, response }) => {
      const name = request.url!.split('/').pop()!;
      const bytes = shards.get(name) ?? index;
      const [, begin, last] = /(\d+)-(\d+)/.exec(String(request.headers.range))!.map(Number) as [
        number,
        number,
        number,
      ];
      const end = Math.min(last + 1, bytes.length);
      asked.push(name);
      response.writeHead(206, { 'content-range': `bytes ${begin}-${end - 1}/${bytes.length}`, etag: '"first"' });
      response.end(bytes.subarray(begin, end));
      return true;
    },
  });
  const args = [
    '--model',
    'squeezenet1_1',
    '--weights',
    `${new URL(server.url).origin}/m/model.safetensors.index.json`,
  ];
  const features = await featuresOf(args);
  expect(new Set(asked)).toEqual(new Set(['model.safetensors.index.json', '1.safetensors', '2.safetensors']));
  expect(await featuresOf([...args, '--no-cache'])).toEqual(features);
  asked.length = 0;
  expect(await featuresOf(args)).toEqual(features);
  expect(asked).toEqual(['model.safetensors.index.json', '1.safetensors', '2.safetensors']);
});

it('lets go of the connection that a cached URL leaves open', async () => {
  const bytes = new Uint8Array(300_000);
  let letGo = () => {};
  const gone = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  // The first part as a part, then the whole file, of which the end is kept back.
  const fault: FileServerOptions['fault'] = ({ number, response }) => {
    if (number === 0) return false;
    response.on('close', letGo);
    response.writeHead(200, { 'content-length': bytes.length, etag: '"first"' });
    response.write(bytes.subarray(1));
    return true;
  };
  await using server = await serveFile(servedBytes(bytes), { fault });
  const { source, close } = await cachesOf(home).fileOf(server.url);
  if (typeof source === 'string' || !('byteLength' in source)) throw new Error('expected a source with parts');
  expect(await source.read(100_000, 100_001, {})).toHaveLength(1);
  await close();
  await gone;
});
