/** `layertap segment`: masks and scores of the library's models. */

import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { Tensor as PackagedTensor } from 'layertap';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { argmax as argmaxOfPackage, countClasses, encodeMask, resizeMask, threshold } from '../../cli/src/mask.js';
import { fcn_resnet50 } from '../../src/models/fcn.ts';
import { Tensor, tensor } from '../../src/tensor/tensor.ts';
import { vocPalette } from '../../src/tools/index.ts';
import { generatedTensor } from '../support/generator.ts';
import { Folder, weightsOf } from './command.ts';

/** The command line's, which takes the package's own tensors. */
const argmax = ({ data, shape }: Tensor<Float32Array>) => argmaxOfPackage(new PackagedTensor(data, shape));

const folder = new Folder();
const SEGMENT = ['segment', '--model', 'fcn_resnet50', '--weights', 'fcn.safetensors', '--deterministic'];
const x = generatedTensor('input', [1, 3, 40, 33]);
let scores: Map<string, Tensor<Float32Array>>;

beforeAll(() => {
  const model = fcn_resnet50({ auxLoss: true });
  const weights = weightsOf(model);
  model.loadStateDict(weights);
  scores = model.compile({ deterministic: true }).call(x) as typeof scores;
  folder.writeTensors('fcn.safetensors', weights);
  folder.writeTensors('x.safetensors', [['input', x]]);
});

/** The class numbers of a mask, read from its colours. */
async function classesOf(file: string) {
  const { data, info } = await sharp(folder.read(file)).raw().toBuffer({ resolveWithObject: true });
  expect(info.channels).toBe(3);
  const index = new Map(Array.from({ length: 256 }, (_, i) => [vocPalette()[i]!.join(), i]));
  const pixels = Array.from({ length: info.width * info.height }, (_, i) =>
    index.get(data.subarray(i * 3, i * 3 + 3).join()),
  );
  return { width: info.width, height: info.height, pixels };
}

