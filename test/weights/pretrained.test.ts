/** Models with torchvision's weights, read from a mirror on 127.0.0.1 that has files of generated numbers. */

import { createHash } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { IntermediateLayerGetter } from '../../src/features/intermediate-layer-getter.ts';
import { saveSafetensors } from '../../src/formats/safetensors-write.ts';
import { deeplabv3_mobilenet_v3_large } from '../../src/models/deeplabv3.ts';
import { GoogLeNet, googlenet } from '../../src/models/googlenet.ts';
import { type Inception3, inception_v3 } from '../../src/models/inceptionv3.ts';
import { resnet18 } from '../../src/models/resnet.ts';
import { SqueezeNet, squeezenet1_1 } from '../../src/models/squeezenet.ts';
import type { Module } from '../../src/nn/module.ts';
import { zeros } from '../../src/tensor/tensor.ts';
import type { LoadProgress } from '../../src/tensor/tensor-stream.ts';
import {
  licenseNotice,
  listWeights,
  openPretrained,
  type PretrainedOptions,
  pretrained,
  RegNet_Y_16GF_Weights,
  ResNet18_Weights,
  SqueezeNet1_1_Weights,
} from '../../src/weights/index.ts';
import { classifiers } from '../../src/weights/weights.ts';
import { servedBytes, serveFile } from '../support/file-server.ts';
import { fillParameters, generatedTensor } from '../support/generator.ts';
import { pthOf } from '../support/pth.ts';
import { rejection } from '../support/thrown.ts';

const mirrorOf = ({ url }: { readonly url: string }) => new URL(url).origin;

const fileOf = (model: Module<any>) => saveSafetensors(model.stateDict());

const squeezenet = fillParameters(squeezenet1_1());
const squeezenetFile = fileOf(squeezenet);

const isSame = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

/** Weights of squeezenet1_1 whose file is the one of generated numbers. */
const own = classifiers('SqueezeNet1_1', ['squeezenet1_1', 1235496, 17], 'IMAGENET1K_V1', {
  IMAGENET1K_V1: [
    createHash('sha256').update(squeezenetFile).digest('hex').slice(0, 8),
    squeezenetFile.length / 2 ** 20,
    ...([0.349, 58.178, 80.624] as const),
    '/pull/49',
  ],
});

describe('a getter', () => {
  it.each(['zip', 'legacy'] as const)(
    "reads its layers' bytes alone, at the file's path on the mirror: %s",
    async (layout) => {
      const resnet = fillParameters(resnet18());
      const paths: (string | undefined)[] = [];
      await using server = await serveFile(servedBytes(pthOf(layout, resnet.stateDict())), {
        fault: ({ request }) => {
          paths.push(request.url);
          return false;
        },
      });
      const progress: LoadProgress[] = [];
      const getter = await pretrained('resnet18', {
        returnLayers: { layer1: 'c2' },
        mirror: mirrorOf(server),
        onProgress: (now) => progress.push(now),
      });
      expect(new Set(paths)).toEqual(new Set(['/models/resnet18-f37072fd.pth']));
      // layer1 and what is before it have 157,504 numbers; what names tensors and lies between is less than a third.
      expect(server.served()).toBeLessThan(157_504 * 4 * 1.33);
      expect(progress.at(-1)!.loadedBytes).toBe(progress.at(-1)!.totalBytes);
      expect(getter).toBeInstanceOf(IntermediateLayerGetter);
      const x = generatedTensor('x', [1, 3, 32, 32]);
      const expected = new IntermediateLayerGetter(resnet, { layer1: 'c2' }).forward(x);
      expect(getter.forward(x).get('c2')).toEqual(expected.get('c2'));
    },
  );

  it('has its file checked where that is asked for', async () => {
    await using server = await serveFile(servedBytes(squeezenetFile));
    const options = { returnLayers: { features: 'out' }, mirror: mirrorOf(server), checkHash: true };
    expect(await rejection(() => pretrained('squeezenet1_1', options))).toMatch(
      /^FormatError: http:.*squeezenet1_1-b8a52dc0\.pth: openWeights: expected a file whose SHA-256 begins with b8a52dc0, got [0-9a-f]{8} of \d+ bytes; /,
    );
    expect(await pretrained('squeezenet1_1', { ...options, weights: own.DEFAULT })).toBeInstanceOf(
      IntermediateLayerGetter,
    );
  });
});

