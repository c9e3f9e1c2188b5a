/** `layertap inspect` and `layertap models`: what is told without weights. */

import { describe, expect, it } from 'vitest';
import { listModels, modelInfo } from '../../src/models/registry.ts';
import { Folder } from './command.ts';

const folder = new Folder();

const print = (...args: readonly string[]) => {
  const { status, stdout, stderr } = folder.run(...args);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
};

describe('inspect', () => {
  it('prints the children, which of them are kept, and what the features cost', () => {
    // Parameters and multiply-accumulates as torchvision's, counted there.
    expect(print('inspect', '--model', 'resnet50', '--layers', 'layer2=c3', '--size', '224')).toBe(
      `resnet50 on [1, 3, 224, 224]

child    type                        getter  output             parameters    MACs     bytes
conv1    Conv2d             kept     yes     [1, 64, 112, 112]      9.41 k   118 M  3.06 MiB
bn1      BatchNorm2d        kept     yes     [1, 64, 112, 112]         128       0  3.06 MiB
relu     ReLU               kept     yes     [1, 64, 112, 112]           0       0  3.06 MiB
maxpool  MaxPool2d          kept     yes     [1, 64, 56, 56]             0       0   784 KiB
layer1   Sequential         kept     yes     [1, 256, 56, 56]        216 k   668 M  3.06 MiB
layer2   Sequential         kept     yes     [1, 512, 28, 28]       1.22 M  1.03 G  1.53 MiB
layer3   Sequential         dropped  yes     -                      7.10 M       -         -
layer4   Sequential         dropped  yes     -                      15.0 M       -         -
avgpool  AdaptiveAvgPool2d  dropped  yes     -                           0       -         -
fc       Linear             dropped  no      -                      2.05 M       -         -
kept                                                                1.44 M  1.81 G  14.5 MiB
dropped                                                             24.1 M       -         -

feature  layer   output            scale    MACs     bytes
c3       layer2  [1, 512, 28, 28]    1/8  1.81 G  1.53 MiB
`,
    );
  });

  it("without layers runs the model's own forward, what is between its children included", () => {
    const { children, features, totals } = JSON.parse(print('inspect', '--model', 'resnet18', '--json'));
    expect(children.at(-1)).toEqual({
      name: 'fc',
      type: 'Linear',
      kept: true,
      getter: false,
      shape: [1, 1000],
      parameters: 513_000,
      macs: 512_000,
      bytes: 4000,
    });
    expect(features).toEqual([]);
    expect(totals).toEqual({
      kept: { parameters: 11_689_512, macs: 1_814_073_344, bytes: expect.any(Number) },
      dropped: { parameters: 0 },
    });
  });

  it('lists the nodes, but for those that are several tensors, which no layer can be', () => {
    const { nodes } = JSON.parse(
      print('inspect', '--model', 'shufflenet_v2_x0_5', '--nodes', '--size', '64', '--json'),
    );
    expect(nodes.map(({ name }: { name: string }) => name).slice(18, 22)).toEqual([
      ...['stage2.0.cat', 'stage2.0.channel_shuffle', 'stage2.1.getitem', 'stage2.1.getitem_1'],
    ]);
  });

  it('says of an input that is too small which layer it is, and what works', () => {
    const { status, stderr } = folder.run('inspect', '--model', 'alexnet', '--size', '30');
    expect(status).not.toBe(0);
    expect(stderr).toBe(
      'layertap: AlexNet: features.5: max_pool2d: expected an input of at least 3x3 pixels with padding ' +
        '(kernel 3x3, dilation 1x1), got 2x2 from x [1, 192, 2, 2]; the smallest input that works is [1, 3, 63, 63]\n',
    );
  });

  it('says so where only the nodes of the whole model need a larger one', () => {
    const args = ['--model', 'squeezenet1_1', '--size', '16', '--layers', 'features.3=a', '--nodes'];
    const { status, stderr } = folder.run('inspect', ...args);
    expect(status).toBe(1);
    expect(stderr).toBe(
      'layertap: SqueezeNet: features.8: max_pool2d: expected an input of at least 2x2 pixels with padding (kernel ' +
        '3x3, dilation 1x1, stride 2x2, ceil mode), got 1x1 from x [1, 256, 1, 1]; the smallest input that works is ' +
        '[1, 3, 17, 17]\n',
    );
  });

  it('tells of a backbone that returns several features, with the options of the model', () => {
    const options = ['--model-options', '{"auxLoss":true,"numClasses":5}', '--size', '64x96'];
    const { input, children } = JSON.parse(print('inspect', '--model', 'fcn_resnet50', ...options, '--json'));
    expect(input).toEqual([1, 3, 64, 96]);
    const shapes = children.map(({ name, shape }: { name: string; shape: unknown }) => [name, shape]);
    expect(shapes).toEqual([
      ['backbone', { aux: [1, 1024, 8, 12], out: [1, 2048, 8, 12] }],
      ['classifier', [1, 5, 8, 12]],
      ['aux_classifier', [1, 5, 8, 12]],
    ]);
  });

  it.each([
    ['vgg11', '31', 'features.4', 'features.20'],
    ['squeezenet1_1', '16', 'features.3', 'features.8'],
  ])('tells no shape of what does not run at its size: %s on %s pixels', (model, size, layer, first) => {
    const args = ['--layers', `${layer}=a`, '--depth', '2', '--json'];
    const { children, totals } = JSON.parse(print('inspect', '--model', model, '--size', size, ...args));
    const at = children.findIndex(({ name }: { name: string }) => name === first);
    const [features, ...before] = children.slice(0, at);
    for (const one of before) expect(one.shape.length).toBe(4);
    for (const one of children.slice(at)) expect(one).toMatchObject({ shape: null, macs: null, bytes: null });
    expect(features).toMatchObject({ name: 'features', kept: true, shape: null, bytes: null });
    // Those of the layers that ran.
    expect(features.macs).toBe(before.reduce((sum: number, one: { macs: number }) => sum + one.macs, 0));
    expect(totals.kept).toMatchObject({ macs: features.macs, bytes: null });
    // A getter runs `features` to its end, which it doesn't come to.
    expect(children.filter(({ getter }: { getter: boolean }) => getter)).toEqual([]);
  });

  it('sums the bytes of what runs, whatever else is kept', () => {
    // The auxiliary heads run in train mode alone.
    const { children, totals } = JSON.parse(print('inspect', '--model', 'googlenet', '--json'));
    const bytes = children.map((one: { bytes: number | null }) => one.bytes);
    expect(bytes).toContain(null);
    expect(totals.kept.bytes).toBe(bytes.reduce((sum: number, one: number | null) => sum + (one ?? 0), 0));
  });

  it('takes dotted paths, and names features after their layers where no name is given', () => {
    const args = ['--layers', 'features.4,features.0.1=bn', '--size', '97x131', '--json'];
    const result = JSON.parse(print('inspect', '--model', 'mobilenet_v3_small', ...args));
    expect(result.features).toEqual([
      {
        name: 'bn',
        layer: 'features.0.1',
        shape: [1, 16, 49, 66],
        channels: 16,
        reduction: 2,
        macs: 1_397_088,
        bytes: 206_976,
        deviates: false,
      },
      expect.objectContaining({ name: 'features.4', layer: 'features.4', shape: [1, 40, 7, 9], reduction: 16 }),
    ]);
    expect(result.children.map(({ kept }: { kept: boolean }) => kept)).toEqual([true, false, false]);
  });
});

