/** `layertap extract`: the features of the library, in the files that were asked for. */

import { Tensor as PackagedTensor } from 'layertap';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { heatmaps } from '../../cli/src/heatmap.js';
import { createFeatureExtractor } from '../../src/features/feature-extractor.ts';
import { IntermediateLayerGetter } from '../../src/features/intermediate-layer-getter.ts';
import { imageFromRgb } from '../../src/image/image.ts';
import { imageClassification } from '../../src/image/presets.ts';
import { lraspp_mobilenet_v3_large } from '../../src/models/lraspp.ts';
import { resnet18 } from '../../src/models/resnet.ts';
import { squeezenet1_1 } from '../../src/models/squeezenet.ts';
import { numberToFloat16 } from '../../src/tensor/dtype.ts';
import { Tensor, zeros } from '../../src/tensor/tensor.ts';
import { fillParameters, generatedTensor } from '../support/generator.ts';
import { Folder, weightsOf } from './command.ts';

const folder = new Folder();
const x = generatedTensor('input', [1, 3, 48, 40]);
const resnet = fillParameters(resnet18());
const RESNET = ['--model', 'resnet18', '--weights', 'resnet18.safetensors', '--deterministic'];
const SQUEEZENET = ['--model', 'squeezenet1_1', '--weights', 'squeezenet.safetensors', '--deterministic'];

/** What the library returns, with the bits of `--deterministic`. */
function features(model: typeof resnet, layers: Record<string, string>, input = x) {
  return new IntermediateLayerGetter(model, layers).compile({ deterministic: true }).forward(input);
}

beforeAll(() => {
  folder.writeTensors('x.safetensors', [['input', x]]);
  folder.writeTensors('resnet18.safetensors', weightsOf(resnet));
  folder.writeTensors('squeezenet.safetensors', weightsOf(squeezenet1_1()));
});

