/**
 * What the command line says of bad input: one line on stderr, exit code 1, or 2 for wrong usage, and nothing
 * written.
 */

import { linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { failureLine } from '../../cli/src/failures.js';
import { listModels } from '../../src/models/registry.ts';
import { squeezenet1_1 } from '../../src/models/squeezenet.ts';
import { Tensor, zeros } from '../../src/tensor/tensor.ts';
import { generatedTensor } from '../support/generator.ts';
import { Folder, weightsOf } from './command.ts';

const folder = new Folder();

describe('a failure', () => {
  it('names the program once, also where the core names the library', () => {
    expect(failureLine('layertap: expected a plan within\n1 byte')).toBe('layertap: expected a plan within 1 byte');
    expect(failureLine('resize: expected layertap: 1')).toBe('layertap: resize: expected layertap: 1');
  });
});

/** A safetensors file with this header, whatever it says, and so many zero bytes of data. */
function file(header: string, dataBytes = 0): Uint8Array {
  const bytes = new TextEncoder().encode(header);
  const all = new Uint8Array(8 + bytes.length + dataBytes);
  new DataView(all.buffer).setBigUint64(0, BigInt(bytes.length), true);
  all.set(bytes, 8);
  return all;
}

const MODEL = ['--model', 'squeezenet1_1'];
const WEIGHTS = ['--weights', 'w.safetensors'];
const LAYERS = ['--layers', 'features.1=a'];
const INPUT = ['--input', 'x.safetensors'];
const IMAGE = ['--image', 'photo.png'];
const OUTPUT = ['--output', 'out.safetensors'];

/** An extraction that is right but for what replaces its parts. */
function extract({ model = MODEL, weights = WEIGHTS, layers = LAYERS, input = INPUT, output = OUTPUT }) {
  return ['extract', ...model, ...weights, ...layers, ...input, ...output];
}

const input = (name: string) => extract({ input: ['--input', name] });
const weights = (name: string) => extract({ weights: ['--weights', name] });
const header = '{"input":{"dtype":"F32","shape":[1,3,4,4],"data_offsets":[0,192]}}';

type Case = readonly [claim: string, args: readonly string[], message: string];

const usage: readonly Case[] = [
  ['no command', [], 'expected a command, got none'],
  ['another command', ['tap'], "unknown command 'tap'"],
  ['help of another command', ['help', 'tap'], "unknown command 'tap'"],
  [
    'a model without layers to convert',
    ['convert', 'a.pth', 'b.safetensors', '--model', 'a'],
    'expected --layers with --model, got none',
  ],
  [
    'layers without a model to convert',
    ['convert', 'a.pth', 'b.safetensors', '--layers', 'a'],
    'expected --model with --layers, got none',
  ],
  [
    'a conversion into what convert does not write',
    ['convert', 'a.pth', 'b.npz'],
    'expected the output as .safetensors or -, got b.npz',
  ],
  [
    'features of another format',
    extract({ output: ['--output', 'o.txt'] }),
    'expected --output as .safetensors, .npy, .npz or -, got o.txt; --format says the format of other names',
  ],
  [
    'a name that ends as another format than the one that is asked for',
    extract({ output: ['--output', 'o.safetensors', '--format', 'npy'] }),
    'expected --format safetensors for o.safetensors, got --format npy',
  ],
  [
    'a mask of another format',
    ['segment', '--model', 'fcn_resnet50', ...WEIGHTS, ...INPUT, '--output', 'm.JPG'],
    'expected --output as .png or -, got m.JPG',
  ],
  [
    'scores of another format',
    ['segment', '--model', 'fcn_resnet50', ...WEIGHTS, ...INPUT, '--output', 'm.png', '--scores', 's.npz'],
    'expected --scores as .safetensors, got s.npz',
  ],
  [
    'several layers as one array, before the model is looked for',
    extract({
      ...{ model: ['--model', 'nothing'], layers: ['--layers', 'features.1=a,features.3=b'] },
      output: ['--output', 'f.npy'],
    }),
    'expected one layer for .npy, got 2; .npz and .safetensors hold several',
  ],
  [
    'scores of another format, before the model is looked for',
    ['segment', '--model', 'nothing', ...WEIGHTS, ...INPUT, '--output', 'm.png', '--scores', 's.npz'],
    'expected --scores as .safetensors, got s.npz',
  ],
  [
    'a model without layers to convert, before the weights are looked for',
    ['convert', 'Nothing_Weights.DEFAULT', 'b.safetensors', '--model', 'nothing'],
    'expected --layers with --model, got none',
  ],
  [
    'scores for stdout, which has the mask',
    ['segment', '--model', 'nothing', ...WEIGHTS, ...INPUT, '--output', 'm.png', '--scores', '-'],
    'expected --scores as a file, got -, which stands for stdout',
  ],
  ['a missing option', extract({ weights: [] }), "required option '--weights <weights>' not specified"],
  [
    'all that is missing at once',
    ['extract', ...MODEL],
    "required options '--weights <weights>', '--layers <list>', '--image <file> or --input <file>', " +
      "'--output <file>' not specified",
  ],
  [
    'pictures and options that are missing',
    ['embed', ...MODEL, ...WEIGHTS],
    "pictures and required options '--layers <list>', '--output <file>' not specified",
  ],
  [
    'a model among what is missing, unless the weights may name it',
    ['extract'],
    "required options '--weights <weights>', '--layers <list>', '--model <name>', '--image <file> or --input <file>', " +
      "'--output <file>' not specified",
  ],
  [
    'a model among what is missing, of weights from a file',
    ['embed', 'a.jpg', ...WEIGHTS, ...LAYERS],
    "required options '--output <file>', '--model <name>' not specified",
  ],
  [
    'no model where weights name it',
    ['embed', 'a.jpg', '--weights', 'hub:timm/resnet18.a1_in1k', ...LAYERS],
    "required option '--output <file>' not specified",
  ],
  [
    'what one picture needs, all at once',
    ['segment', ...MODEL, ...WEIGHTS],
    "required options '--image <file> or --input <file>', '--output <file>' not specified",
  ],
  ['all files that are missing at once', ['similar'], 'index, query not specified'],
  ['the file that is missing', ['convert', 'a.pth'], 'output not specified'],
  ['a command that is misspelt', ['classfy'], "unknown command 'classfy' (Did you mean classify?)"],
  ['an option that is misspelt', ['models', '--jsn'], "unknown option '--jsn' (Did you mean --json?)"],
  [
    'several pictures as one file',
    ['extract', ...MODEL, ...WEIGHTS, ...LAYERS, 'a.jpg', 'b.jpg', '--output', 'f.safetensors'],
    'expected --output-dir with several pictures, got --output',
  ],
  [
    'a folder as one file',
    ['extract', ...MODEL, ...WEIGHTS, ...LAYERS, 'folder', '--output', 'f.safetensors'],
    'expected --output-dir with several pictures, got --output',
  ],
  [
    'a picture without a place for its features',
    ['extract', ...MODEL, ...WEIGHTS, ...LAYERS, 'a.jpg'],
    'expected --output or --output-dir with pictures, got none',
  ],
  [
    'what is there left out of one file',
    ['extract', ...MODEL, ...WEIGHTS, ...LAYERS, 'a.jpg', '--output', 'f.safetensors', '--skip-existing'],
    'expected --skip-existing with --output-dir, got it without',
  ],
  [
    'both places for features',
    ['extract', ...MODEL, ...WEIGHTS, ...LAYERS, 'a.jpg', '--output', 'f.npz', '--output-dir', 'out'],
    'expected --output or --output-dir, got both',
  ],
  [
    'pictures and an image',
    ['extract', ...MODEL, ...WEIGHTS, ...LAYERS, 'a.jpg', ...IMAGE, '--output-dir', 'out'],
    'expected pictures or --image, got both',
  ],
  [
    'several layers as one array',
    extract({ layers: ['--layers', 'features.1=a,features.3=b'], output: ['--output', 'f.npy'] }),
    'expected one layer for .npy, got 2; .npz and .safetensors hold several',
  ],
  [
    'a vector of several layers',
    ['embed', ...MODEL, ...WEIGHTS, '--layers', 'features.1,features.3', 'a.jpg', '--output', 'e.safetensors'],
    'expected one layer in --layers, whose feature is the vector, got 2',
  ],
  [
    'embeddings of another format',
    ['embed', ...MODEL, ...WEIGHTS, ...LAYERS, 'a.jpg', '--output', 'e.csv'],
    'expected --output as .safetensors, .npy, .jsonl or -, got e.csv',
  ],
  [
    'rows without names to go on by',
    ['embed', ...MODEL, ...WEIGHTS, ...LAYERS, 'a.jpg', '--output', 'e.npy', '--skip-existing'],
    'expected --skip-existing with .safetensors or .jsonl, whose rows have names',
  ],
  [
    'a count that is none',
    ['classify', ...MODEL, ...WEIGHTS, 'a.jpg', '--top', '0'],
    "option '--top <count>' argument '0' is invalid. Expected a whole number from 1 to 9999",
  ],
  ['an option that there is not', ['models', '--all'], "unknown option '--all'"],
  ['an argument too many', ['models', 'x', 'y'], "too many arguments for 'models'. Expected 1 argument but got 2"],
  ['no input', extract({ input: [] }), 'expected --input or --image, got neither'],
  ['two inputs', extract({ input: [...INPUT, ...IMAGE] }), 'expected --input or --image, got both'],
  [
    'a preset for a tensor',
    extract({ input: [...INPUT, '--preset', 'none'] }),
    'expected --preset only with --image, got it with --input',
  ],
  [
    'another preset',
    extract({ input: [...IMAGE, '--preset', 'x'] }),
    "option '--preset <name>' argument 'x' is invalid. Allowed choices are imagenet, segmentation, none",
  ],
  [
    'a layer without a name',
    extract({ layers: ['--layers', 'a=b,=c'] }),
    `option '--layers <list>' argument 'a=b,=c' is invalid. Expected layer=name, got "=c"`,
  ],
  [
    'a layer twice',
    extract({ layers: ['--layers', 'a=b,a=c'] }),
    `option '--layers <list>' argument 'a=b,a=c' is invalid. Expected each layer once, got "a" twice`,
  ],
  [
    'a size that is no number',
    ['inspect', ...MODEL, '--size', 'NaN'],
    "option '--size <pixels>' argument 'NaN' is invalid. Expected pixels, such as 224 or 97x131",
  ],
  [
    'a size of nothing',
    ['inspect', ...MODEL, '--size', '0x5'],
    "option '--size <pixels>' argument '0x5' is invalid. Expected pixels, such as 224 or 97x131",
  ],
  [
    'model options that are no object',
    ['inspect', ...MODEL, '--model-options', '[1]'],
    "option '--model-options <json>' argument '[1]' is invalid. Expected a JSON object",
  ],
  [
    'an output in the place of an input',
    extract({ output: ['--output', './x.safetensors'] }),
    'expected different places as --input and --output, got x.safetensors and ./x.safetensors, which are one place',
  ],
  [
    'two outputs in one place',
    ['segment', '--model', 'fcn_resnet50', ...WEIGHTS, ...INPUT, '--output', 'm', '--scores', 'm'],
    'expected different places as --output and --scores, got m twice',
  ],
  [
    'two outputs whose names differ in case alone',
    ['segment', '--model', 'fcn_resnet50', ...WEIGHTS, ...INPUT, '--output', 'm', '--scores', 'M'],
    'expected different places as --output and --scores, got m and M, which are one place',
  ],
  [
    'an output that is a link to the weights',
    extract({ output: ['--output', 'symbolic'] }),
    'expected different places as --weights and --output, got w.safetensors and symbolic, which are one place',
  ],
  [
    'an output that is another name of the weights',
    extract({ output: ['--output', 'hard'] }),
    'expected different places as --weights and --output, got w.safetensors and hard, which are one place',
  ],
  [
    'a heat map in the place of the photo',
    extract({
      layers: ['--layers', 'features.1=photo'],
      input: IMAGE,
      output: [...OUTPUT, '--heatmaps', '.'],
    }),
    'expected different places as --image and --heatmaps, got photo.png twice',
  ],
  [
    'a heat map in the place of a picture that no option names',
    extract({
      layers: ['--layers', 'features.1=photo'],
      input: ['photo.png'],
      output: [...OUTPUT, '--heatmaps', '.'],
    }),
    'expected different places as a picture and --heatmaps, got photo.png twice',
  ],
  [
    'a heat map in the place of the weights',
    extract({ output: [...OUTPUT, '--heatmaps', 'linked'] }),
    `expected different places as --weights and --heatmaps, got w.safetensors and ${join('linked', 'a.png')}, ` +
      'which are one place',
  ],
  [
    'a heat map in the place of the input',
    extract({
      input: ['--input', 'x.png'],
      layers: ['--layers', 'features.1=x'],
      output: [...OUTPUT, '--heatmaps', '.'],
    }),
    'expected different places as --input and --heatmaps, got x.png twice',
  ],
  [
    'a heat map in the place of the output',
    extract({ output: ['--output', 'a.png', '--format', 'npy', '--heatmaps', '.'] }),
    'expected different places as --output and --heatmaps, got a.png twice',
  ],
  [
    'a heat map of a batch in the place of the output',
    extract({
      input: ['--input', 'two.safetensors'],
      output: ['--output', 'A-1.png', '--format', 'npy', '--heatmaps', '.'],
    }),
    'expected different places as --output and --heatmaps, got A-1.png and a-1.png, which are one place',
  ],
  [
    'heat maps in a folder in the place of the output',
    extract({ output: ['--output', 'maps', '--heatmaps', join('maps', 'new')] }),
    `expected different places as --output and --heatmaps, got maps and ${join('maps', 'new')}, which are one place`,
  ],
  ['two photos', extract({ input: [...IMAGE, ...IMAGE] }), 'expected --image once, got it twice'],
  ['two models', extract({ model: [...MODEL, '--model', 'resnet18'] }), 'expected --model once, got it twice'],
  ['a size twice', ['inspect', ...MODEL, '--size', '64', '--size', '32'], 'expected --size once, got it twice'],
  [
    'two features of one name',
    extract({ layers: ['--layers', 'features.1=a,features.2=a'] }),
    `option '--layers <list>' argument 'features.1=a,features.2=a' is invalid. Expected each name once, got "a" twice`,
  ],
  [
    'a feature of the name of a layer that has none',
    extract({ layers: ['--layers', 'features.1,features.2=features.1'] }),
    `option '--layers <list>' argument 'features.1,features.2=features.1' is invalid. Expected each name ` +
      'once, got "features.1" twice',
  ],
  [
    'a name that files keep for themselves',
    extract({ layers: ['--layers', 'features.1=__metadata__'] }),
    `option '--layers <list>' argument 'features.1=__metadata__' is invalid. Expected a name other than ` +
      '"__metadata__", which safetensors files keep',
  ],
];

const failures: readonly Case[] = [
  [
    'another model',
    extract({ model: ['--model', 'resnet19'] }),
    `--model: expected the name of one of ${listModels().length} models, got "resnet19"; did you mean resnet18?`,
  ],
  [
    'a pattern that fits no model',
    ['models', 'vit*'],
    'models: expected a pattern that fits a name, such as "resnet*", got "vit*"; without one, all are listed',
  ],
  [
    'an unknown option of the model',
    extract({ model: [...MODEL, '--model-options', '{"numClases":5}'] }),
    '--model-options: SqueezeNet: expected options of numClasses, dropout, got "numClases"',
  ],
  [
    'an option of the model that JSON has not',
    extract({ model: ['--model', 'resnet18', '--model-options', '{"normLayer":"x"}'] }),
    '--model-options: expected options that JSON can hold, got "normLayer", which is a function',
  ],
  [
    'an option of the model out of its range',
    extract({ model: [...MODEL, '--model-options', '{"numClasses":"5"}'] }),
    '--model-options: SqueezeNet: numClasses: expected a whole number from 1 to 2147483647, got "5"',
  ],
  [
    'layers in brackets',
    extract({ layers: ['--layers', 'features[3]'] }),
    '--layers: "features[3]" is not present in model; its nodes are "features", "flatten", ' +
      '"classifier", "x"; write "features.3"',
  ],
  [
    'layers that are not there',
    extract({ layers: ['--layers', 'features.99=a,layer4=b'] }),
    '--layers: "features.99", "layer4" is not present in model; the nodes of "features" are ' +
      '"9", "0", "1", "2", "3", "4", "5", "6", "7", "8", "10", "11", "12"; its nodes are "flatten", "x", "features", "classifier"',
  ],
  [
    'missing and mismatched keys',
    extract({ weights: ['--weights', 'other.safetensors'], layers: ['--layers', 'features'] }),
    '--weights other.safetensors: Error(s) in loading state_dict for IntermediateLayerGetter: ' +
      'Missing key(s) in state_dict: "features.12.expand3x3.bias". ' +
      'size mismatch for features.0.weight: copying a param with shape torch.Size([64, 3, 1, 1]) from checkpoint, ' +
      'the shape in current model is torch.Size([64, 3, 3, 3]).',
  ],
  [
    'unexpected keys',
    weights('more.safetensors'),
    '--weights more.safetensors: Error(s) in loading state_dict for FeatureExtractor: ' +
      'Unexpected key(s) in state_dict: "features.13.weight", "head.weight".',
  ],
  [
    'keys with a prefix, of which all kinds are told',
    weights('prefixed.safetensors'),
    '--weights prefixed.safetensors: Error(s) in loading state_dict for FeatureExtractor: ' +
      'keys begin with "module."; pass --weights-prefix "module.". ' +
      'Missing key(s) in state_dict: "features.0.weight", "features.0.bias". ' +
      'Unexpected key(s) in state_dict: "module.classifier.1.bias", "module.classifier.1.weight", ' +
      '"module.features.0.bias", "module.features.0.weight", "module.features.10.expand1x1.bias", ' +
      '"module.features.10.expand1x1.weight", "module.features.10.expand3x3.bias", ' +
      '"module.features.10.expand3x3.weight" and 44 more.',
  ],
  [
    'weights that are not there',
    weights('nothing.safetensors'),
    '--weights nothing.safetensors: expected a readable file, got "no such file or directory"',
  ],
  ['weights in a folder', weights('folder'), '--weights folder: expected a readable file, got "it is a directory"'],
  ['an empty file', input('empty'), '--input empty: expected a safetensors file, got 0 bytes'],
  [
    'a file that ends in its header',
    input('cut-header'),
    `--input cut-header: safetensors: header ends at byte ${8 + header.length} of 48`,
  ],
  [
    'a file that ends in its data',
    input('cut-data'),
    '--input cut-data: safetensors: the end is missing: tensors end at byte 192 of 100 behind the header',
  ],
  [
    'a file with bytes left over',
    input('longer'),
    '--input longer: safetensors: tensors end at byte 192 of 200 behind the header',
  ],
  [
    'an absurd header',
    input('absurd'),
    '--input absurd: expected a safetensors file, got one that begins with ff ff ff ff ff ff ff 7f',
  ],
  [
    'a header that is no JSON',
    input('no-json'),
    '--input no-json: safetensors: expected an object for tensor "input" at character 9 of the header, got its end',
  ],
  [
    'another name',
    input('other.safetensors'),
    '--input other.safetensors: expected a tensor named "input", got "classifier.1.bias", "classifier.1.weight", ' +
      '"features.0.bias", "features.0.weight", "features.10.expand1x1.bias", "features.10.expand1x1.weight", ' +
      '"features.10.expand3x3.bias", "features.10.expand3x3.weight"',
  ],
  [
    'no tensor at all',
    input('none.safetensors'),
    '--input none.safetensors: expected a tensor named "input", got none',
  ],
  ['another dtype', input('double.safetensors'), '--input double.safetensors: expected "input" in F32, got F64'],
  [
    'another rank',
    input('flat.safetensors'),
    '--input flat.safetensors: expected "input" [N, C, H, W] without empty axes, got [3, 32, 32]',
  ],
  [
    'an empty axis',
    input('nobody.safetensors'),
    '--input nobody.safetensors: expected "input" [N, C, H, W] without empty axes, got [0, 3, 32, 32]',
  ],
  [
    'a size that is no number',
    input('nan'),
    '--input nan: safetensors: expected whole numbers as shape of tensor "input" at character 37 of the ' +
      'header, got "N"',
  ],
  [
    'other channels',
    input('grey.safetensors'),
    'FeatureExtractor: features.0: ' +
      'conv2d: expected x with 3 channels (weight [64, 3, 3, 3], groups 1), got 1 in x [1, 1, 32, 32]',
  ],
  [
    'an input too small for the network',
    input('small.safetensors'),
    'FeatureExtractor: features.0: ' +
      'conv2d: expected an input of at least 3x3 pixels with padding (kernel 3x3, dilation 1x1), got 2x32 from ' +
      'x [1, 3, 2, 32]; the smallest input that works is [1, 3, 3, 3]',
  ],
  [
    'a size too small for the network',
    ['inspect', ...MODEL, '--size', '2'],
    'SqueezeNet: features.0: conv2d: expected an input of at least 3x3 pixels with padding (kernel 3x3, dilation 1x1), ' +
      'got 2x2 from x [1, 3, 2, 2]; the smallest input that works is [1, 3, 17, 17]',
  ],
  [
    'an image that is not there',
    extract({ input: ['--image', 'nothing.png'] }),
    '--image nothing.png: expected a readable file, got "no such file or directory"',
  ],
  [
    'an image that is none',
    extract({ input: ['--image', 'x.safetensors'] }),
    '--image x.safetensors: expected a JPEG, PNG, WebP or GIF, got something else',
  ],
  [
    'an image that is cut short',
    extract({ input: ['--image', 'cut.jpg'] }),
    '--image cut.jpg: expected a whole JPEG, got one that is cut off or damaged',
  ],
  [
    'an output in a folder that is not there',
    extract({ output: ['--output', 'nowhere/out.safetensors'] }),
    '--output nowhere/out.safetensors: expected a writable file, got "no such file or directory"',
  ],
  [
    'an output that is a folder',
    extract({ output: ['--output', 'folder'] }),
    '--output folder: expected a writable file, got "it is a folder"',
  ],
  [
    'an output below a file',
    extract({ output: ['--output', 'x.safetensors/out'] }),
    '--output x.safetensors/out: expected a writable file, got "not a directory"',
  ],
  [
    'heat maps in the place of a file',
    extract({ output: [...OUTPUT, '--heatmaps', 'photo.png'] }),
    '--heatmaps photo.png: expected a writable folder, got "it is not a folder"',
  ],
  [
    'a heat map in the place of a folder',
    extract({ output: [...OUTPUT, '--heatmaps', 'taken'] }),
    `--heatmaps ${join('taken', 'a.png')}: expected a writable file, got "it is a folder"`,
  ],
  [
    'a heat map whose name is too long',
    extract({ layers: ['--layers', `features.1=${'n'.repeat(300)}`], output: [...OUTPUT, '--heatmaps', '.'] }),
    `--heatmaps ${'n'.repeat(300)}.png: expected a writable file, got "name too long"`,
  ],
  [
    'a heat map of one pixel',
    extract({ layers: ['--layers', 'classifier=logits'], output: [...OUTPUT, '--heatmaps', 'maps'] }),
    '--heatmaps: expected features of more than one pixel, got "logits" [1, 1000, 1, 1]; leave its layer out',
  ],
  [
    'a heat map of NaN',
    extract({ input: ['--input', 'not-numbers.safetensors'], output: [...OUTPUT, '--heatmaps', 'maps'] }),
    '--heatmaps: expected numbers to draw, got "a" with 14400 of 14400 values that are NaN or infinite; ' +
      'look at the weights and the input, or leave --heatmaps out',
  ],
  [
    'weights from a device',
    weights('/dev/zero'),
    '--weights /dev/zero: expected a readable file, got "it is a device"',
  ],
];

let results: ReturnType<Folder['runAll']>;
let before: string[];

beforeAll(async () => {
  const weightsOfModel = weightsOf(squeezenet1_1());
  folder.writeTensors('w.safetensors', weightsOfModel);
  folder.writeTensors('other.safetensors', [
    ['features.0.weight', zeros([64, 3, 1, 1])],
    ...weightsOfModel.slice(1).filter(([key]) => key !== 'features.12.expand3x3.bias'),
  ]);
  folder.writeTensors(
    'prefixed.safetensors',
    weightsOfModel.map(([key, value]) => [`module.${key}`, value] as const),
  );
  folder.writeTensors('more.safetensors', [
    ...weightsOfModel,
    ['features.13.weight', zeros([1])],
    ['head.weight', zeros([1])],
  ]);
  folder.write('empty', '');
  folder.write('cut-header', file(header).subarray(0, 48));
  folder.write('cut-data', file(header, 100));
  folder.write('longer', file(header, 200));
  folder.write('absurd', Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 127, 123, 125));
  folder.write('no-json', file('{"input":'));
  folder.write('nan', file(header.replace('3,4,4', '3,NaN,4'), 192));
  folder.writeTensors('x.safetensors', [['input', generatedTensor('x', [1, 3, 32, 32])]]);
  folder.writeTensors('x.png', [['input', generatedTensor('x', [1, 3, 32, 32])]]);
  folder.writeTensors('two.safetensors', [['input', generatedTensor('two', [2, 3, 32, 32])]]);
  const notNumbers = new Float32Array(3 * 32 * 32).fill(Number.NaN);
  folder.writeTensors('not-numbers.safetensors', [['input', new Tensor(notNumbers, [1, 3, 32, 32])]]);
  folder.writeTensors('none.safetensors', []);
  folder.writeTensors('double.safetensors', [['input', new Tensor(new Float64Array(3), [1, 3, 1, 1], 'float64')]]);
  folder.writeTensors('flat.safetensors', [['input', zeros([3, 32, 32])]]);
  folder.writeTensors('nobody.safetensors', [['input', zeros([0, 3, 32, 32])]]);
  folder.writeTensors('grey.safetensors', [['input', zeros([1, 1, 32, 32])]]);
  folder.writeTensors('small.safetensors', [['input', zeros([1, 3, 2, 32])]]);
  const pixels = Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * i * 37) % 251);
  const photo = sharp(pixels, { raw: { width: 64, height: 64, channels: 3 } });
  folder.write('photo.png', await photo.png().toBuffer());
  folder.write('cut.jpg', (await photo.jpeg().toBuffer()).subarray(0, -1000));
  mkdirSync(join(folder.path, 'folder'));
  mkdirSync(join(folder.path, 'taken', 'a.png'), { recursive: true });
  symlinkSync('w.safetensors', join(folder.path, 'symbolic'));
  linkSync(join(folder.path, 'w.safetensors'), join(folder.path, 'hard'));
  mkdirSync(join(folder.path, 'linked'));
  symlinkSync('../w.safetensors', join(folder.path, 'linked', 'a.png'));
  writeFileSync(join(folder.path, 'out.safetensors'), 'what was there');
  before = folder.list();
  results = folder.runAll([...usage, ...failures].map(([, args]) => args));
});

describe('wrong usage: exit code 2', () => {
  it.each(usage.map(([claim, , message], i) => [claim, i, message] as const))('%s', (_, i, message) => {
    expect(results[i]).toEqual({
      status: 2,
      stdout: '',
      stderr: `layertap: ${message}; see npx layertap-cli --help\n`,
    });
  });
});

describe('bad input: exit code 1', () => {
  it.each(failures.map(([claim, , message], i) => [claim, i + usage.length, message] as const))(
    '%s',
    (_, i, message) => {
      expect(results[i]).toEqual({ status: 1, stdout: '', stderr: `layertap: ${message}\n` });
    },
  );
});

it('a command that fails leaves what there was, and nothing else', () => {
  expect(folder.list()).toEqual(before);
  expect(folder.list('taken')).toEqual(['a.png']);
  expect(new TextDecoder().decode(folder.read('out.safetensors'))).toBe('what was there');
});
