/**
 * torchvision's weights by name, and weights by URL, on the command line: from a mirror on 127.0.0.1 that has files of
 * generated numbers in PyTorch's layouts.
 */

import { Buffer } from 'node:buffer';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { IntermediateLayerGetter } from '../../src/features/intermediate-layer-getter.ts';
import { imageFromRgb } from '../../src/image/image.ts';
import { googlenet } from '../../src/models/googlenet.ts';
import { lraspp_mobilenet_v3_large } from '../../src/models/lraspp.ts';
import { shufflenet_v2_x1_5 } from '../../src/models/shufflenetv2.ts';
import { squeezenet1_1 } from '../../src/models/squeezenet.ts';
import {
  EfficientNet_B0_Weights,
  listWeights,
  ShuffleNet_V2_X1_5_Weights,
  VOC_CATEGORIES,
} from '../../src/weights/index.ts';
import { type Asked, servedBytes, serveFile } from '../support/file-server.ts';
import { fillParameters, generatedTensor } from '../support/generator.ts';
import { pthOf } from '../support/pth.ts';
import { Folder, weightsOf } from './command.ts';

const folder = new Folder();

const WIDTH = 67;
const HEIGHT = 45;
const pixels = Uint8Array.from({ length: WIDTH * HEIGHT * 3 }, (_, i) => (i * i + (i >> 3) * 7) & 255);
const photo = imageFromRgb(pixels, WIDTH, HEIGHT);
const png = await sharp(Buffer.from(pixels), { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
  .png()
  .toBuffer();
folder.write('photo.png', png);

/** Runs a command with a mirror, and what it printed. */
const runWith = (server: { readonly url: string }, ...args: readonly string[]) =>
  folder.runBeside(args, { LAYERTAP_MIRROR: new URL(server.url).origin });

/** Tells where a file is asked for. */
const noting = (paths: Set<string | undefined>) => ({
  fault: ({ request }: Asked) => {
    paths.add(request.url);
    return false;
  },
});

describe('weights', () => {
  it('lists them with quality, size, preset and licence', () => {
    const { status, stdout } = folder.run('weights', 'regnet_y_16gf');
    expect([status, stdout.split('\n')]).toEqual([
      0,
      [
        'model          weights                    quality     parameters    MACs    file  photo                ' +
          'licence of their own',
        'regnet_y_16gf  IMAGENET1K_V1              acc@1 80.4      83.6 M  15.9 G  335 MB  256 to 224 bilinear',
        'regnet_y_16gf  IMAGENET1K_V2 (DEFAULT)    acc@1 82.9      83.6 M  15.9 G  335 MB  232 to 224 bilinear',
        'regnet_y_16gf  IMAGENET1K_SWAG_E2E_V1     acc@1 86.0      83.6 M  46.7 G  335 MB  384 to 384 bicubic   ' +
          'https://github.com/facebookresearch/SWAG/blob/main/LICENSE',
        'regnet_y_16gf  IMAGENET1K_SWAG_LINEAR_V1  acc@1 84.0      83.6 M  15.9 G  335 MB  224 to 224 bicubic   ' +
          'https://github.com/facebookresearch/SWAG/blob/main/LICENSE',
        '',
      ],
    ]);
  });

  it('prints all that is known of them with --json', () => {
    const { status, stdout } = folder.run('weights', '--json');
    const { command, weights } = JSON.parse(stdout);
    expect([status, command, weights.length]).toEqual([0, 'weights', listWeights().length]);
    const { transforms, model, url, sha256, meta } = EfficientNet_B0_Weights.DEFAULT;
    expect(weights.find((one: { readonly model: string }) => one.model === 'efficientnet_b0')).toEqual({
      ...{ weights: 'EfficientNet_B0_Weights.IMAGENET1K_V1', name: 'IMAGENET1K_V1', default: true },
      ...{ model, url, sha256, meta, preset: 'imageClassification' },
      transforms: transforms.call(EfficientNet_B0_Weights.DEFAULT).options,
    });
  });

  it.each([
    ['resnt18', 'the name of one of 74 models', 'resnet18'],
    ['ResNet50_Weigts.DEFAULT', 'the name of weights, such as "ResNet50_Weights.DEFAULT"', 'ResNet50_Weights'],
  ])('says which names are like %s', (name, expected, near) => {
    const message = `weights: expected ${expected}, got "${name}"; did you mean ${near}?`;
    expect(folder.run('weights', name)).toEqual({ status: 1, stdout: '', stderr: `layertap: ${message}\n` });
  });

  it('says where no name fits', () => {
    expect(folder.run('weights', 'vit*')).toEqual({
      status: 1,
      stdout: '',
      stderr:
        'layertap: weights: expected a pattern that fits a name, such as "resnet*" or "*_V2", got "vit*"; without ' +
        'one, all are listed\n',
    });
  });
});

describe('weights by name', () => {
  const extract = ['extract', '--image', 'photo.png', '--deterministic', '--json', '--output', 'f.safetensors'];

  it.each(['zip', 'legacy'] as const)(
    'bring the model and what they want of a photo along; %s, bytes of the layers alone',
    async (layout) => {
      const model = fillParameters(shufflenet_v2_x1_5());
      const paths = new Set<string | undefined>();
      const file = pthOf(layout, model.stateDict());
      await using server = await serveFile(servedBytes(file), noting(paths));
      const args = ['--weights', 'ShuffleNet_V2_X1_5_Weights.DEFAULT', '--layers', 'stage2=c3'];
      const { status, stdout, stderr } = await runWith(server, ...extract, ...args);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      const { preset, model: name } = JSON.parse(stdout);
      expect([preset, name]).toEqual(['ShuffleNet_V2_X1_5_Weights.IMAGENET1K_V1', 'shufflenet_v2_x1_5']);
      expect([...paths]).toEqual(['/models/shufflenetv2_x1_5-3c479a10.pth']);
      expect(server.served()).toBeLessThan(file.length / 5);
      const x = ShuffleNet_V2_X1_5_Weights.DEFAULT.transforms()(photo);
      const getter = new IntermediateLayerGetter(model, { stage2: 'c3' }).compile({ deterministic: true });
      expect(folder.readTensors('f.safetensors').get('c3')!.data).toEqual(getter.forward(x).get('c3')!.data);
    },
  );

  it('tell of a licence that excludes commercial use before they are read', async () => {
    await using server = await serveFile(servedBytes(new Uint8Array(0)), {
      fault: ({ response }) => Boolean(response.writeHead(404).end()),
    });
    const args = ['--weights', 'RegNet_Y_16GF_Weights.IMAGENET1K_SWAG_E2E_V1', '--layers', 'stem'];
    const { stderr } = await runWith(server, ...extract, ...args);
    expect(stderr.split('\n').map((line) => line.slice(0, 120))).toEqual([
      'layertap: warning: RegNet_Y_16GF_Weights.IMAGENET1K_SWAG_E2E_V1 is licensed under CC BY-NC 4.0, which excludes commercia',
      expect.stringMatching(/^layertap: --weights RegNet_Y_16GF_Weights\.IMAGENET1K_SWAG_E2E_V1: /),
      '',
    ]);
  });

  it.each([
    ['localhost:8080', 'http://localhost:8080, got localhost:8080'],
    ['ftp://mirror', 'https://mirror, got ftp://mirror'],
  ])('say of a mirror that is no server what one is: %s', async (mirror, text) => {
    const args = ['classify', '--weights', 'SqueezeNet1_1_Weights.DEFAULT', 'photo.png'];
    const { status, stderr } = await folder.runBeside(args, { LAYERTAP_MIRROR: mirror });
    const expected = `layertap: expected LAYERTAP_MIRROR as an http:// or https:// URL, such as ${text}\n`;
    expect({ status, stderr }).toEqual({ status: 1, stderr: expected });
  });

  it('leave the preset to --preset, where it is given', async () => {
    await using server = await serveFile(servedBytes(pthOf('zip', fillParameters(shufflenet_v2_x1_5()).stateDict())));
    const args = ['--model', 'shufflenet_v2_x1_5', '--weights', 'IMAGENET1K_V1', '--layers', 'conv1', '--preset'];
    const { stdout } = await runWith(server, ...extract, ...args, 'none');
    const { preset, input } = JSON.parse(stdout);
    expect([preset, input]).toEqual(['none', [1, 3, HEIGHT, WIDTH]]);
  });

  it('bring the input transform of GoogLeNet along', async () => {
    const model = fillParameters(googlenet({ transformInput: true }));
    await using server = await serveFile(servedBytes(pthOf('legacy', model.stateDict())));
    const args = ['--weights', 'GoogLeNet_Weights.DEFAULT', '--layers', 'conv1.conv'];
    const { status, stderr } = await runWith(server, ...extract, ...args);
    expect([status, stderr.split('\n').length]).toEqual([0, 2]);
    // Of the same photo, without the transform.
    const given = folder.readTensors('f.safetensors').get('conv1.conv')!;
    await runWith(server, ...extract, ...args, '--model-options', '{"transformInput":false}');
    const plain = folder.readTensors('f.safetensors').get('conv1.conv')!;
    expect(given.data).not.toEqual(plain.data);
  });

  it('name the classes of a mask in the photo’s size', async () => {
    const model = fillParameters(lraspp_mobilenet_v3_large());
    await using server = await serveFile(servedBytes(pthOf('zip', model.stateDict())));
    const args = ['segment', '--weights', 'LRASPP_MobileNet_V3_Large_Weights.DEFAULT', '--image', 'photo.png'];
    const { status, stdout, stderr } = await runWith(server, ...args, '--output', 'm.png', '--json');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const { mask, preset, model: name } = JSON.parse(stdout);
    expect([mask.width, mask.height, name]).toEqual([WIDTH, HEIGHT, 'lraspp_mobilenet_v3_large']);
    expect(preset).toBe('LRASPP_MobileNet_V3_Large_Weights.COCO_WITH_VOC_LABELS_V1');
    expect(mask.classes.length).toBeGreaterThan(0);
    for (const found of mask.classes) expect(found.name).toBe(VOC_CATEGORIES[found.class]);
    const lines = (await runWith(server, ...args, '--output', 'm.png')).stdout;
    const [{ class: index, name: first }] = mask.classes;
    expect(lines).toContain(`\n  class ${index} (${first}): `);
  });

  it('are converted, where the file is the one of that name', async () => {
    await using server = await serveFile(servedBytes(pthOf('zip', fillParameters(squeezenet1_1()).stateDict())));
    const whole = await runWith(server, 'convert', 'SqueezeNet1_1_Weights.DEFAULT', 'w.safetensors');
    expect([whole.status, whole.stderr]).toEqual([
      1,
      expect.stringMatching(
        /^layertap: SqueezeNet1_1_Weights\.IMAGENET1K_V1: http:\S+: openWeights: expected a file whose SHA-256 begins with b8a52dc0,/,
      ),
    ]);
    const args = ['convert', 'DEFAULT', 'w.safetensors', '--model', 'squeezenet1_1', '--layers', 'features.0'];
    const part = await runWith(server, ...args);
    expect([part.status, part.stdout]).toEqual([0, expect.stringMatching(/^wrote w\.safetensors: 2 tensors \(/)]);
  });

  it.each([
    [['--weights', 'DEFAULT'], 2, 'expected --model with --weights DEFAULT, got none; see npx layertap-cli --help'],
    [
      ['--model', 'resnet50', '--weights', 'IMAGENET1K_V3'],
      1,
      '--weights: expected one of ResNet50_Weights: DEFAULT, IMAGENET1K_V1, IMAGENET1K_V2, got ' +
        '"ResNet50_Weights.IMAGENET1K_V3"',
    ],
    [
      ['--model', 'resnet50', '--weights', 'ResNet18_Weights.DEFAULT'],
      1,
      '--weights: expected weights of resnet50, got ResNet18_Weights.IMAGENET1K_V1 of resnet18',
    ],
    [
      ['--weights', 'ResNet19_Weights.DEFAULT'],
      1,
      '--weights: expected the name of weights, such as "ResNet50_Weights.DEFAULT", got ' +
        '"ResNet19_Weights.DEFAULT"; did you mean ResNet18_Weights?',
    ],
    [
      ['--model', 'resnet18', '--weights', 'resnet18.pth'],
      1,
      '--weights resnet18.pth: expected a readable file, got "no such file or directory"',
    ],
    [
      ['--model', 'resnet19', '--weights', 'DEFAULT'],
      1,
      '--model: expected the name of one of 74 models, got "resnet19"; did you mean resnet18?',
    ],
    [
      ['--weights', 'ResNet18_Weights.DEFAULT', '--weights-key', 'model', '--preset', 'none'],
      2,
      'expected --weights-key and --weights-prefix with a file or a URL, got them with a name; see npx layertap-cli ' +
        '--help',
    ],
    [
      ['--model', 'resnet18', '--weights', './DEFAULT'],
      1,
      '--weights ./DEFAULT: expected a readable file, got "no such file or directory"',
    ],
  ])('%j: the line says what is expected', (args, status, message) => {
    const { stderr, ...rest } = folder.run(...extract, '--layers', 'layer1', ...args);
    const stdout = `${JSON.stringify({ error: { message, exitCode: status } })}\n`;
    expect({ ...rest, stderr }).toEqual({ status, stdout, stderr: `layertap: ${message}\n` });
  });
});

it.each([
  ['ResNet18_Weight.DEFAULT', [], 'ResNet18_Weights.DEFAULT'],
  ['Resnet50-Weights.imagenet1k_v2', [], 'ResNet50_Weights.IMAGENET1K_V2'],
  ['ResNet18_Weight.X', ['--model', 'resnet18'], 'ResNet18_Weights.DEFAULT'],
  ['imagenet1k_v2', ['--model', 'resnet50'], 'IMAGENET1K_V2'],
])('of the misspelt name %s the nearest are told', (name, more, near) => {
  const args = ['--weights', name, ...more, '--layers', 'layer1', '--image', 'photo.png', '--output', 'f.safetensors'];
  expect(folder.run('extract', ...args)).toEqual({
    status: 1,
    stdout: '',
    stderr:
      `layertap: --weights ${name}: expected a readable file, got "no such file or directory"; ` +
      `did you mean ${near}?\n`,
  });
});

it('a file is read whose name is like that of weights', () => {
  folder.write('ResNet18_Weight.pth', 'no weights');
  const { stderr } = folder.run('convert', 'ResNet18_Weight.pth', 'w.safetensors');
  expect(stderr).toMatch(/^layertap: ResNet18_Weight\.pth: expected a weight file, got /);
});

describe('weights by URL', () => {
  it.each([401, 403, 404])('that a server refuses by %i say so, and no secret of the URL', async (refusal) => {
    await using server = await serveFile(servedBytes(new Uint8Array(0)), {
      fault: ({ response }) => Boolean(response.writeHead(refusal).end()),
    });
    expect(await folder.runBeside(['convert', `${server.url}?token=secret`, 'f.safetensors'])).toEqual({
      status: 1,
      stdout: '',
      stderr: `layertap: ${server.url}: expected status 206 or 200 from ${server.url}, got ${refusal}\n`,
    });
  });

  it('of another architecture say so in a sentence of its own', async () => {
    const file = pthOf('zip', fillParameters(shufflenet_v2_x1_5()).stateDict());
    await using server = await serveFile(servedBytes(file));
    folder.writeTensors('x.safetensors', [['input', generatedTensor('input', [1, 3, 33, 33])]]);
    const { stderr } = await folder.runBeside([...args, 'f.safetensors', '--weights', server.url]);
    expect(stderr).toContain(
      ' another architecture, as "conv1.0.weight", "conv1.1.weight", "conv1.1.bias" tell. Missing key(s) in state_dict: ',
    );
  });

  it('that are cut say how much there is, and name the file once', async () => {
    const file = pthOf('zip', fillParameters(squeezenet1_1()).stateDict());
    await using server = await serveFile(servedBytes(file.subarray(0, 4_000_000)));
    const { status, stderr } = await folder.runBeside(['convert', server.url, 'f.safetensors']);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^layertap: http:\S+: pth: the end is missing: 4000000 of at least 49\d{5} bytes\n$/);
  });

  const args = [
    'extract',
    '--model',
    'squeezenet1_1',
    '--layers',
    'features.0',
    '--input',
    'x.safetensors',
    '--output',
  ];

  it('are read as files are, with a key and a prefix', async () => {
    folder.writeTensors('x.safetensors', [['input', generatedTensor('input', [1, 3, 33, 33])]]);
    const tensors = Array.from(
      fillParameters(squeezenet1_1()).stateDict(),
      ([key, one]) => [`net.${key}`, one] as const,
    );
    await using server = await serveFile(servedBytes(pthOf('zip', tensors)));
    const { status, stderr } = await folder.runBeside([
      ...args,
      ...['f.safetensors', '--weights', `${server.url}?token=secret`, '--weights-prefix', 'net.'],
    ]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const wrong = await folder.runBeside([...args, 'f.safetensors', '--weights', `${server.url}?token=secret`]);
    expect(wrong.status).toBe(1);
    expect(wrong.stderr).toContain(`layertap: --weights ${server.url}: `);
    expect(wrong.stderr).toContain('pass --weights-prefix "net."');
    expect(wrong.stderr).not.toContain('secret');
    const user = await folder.runBeside([
      ...args,
      'f.safetensors',
      '--weights',
      server.url.replace('//', '//me:secret@'),
    ]);
    expect(user.stderr).toBe(
      `layertap: --weights ${server.url}: expected a URL without user and password, as fetch takes it, ` +
        `got ${server.url} with them; download the file by other means\n`,
    );
  });

  it.each([
    ['s3://key:se/cret@bucket/x.pth?sig=secret', 's3://bucket/x.pth'],
    ['s3://key:se?cret@bucket/x.pth', 's3://bucket/x.pth'],
    ['ftp://me:secret@host/x', 'ftp://host/x'],
    [' file:///x.pth#secret', 'file:///x.pth'],
  ])('of another scheme are refused, and no secret of the URL is said: %s', (url, shown) => {
    const got = `${shown}: expected a file or an http:// or https:// URL, got a URL of another scheme`;
    const said = { status: 1, stdout: '', stderr: `layertap: ${got}\n` };
    expect(folder.run('convert', url, 'f.safetensors')).toEqual(said);
    const { stdout, stderr } = folder.run(...args, 'f.safetensors', '--weights', url, '--json');
    expect(stderr).toBe(`layertap: --weights ${got}\n`);
    expect(stdout).not.toMatch(/cret/);
  });

  it('have no secret in what is printed, whatever the command', async () => {
    await using server = await serveFile(servedBytes(pthOf('zip', [['w', generatedTensor('w', [3])]])));
    const url = `${server.url}?sig=secret#secret`;
    const converted = await folder.runBeside(['convert', url, 'f.safetensors', '--json']);
    expect(JSON.parse(converted.stdout)).toMatchObject({ command: 'convert', input: server.url, tensors: 1 });
    const lacking = ['convert', url, 'f.safetensors', '--model', 'squeezenet1_1', '--layers', 'features.0'];
    const { stderr } = await folder.runBeside(lacking);
    expect(stderr).toMatch(/expected the tensors that the layers need, got none named "features\.0\.weight", but "w"/);
    expect(stderr).not.toContain('secret');
    const secret = 'https://me:secret@host/x?sig=secret';
    for (const given of [
      ['convert', `hub:${secret}`, 'f.safetensors'],
      ['convert', 'w.pth', secret],
      ['extract', '--model', 'squeezenet1_1', '--layers', 'features.0', '--weights', 'w', '--image', secret],
      [...args, secret, '--weights', 'w'],
      ['similar', secret, secret],
      ['models', secret, secret],
      [secret],
    ]) {
      const { status, stdout, stderr } = folder.run(...given, '--json');
      expect(status).toBeGreaterThan(0);
      expect(stdout + stderr, given.join(' ')).not.toContain('secret');
    }
    const own = ['--model', 'squeezenet1_1', '--weights', 'own.safetensors', '--json'];
    folder.writeTensors('own.safetensors', weightsOf(squeezenet1_1()));
    const failed = folder.run('classify', ...own, secret);
    expect(failed.stderr).toContain('layertap: https://host/x: expected a glob that fits some files, got none');
    expect(failed.stdout + failed.stderr).not.toContain('secret');
    // Without a query, it is no glob, but a picture that fails by itself.
    const one = folder.run('classify', ...own, 'https://me:secret@host/x#secret', 'photo.png');
    expect(one.stderr).toContain('layertap: https://host/x: expected a readable file');
    expect(one.stdout + one.stderr).not.toContain('secret');
  });

  it('have no secret in what is printed, though one slash makes them names of files', () => {
    const { stderr } = folder.run('convert', 'ftp:/me:se/cret@host/x?sig=secret', 'f.safetensors');
    expect(stderr).toBe('layertap: ftp:/host/x: expected a readable file, got "no such file or directory"\n');
  });

  it.each(['https:/', 'https:///', 'https:', 'HTTPS:\\\\', ' https:/'])(
    'have no secret in what is printed, whichever slashes a URL has: %j',
    (slashes) => {
      const url = `${slashes}me:secret@host/x.pth`;
      const got = 'expected a URL without user and password, as fetch takes it, got https://host/x.pth with them';
      const { stdout, stderr } = folder.run(...args, 'f.safetensors', '--weights', url, '--json');
      expect(stderr).toBe(`layertap: --weights https://host/x.pth: ${got}; download the file by other means\n`);
      expect(stdout).not.toContain('secret');
      const own = ['--model', 'squeezenet1_1', '--weights', 'own.safetensors', '--json'];
      folder.writeTensors('own.safetensors', weightsOf(squeezenet1_1()));
      for (const given of [
        ['classify', ...own, url],
        ['convert', `hub:${url}`, 'f.safetensors'],
        ['convert', 'w.pth', url],
        ['similar', url, url],
        ['models', url, url],
        [url],
      ]) {
        const { status, stdout, stderr } = folder.run(...given, '--json');
        expect(status).toBeGreaterThan(0);
        expect(stdout + stderr, given.join(' ')).not.toContain('secret');
      }
    },
  );

  it('say the whole of a prefix of which a part was given', () => {
    const nested = fillParameters(squeezenet1_1()).stateDict();
    const tensors = Array.from(nested, ([key, one]) => [`_orig_mod.module.${key}`, one] as const);
    folder.write('nested.pth', pthOf('zip', tensors));
    const { stderr } = folder.run(
      ...args,
      'f.safetensors',
      '--weights',
      'nested.pth',
      '--weights-prefix',
      '_orig_mod.',
    );
    expect(stderr).toContain('pass --weights-prefix "_orig_mod.module."');
  });
});