describe('a zip that a mirror without ranges sends as a whole', () => {
  const zip = pthOf('zip', squeezenet.stateDict());
  const weights = classifiers('SqueezeNet1_1', ['squeezenet1_1', 1235496, 17], 'IMAGENET1K_V1', {
    IMAGENET1K_V1: [
      createHash('sha256').update(zip).digest('hex').slice(0, 8),
      zip.length / 2 ** 20,
      ...([0.349, 58.178, 80.624] as const),
      '/pull/49',
    ],
  }).DEFAULT;
  const options = { weights, returnLayers: { features: 'out' } } as const;

  it('is checked, unless checkHash is false', async () => {
    await using good = await serveFile(servedBytes(zip), { ranges: false });
    await pretrained('squeezenet1_1', { ...options, mirror: mirrorOf(good) });
    const other = zip.slice();
    // The time in an entry's own header, which no checksum of the zip has.
    other[Buffer.from(zip).indexOf('archive/data/1') - 20]! ^= 1;
    await using changed = await serveFile(servedBytes(other), { ranges: false });
    expect(await rejection(() => pretrained('squeezenet1_1', { ...options, mirror: mirrorOf(changed) }))).toMatch(
      /^FormatError: http:.*\.pth: openWeights: expected a file whose SHA-256 begins with [0-9a-f]{8}, got [0-9a-f]{8} /,
    );
    await pretrained('squeezenet1_1', { ...options, mirror: mirrorOf(changed), checkHash: false });
  });

  it('is no larger than the file is known to be', async () => {
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(sent === 0 ? zip : new Uint8Array(2 ** 20));
        sent += 2 ** 20;
        if (sent > 2 ** 26) controller.error(new Error('read on'));
      },
    });
    const most = Math.ceil((weights.meta.fileSize + 0.001) * 2 ** 20);
    const reading = () =>
      pretrained('squeezenet1_1', { ...options, fetch: async () => new Response(body), retries: 0 });
    expect(await rejection(reading)).toBe(
      `FormatError: ${weights.url}: openWeights: expected a file within maxBytes, got more than ${most} bytes`,
    );
  });
});

describe('a licence that excludes commercial use', () => {
  const weights = RegNet_Y_16GF_Weights.IMAGENET1K_SWAG_E2E_V1;
  const notice =
    'RegNet_Y_16GF_Weights.IMAGENET1K_SWAG_E2E_V1 is licensed under CC BY-NC 4.0, which excludes commercial use; ' +
    'see https://github.com/facebookresearch/SWAG/blob/main/LICENSE';
  const options = { weights, returnLayers: { stem: 'out' }, retries: 0, retryDelayMs: 0 } as const;

  it('is told before anything is read, and what is thrown then ends the call', async () => {
    const fetch = vi.fn(() => Promise.reject(new Error('down')));
    const onWarning = (message: string) => {
      throw new RangeError(message);
    };
    expect(await rejection(() => pretrained('regnet_y_16gf', { ...options, fetch, onWarning }))).toBe(
      `RangeError: pretrained: ${notice}`,
    );
    expect(fetch).not.toHaveBeenCalled();
  });

  it('is told on the console unless somebody else listens; of other weights nothing is', async () => {
    const console = vi.spyOn(globalThis.console, 'warn').mockImplementation(() => {});
    const fetch = () => Promise.reject(new Error('down'));
    await rejection(() => pretrained('regnet_y_16gf', { ...options, fetch }));
    expect(console.mock.calls).toEqual([[`pretrained: ${notice}`]]);
    await rejection(() => pretrained('regnet_y_16gf', { ...options, fetch, onWarning: null }));
    await rejection(() => pretrained('regnet_y_16gf', { ...options, fetch, weights: 'DEFAULT' }));
    expect(console).toHaveBeenCalledTimes(1);
    console.mockRestore();
  });

  it("is SWAG's, and no other weights of torchvision's have one of their own", () => {
    const told = listWeights().filter((one) => licenseNotice(one) !== null);
    expect(told.map(String)).toEqual(listWeights('*SWAG*').map(String));
    expect(told).toHaveLength(6);
  });
});