describe('extract', () => {
  it('writes the features in order of execution, with the bits of the library', () => {
    const args = [
      '--layers',
      'layer4=a,layer3=z,layer1.0.conv2=m',
      '--input',
      'x.safetensors',
      '--output',
      'f.safetensors',
    ];
    const { status, stdout, stderr } = folder.run('extract', ...RESNET, ...args);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const lines = stdout.split('\n');
    expect(lines[0]).toMatch(
      /^tapped resnet18 on \[1, 3, 48, 40\] with the simd binary in [\d.]+ ms \(weights read in [\d.]+ ms\)$/,
    );
    expect(lines.slice(1)).toEqual([
      '  m  layer1.0.conv2  [1, 64, 12, 10]',
      '  z  layer3          [1, 256, 3, 3]',
      '  a  layer4          [1, 512, 2, 2]',
      'wrote f.safetensors (47.2 KiB)',
      '',
    ]);
    const expected = features(resnet, { layer4: 'a', layer3: 'z', 'layer1.0.conv2': 'm' });
    const written = folder.readTensors('f.safetensors');
    expect([...written.keys()]).toEqual(['m', 'z', 'a']);
    for (const [name, tensor] of written) expect(tensor).toEqual(expected.get(name));
  });

  it("writes nodes, and the model's own values where a getter would give others, which it says", () => {
    const args = ['--layers', 'layer1.0.add=sum,fc=logits,layer1.0.relu_1', '--input', 'x.safetensors'];
    const { status, stderr } = folder.run('extract', ...RESNET, ...args, '--output', 'nodes.safetensors');
    const deviation =
      /^layertap: warning: "fc": the value is the model's own; .* it can't take what runs before it: [^\n]*\n$/;
    expect([status, stderr]).toEqual([0, expect.stringMatching(deviation)]);
    const returnNodes = { 'layer1.0.add': 'sum', fc: 'logits', 'layer1.0.relu_1': 'layer1.0.relu_1' };
    const expected = createFeatureExtractor(resnet, { returnNodes }).compile({ deterministic: true }).forward(x);
    expect(folder.readTensors('nodes.safetensors')).toEqual(expected);

    const own = ['--layers', 'layer4=c5,fc=logits', '--input', 'x.safetensors', '--output', 'own.safetensors'];
    const warned = folder.run('extract', ...RESNET, ...own);
    expect([warned.status, warned.stderr]).toEqual([0, expect.stringMatching(deviation)]);
    const written = folder.readTensors('own.safetensors');
    expect([...written.keys()]).toEqual(['c5', 'logits']);
    expect(written.get('logits')).toEqual(expected.get('logits'));
    expect(written.get('c5')).toEqual(features(resnet, { layer4: 'c5' }).get('c5'));
  });

  it('takes the last tensor of a layer that gives several, which it says', () => {
    folder.writeTensors('lraspp.safetensors', weightsOf(lraspp_mobilenet_v3_large()));
    const args = ['--layers', 'backbone=b', '--input', 'x.safetensors', '--output', 'b.safetensors'];
    const model = ['--model', 'lraspp_mobilenet_v3_large', '--weights', 'lraspp.safetensors'];
    const { status, stderr } = folder.run('extract', ...model, ...args);
    expect([status, stderr]).toEqual([
      0,
      'layertap: warning: "backbone": it gives several tensors; the value is the last one computed in it\n',
    ]);
    expect(folder.readTensors('b.safetensors').get('b')!.shape).toEqual([1, 960, 3, 3]);
  });

  it('shares one input among threads, with the same bits', () => {
    const args = ['extract', ...RESNET, '--layers', 'layer2', '--input', 'x.safetensors', '--json', '--output'];
    const runs = [folder.run(...args, 'own.safetensors'), folder.run(...args, 'two.safetensors', '--threads', '2')];
    expect(runs.map(({ stdout }) => JSON.parse(stdout).threads)).toEqual([1, 2]);
    expect(folder.readTensors('two.safetensors')).toEqual(folder.readTensors('own.safetensors'));
  });

  it('prints one JSON object with --json, and names features after their layers where no name is given', () => {
    const args = ['--layers', 'layer2,maxpool', '--input', 'x.safetensors', '--output', 'json.safetensors', '--json'];
    const { status, stdout } = folder.run('extract', ...RESNET, ...args);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      command: 'extract',
      model: 'resnet18',
      input: [1, 3, 48, 40],
      preset: null,
      binary: 'simd',
      threads: 1,
      weightsMs: expect.any(Number),
      runMs: expect.any(Number),
      features: [
        { name: 'maxpool', layer: 'maxpool', shape: [1, 64, 12, 10], reduction: 4, macs: 4515840, bytes: 30720 },
        {
          name: 'layer2',
          layer: 'layer2',
          shape: [1, 128, 6, 5],
          reduction: 8,
          macs: expect.any(Number),
          bytes: 15360,
        },
      ],
      output: 'json.safetensors',
      heatmaps: [],
    });
    expect([...folder.readTensors('json.safetensors').keys()]).toEqual(['maxpool', 'layer2']);
  });

  it('takes weights without those of dropped children, or with others there', () => {
    const kept = weightsOf(resnet).filter(([key]) => !/^(fc|layer[234])\./.test(key));
    folder.writeTensors('kept.safetensors', kept);
    folder.writeTensors('head.safetensors', [...kept, ['fc.weight', generatedTensor('fc', [7, 512])]]);
    for (const weights of ['kept.safetensors', 'head.safetensors']) {
      const args = [
        '--weights',
        weights,
        '--layers',
        'layer1=out',
        '--input',
        'x.safetensors',
        '--output',
        `of-${weights}`,
      ];
      expect(folder.run('extract', '--model', 'resnet18', ...args).stderr).toBe('');
    }
    expect(folder.read('of-kept.safetensors')).toEqual(folder.read('of-head.safetensors'));
  });

  it('takes weights in float16', () => {
    const half = weightsOf(squeezenet1_1()).map(([key, { data, shape }]) => {
      return [key, new Tensor(Uint16Array.from(data as Float32Array, numberToFloat16), shape, 'float16')] as const;
    });
    folder.writeTensors('half.safetensors', half);
    const model = squeezenet1_1();
    model.loadStateDict(half);
    const args = ['--model', 'squeezenet1_1', '--weights', 'half.safetensors', '--deterministic'];
    const { status } = folder.run(
      'extract',
      ...args,
      '--layers',
      'features.3=f',
      '--input',
      'x.safetensors',
      '--output',
      'half-f.safetensors',
    );
    expect(status).toBe(0);
    const getter = new IntermediateLayerGetter(model, { 'features.3': 'f' }).compile({ deterministic: true });
    expect(folder.readTensors('half-f.safetensors').get('f')).toEqual(getter.forward(x).get('f'));
  });

  it("gives a photo torchvision's preset: no colour profile, no orientation, alpha dropped", async () => {
    const [width, height] = [60, 50];
    const rgba = Uint8Array.from({ length: width * height * 4 }, (_, i) => (i * 37) % 251);
    const photo = sharp(rgba, { raw: { width, height, channels: 4 } })
      .withMetadata({ orientation: 6 })
      .withIccProfile('p3');
    folder.write('photo.png', await photo.png().toBuffer());
    const decoded = await sharp(folder.read('photo.png'), { ignoreIcc: true }).removeAlpha().raw().toBuffer();
    const args = ['--layers', 'features.0=f', '--image', 'photo.png', '--output', 'photo.safetensors'];
    expect(folder.run('extract', ...SQUEEZENET, ...args).stderr).toBe('');
    const getter = new IntermediateLayerGetter(fillParameters(squeezenet1_1()), { 'features.0': 'f' });
    const expected = getter
      .compile({ deterministic: true })
      .forward(imageClassification(imageFromRgb(decoded, width, height)));
    expect(folder.readTensors('photo.safetensors').get('f')).toEqual(expected.get('f'));
  });

  it.each([
    ['imagenet', [1, 3, 224, 224]],
    ['segmentation', [1, 3, 520, 624]],
    ['none', [1, 3, 50, 60]],
  ])('has the preset %s', async (preset, shape) => {
    const grey = sharp(new Uint8Array(60 * 50).fill(128), { raw: { width: 60, height: 50, channels: 1 } });
    folder.write('grey.jpg', await grey.toColourspace('b-w').jpeg().toBuffer());
    const args = [
      '--layers',
      'features.0=f',
      '--image',
      'grey.jpg',
      '--preset',
      preset,
      '--output',
      `${preset}.safetensors`,
    ];
    const { stdout } = folder.run('extract', ...SQUEEZENET, ...args, '--json');
    expect(JSON.parse(stdout)).toMatchObject({ preset, input: shape });
  });

  it("writes one heat map per feature in the input's size, into a folder that it makes", async () => {
    const args = [
      '--layers',
      'features.0=a/b,features.3=c',
      '--input',
      'x.safetensors',
      '--output',
      'maps.safetensors',
    ];
    const { stdout, stderr } = folder.run('extract', ...SQUEEZENET, ...args, '--heatmaps', 'new/maps', '--json');
    expect(stderr).toBe('');
    expect(JSON.parse(stdout).heatmaps).toEqual(['new/maps/a_b.png', 'new/maps/c.png']);
    expect(folder.list('new/maps')).toEqual(['a_b.png', 'c.png']);
    const { data, info } = await sharp(folder.read('new/maps/a_b.png')).raw().toBuffer({ resolveWithObject: true });
    expect(info).toMatchObject({ width: 40, height: 48, channels: 3 });
    // From black to white, but for what interpolating takes off the extremes.
    expect(Math.min(...data)).toBeLessThan(32);
    expect(Math.max(...data)).toBeGreaterThan(223);
  });

  it('draws a layer whose channels come last by its pixels', async () => {
    const { data: values } = generatedTensor('last', [1, 5, 5, 7]);
    const data = Float32Array.from({ length: 7 * 25 }, (_, i) => values[(i % 25) * 7 + Math.floor(i / 25)]!);
    const size = { width: 40, height: 40 };
    const [last, first] = [new PackagedTensor(values, [1, 5, 5, 7]), new PackagedTensor(data, [1, 7, 5, 5])];
    expect(await heatmaps(last, size)).toEqual(await heatmaps(first, size));
  });

  it('says which heat maps are black all over', () => {
    folder.writeTensors('flat.safetensors', [['input', zeros([1, 3, 48, 40])]]);
    const args = ['--layers', 'features.2=pool', '--input', 'flat.safetensors', '--output', 'flat-f.safetensors'];
    const { status, stderr } = folder.run('extract', ...SQUEEZENET, ...args, '--heatmaps', 'flat');
    expect(status).toBe(0);
    expect(stderr).toMatch(
      /^layertap: warning: flat.pool\.png is black: the mean activation of "pool" is [\d.]+ everywhere\n$/,
    );
  });

  it('says which features hold NaN or infinities, and writes them as they are', () => {
    const values = new Float32Array(3 * 48 * 40);
    values[0] = Number.POSITIVE_INFINITY;
    folder.writeTensors('infinite.safetensors', [['input', new Tensor(values, [1, 3, 48, 40])]]);
    const args = ['--layers', 'features.0=a', '--input', 'infinite.safetensors', '--output', 'infinite-f.safetensors'];
    const { status, stderr } = folder.run('extract', ...SQUEEZENET, ...args);
    expect(status).toBe(0);
    // One pixel of 64 channels: the first window alone holds the first pixel.
    expect(stderr).toBe(
      'layertap: warning: "a" has 64 of 27968 values that are NaN or infinite; look at the weights and the input\n',
    );
    const { data } = folder.readTensors('infinite-f.safetensors').get('a')!;
    expect([...(data as Float32Array)].filter((value) => !Number.isFinite(value))).toHaveLength(64);
  });

  it('numbers the heat maps of a batch', () => {
    folder.writeTensors('batch.safetensors', [['input', generatedTensor('batch', [2, 3, 48, 40])]]);
    const args = ['--layers', 'features.0=f', '--input', 'batch.safetensors', '--output', 'batch-f.safetensors'];
    expect(folder.run('extract', ...SQUEEZENET, ...args, '--heatmaps', 'batch').status).toBe(0);
    expect(folder.list('batch')).toEqual(['f-0.png', 'f-1.png']);
  });

  it('replaces a file that is there', () => {
    folder.write('old.safetensors', 'old');
    const args = ['--layers', 'features.0=f', '--input', 'x.safetensors', '--output', 'old.safetensors'];
    expect(folder.run('extract', ...SQUEEZENET, ...args).status).toBe(0);
    expect([...folder.readTensors('old.safetensors').keys()]).toEqual(['f']);
  });

  it('leaves no temporary files', () => {
    expect(folder.list().filter((name) => name.includes('.tmp'))).toEqual([]);
  });
});