describe('inspect of modules and nodes', () => {
  it("marks the children that a getter gives the model's own values of", () => {
    const marked = (model: string) => {
      const { children } = JSON.parse(print('inspect', '--model', model, '--json'));
      return children.flatMap(({ name, getter }: { name: string; getter: boolean }) => (getter ? name : []));
    };
    expect(marked('squeezenet1_1')).toEqual(['features', 'classifier']);
    expect(marked('mobilenet_v2')).toEqual(['features']);
    expect(marked('fcn_resnet50')).toEqual(['backbone']);
  });

  it('lists modules to a depth, whose costs add up', () => {
    const { children } = JSON.parse(print('inspect', '--model', 'mobilenet_v3_small', '--depth', '2', '--json'));
    const names = children.map(({ name }: { name: string }) => name);
    expect(names.slice(0, 3)).toEqual(['features', 'features.0', 'features.1']);
    expect(names.slice(-5)).toEqual(['classifier', 'classifier.0', 'classifier.1', 'classifier.2', 'classifier.3']);
    const macs = (path: RegExp) =>
      children.reduce(
        (sum: number, one: { name: string; macs: number }) => sum + (path.test(one.name) ? one.macs : 0),
        0,
      );
    expect(macs(/^features$/)).toBe(macs(/^features\.\d+$/));
    expect(macs(/^features$/)).toBeGreaterThan(5e7);
    expect(print('inspect', '--model', 'resnet18', '--depth', '3')).toMatch(/\nlayer1\.0\.conv1 +Conv2d /);
  });

  it('lists nodes in order of execution', () => {
    const { nodes } = JSON.parse(print('inspect', '--model', 'resnet18', '--nodes', '--size', '64', '--json'));
    expect(nodes).toHaveLength(70);
    expect(nodes[0]).toEqual({ name: 'x', shape: [1, 3, 64, 64], channels: 3, reduction: 1, macs: 0, bytes: 49_152 });
    expect(nodes.at(-2)).toMatchObject({ name: 'flatten', shape: [1, 512], channels: 512 });
    const lines = print('inspect', '--model', 'resnet18', '--nodes').split('\n');
    expect(lines.some((line) => /^layer1\.0\.add +\[1, 64, 56, 56\] +1\/4 /.test(line))).toBe(true);
  });

  it("says where a getter would deviate, and tells of the model's own", () => {
    const args = ['inspect', '--model', 'resnet18', '--layers', 'layer4=c5,fc=logits', '--json'];
    const { status, stdout, stderr } = folder.run(...args);
    expect(status).toBe(0);
    expect(stderr).toMatch(
      /^layertap: warning: "fc": the value is the model's own; with .* runs them, it can't take what .* before it\?\n$/,
    );
    const { features, totals } = JSON.parse(stdout);
    expect(features.map(({ name, shape }: { name: string; shape: unknown }) => [name, shape])).toEqual([
      ['c5', [1, 512, 7, 7]],
      ['logits', [1, 1000]],
    ]);
    expect(totals.dropped.parameters).toBe(0);
  });
});