describe('a whole model', () => {
  it('is read as one file, whose hash is that of its name', async () => {
    await using server = await serveFile(servedBytes(squeezenetFile));
    const progress: LoadProgress[] = [];
    const onProgress = (now: LoadProgress) => progress.push(now);
    const model = await pretrained('squeezenet1_1', { weights: own.DEFAULT, mirror: mirrorOf(server), onProgress });
    expect(model).toBeInstanceOf(SqueezeNet);
    expect(isSame(fileOf(model), squeezenetFile)).toBe(true);
    expect(server.ranges.length).toBe(1);
    const totalBytes = squeezenetFile.length;
    expect(progress.every((now) => now.totalBytes === totalBytes)).toBe(true);
    expect(progress.at(-1)).toEqual({ loadedBytes: totalBytes, totalBytes });
  });

  it('is read so from a server without ranges, and on after a connection that broke', async () => {
    await using whole = await serveFile(servedBytes(squeezenetFile), { ranges: false });
    await pretrained('squeezenet1_1', { weights: own.DEFAULT, mirror: mirrorOf(whole) });
    await using broken = await serveFile(servedBytes(squeezenetFile), {
      fault({ number, response }) {
        if (number > 0) return false;
        const end = squeezenetFile.length;
        response.writeHead(206, { 'content-range': `bytes 0-${end - 1}/${end}`, 'content-length': end });
        response.write(squeezenetFile.subarray(0, 100_000), () => response.destroy());
        return true;
      },
    });
    await pretrained('squeezenet1_1', { weights: own.DEFAULT, mirror: mirrorOf(broken), retryDelayMs: 1 });
    expect(broken.ranges.length).toBe(2);
  });

  it('is refused where the file is another one, larger, or not there', async () => {
    const other = squeezenetFile.slice();
    other[other.length - 1]! ^= 1;
    const options = { weights: own.DEFAULT, retryDelayMs: 1 };
    await using damaged = await serveFile(servedBytes(other));
    const { sha256 } = own.DEFAULT;
    const got = createHash('sha256').update(other).digest('hex').slice(0, 8);
    expect(await rejection(() => pretrained('squeezenet1_1', { ...options, mirror: mirrorOf(damaged) }))).toBe(
      `FormatError: ${mirrorOf(damaged)}${new URL(own.DEFAULT.url).pathname}: openWeights: expected a file whose ` +
        `SHA-256 begins with ${sha256}, got ${got} of ${other.length} bytes; the file is damaged, or another one`,
    );
    const most = Math.ceil((SqueezeNet1_1_Weights.DEFAULT.meta.fileSize + 0.001) * 2 ** 20);
    await using larger = await serveFile({ byteLength: most + 1, bytes: (begin, end) => new Uint8Array(end - begin) });
    expect(await rejection(() => pretrained('squeezenet1_1', { mirror: mirrorOf(larger) }))).toBe(
      `FormatError: ${mirrorOf(larger)}/models/squeezenet1_1-b8a52dc0.pth: openPretrained: expected at most ${most} ` +
        'bytes of SqueezeNet1_1_Weights.IMAGENET1K_V1, got more',
    );
    await using missing = await serveFile(servedBytes(other), {
      fault({ response }) {
        response.writeHead(404).end();
        return true;
      },
    });
    const shown = `${mirrorOf(missing)}/models/squeezenet1_1-${sha256}.pth`;
    expect(await rejection(() => pretrained('squeezenet1_1', { ...options, mirror: mirrorOf(missing) }))).toBe(
      `NetworkError: openPretrained: expected status 206 or 200 from ${shown}, got 404`,
    );
  });

  it('ends where its signal does, with the reason', async () => {
    await using server = await serveFile(servedBytes(squeezenetFile));
    const controller = new AbortController();
    const reason = new Error('enough');
    const onProgress = () => controller.abort(reason);
    const options = { weights: own.DEFAULT, mirror: mirrorOf(server), signal: controller.signal, onProgress };
    await expect(pretrained('squeezenet1_1', options)).rejects.toBe(reason);
  });
});

