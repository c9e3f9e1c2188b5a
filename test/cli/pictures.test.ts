/** The commands over many pictures: the library's own numbers, and what happens to a bad picture. */

import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, renameSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { IntermediateLayerGetter } from '../../src/features/intermediate-layer-getter.ts';
import { parseSafetensorsHeader } from '../../src/formats/safetensors-header.ts';
import { imageFromRgb } from '../../src/image/image.ts';
import { imageClassification } from '../../src/image/presets.ts';
import { squeezenet1_1 } from '../../src/models/squeezenet.ts';
import { Tensor } from '../../src/tensor/tensor.ts';
import { cosineSimilarity, globalAveragePool, l2Normalize, softmax, topk } from '../../src/tools/index.ts';
import { IMAGENET_CATEGORIES } from '../../src/weights/index.ts';
import { fillParameters } from '../support/generator.ts';
import { BIN, Folder, weightsOf } from './command.ts';

const folder = new Folder();
const model = fillParameters(squeezenet1_1()).compile({ deterministic: true });
const NETWORK = ['--model', 'squeezenet1_1', '--weights', 'w.safetensors', '--deterministic'];
const WIDTH = 67;
const HEIGHT = 45;

/** A picture by its seed, as pixels and as the network's input. */
function picture(seed: number) {
  const pixels = Uint8Array.from({ length: WIDTH * HEIGHT * 3 }, (_, i) => (i * i * seed + (i >> 3) * 7) & 255);
  return { pixels, input: imageClassification(imageFromRgb(pixels, WIDTH, HEIGHT)) };
}

