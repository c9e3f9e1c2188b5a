/**
 * The command line: its options, what they may be, and which exit code a run ends with: 0, 1 where something given
 * can't be worked with, 2 for a command line that can't be right. Either failure is one line on stderr.
 */

import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { convert, DTYPES } from './convert.js';
import { extract } from './extract.js';
import { failureLine, UsageError } from './failures.js';
import { PRESETS } from './input.js';
import { inspect } from './inspect.js';
import { describeModels } from './models.js';
import { status, warn } from './print.js';
import { segment } from './segment.js';
import { describeWeights } from './weights.js';

/**
 * What a command did: the object that --json prints, the lines that people get, and what either should know of the
 * result.
 *
 * @typedef {{ result: object, lines: readonly string[], warnings?: readonly string[] }} Outcome
 */

/**
 * Runs a command line and returns its exit code.
 *
 * @param {readonly string[]} args without node and the script
 * @returns {Promise<number>}
 */
export async function run(args) {
  // What reads the output may stop early, as `head` does.
  process.stdout.on('error', (error) => {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'EPIPE') process.exit(0);
    throw error;
  });
  const program = createProgram();
  try {
    await program.parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    status('');
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0;
      // Without a command, commander prints its help, which is more than a line.
      if (error.code === 'commander.help') return fail(2, 'expected a command, got none; see npx layertap-cli --help');
      return fail(2, `${error.message.replace(/^error: |\.$/g, '')}; see npx layertap-cli --help`);
    }
    if (error instanceof UsageError) return fail(2, `${error.message}; see npx layertap-cli --help`);
    return fail(1, error instanceof Error ? error.message : String(error));
  }
}

/**
 * @param {number} exitCode
 * @param {string} message
 */
function fail(exitCode, message) {
  process.stderr.write(`${failureLine(message)}\n`);
  return exitCode;
}

function createProgram() {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  // So is it called without being installed. Where it is, its command is `layertap`.
  const program = new Command('npx layertap-cli')
    .description('Taps the layers of torchvision networks.')
    .version(version)
    .exitOverride()
    .configureOutput({ writeErr: () => {}, outputError: () => {} })
    .showSuggestionAfterError(true);

  const model = () => new Option('--model <name>', "torchvision's name; `npx layertap-cli models` lists them");
  const modelOptions = () =>
    new Option('--model-options <json>', "torchvision's options in camelCase, as a JSON object")
      .argParser(parseModelOptions)
      .default({}, '{}');
  const weights = () =>
    new Option(
      '--weights <weights>',
      "a file or URL with torchvision's keys: safetensors, an index of shards, or PyTorch's .pth; or the name of " +
        "torchvision's own: DEFAULT, IMAGENET1K_V2, ResNet50_Weights.DEFAULT, which needs no --model; `npx " +
        'layertap-cli weights` lists them; or hub:OWNER/NAME[@REVISION], a repository of timm on the Hugging Face hub',
    ).makeOptionMandatory();
  const hubEndpoint = () =>
    new Option(
      '--hub-endpoint <url>',
      'a mirror of the Hugging Face hub; HF_ENDPOINT unless given, HF_TOKEN is the token',
    );
  const weightsKey = () => new Option('--weights-key <key>', 'the state dict in a checkpoint: model, ema.state_dict');
  const weightsPrefix = () =>
    new Option('--weights-prefix <prefix>', 'what is taken off the names: module.; others are left out');
  const layers = () =>
    new Option(
      '--layers <list>',
      'modules by their paths, or nodes, with the names of their features: layer3=aux,layer1.0.add=sum; the name may ' +
        'be left out; `npx layertap-cli inspect --nodes` lists nodes',
    ).argParser(parseLayers);
  const input = () =>
    new Option('--input <file>', 'safetensors file with one float32 tensor [N, C, H, W] named "input"');
  const image = () => new Option('--image <file>', 'photo (JPEG, PNG, WebP, …) instead of a tensor');
  const preset = (/** @type {string} */ chosen) =>
    new Option(
      '--preset <name>',
      'what is done to the photo: "imagenet" (resize 256, crop 224, normalise), "segmentation" (resize 520, ' +
        'normalise) ' +
        `or "none" (scaled to 0..1 alone); unless given, what torchvision's own weights want, and ${chosen} for others`,
    ).choices(Object.keys(PRESETS));
  const deterministic = () => new Option('--deterministic', 'the same bits on every machine');
  const json = () => new Option('--json', 'print one JSON object');

  program
    .command('extract')
    .description('Writes the features of some layers, computed up to the last of them.')
    .addOption(model())
    .addOption(modelOptions())
    .addOption(weights())
    .addOption(hubEndpoint())
    .addOption(weightsKey())
    .addOption(weightsPrefix())
    .addOption(layers().makeOptionMandatory())
    .addOption(input())
    .addOption(image())
    .addOption(preset('imagenet'))
    .requiredOption('--output <file>', 'safetensors file for the features, in the order in which they are computed')
    .option('--heatmaps <folder>', "for one PNG per feature in the input's size: the mean absolute activation")
    .addOption(deterministic())
    .addOption(json())
    .action(async (options) => print(await extract(options), options));

  program
    .command('segment')
    .description('Writes the class of each pixel.')
    .addOption(model())
    .addOption(modelOptions())
    .addOption(weights())
    .addOption(hubEndpoint())
    .addOption(weightsKey())
    .addOption(weightsPrefix())
    .addOption(input())
    .addOption(image())
    .addOption(preset('segmentation'))
    .requiredOption('--output <file>', "PNG for the mask: class numbers with Pascal VOC's palette")
    .option(
      '--scores <file>',
      "safetensors file for the scores: out, and aux where the weights have the auxiliary head's",
    )
    .addOption(deterministic())
    .addOption(json())
    .addHelpText(
      'after',
      "\nThe mask has the input's size; of a photo with the preset segmentation, the\n" +
        "photo's size. Scores are in the input's size. The auxiliary head is run only for\n" +
        '--scores, or where --model-options says {"auxLoss":true}; else its weights are\n' +
        'ignored.',
    )
    .action(async (options) => print(await segment(options), options));

  program
    .command('convert')
    .description("Writes a weight file's tensors as safetensors: all of them, or those that some layers need.")
    .argument('<input>', "safetensors, an index of shards, or .pth; a URL, or the name of torchvision's own weights")
    .argument('<output>', 'safetensors file')
    .addOption(new Option('--dtype <dtype>', 'of numbers with a fraction; as they are unless given').choices(DTYPES))
    .option('--model <name>', "torchvision's name, for --layers")
    .addOption(modelOptions())
    .addOption(layers())
    .addOption(hubEndpoint())
    .addOption(weightsKey())
    .addOption(weightsPrefix())
    .addOption(json())
    .action(async (input, output, options) => print(await convert({ ...options, input, output }), options));

  program
    .command('inspect')
    .description(
      "Prints a model's children: which are kept for some layers, which a getter gives the model's own values of, " +
        'their outputs, parameters, MACs and bytes.',
    )
    .addOption(model().makeOptionMandatory())
    .addOption(modelOptions())
    .addOption(layers())
    .addOption(
      new Option('--size <pixels>', 'of the input: 224, or height x width: 97x131')
        .argParser(parseSize)
        .default({ height: 224, width: 224 }, '224'),
    )
    .addOption(
      new Option('--depth <levels>', 'of the modules that are listed; 1 for children alone')
        .argParser(parseDepth)
        .default(1),
    )
    .option('--nodes', 'list what --layers may name besides: the nodes of the model, in order of execution')
    .addOption(json())
    .action((options) => print(inspect(options), options));

  program
    .command('models')
    .description("Prints the models' names, families, parameters, MACs, inputs and stages.")
    .argument('[pattern]', 'of names: * stands for any characters, ? for one', '*')
    .addOption(json())
    .action((pattern, options) => print(describeModels(pattern), options));

  program
    .command('weights')
    .description("Prints torchvision's weights: their names, quality, sizes, what they want of a photo, and licences.")
    .argument('[pattern]', 'of the names of weights or models: * stands for any characters, ? for one', '*')
    .addOption(json())
    .action((pattern, options) => print(describeWeights(pattern), options));

  program.commands.forEach(takeOptionsOnce);
  return program;
}