describe('segment', () => {
  it("writes the mask in the input's size, and both heads' scores where they are asked for", async () => {
    const { status, stdout, stderr } = folder.run(
      ...SEGMENT,
      '--input',
      'x.safetensors',
      '--output',
      'm.png',
      '--scores',
      's.safetensors',
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(
      /^segmented \[1, 3, 40, 33\] with fcn_resnet50 and the simd binary in [\d.]+ (ms|s) \(weights/,
    );
    expect(stdout).toContain('\nwrote m.png (33 x 40 pixels)\nwrote s.safetensors (out, aux; 217 KiB)\n');
    expect(folder.readTensors('s.safetensors')).toEqual(scores);
    const { pixels, ...size } = await classesOf('m.png');
    expect(size).toEqual({ width: 33, height: 40 });
    expect(pixels).toEqual([...argmax(scores.get('out')!).data]);
  });

  it('ignores the weights of the auxiliary head where its scores are not asked for', () => {
    const { status, stdout } = folder.run(...SEGMENT, '--input', 'x.safetensors', '--output', 'plain.png', '--json');
    expect(status).toBe(0);
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({
      command: 'segment',
      model: 'fcn_resnet50',
      binary: 'simd',
      scores: [{ name: 'out', shape: [1, 21, 40, 33] }],
      mask: { width: 33, height: 40 },
      output: 'plain.png',
      scoresOutput: null,
    });
    expect(result.mask.classes).toEqual(countClasses(argmax(scores.get('out')!)));
  });

  it('does so for scores too, where the options say that there is no auxiliary head', () => {
    const args = [
      '--model-options',
      '{"auxLoss":false}',
      '--input',
      'x.safetensors',
      '--output',
      'o.png',
      '--scores',
      'o.safetensors',
    ];
    expect(folder.run(...SEGMENT, ...args).status).toBe(0);
    expect(folder.readTensors('o.safetensors')).toEqual(new Map([['out', scores.get('out')]]));
  });

  it("gives a photo's mask the photo's size", async () => {
    const photo = sharp(new Uint8Array(24 * 20 * 3).fill(90), { raw: { width: 24, height: 20, channels: 3 } });
    folder.write('photo.png', await photo.png().toBuffer());
    const args = ['--image', 'photo.png', '--preset', 'none', '--output', 'photo-mask.png', '--json'];
    const { stdout, stderr } = folder.run(...SEGMENT, ...args);
    expect(stderr).toBe(
      'layertap: warning: --preset none leaves pixels in 0..1; ' +
        'segmentation networks with weights of torchvision expect normalised ones\n',
    );
    expect(JSON.parse(stdout)).toMatchObject({
      preset: 'none',
      input: [1, 3, 20, 24],
      mask: { width: 24, height: 20 },
    });
  });

  it('fails with one line, and writes neither file, where one of both cannot be written', () => {
    const args = ['--input', 'x.safetensors', '--output', 'not.png', '--scores', 'nowhere/s.safetensors'];
    expect(folder.run(...SEGMENT, ...args)).toEqual({
      status: 1,
      stdout: '',
      stderr: 'layertap: --scores nowhere/s.safetensors: expected a writable file, got "no such file or directory"\n',
    });
    expect(folder.list()).not.toContain('not.png');
  });

  it('takes one image only', () => {
    folder.writeTensors('two.safetensors', [['input', generatedTensor('two', [2, 3, 33, 33])]]);
    expect(folder.run(...SEGMENT, '--input', 'two.safetensors', '--output', 'two.png')).toEqual({
      status: 1,
      stdout: '',
      stderr: 'layertap: segment: expected an input of one image [1, C, H, W], as a mask is, got [2, 3, 33, 33]\n',
    });
  });

  it('gives a network of one class the class 1 where its score is above 0', async () => {
    const weights = weightsOf(fcn_resnet50({ numClasses: 1 }));
    folder.writeTensors('one.safetensors', weights);
    const args = ['--model', 'fcn_resnet50', '--model-options', '{"numClasses":1}', '--weights', 'one.safetensors'];
    const outputs = ['--output', 'one.png', '--scores', 'one-scores.safetensors', '--json'];
    const { status, stdout } = folder.run('segment', ...args, '--input', 'x.safetensors', ...outputs);
    expect(status).toBe(0);
    const { data } = folder.readTensors('one-scores.safetensors').get('out')!;
    const expected = [...(data as Float32Array)].map((score) => Number(score > 0));
    // Both occur, or the test would say nothing.
    expect(new Set(expected).size).toBe(2);
    expect((await classesOf('one.png')).pixels).toEqual(expected);
    expect(JSON.parse(stdout).mask.classes.map((found: { class: number }) => found.class)).toEqual([0, 1]);
  });

  it('refuses more classes than a mask holds before weights are read', () => {
    const args = ['--model', 'fcn_resnet50', '--model-options', '{"numClasses":257}', '--weights', 'nothing'];
    expect(folder.run('segment', ...args, '--input', 'x.safetensors', '--output', 'many.png')).toEqual({
      status: 1,
      stdout: '',
      stderr: 'layertap: segment: expected at most 256 classes, as a mask holds, got 257\n',
    });
  });

  it('refuses scores that are NaN, and writes neither file', () => {
    const values = new Float32Array(3 * 40 * 33).fill(0.5);
    values[7] = Number.NaN;
    folder.writeTensors('nan.safetensors', [['input', new Tensor(values, [1, 3, 40, 33])]]);
    const outputs = ['--output', 'nan.png', '--scores', 'nan-scores.safetensors'];
    const { status, stdout, stderr } = folder.run(...SEGMENT, '--input', 'nan.safetensors', ...outputs);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(
      /^layertap: segment: expected scores that are numbers, got \d+ of 27720 in "(out|aux)" that are NaN; look at the weights and the input\n$/,
    );
    expect(folder.list().filter((name) => name.startsWith('nan'))).toEqual(['nan.safetensors']);
  });

  it('leaves the mask that was there where the scores cannot be written', () => {
    folder.write('kept.png', 'what was there');
    const args = ['--input', 'x.safetensors', '--output', 'kept.png', '--scores', '/dev/full'];
    expect(folder.run(...SEGMENT, ...args)).toEqual({
      status: 1,
      stdout: '',
      stderr: 'layertap: --scores /dev/full: expected a writable file, got "no space left on device"\n',
    });
    expect(new TextDecoder().decode(folder.read('kept.png'))).toBe('what was there');
  });

  it('takes segmentation models only', () => {
    const args = [
      '--model',
      'resnet18',
      '--weights',
      'fcn.safetensors',
      '--input',
      'x.safetensors',
      '--output',
      'r.png',
    ];
    expect(folder.run('segment', ...args)).toEqual({
      status: 1,
      stdout: '',
      stderr: 'layertap: --model: expected a segmentation model such as deeplabv3_resnet50, got "resnet18"\n',
    });
  });
});

describe('segment of pictures', () => {
  const SIZES = { 'pics/a.png': [24, 20], 'pics/deep/b.png': [20, 24] } as const;
  const MANY = [...SEGMENT, '--preset', 'none', '--quiet'];

  beforeAll(async () => {
    mkdirSync(join(folder.path, 'pics/deep'), { recursive: true });
    for (const [name, [width, height]] of Object.entries(SIZES)) {
      const pixels = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * i * width) >> 3);
      folder.write(
        name,
        await sharp(pixels, { raw: { width, height, channels: 3 } })
          .png()
          .toBuffer(),
      );
    }
    folder.write('pics/c.png', 'no picture');
    for (const name of Object.keys(SIZES)) {
      const single = name.replaceAll('/', '-');
      const outputs = ['--output', `${single}.mask.png`, '--scores', `${single}.safetensors`];
      expect(folder.run(...MANY, '--image', name, ...outputs).status).toBe(0);
    }
  });

  it.each([
    ['one after the other', []],
    ['on threads', ['--threads', '2']],
    ['in batches', ['--batch', '3']],
  ])('writes each mask and its scores as one picture by itself gets them, %s', (name, args) => {
    const [masks, scores] = [`masks ${name}`, `scores ${name}`];
    const outputs = ['--output-dir', masks, '--scores', scores, '--json', ...args];
    const { status, stdout, stderr } = folder.run(...MANY, 'pics', ...outputs);
    const error = 'pics/c.png: expected a JPEG, PNG, WebP or GIF, got something else';
    const warning =
      'layertap: warning: --preset none leaves pixels in 0..1; ' +
      'segmentation networks with weights of torchvision expect normalised ones\n';
    expect({ status, stderr }).toEqual({ status: 1, stderr: `layertap: ${error}\n${warning}` });
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({
      ...{ command: 'segment', model: 'fcn_resnet50', preset: 'none', outputDir: masks, scoresOutput: scores },
      ...{ segmented: 2, skipped: 0, failed: [{ picture: 'pics/c.png', error }] },
    });
    expect(result.masks.map(({ picture, width, height }: any) => [picture, [width, height]])).toEqual(
      Object.entries(SIZES),
    );
    for (const path of Object.keys(SIZES)) {
      const single = path.replaceAll('/', '-');
      const below = path.replace('pics/', '');
      expect(folder.read(`${masks}/${below}.png`)).toEqual(folder.read(`${single}.mask.png`));
      expect(folder.read(`${scores}/${below}.safetensors`)).toEqual(folder.read(`${single}.safetensors`));
    }
  });

  it.each([
    ['a folder', 'tree/inner'],
    ['a folder by its whole path', () => join(folder.path, 'tree/inner')],
    ['a glob', 'tree/inner/**/*.png'],
    ['a glob by its whole path', () => join(folder.path, 'tree/inner/**/*.png')],
    ['a folder above', 'tree'],
  ])('leaves out the masks of an earlier run below %s', (_, named) => {
    const run = (...args: string[]) => {
      const given = typeof named === 'string' ? named : named();
      return folder.run(...MANY, given, '--output-dir', 'tree/inner/masks', '--skip-existing', '--json', ...args);
    };
    rmSync(join(folder.path, 'tree/inner'), { recursive: true, force: true });
    mkdirSync(join(folder.path, 'tree/inner'), { recursive: true });
    folder.write('tree/inner/a.png', folder.read('pics/a.png'));
    const first = JSON.parse(run().stdout);
    const second = JSON.parse(run().stdout);
    expect({ segmented: second.segmented, skipped: second.skipped }).toEqual({
      segmented: 0,
      skipped: first.segmented,
    });
    expect(first.masks.map(({ picture }: any) => picture)).not.toContainEqual(expect.stringContaining('masks'));
  });

  it('takes pictures of the very folder that masks go to', () => {
    mkdirSync(join(folder.path, 'same'), { recursive: true });
    folder.write('same/a.png', folder.read('pics/a.png'));
    for (const named of ['same', 'same/*.png', './same/a.png']) {
      const { stdout } = folder.run(...MANY, named, '--output-dir', 'same', '--json');
      expect(JSON.parse(stdout).masks.map(({ picture }: any) => join('/', picture))).toEqual(['/same/a.png']);
      rmSync(join(folder.path, 'same/a.png.png'));
    }
    mkdirSync(join(folder.path, 'same/in'), { recursive: true });
    folder.write('same/in/b.png', folder.read('pics/a.png'));
    const { stdout } = folder.run(...MANY, 'same/in', '--output-dir', 'same', '--json');
    expect(JSON.parse(stdout).masks.map(({ picture }: any) => picture)).toEqual(['same/in/b.png']);
  });

  it("gives each mask the photo's size, and leaves out those that are there", async () => {
    mkdirSync(join(folder.path, 'kept/deep'), { recursive: true });
    folder.write('kept/deep/b.png.png', 'what was there');
    const args = ['pics/a.png', 'pics/deep/b.png', '--output-dir', 'kept', '--skip-existing', '--json'];
    const { status, stdout } = folder.run(...SEGMENT, ...args);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ preset: 'segmentation', segmented: 1, skipped: 1, failed: [] },
      masks: [{ picture: 'pics/a.png', width: 24, height: 20 }],
    });
    expect(await classesOf('kept/a.png.png')).toMatchObject({ width: 24, height: 20 });
    expect(new TextDecoder().decode(folder.read('kept/deep/b.png.png'))).toBe('what was there');
  });

  it('takes one picture by name, and writes its mask to stdout', () => {
    const { status } = folder.run(...MANY, 'pics/a.png', '--output', 'one-mask.png');
    expect(status).toBe(0);
    expect(folder.read('one-mask.png')).toEqual(folder.read('pics-a.png.mask.png'));
    expect(folder.runBytes(...MANY, 'pics/a.png', '--output', '-')).toEqual(folder.read('pics-a.png.mask.png'));
  });

  it('refuses what does not fit together', () => {
    const lines: [args: string[], message: string][] = [
      [['pics', '--output', 'p.png'], 'expected --output-dir with several pictures, got --output'],
      [['pics/a.png', '--image', 'pics/a.png', '--output', 'p.png'], 'expected pictures or --image, got both'],
      [['pics/a.png', '--output', '-', '--json'], 'expected --output - or --json, got both'],
      [['--output', 'm.png'], 'expected --input or --image, got neither'],
      [[], "required options '--image <file> or --input <file>', '--output <file>' not specified"],
    ];
    const answers = folder.runAll(lines.map(([args]) => [...SEGMENT, ...args]));
    const expected = lines.map(([, message]) => `layertap: ${message}; see npx layertap-cli --help\n`);
    expect(answers.map(({ stderr }) => stderr)).toEqual(expected);
    expect(answers.map(({ status }) => status)).toEqual(lines.map(() => 2));
  });

  it('ends at once where scores cannot be written, and refuses to replace the weights by them', () => {
    for (const name of ['full', 'own']) mkdirSync(join(folder.path, name));
    symlinkSync('/dev/full', join(folder.path, 'full/a.png.safetensors'));
    symlinkSync('../fcn.safetensors', join(folder.path, 'own/a.png.safetensors'));
    const run = (scores: string) =>
      folder.run(...MANY, 'pics/a.png', 'pics/deep/b.png', '--output-dir', 'no', '--scores', scores);
    expect(run('full')).toEqual({
      status: 1,
      stdout: '',
      stderr: 'layertap: --scores full/a.png.safetensors: expected a writable file, got "no space left on device"\n',
    });
    expect(folder.list('no')).toEqual([]);
    expect(run('own')).toEqual({
      status: 2,
      stdout: '',
      stderr:
        'layertap: expected different places as --weights and --scores, got fcn.safetensors and ' +
        'own/a.png.safetensors, which are one place; see npx layertap-cli --help\n',
    });
  });

  it('warns of pixels that are not normalised, as extract and embed do', () => {
    const network = ['--model', 'fcn_resnet50', '--weights', 'fcn.safetensors', '--preset', 'none'];
    const args = [...network, '--layers', 'backbone.layer1', 'pics/a.png', '--quiet'];
    const stderr =
      'layertap: warning: --preset none leaves pixels in 0..1; ' +
      'segmentation networks with weights of torchvision expect normalised ones\n';
    const said = { status: 0, stdout: '', stderr };
    expect(folder.run('extract', ...args, '--output-dir', 'features')).toEqual(said);
    expect(folder.run('embed', ...args, '--output', 'e.safetensors')).toEqual(said);
  });

  it('replaces no picture by the mask of another', async () => {
    mkdirSync(join(folder.path, 'twins'));
    for (const name of ['twins/a', 'twins/a.png']) folder.write(name, folder.read('pics/a.png'));
    const { status, stderr } = folder.run(...MANY, 'twins/a', 'twins/a.png', '--output-dir', 'twins');
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr:
        'layertap: expected different places as a picture and --output-dir, got twins/a.png twice; ' +
        'see npx layertap-cli --help\n',
    });
    expect(folder.read('twins/a.png')).toEqual(folder.read('pics/a.png'));
  });
});