const NAMES = ['pics/a.png', 'pics/b.png', 'pics/deep/a.png'];
const inputs = NAMES.map((_, i) => picture(i + 1).input);
const png = (seed: number) =>
  sharp(picture(seed).pixels, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
    .png()
    .toBuffer();

const getter = new IntermediateLayerGetter(model, { features: 'f' }).compile({ deterministic: true });
const feature = (input: Tensor) => getter.forward(input).get('f')!;
const vectors = inputs.map((input) => l2Normalize(globalAveragePool(feature(input))));

const EMBED = ['embed', ...NETWORK, '--layers', 'features'];
const EXTRACT = ['extract', ...NETWORK, '--layers', 'features.3=a,features=b'];
const metadataOf = (name: string) => {
  const bytes = folder.read(name);
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  return Object.fromEntries(parseSafetensorsHeader(bytes.subarray(8, length + 8), bytes.length - length - 8).metadata);
};

beforeAll(async () => {
  folder.writeTensors('w.safetensors', weightsOf(squeezenet1_1()));
  mkdirSync(join(folder.path, 'pics', 'deep'), { recursive: true });
  for (const [i, name] of NAMES.entries()) folder.write(name, await png(i + 1));
  folder.write('pics/notes.txt', 'no picture');
  mkdirSync(join(folder.path, 'bad'));
  folder.write('bad/a.png', await png(1));
  folder.write('bad/b.png', 'no picture');
  folder.write('bad/c.png', await png(2));
  // What several tests read.
  expect(folder.run(...EMBED, 'pics', '--output', 'e.safetensors').status).toBe(0);
  expect(folder.run(...EXTRACT, 'pics', '--output-dir', 'out').status).toBe(0);
});

describe('classify', () => {
  it('prints the likeliest classes with the names of torchvision’s weights', () => {
    const { status, stdout, stderr } = folder.run('classify', ...NETWORK, 'pics/a.png', '--top', '3', '--json');
    const { values, indices } = topk(softmax(model.call(inputs[0]!)), 3);
    const top = Array.from(indices.data, (index, i) => ({
      class: index,
      name: IMAGENET_CATEGORIES[index],
      probability: values.data[i],
    }));
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({
      command: 'classify',
      model: 'squeezenet1_1',
      preset: 'imagenet',
      pictures: [{ picture: 'pics/a.png', top }],
      failed: [],
    });
  });

  it('takes names from a file, and photos from stdin', async () => {
    folder.write('names.txt', Array.from({ length: 1000 }, (_, i) => `name ${i}\n`).join(''));
    const args = ['classify', ...NETWORK, '-', '--top', '1', '--classes', 'names.txt'];
    const { status, stdout, stderr } = folder.runWith(await png(1), ...args);
    const [index] = topk(softmax(model.call(inputs[0]!)), 1).indices.data;
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(new RegExp(`^-\\n +[\\d.]+ %  name ${index}\\n$`));
    // As an editor on Windows writes it.
    folder.write('marked.txt', `\uFEFF${Array.from({ length: 1000 }, (_, i) => `name ${i}\r\n`).join('')}`);
    const all = ['classify', ...NETWORK, 'pics/a.png', '--top', '1000', '--classes', 'marked.txt', '--json'];
    const names = JSON.parse(folder.run(...all).stdout).pictures[0].top.map(({ name }: { name: string }) => name);
    expect(new Set(names)).toEqual(new Set(Array.from({ length: 1000 }, (_, i) => `name ${i}`)));
  });

  it('goes on after a bad picture, says which, and ends with 1', () => {
    const { status, stdout, stderr } = folder.run('classify', ...NETWORK, 'bad', 'missing.png', '--top', '1', '--json');
    const { pictures, failed } = JSON.parse(stdout);
    const errors = [
      'bad/b.png: expected a JPEG, PNG, WebP or GIF, got something else',
      'missing.png: expected a readable file, got "no such file or directory"',
    ];
    expect(status).toBe(1);
    expect(stderr).toBe(errors.map((error) => `layertap: ${error}\n`).join(''));
    expect(pictures.map((one: { picture: string }) => one.picture)).toEqual(['bad/a.png', 'bad/c.png']);
    expect(failed).toEqual([
      { picture: 'bad/b.png', error: errors[0] },
      { picture: 'missing.png', error: errors[1] },
    ]);
  });

  it('says the same of pictures that threads have side by side, of bad ones too', () => {
    const args = ['classify', ...NETWORK, 'bad', 'pics', 'missing.png', '--json'];
    const own = folder.run(...args);
    expect(own.status).toBe(1);
    expect(folder.run(...args, '--threads', '3')).toEqual(own);
  });

  it('says of each broken picture what is wrong with it, however many are decoded at once', async () => {
    mkdirSync(join(folder.path, 'cut'));
    const whole = await png(1);
    const jpeg = await sharp(whole).jpeg().toBuffer();
    const names = Array.from({ length: 8 }, (_, i) => `cut/${i}.${i % 2 ? 'png' : 'jpg'}`);
    for (const [i, name] of names.entries()) {
      const bytes = i % 2 ? whole : jpeg;
      folder.write(name, bytes.subarray(0, bytes.length >> 1));
    }
    const { status, stderr } = folder.run(
      'classify',
      ...NETWORK,
      'pics/a.png',
      'cut',
      '--threads',
      '2',
      '--batch',
      '4',
    );
    expect(status).toBe(1);
    const kind = (name: string) => (name.endsWith('png') ? 'PNG' : 'JPEG');
    expect(stderr.trimEnd().split('\n')).toEqual(
      names.map((name) => `layertap: ${name}: expected a whole ${kind(name)}, got one that is cut off or damaged`),
    );
  });

  it('says the same of pictures that are too small for the network, each by itself', async () => {
    const raw = { width: 8, height: 8, channels: 3 } as const;
    const small = await sharp(new Uint8Array(8 * 8 * 3), { raw })
      .png()
      .toBuffer();
    mkdirSync(join(folder.path, 'sizes'));
    for (const name of ['b.png', 'd.png']) folder.write(`sizes/${name}`, small);
    for (const [i, name] of ['a.png', 'c.png', 'e.png'].entries()) folder.write(`sizes/${name}`, await png(i + 1));
    const args = ['classify', ...NETWORK, 'sizes', '--preset', 'none', '--json'];
    const own = folder.run(...args);
    expect(JSON.parse(own.stdout).failed.map(({ picture }: { picture: string }) => picture)).toEqual([
      'sizes/b.png',
      'sizes/d.png',
    ]);
    expect(folder.run(...args, '--threads', '2')).toEqual(own);
  });

  it('prints pictures in order, though a large one takes a thread longer than all others', async () => {
    const raw = { width: 4000, height: 3000, channels: 3 } as const;
    const noise = Uint8Array.from({ length: 4000 * 3000 * 3 }, (_, i) => (i * i * 7) & 255);
    folder.write('large.jpg', await sharp(noise, { raw }).jpeg().toBuffer());
    const few = Array.from({ length: 12 }, (_, i) => `few/${i}.png`);
    mkdirSync(join(folder.path, 'few'));
    for (const [i, name] of few.entries()) folder.write(name, await png(i + 1));
    const all = [few[0]!, 'large.jpg', ...few.slice(1)];
    const args = ['classify', ...NETWORK, ...all, '--top', '1', '--json', '--quiet'];
    const own = folder.run(...args);
    expect(JSON.parse(own.stdout).pictures.map((one: { picture: string }) => one.picture)).toEqual(all);
    expect(folder.run(...args, '--threads', '2')).toEqual(own);
    expect(folder.run(...args, '--threads', '2', '--batch', '3')).toEqual(own);
  });

  it('refuses names that are none of its classes, and a network without scores, before weights are read', () => {
    folder.write('few.txt', 'one\ntwo\n');
    const lines = [
      ['classify', '--model', 'squeezenet1_1', '--weights', 'nowhere', 'pics', '--classes', 'few.txt'],
      ['classify', '--model', 'lraspp_mobilenet_v3_large', '--weights', 'nowhere', 'pics'],
    ];
    const masks = 'lraspp_mobilenet_v3_large with masks, which segment makes';
    expect(folder.runAll(lines).map(({ stderr }) => stderr)).toEqual([
      'layertap: --classes few.txt: expected 1000 names, one a line, got 2\n',
      `layertap: classify: expected a network with scores [N, classes], got ${masks}\n`,
    ]);
  });

  it('shows a name without what moves a cursor', async () => {
    folder.write('esc\x1b[2J\n.png', await png(1));
    const [line] = folder.run('classify', ...NETWORK, 'esc\x1b[2J\n.png').stdout.split('\n');
    expect(line).toBe('esc?[2J?.png');
  });

  it('says that stdout takes no more', () => {
    const command = `${process.execPath} ${BIN} classify ${NETWORK.join(' ')} pics > /dev/full`;
    const { status, stderr } = spawnSync('sh', ['-c', command], { cwd: folder.path, encoding: 'utf8' });
    expect([status, stderr]).toEqual([
      1,
      'layertap: expected a stdout that takes all, got "no space left on device"\n',
    ]);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('fails a picture whose scores say nothing: %d', (bias) => {
    const weights = weightsOf(squeezenet1_1()).map(([key, value]) => {
      const isLast = key === 'classifier.1.bias';
      const data = Float32Array.from(value.data as Float32Array);
      return [key, new Tensor(isLast ? data.fill(bias, 7, 8) : data, value.shape)] as const;
    });
    folder.writeTensors('no-scores.safetensors', weights);
    const args = ['--model', 'squeezenet1_1', '--weights', 'no-scores.safetensors', 'pics/a.png', '--json'];
    const { status, stdout, stderr } = folder.run('classify', ...args);
    const error = 'pics/a.png: expected scores that are numbers, got NaN or infinities; look at the weights';
    expect([status, stderr]).toEqual([1, `layertap: ${error}\n`]);
    expect(JSON.parse(stdout)).toMatchObject({ pictures: [], failed: [{ picture: 'pics/a.png', error }] });
  });

  it('says in the end how many there were, unless it is to be quiet', () => {
    const lines = folder.run('classify', ...NETWORK, 'bad', '--top', '1').stdout.split('\n');
    expect(lines.at(-2)).toMatch(/^classified 2 pictures in [\d.]+ s, 1 failed$/);
    const quiet = folder.run('classify', ...NETWORK, 'pics/a.png', 'pics/b.png', '--top', '1', '--quiet').stdout;
    expect(quiet).not.toContain('classified');
  });

  it('follows links to files, and links to folders where they are named', () => {
    for (const name of ['linked/own', 'elsewhere']) mkdirSync(join(folder.path, name), { recursive: true });
    for (const name of ['linked/own/a.png', 'elsewhere/b.png']) folder.write(name, folder.read('pics/a.png'));
    symlinkSync('../../pics/b.png', join(folder.path, 'linked/own/file.png'));
    symlinkSync('nowhere.png', join(folder.path, 'linked/own/lost.png'));
    symlinkSync('../elsewhere', join(folder.path, 'linked/folder'));
    symlinkSync('.', join(folder.path, 'linked/circle'));
    symlinkSync('..', join(folder.path, 'linked/own/up'));
    symlinkSync('linked', join(folder.path, 'link'));
    const classified = (named: string) => {
      const { stdout } = folder.run('classify', ...NETWORK, named, '--json');
      const { pictures, failed } = JSON.parse(stdout) as Record<'pictures' | 'failed', { picture: string }[]>;
      return [pictures, failed].map((all) => all.map((one) => one.picture.replace(/^link(ed)?\//, '')));
    };
    const own = [['own/a.png', 'own/file.png'], ['own/lost.png']];
    for (const named of ['linked', 'link', 'linked/**/*.png', 'link/**/*.png', 'link/own/*.png']) {
      expect([named, ...classified(named)]).toEqual([named, ...own]);
    }
    expect(classified('linked/*/*.png')).toEqual([['folder/b.png', ...own[0]!], own[1]]);
    expect(classified('link/folder/*.png')).toEqual([['folder/b.png'], []]);
  });

  it('refuses a folder and a glob without pictures', () => {
    mkdirSync(join(folder.path, 'empty'), { recursive: true });
    expect(folder.run('classify', ...NETWORK, 'empty')).toEqual({
      status: 1,
      stdout: '',
      stderr: 'layertap: empty: expected a folder with pictures (jpg, jpeg, png, webp, gif), got none\n',
    });
    const { stderr } = folder.run('classify', ...NETWORK, 'pics/*.jpg');
    expect(stderr).toBe('layertap: pics/*.jpg: expected a glob that fits some files, got none\n');
  });
});

describe('embed', () => {
  it('writes pooled and normalised vectors of a glob, by name, with what they were made by', () => {
    const { status, stdout, stderr } = folder.run(...EMBED, 'pics/**/*.png', '--output', 'e.safetensors');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^embedded 3 pictures in [\d.]+ s\nwrote e\.safetensors\n$/);
    const { shape, data } = folder.readTensors('e.safetensors').get('embeddings') as Tensor<Float32Array>;
    expect(shape).toEqual([3, 512]);
    expect([...data]).toEqual(vectors.flatMap((vector) => [...vector.data]));
    const { layertap, pictures } = metadataOf('e.safetensors');
    expect(JSON.parse(pictures!)).toEqual(NAMES);
    expect(JSON.parse(layertap!)).toMatchObject({
      model: 'squeezenet1_1',
      layer: 'features',
      preset: 'imagenet',
      weights: './w.safetensors',
    });
  });

  it('has the same bits on threads, and in batches the same numbers', () => {
    const expected = folder.readTensors('e.safetensors').get('embeddings')!;
    expect(folder.run(...EMBED, 'pics', '--threads', '2', '--output', 't.safetensors').status).toBe(0);
    expect(folder.readTensors('t.safetensors').get('embeddings')).toEqual(expected);
    // Another algorithm may be the fastest for more than one picture. Features are within 1e-4 of PyTorch's.
    expect(folder.run(...EMBED, 'pics', '--batch', '2', '--output', 'b.safetensors').status).toBe(0);
    const { data, shape } = folder.readTensors('b.safetensors').get('embeddings')!;
    expect(shape).toEqual(expected.shape);
    const most = Math.max(...(expected.data as Float32Array));
    const off = Float32Array.from(data as Float32Array, (value, i) => Math.abs(value - Number(expected.data[i])));
    expect(Math.max(...off)).toBeLessThan(2e-4 * most);
  });

  it.each(['.jsonl', '.safetensors'])('leaves a file %s that was there until weights are read', (end) => {
    folder.write(`there${end}`, 'what was there');
    const args = ['pics', '--layers', 'features', '--output', `there${end}`];
    expect(folder.run('embed', '--model', 'squeezenet1_1', '--weights', 'nowhere', ...args).status).toBe(1);
    expect(new TextDecoder().decode(folder.read(`there${end}`))).toBe('what was there');
  });

  it.each([
    ['e-full.jsonl', []],
    ['e-full.safetensors', []],
  ])('ends at once where %s cannot be written', (output) => {
    symlinkSync('/dev/full', join(folder.path, output));
    const { status, stdout, stderr } = folder.run(...EMBED, 'pics', '--output', output);
    expect({ status, stdout, stderr }).toEqual({
      status: 1,
      stdout: '',
      stderr: `layertap: --output ${output}: expected a writable file, got "no space left on device"\n`,
    });
  });

  it('writes JSON lines to a file and to stdout, and numpy’s arrays with a list of names', () => {
    expect(folder.run(...EMBED, 'pics', '--output', 'e.jsonl').status).toBe(0);
    const { stdout } = folder.run(...EMBED, 'pics', '--output', '-');
    expect(stdout).toBe(Buffer.from(folder.read('e.jsonl')).toString());
    const rows = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(rows.map(({ picture }) => picture)).toEqual(NAMES);
    expect(rows.map(({ embedding }) => Float32Array.from(embedding))).toEqual(vectors.map(({ data }) => data));
    expect(folder.run(...EMBED, 'pics', '--output', 'e.npy').status).toBe(0);
    const npy = Buffer.from(folder.read('e.npy'));
    const header = npy.subarray(10, 128).toString();
    expect(header).toBe(`${"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 512), }".padEnd(117)}\n`);
    expect([...npy.subarray(0, 10)]).toEqual([0x93, 78, 85, 77, 80, 89, 1, 0, 118, 0]);
    expect(new Float32Array(npy.buffer.slice(npy.byteOffset + 128, npy.byteOffset + 132))[0]).toBe(vectors[0]!.data[0]);
    expect(Buffer.from(folder.read('e.npy.txt')).toString()).toBe(`${NAMES.join('\n')}\n`);
  });

  it.each(['r.safetensors', 'r.jsonl'])('goes on with %s, and embeds what is new alone', (output) => {
    const whole = output.replace('r.', 'whole.');
    expect(folder.run(...EMBED, 'pics', '--output', whole).status).toBe(0);
    expect(folder.run(...EMBED, 'pics/a.png', '--output', output).status).toBe(0);
    const { stdout } = folder.run(...EMBED, 'pics', '--output', output, '--skip-existing', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ embedded: 2, skipped: 1, failed: [] });
    expect(Buffer.from(folder.read(output)).equals(folder.read(whole))).toBe(true);
    const again = folder.run(...EMBED, 'pics', '--output', output, '--skip-existing', '--json');
    expect(JSON.parse(again.stdout)).toMatchObject({ embedded: 0, skipped: 3, failed: [] });
  });

  describe.each(['safetensors', 'jsonl'])('knows a picture by its place, in .%s', (end) => {
    const home = `home-${end}`;
    const there = (name: string) => join(folder.path, home, name);
    const embedIn = (place: string, ...args: readonly string[]) => {
      const network = ['--model', 'squeezenet1_1', '--weights', join(folder.path, 'w.safetensors')];
      const all = ['embed', ...network, '--layers', 'features', ...args, '--skip-existing', '--json'];
      const { stdout } = spawnSync(process.execPath, [BIN, ...all], { cwd: there(place), encoding: 'utf8' });
      const { embedded, skipped } = JSON.parse(stdout);
      return { embedded, skipped };
    };
    const namesIn = (file: string) => {
      if (end === 'safetensors') return JSON.parse(metadataOf(`${home}/${file}`).pictures!);
      const lines = new TextDecoder()
        .decode(folder.read(`${home}/${file}`))
        .trimEnd()
        .split('\n');
      return lines.map((line) => JSON.parse(line).picture);
    };

    beforeAll(() => {
      for (const name of ['a', 'b']) {
        mkdirSync(there(`${name}/photos`), { recursive: true });
        folder.write(`${home}/${name}/photos/p.png`, folder.read(`pics/${name}.png`));
      }
    });

    it('whichever folder the command runs in, and however the path is written', () => {
      const output = ['--output', `../e.${end}`];
      expect(embedIn('a', 'photos', ...output)).toEqual({ embedded: 1, skipped: 0 });
      expect(embedIn('b', 'photos', ...output)).toEqual({ embedded: 1, skipped: 0 });
      expect(namesIn(`e.${end}`)).toEqual(['photos/p.png', join('..', 'b', 'photos', 'p.png')]);
      for (const place of ['a', 'b']) {
        const all = [there('a/photos'), '../b/photos/p.png'];
        expect(embedIn(place, ...all, ...output)).toEqual({ embedded: 0, skipped: 2 });
      }
    });

    it('where the index has moved, with the pictures or alone', () => {
      expect(embedIn('a', 'photos', '--output', `own.${end}`)).toEqual({ embedded: 1, skipped: 0 });
      cpSync(there('a'), there('c/moved'), { recursive: true });
      expect(embedIn('.', 'c/moved/photos', '--output', `c/moved/own.${end}`)).toEqual({ embedded: 0, skipped: 1 });
      renameSync(there(`a/own.${end}`), there(`b/own.${end}`));
      renameSync(there('b/photos'), there('b/pictures'));
      expect(embedIn('a', 'photos', '--output', `../b/own.${end}`)).toEqual({ embedded: 0, skipped: 1 });
      renameSync(there('b/pictures'), there('b/photos'));
    });

    it('where an index of before does not say which folder its paths are from', () => {
      expect(embedIn('a', 'photos', '--output', `old.${end}`)).toEqual({ embedded: 1, skipped: 0 });
      const text = Buffer.from(folder.read(`${home}/a/old.${end}`)).toString('latin1');
      const quote = end === 'jsonl' ? '"' : '\\"';
      const said = `,${quote}folder${quote}:${quote}.${quote}`;
      expect(text).toContain(said);
      // As long as before, for the header says how long it is.
      const other = text.replace(said, said.replace('folder', 'nobody'));
      folder.write(`${home}/a/old.${end}`, Buffer.from(other, 'latin1'));
      expect(embedIn('a', '../a/photos/p.png', '--output', `old.${end}`)).toEqual({ embedded: 0, skipped: 1 });
    });
  });

  it('takes lines of several folders that were put together for what they were', () => {
    const lines = ['home-jsonl/a', 'home-jsonl/b'].map((place) => {
      const args = ['--weights', '../../w.safetensors', '--layers', 'features', 'photos', '--output', '../line.jsonl'];
      const all = ['embed', '--model', 'squeezenet1_1', ...args];
      expect(spawnSync(process.execPath, [BIN, ...all], { cwd: join(folder.path, place) }).status).toBe(0);
      return new TextDecoder().decode(folder.read('home-jsonl/line.jsonl'));
    });
    folder.write('home-jsonl/line.jsonl', lines.join(''));
    const args = [
      'home-jsonl/b/photos',
      'pics/b.png',
      '--output',
      'home-jsonl/line.jsonl',
      '--skip-existing',
      '--json',
    ];
    const network = ['--model', 'squeezenet1_1', '--weights', 'w.safetensors', '--layers', 'features'];
    const { stdout } = folder.run('embed', ...network, ...args);
    expect(JSON.parse(stdout)).toMatchObject({ embedded: 1, skipped: 1 });
    const all = new TextDecoder().decode(folder.read('home-jsonl/line.jsonl')).trimEnd().split('\n');
    expect(all.map((line) => JSON.parse(line).picture)).toEqual([
      'photos/p.png',
      '../b/photos/p.png',
      '../../pics/b.png',
    ]);
  });

  it('says where it wrote only where it wrote, and leaves a file as it is to which nothing is new', () => {
    expect(folder.run(...EMBED, 'pics/a.png', '--output', '-').stderr).toMatch(
      /^embedded 1 picture in [\d.]+ s\nwrote to stdout\n$/,
    );
    for (const output of ['said.safetensors', 'said.jsonl']) {
      const args = [...EMBED, 'pics/a.png', '--output', output];
      expect(folder.run(...args).stdout).toMatch(new RegExp(`s\nwrote ${output}\n$`));
      const before = statSync(join(folder.path, output));
      expect(folder.run(...args, '--skip-existing').stdout).toBe('embedded 0 pictures, skipped 1 that were there\n');
      const { ino, mtimeMs } = statSync(join(folder.path, output));
      expect({ ino, mtimeMs }).toEqual({ ino: before.ino, mtimeMs: before.mtimeMs });
    }
  });

  it.each(['nan.safetensors', 'nan.jsonl', 'nan.npy'])('writes no %s of vectors that say nothing', (output) => {
    const weights = weightsOf(squeezenet1_1()).map(([key, value]) => {
      const data = Float32Array.from(value.data as Float32Array);
      return [key, new Tensor(key === 'features.0.bias' ? data.fill(Number.NaN) : data, value.shape)] as const;
    });
    folder.writeTensors('nan-weights.safetensors', weights);
    const network = ['--model', 'squeezenet1_1', '--weights', 'nan-weights.safetensors', '--layers', 'features'];
    const { status, stdout, stderr } = folder.run('embed', ...network, 'pics/a.png', '--output', output);
    const error = 'expected numbers in the layer, got NaN or infinities; look at the weights';
    expect({ status, stdout, stderr }).toEqual({
      ...{ status: 1, stdout: 'embedded 0 pictures, 1 failed\n' },
      stderr: `layertap: pics/a.png: ${error}\n`,
    });
    expect(folder.list()).not.toContain(output);
  });

  it('refuses to go on with what another layer made, where nothing is new too', async () => {
    const other = [...NETWORK, '--layers', 'features.3'];
    const args = ['pics', '--output', 'e.safetensors', '--skip-existing'];
    const [before] = [folder.read('e.safetensors')];
    expect(folder.run('embed', ...other, ...args).stderr).toBe(
      'layertap: --output e.safetensors: expected what the index was made with, layer features, got layer features.3\n',
    );
    expect(folder.read('e.safetensors')).toEqual(before);
  });

  describe('goes on with JSON lines', () => {
    const resumed = ['pics', '--output', 'lines.jsonl', '--skip-existing'];
    const anew = 'another --output begins anew, and so does this one without --skip-existing';
    let line: { picture: string; layertap: { layer: string }; embedding: number[] };

    beforeAll(() => {
      expect(folder.run(...EMBED, 'pics/a.png', '--output', 'lines.jsonl').status).toBe(0);
      line = JSON.parse(new TextDecoder().decode(folder.read('lines.jsonl')));
    });

    it('that say what made them, as the metadata of safetensors do', () => {
      expect(Object.keys(line)).toEqual(['picture', 'layertap', 'embedding']);
      expect(line.layertap).toEqual(JSON.parse(metadataOf('e.safetensors').layertap!));
    });

    it.each([
      [
        'layer of as many channels',
        ['--model', 'squeezenet1_1', '--weights', 'w.safetensors', '--layers', 'features.11'],
        'layer features, got layer features.11',
      ],
      ['preset', [...NETWORK, '--layers', 'features', '--preset', 'none'], 'preset imagenet, got preset none'],
      [
        'network',
        ['--model', 'resnet18', '--weights', 'nowhere.safetensors', '--layers', 'layer4'],
        'model squeezenet1_1, layer features, got model resnet18, layer layer4',
      ],
    ])('but not of another %s', (_, args, text) => {
      const before = folder.read('lines.jsonl');
      expect(folder.run('embed', ...args, ...resumed)).toEqual({
        status: 1,
        stdout: '',
        stderr: `layertap: --output lines.jsonl: expected what the index was made with, ${text}\n`,
      });
      expect(folder.read('lines.jsonl')).toEqual(before);
    });

    it('but not of other weights', () => {
      const halved = weightsOf(squeezenet1_1()).map(([key, { data, shape }]) => {
        return [
          key,
          new Tensor(
            Float32Array.from(data as Float32Array, (value) => value / 2),
            shape,
          ),
        ] as const;
      });
      folder.writeTensors('halved.safetensors', halved);
      const args = ['--model', 'squeezenet1_1', '--weights', 'halved.safetensors', '--layers', 'features'];
      const before = folder.read('lines.jsonl');
      expect(folder.run('embed', ...args, ...resumed).stderr).toMatch(
        /^layertap: --output lines\.jsonl: expected what the index was made with, weights \w{64}, got weights \w{64}\n$/,
      );
      expect(folder.read('lines.jsonl')).toEqual(before);
    });

    it.each([
      [
        'lines that do not say what made them',
        () => ({ picture: 'pics/a.png', embedding: line.embedding }),
        `: expected lines that say what made them, got one that doesn't, line 2; ${anew}`,
      ],
      [
        'lines of something else',
        () => ({ text: 'a note' }),
        `: expected lines that embed has written, got another one, line 2; ${anew}`,
      ],
      [
        'lines of two makers',
        () => ({ ...line, layertap: { ...line.layertap, layer: 'features.11' } }),
        ', line 2: expected what the index was made with, layer features, got layer features.11',
      ],
    ])('but not %s', (_, other, text) => {
      const lines = [line, other(), line].map((one) => `${JSON.stringify(one)}\n`).join('');
      folder.write('lines.jsonl', lines);
      expect(folder.run(...EMBED, ...resumed)).toEqual({
        status: 1,
        stdout: '',
        stderr: `layertap: --output lines.jsonl${text}\n`,
      });
      expect(new TextDecoder().decode(folder.read('lines.jsonl'))).toBe(lines);
    });

    it('but not what is no line of them', () => {
      folder.write('lines.jsonl', 'a note');
      expect(folder.run(...EMBED, ...resumed).stderr).toBe(
        `layertap: --output lines.jsonl: expected lines that embed has written, got another one, line 1; ${anew}\n`,
      );
      expect(new TextDecoder().decode(folder.read('lines.jsonl'))).toBe('a note');
    });

    it('but not with vectors of another length', () => {
      folder.write('lines.jsonl', JSON.stringify({ ...line, embedding: line.embedding.slice(0, 128) }));
      expect(folder.run(...EMBED, ...resumed).stderr).toBe(
        'layertap: --output lines.jsonl: expected vectors of 512 numbers in it, got 128\n',
      );
    });

    it('of which the last one is cut off', () => {
      folder.write('lines.jsonl', `${JSON.stringify(line)}\n${JSON.stringify(line).slice(0, 1000)}`);
      const { stdout } = folder.run(...EMBED, ...resumed, '--json');
      expect(JSON.parse(stdout)).toMatchObject({ embedded: 2, skipped: 1, failed: [] });
      const whole = folder.run(...EMBED, 'pics', '--output', '-').stdout;
      expect(new TextDecoder().decode(folder.read('lines.jsonl'))).toBe(whole);
    });
  });

  it.each(['none.safetensors', 'none.jsonl', 'none.npy'])(
    'tells all that failed, and writes no %s of nothing',
    (output) => {
      const failed = ['bad/b.png: expected a JPEG, PNG, WebP or GIF, got something else'];
      const { status, stdout, stderr } = folder.run(...EMBED, 'bad/b.png', '--output', output, '--json');
      expect([status, stderr]).toEqual([1, `layertap: ${failed[0]}\n`]);
      expect(JSON.parse(stdout)).toMatchObject({
        ...{ command: 'embed', embedded: 0, failed: [{ picture: 'bad/b.png', error: failed[0] }] },
      });
      expect(folder.list()).not.toContain(output);
      const { stdout: text } = folder.run(...EMBED, 'bad/b.png', '--output', output);
      expect(text).toBe('embedded 0 pictures, 1 failed\n');
    },
  );

  it('replaces neither a picture, the weights nor a folder by a list of names', async () => {
    folder.write('list.npy.txt', await png(1));
    folder.write('w.npy.txt', folder.read('w.safetensors'));
    mkdirSync(join(folder.path, 'folder.npy.txt'));
    const embed = (weights: string, ...args: readonly string[]) =>
      ['embed', '--model', 'squeezenet1_1', '--layers', 'features', '--weights', weights, 'pics', ...args] as const;
    const lines = [
      embed('w.safetensors', 'list.npy.txt', '--output', 'list.npy'),
      embed('w.npy.txt', '--output', 'w.npy'),
      embed('w.safetensors', '--output', 'folder.npy'),
    ];
    expect(folder.runAll(lines)).toEqual([
      {
        ...{ status: 2, stdout: '' },
        stderr:
          'layertap: expected different places as a picture and --output, got list.npy.txt twice; ' +
          'see npx layertap-cli --help\n',
      },
      {
        ...{ status: 2, stdout: '' },
        stderr:
          'layertap: expected different places as --weights and --output, got w.npy.txt twice; ' +
          'see npx layertap-cli --help\n',
      },
      {
        ...{ status: 1, stdout: '' },
        stderr: 'layertap: --output folder.npy.txt: expected a writable file, got "it is a folder"\n',
      },
    ]);
  });

  it('fails a picture whose name is no line, where names are lines', async () => {
    folder.write('two\nlines.png', await png(1));
    const { status, stderr } = folder.run(...EMBED, 'pics/a.png', 'two\nlines.png', '--output', 'named.npy');
    expect([status, stderr]).toEqual([
      1,
      'layertap: two. lines.png: expected a name without line breaks for .npy, which names pictures by lines\n',
    ]);
    expect(new TextDecoder().decode(folder.read('named.npy.txt'))).toBe('pics/a.png\n');
  });
});

describe('similar', () => {
  it('finds the nearest pictures with the weights that the index names', () => {
    const { status, stdout, stderr } = folder.run('similar', 'e.safetensors', 'pics/b.png', '--top', '2', '--json');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const found = JSON.parse(stdout).similar as { picture: string; similarity: number }[];
    const all = vectors.map((vector) => cosineSimilarity(vectors[1]!, vector).data[0]!);
    const order = [...all.keys()].sort((a, b) => all[b]! - all[a]!).slice(0, 2);
    expect(found).toEqual(order.map((i) => ({ picture: NAMES[i], similarity: all[i] })));
    expect(found[0]!.picture).toBe('pics/b.png');
  });

  it.each([
    [
      'weights',
      ['--weights', 'other.safetensors'],
      /^layertap: e\.safetensors: expected what the index was made with, weights [0-9a-f]{64}, got weights [0-9a-f]{64}\n$/,
    ],
    [
      'layer',
      ['--layers', 'features.3'],
      /^layertap: e\.safetensors: expected what the index was made with, layer features, got layer features\.3\n$/,
    ],
    [
      'preset',
      ['--preset', 'none'],
      /^layertap: e\.safetensors: expected what the index was made with, preset imagenet, got preset none\n$/,
    ],
  ])('refuses an index of another %s', (_, args, message) => {
    const others = weightsOf(squeezenet1_1()).map(([key, { data, shape }]) => {
      const own = Float32Array.from(data as Float32Array, (value) => value / 2);
      return [key, new Tensor(own, shape)] as const;
    });
    folder.writeTensors('other.safetensors', others);
    const { status, stdout, stderr } = folder.run('similar', 'e.safetensors', 'pics/b.png', ...args);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(message);
  });

  it('reads weights that are given by their own names, not by those of the file before', () => {
    const prefixed = weightsOf(squeezenet1_1()).map(([key, value]) => [`net.${key}`, value] as const);
    folder.writeTensors('prefixed.safetensors', prefixed);
    const network = ['--model', 'squeezenet1_1', '--weights', 'prefixed.safetensors', '--weights-prefix', 'net.'];
    const made = ['embed', ...network, '--deterministic', '--layers', 'features', 'pics', '--output', 'p.safetensors'];
    expect(folder.run(...made)).toMatchObject({ status: 0, stderr: '' });
    const own = folder.run('similar', 'p.safetensors', 'pics/b.png');
    expect(own).toMatchObject({ status: 0, stderr: '' });
    expect(folder.run('similar', 'p.safetensors', 'pics/b.png', '--weights', 'w.safetensors')).toEqual(own);
    const again = ['--weights', 'prefixed.safetensors', '--weights-prefix', 'net.'];
    expect(folder.run('similar', 'p.safetensors', 'pics/b.png', ...again)).toEqual(own);
  });

  it.each(['e.npy', 'e.jsonl'])('refuses %s, which is no index', (index) => {
    expect(folder.run(...EMBED, 'pics/a.png', '--output', index).status).toBe(0);
    const { stderr } = folder.run('similar', index, 'pics/b.png');
    const got = `expected an index, got .${index.split('.')[1]}; embed with --output FILE.safetensors writes one`;
    expect(stderr).toBe(`layertap: ${index}: ${got}\n`);
  });

  it('says what is wrong with the picture as one error, which is all of an answer', () => {
    const message = 'bad/b.png: expected a JPEG, PNG, WebP or GIF, got something else';
    expect(folder.run('similar', 'e.safetensors', 'bad/b.png', '--json')).toEqual({
      status: 1,
      stdout: `${JSON.stringify({ error: { message, exitCode: 1 } })}\n`,
      stderr: `layertap: ${message}\n`,
    });
  });

  it('says what the index was made with before it reads weights, and where weights may be now', () => {
    mkdirSync(join(folder.path, 'moved'), { recursive: true });
    folder.write('moved/e.safetensors', folder.read('e.safetensors'));
    const lines = [
      ['similar', 'e.safetensors', 'pics/b.png', '--model', 'squeezenet1_0', '--weights', 'nowhere'],
      ['similar', 'moved/e.safetensors', 'pics/b.png'],
      ['similar', 'pics/a.png', 'pics/b.png'],
    ];
    expect(folder.runAll(lines).map(({ stderr }) => stderr)).toEqual([
      'layertap: e.safetensors: expected what the index was made with, model squeezenet1_1, got model squeezenet1_0\n',
      'layertap: moved/e.safetensors: expected its weights where they were, ' +
        `got no ${join(folder.path, 'moved/w.safetensors')}; --weights says where they are now\n`,
      'layertap: pics/a.png: expected a safetensors file, got one that begins with 89 50 4e 47 0d 0a 1a 0a\n',
    ]);
  });

  it('refuses a file that embed has not written', () => {
    const { stderr } = folder.run('similar', 'w.safetensors', 'pics/b.png');
    expect(stderr).toBe(
      'layertap: w.safetensors: expected a file that embed has written, got another safetensors file\n',
    );
  });
});

describe('extract of pictures', () => {
  it('writes a file for each, below the folder that they have in common', () => {
    const { status, stdout, stderr } = folder.run(...EXTRACT, 'pics', '--output-dir', 'out');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^extracted features of 3 pictures in [\d.]+ s\nwrote out\n$/);
    expect(folder.list('out')).toEqual(['a.png.safetensors', 'b.png.safetensors', 'deep']);
    const tensors = folder.readTensors('out/deep/a.png.safetensors');
    expect([...tensors.keys()]).toEqual(['a', 'b']);
    expect(tensors.get('b')).toEqual(feature(inputs[2]!));
  });

  it('writes the same files where threads have pictures side by side', () => {
    expect(folder.run(...EXTRACT, 'pics', '--output-dir', 'side', '--threads', '2', '--heatmaps', 'maps2').status).toBe(
      0,
    );
    for (const name of NAMES.map((picture) => picture.replace('pics/', ''))) {
      const [own, theirs] = ['side', 'out'].map((place) => Buffer.from(folder.read(`${place}/${name}.safetensors`)));
      expect(own!.equals(theirs!)).toBe(true);
    }
    expect(folder.list('maps2/deep/a.png')).toContain('contact-sheet.png');
  });

  it('leaves out those that are there', () => {
    const { stdout } = folder.run(...EXTRACT, 'pics', '--output-dir', 'out', '--skip-existing', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ extracted: 0, skipped: 3, failed: [] });
    // Maps that aren't there are outputs, too.
    const args = ['--output-dir', 'out', '--skip-existing', '--heatmaps', 'later', '--json'];
    const counts = () => JSON.parse(folder.run(...EXTRACT, 'pics', ...args).stdout);
    expect(counts()).toMatchObject({ extracted: 3, skipped: 0 });
    expect(folder.list('later/deep/a.png')).toContain('contact-sheet.png');
    expect(counts()).toMatchObject({ extracted: 0, skipped: 3 });
  });

  it('says which features hold NaN, and writes them as they are', () => {
    const weights = weightsOf(squeezenet1_1()).map(([key, value]) => {
      const isFirst = key === 'features.0.bias';
      return [key, isFirst ? new Tensor(new Float32Array(64).fill(Number.NaN), [64]) : value] as const;
    });
    folder.writeTensors('nan.safetensors', weights);
    const args = ['--model', 'squeezenet1_1', '--weights', 'nan.safetensors', '--layers', 'features.0=a'];
    const { status, stderr } = folder.run('extract', ...args, 'pics/a.png', '--output-dir', 'nan');
    expect([status, stderr]).toEqual([
      0,
      'layertap: warning: pics/a.png: "a" has 788544 of 788544 values that are NaN or infinite; ' +
        'look at the weights and the input\n',
    ]);
    expect(folder.readTensors('nan/a.png.safetensors').get('a')!.data[0]).toBeNaN();
  });

  it('draws each picture by its own shape, whatever the first one has', async () => {
    const flat = (width: number) => ({ create: { width, height: width, channels: 3 as const, background: '#123' } });
    folder.write('tiny.png', await sharp(flat(20)).png().toBuffer());
    folder.write('wide.png', await sharp(flat(80)).png().toBuffer());
    const args = ['--preset', 'none', '--layers', 'features=a', '--output-dir', 'drawn', '--heatmaps', 'own-maps'];
    const { status, stderr } = folder.run('extract', ...NETWORK, 'tiny.png', 'wide.png', ...args);
    expect([status, stderr.replace(/layertap: warning: .*\n/, '')]).toEqual([
      1,
      'layertap: tiny.png: --heatmaps: expected features of more than one pixel, got "a" [1, 512, 1, 1]; ' +
        'leave its layer out\n',
    ]);
    expect(folder.list('own-maps')).toEqual(['wide.png']);
  });

  it('ends at once where a file cannot be written', () => {
    mkdirSync(join(folder.path, 'full'));
    symlinkSync('/dev/full', join(folder.path, 'full/a.png.safetensors'));
    expect(folder.run(...EXTRACT, 'pics', '--output-dir', 'full')).toEqual({
      status: 1,
      stdout: '',
      stderr:
        'layertap: --output-dir full/a.png.safetensors: expected a writable file, got "no space left on device"\n',
    });
    expect(folder.list('full')).toEqual(['a.png.safetensors']);
  });

  it('fails a picture by itself whose name leaves no room for the end of a file’s name', async () => {
    const long = `${'n'.repeat(250)}.png`;
    folder.write(long, await png(1));
    const { status, stderr } = folder.run(...EXTRACT, long, 'pics/a.png', '--output-dir', 'long');
    const place = join('long', `${long}.safetensors`);
    expect([status, stderr]).toEqual([
      1,
      `layertap: ${long}: --output-dir ${place}: expected a writable file, got "name too long"\n`,
    ]);
    expect(folder.list('long/pics')).toEqual(['a.png.safetensors']);
  });

  it('refuses places that are taken before anything is computed', () => {
    for (const name of ['taken', 'weights', 'linked-maps/a.png'])
      mkdirSync(join(folder.path, name), { recursive: true });
    folder.write('taken/deep', 'a file');
    folder.write('weights/a.png.safetensors', folder.read('w.safetensors'));
    symlinkSync('../../w.safetensors', join(folder.path, 'linked-maps/a.png/b-overlay.png'));
    const before = folder.list();
    const own = ['extract', '--model', 'squeezenet1_1', '--layers', 'features=b', '--weights'];
    const lines: [args: string[], status: number, message: string][] = [
      [
        [...own, 'w.safetensors', 'pics', '--output-dir', 'taken'],
        1,
        '--output-dir taken/deep: expected a writable folder, got "it is not a folder"',
      ],
      [
        [...own, 'w.safetensors', 'pics', '--output-dir', 'never', '--heatmaps', 'pics'],
        1,
        '--heatmaps pics/a.png: expected a writable folder, got "it is not a folder"',
      ],
      [
        [...own, 'weights/a.png.safetensors', 'pics', '--output-dir', 'weights'],
        2,
        'expected different places as --weights and --output-dir, got weights/a.png.safetensors twice; ' +
          'see npx layertap-cli --help',
      ],
      [
        [...own, 'w.safetensors', 'pics', '--output-dir', 'never', '--heatmaps', 'linked-maps'],
        2,
        'expected different places as --weights and --heatmaps, got w.safetensors and ' +
          'linked-maps/a.png/b-overlay.png, which are one place; see npx layertap-cli --help',
      ],
    ];
    const expected = lines.map(([, status, message]) => ({ status, stdout: '', stderr: `layertap: ${message}\n` }));
    expect(folder.runAll(lines.map(([args]) => args))).toEqual(expected);
    expect(folder.list()).toEqual(before);
    expect(folder.list('taken')).toEqual(['deep']);
  });

  it('draws heat maps, over the picture too, and a contact sheet of all', async () => {
    const args = ['pics/a.png', '--output', 'drawn.npz', '--heatmaps', 'maps'];
    expect(folder.run(...EXTRACT, ...args).status).toBe(0);
    expect(folder.list('maps')).toEqual(['a-overlay.png', 'a.png', 'b-overlay.png', 'b.png', 'contact-sheet.png']);
    const sheet = await sharp(folder.read('maps/contact-sheet.png')).raw().toBuffer({ resolveWithObject: true });
    expect([sheet.info.width, sheet.info.height]).toEqual([452, 452]);
    const map = await sharp(folder.read('maps/a.png')).raw().toBuffer();
    // The first layer's map stands right of the picture.
    expect([...sheet.data.subarray(228 * 3, 228 * 3 + 30)]).toEqual([...map.subarray(0, 30)]);
    const [picture, over] = [sheet.data, await sharp(folder.read('maps/a-overlay.png')).raw().toBuffer()];
    for (let i = 0; i < 600; i++) expect(Math.abs(over[i]! - (picture[i]! + map[i]!) / 2)).toBeLessThanOrEqual(1);
  });

  it('names the picture alone where it was named without an option', () => {
    folder.write('empty.png', '');
    for (const [picture, got] of [
      ['missing.png', 'expected a readable file, got "no such file or directory"'],
      ['empty.png', 'expected a JPEG, PNG, WebP or GIF, got an empty file'],
    ] as const) {
      expect(folder.run(...EXTRACT, picture, '--output', 'no.npz').stderr).toBe(`layertap: ${picture}: ${got}\n`);
    }
  });

  it('refuses stdout for features and for what is said of them before it looks for the model', () => {
    const args = ['--model', 'nothing', '--weights', 'w', '--layers', 'a', 'pics/a.png', '--output', '-', '--json'];
    const message = 'expected --output - or --json, got both; see npx layertap-cli --help';
    expect(folder.run('extract', ...args)).toEqual({
      status: 2,
      stdout: `${JSON.stringify({ error: { message, exitCode: 2 } })}\n`,
      stderr: `layertap: ${message}\n`,
    });
  });

  it('writes numpy’s archives, and features to stdout', () => {
    expect(folder.run(...EXTRACT, 'pics/a.png', '--output', 'one.npz').status).toBe(0);
    const zip = Buffer.from(folder.read('one.npz'));
    expect(zip.readUInt32LE(0)).toBe(0x04034b50);
    expect(zip.subarray(30, 35).toString()).toBe('a.npy');
    const bytes = folder.runBytes(...EXTRACT, 'pics/a.png', '--output', '-');
    folder.write('stdout.safetensors', bytes);
    expect(folder.readTensors('stdout.safetensors')).toEqual(folder.readTensors('out/a.png.safetensors'));
  });

  it('turns photos upright where it is asked to', async () => {
    const { pixels } = picture(1);
    const raw = { width: WIDTH, height: HEIGHT, channels: 3 } as const;
    folder.write('lying.png', await sharp(pixels, { raw }).withMetadata({ orientation: 6 }).png().toBuffer());
    folder.write('upright.png', await sharp(pixels, { raw }).rotate(90).png().toBuffer());
    const args = ['--preset', 'none', '--output'];
    expect(folder.run(...EXTRACT, 'lying.png', '--auto-orient', ...args, 'turned.safetensors').status).toBe(0);
    expect(folder.run(...EXTRACT, 'lying.png', ...args, 'lying.safetensors').status).toBe(0);
    expect(folder.run(...EXTRACT, 'upright.png', ...args, 'upright.safetensors').status).toBe(0);
    expect(folder.readTensors('turned.safetensors')).toEqual(folder.readTensors('upright.safetensors'));
    expect(folder.readTensors('lying.safetensors')).not.toEqual(folder.readTensors('upright.safetensors'));
  });
});

describe('complete', () => {
  it('gives a shell the options and the models', () => {
    expect(folder.run('complete', 'bash').stdout).toMatch(/^# bash completion for layertap/);
    const { stdout } = folder.run('complete', '--', 'classify', '--model', 'squeezenet1');
    expect(stdout.split('\n').map((line) => line.trim())).toEqual(['squeezenet1_0', 'squeezenet1_1', ':4', '']);
  });

  it('gives bash a script that it takes twice without a word, beside another one of its kind', () => {
    folder.write('complete.sh', folder.run('complete', 'bash').stdout);
    const lines = [
      'readonly ShellCompDirectiveError=1',
      'source complete.sh',
      'source complete.sh',
      'complete -p layertap',
      'declare -F __layertap_complete',
    ];
    const options = { cwd: folder.path, encoding: 'utf8' } as const;
    const { status, stdout, stderr } = spawnSync('bash', ['-c', lines.join('\n')], options);
    expect({ status, stdout, stderr }).toEqual({
      status: 0,
      stdout: 'complete -F __layertap_complete layertap\n__layertap_complete\n',
      stderr: '',
    });
  });
});