describe("options that go with torchvision's weights", () => {
  /** A model's file of zeros, made as it is read. */
  const zerosOf = (model: Module<any>) => servedBytes(saveSafetensors([...model.stateShapes()].map(zeroed)));
  const zeroed = ([key, shape]: readonly [string, readonly number[]]) => [key, zeros(shape)] as const;

  it('GoogLeNet is without auxiliary heads, whose tensors are left, and transforms its input', async () => {
    await using server = await serveFile(zerosOf(googlenet()));
    const model = await pretrained('googlenet', { mirror: mirrorOf(server), checkHash: false });
    expect(model).toBeInstanceOf(GoogLeNet);
    expect([model.aux1, model.transformInput]).toEqual([null, true]);
    const other = await pretrained('googlenet', {
      mirror: mirrorOf(server),
      checkHash: false,
      modelOptions: { auxLogits: true, transformInput: false },
    });
    expect([other.aux1 === null, other.transformInput]).toEqual([false, false]);
  });

  it('Inception v3 transforms its input', async () => {
    await using server = await serveFile(zerosOf(inception_v3()));
    const model: Inception3 = await pretrained('inception_v3', { mirror: mirrorOf(server), checkHash: false });
    expect([model.AuxLogits === null, model.transformInput]).toEqual([false, true]);
  });

  it('segmentation networks have the auxiliary head', async () => {
    await using server = await serveFile(zerosOf(deeplabv3_mobilenet_v3_large({ auxLoss: true })));
    const model = await pretrained('deeplabv3_mobilenet_v3_large', { mirror: mirrorOf(server), checkHash: false });
    expect(model.aux_classifier).not.toBe(null);
  });
});

describe('openPretrained', () => {
  it('opens one weight’s file, with the fetch that it is given, below the mirror’s own path', async () => {
    const asked: string[] = [];
    const fetch = async (url: string) => {
      asked.push(url);
      return new Response(squeezenetFile);
    };
    const mirror = 'https://example.com/torch/?key=1';
    const file = await openPretrained(own.DEFAULT, { mirror, fetch });
    expect(asked).toEqual([`https://example.com/torch/models/squeezenet1_1-${own.DEFAULT.sha256}.pth?key=1`]);
    expect(isSame(saveSafetensors(await file.load()), squeezenetFile)).toBe(true);
    await openPretrained(ResNet18_Weights.DEFAULT, { fetch });
    expect(asked.at(-1)).toBe('https://download.pytorch.org/models/resnet18-f37072fd.pth');
  });
});

describe('wrong arguments', () => {
  it.each<[string, PretrainedOptions, string]>([
    [
      'resnet51',
      {},
      'KeyError: pretrained: expected the name of one of 74 models, got "resnet51"; did you mean resnet50?',
    ],
    [
      'resnet50',
      { weights: 'IMAGENET1K_V3' },
      'KeyError: pretrained: expected weights of resnet50: DEFAULT, IMAGENET1K_V1, IMAGENET1K_V2, got "IMAGENET1K_V3"',
    ],
    [
      'resnet50',
      { weights: 'ResNet18_Weights.DEFAULT' },
      'KeyError: pretrained: expected weights of resnet50: DEFAULT, IMAGENET1K_V1, IMAGENET1K_V2, got ' +
        'ResNet18_Weights.IMAGENET1K_V1 of resnet18',
    ],
    [
      'resnet50',
      { weights: null as never },
      'KeyError: pretrained: expected weights of resnet50: DEFAULT, IMAGENET1K_V1, IMAGENET1K_V2, got null',
    ],
    [
      'resnet18',
      { mirror: 'mirror?key=1' },
      'ValueError: openPretrained: expected mirror as a URL, got "mirror?key=1"',
    ],
    ['resnet18', { checkHash: 1 as never }, 'ValueError: openPretrained: checkHash: expected true or false, got 1'],
    ['resnet18', { onProgress: 1 as never }, 'ValueError: openPretrained: expected onProgress as a function, got 1'],
  ])('%s with %o: the message says what is expected', async (name, options, message) => {
    expect(await rejection(() => pretrained(name as 'resnet18', options as object))).toBe(message);
  });
});