/**
 * @param {Outcome} outcome
 * @param {{ json?: boolean }} options
 */
function print({ result, lines, warnings = [] }, { json = false }) {
  status('');
  warnings.forEach(warn);
  process.stdout.write(`${json ? JSON.stringify(result) : lines.join('\n')}\n`);
}

/**
 * Lets a command take each option once. Of `--image a.jpg --image b.jpg` one photo would be left out without a word.
 *
 * @param {Command} command
 */
function takeOptionsOnce(command) {
  const given = new Set();
  for (const option of command.options) {
    command.on(`option:${option.name()}`, () => {
      if (given.has(option)) throw new UsageError(`expected ${option.long} once, got it twice`);
      given.add(option);
    });
  }
}

/**
 * @param {string} text
 * @returns {Record<string, unknown>}
 */
function parseModelOptions(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InvalidArgumentError(`Expected JSON, got ${/** @type {Error} */ (error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InvalidArgumentError('Expected a JSON object.');
  }
  return value;
}

/**
 * @param {string} text
 * @returns {Map<string, string>} features' names by their layers
 */
function parseLayers(text) {
  /** @type {Map<string, string>} */
  const layers = new Map();
  const names = new Set();
  for (const part of text.split(',')) {
    const at = part.indexOf('=');
    const layer = (at < 0 ? part : part.slice(0, at)).trim();
    const name = at < 0 ? layer : part.slice(at + 1).trim();
    if (!layer || !name) throw new InvalidArgumentError(`Expected layer=name, got "${part}".`);
    if (layers.has(layer)) throw new InvalidArgumentError(`Expected each layer once, got "${layer}" twice.`);
    if (names.has(name)) throw new InvalidArgumentError(`Expected each name once, got "${name}" twice.`);
    if (name === '__metadata__') {
      throw new InvalidArgumentError('Expected a name other than "__metadata__", which safetensors files keep.');
    }
    names.add(name);
    layers.set(layer, name);
  }
  return layers;
}

/**
 * @param {string} text
 * @returns {{ height: number, width: number }}
 */
function parseSize(text) {
  const [, height, width = height] = /^([1-9]\d{0,5})(?:x([1-9]\d{0,5}))?$/.exec(text) ?? [];
  if (height === undefined) throw new InvalidArgumentError('Expected pixels, such as 224 or 97x131.');
  return { height: Number(height), width: Number(width) };
}

/**
 * @param {string} text
 * @returns {number}
 */
function parseDepth(text) {
  if (!/^[1-9]\d?$/.test(text)) throw new InvalidArgumentError('Expected a whole number from 1 to 99.');
  return Number(text);
}