describe('models', () => {
  it('prints one line for each builder: family, parameters, MACs, sizes and stages', () => {
    const [head, ...lines] = print('models').trimEnd().split('\n');
    expect(head!.split(/ {2,}/)).toEqual(['model', 'family', 'parameters', 'MACs', 'at', 'smallest', 'stages']);
    expect(lines.map((line) => line.split(' ')[0])).toEqual(listModels());
  });

  it('prints those that a pattern fits', () => {
    expect(print('models', 'squeezenet*').trimEnd().split('\n').slice(1)).toEqual([
      'squeezenet1_0  squeezenet      1.25 M  819 M  224        21  ' +
        'features.1 1/2, features.5 1/4, features.10 1/8, features.12 1/16',
      'squeezenet1_1  squeezenet      1.24 M  349 M  224        17  ' +
        'features.1 1/2, features.4 1/4, features.7 1/8, features.12 1/16',
    ]);
  });

  it('says which names are like a wrong one', () => {
    const message = 'models: expected the name of one of 74 models, got "resnt18"; did you mean resnet18?';
    expect(folder.run('models', 'resnt18')).toEqual({ status: 1, stdout: '', stderr: `layertap: ${message}\n` });
  });

  it('prints one JSON object with --json', () => {
    expect(JSON.parse(print('models', '--json', 'vgg1?'))).toEqual({
      command: 'models',
      models: ['vgg11', 'vgg13', 'vgg16', 'vgg19'].map((name) => modelInfo(name as 'vgg11')),
    });
  });
});

describe('help', () => {
  it('names every command, and is printed for each of them', () => {
    const text = print('--help');
    for (const command of ['extract', 'segment', 'inspect', 'models']) {
      expect(text).toContain(`\n  ${command} [options]`);
      const help = print(command, '--help');
      expect(help).toContain(`Usage: npx layertap-cli ${command} [options]`);
      expect(Math.max(...help.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
    }
  });

  it('tells the version', () => {
    expect(print('--version')).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it('names its own option where a module is there and does not run', () => {
    const { status, stderr } = folder.run('inspect', '--model', 'googlenet', '--layers', 'aux1=a');
    expect(status).toBe(1);
    expect(stderr).toMatch(/^layertap: --layers: "aux1" is not present in model; its nodes are /);
    expect(stderr).toMatch(/; "aux1" runs in train mode alone, and layertap runs all modules in eval mode\n$/);
  });

  it('names no option of the library where a module never runs', () => {
    const { status, stderr } = folder.run('inspect', '--model', 'shufflenet_v2_x0_5', '--layers', 'stage2.1.branch1=a');
    expect(status).toBe(1);
    expect(stderr).toMatch(/; "stage2\.1\.branch1" doesn't run in eval mode for an input of \[1, 3, 224, 224\]\n$/);
  });

  it('says which size works, where children in a row work with none', () => {
    const { status, stderr } = folder.run('inspect', '--model', 'inception_v3', '--layers', 'Mixed_7c', '--size', '40');
    expect(status).toBe(1);
    expect(stderr).toBe(
      'layertap: FeatureExtractor: Mixed_6a.branch3x3.conv: conv2d: expected an input of at least 3x3 pixels with ' +
        'padding (kernel 3x3, dilation 1x1), got 2x2 from x [1, 288, 2, 2]; the smallest input that works is ' +
        '[1, 3, 75, 75]\n',
    );
  });
});