describe('a mask', () => {
  it('has the first of equal classes', () => {
    const equal = tensor([1, 5, 3, 5, 3, 4], [1, 3, 1, 2]);
    expect([...argmax(equal).data]).toEqual([1, 0]);
  });

  it('has the first NaN as the highest score, as torch.argmax does', () => {
    const scores = tensor([1, Number.NaN, 9, Number.NaN, 3, Number.NaN, Number.POSITIVE_INFINITY, 4, 2], [1, 3, 1, 3]);
    // torch.tensor([[1, nan, 9], [nan, 3, nan], [inf, 4, 2]]).argmax(0)
    expect([...argmax(scores).data]).toEqual([1, 0, 1]);
  });

  it('of one class has 1 where the score is above 0', () => {
    const scores = tensor([-1, -0, 0, 1e-30, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY], [1, 1, 2, 3]);
    expect(threshold(scores)).toEqual({ data: Uint8Array.of(0, 0, 0, 1, 1, 0), width: 3, height: 2 });
  });

  it('is resized to the nearest pixels', () => {
    const mask = { data: Uint8Array.of(1, 2, 3, 4), width: 2, height: 2 };
    expect([...resizeMask(mask, { width: 4, height: 3 }).data]).toEqual([1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4]);
    expect(resizeMask(resizeMask(mask, { width: 6, height: 8 }), mask)).toEqual(mask);
  });

  it("is a PNG of class numbers with Pascal VOC's colours", async () => {
    const data = Uint8Array.from({ length: 256 }, (_, i) => i);
    const png = encodeMask({ data, width: 32, height: 8 });
    // Bit depth 8, colour type 3.
    expect([...png.subarray(24, 26)]).toEqual([8, 3]);
    const rgb = await sharp(png).raw().toBuffer();
    expect([...rgb]).toEqual([...data].flatMap((i) => vocPalette()[i]!));
    expect([0, 1, 15, 20, 255].map((i) => vocPalette()[i])).toEqual([
      [0, 0, 0],
      [128, 0, 0],
      [192, 128, 128],
      [0, 64, 128],
      [224, 224, 192],
    ]);
  });
});
