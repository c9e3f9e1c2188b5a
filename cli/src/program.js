/**
 * The command line: its options, what they may be, and which exit code a run ends with: 0, 1 where something given
 * can't be worked with, 2 for a command line that can't be right. Either failure is one line on stderr.
 */

import { readFileSync } from 'node:fs';
import completion from '@bomb.sh/tab/commander';
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { DTYPES, FORMATS, namesModel, PRESETS } from './choices.js';
import { failureLine, reasonOf, UsageError } from './failures.js';
import { status, warn } from './print.js';

/** @typedef {import('./outcome.js').Outcome} Outcome */

/** The name by which shells complete: that of the installed command. */
const COMMAND = 'layertap';

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
    process.stderr.write(`layertap: expected a stdout that takes all, got "${reasonOf(error)}"\n`);
    process.exit(1);
  });
  let isFailed = false;
  const completes = args[0] === 'complete' ? await names() : null;
  const program = createProgram(completes, (outcome) => {
    isFailed ||= outcome.isFailed ?? false;
  });
  const isJson = args.includes('--json');
  const fail = (/** @type {number} */ exitCode, /** @type {string} */ message) => {
    const line = failureLine(message);
    process.stderr.write(`${line}\n`);
    if (isJson)
      process.stdout.write(`${JSON.stringify({ error: { message: line.replace('layertap: ', ''), exitCode } })}\n`);
    return exitCode;
  };
  const [first, second] = args;
  try {
    // Of a command that there isn't, commander would print its general help as a failure.
    const isLost = first === 'help' && second !== undefined && !isCommand(program, second);
    await program.parseAsync(isLost ? [second] : args, { from: 'user' });
    return isFailed ? 1 : 0;
  } catch (error) {
    status('');
    // A package is missing, of which the caller knows more.
    if (/** @type {NodeJS.ErrnoException} */ (error)?.code === 'ERR_MODULE_NOT_FOUND') throw error;
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0;
      // Without a command, commander prints its help, which is more than a line.
      const command = program.commands.find((one) => one.name() === first);
      const missing = error.code === 'commander.missingArgument' && command && lacking(command);
      if (missing) return fail(2, `${missing}; see npx layertap-cli --help`);
      if (error.code === 'commander.help') return fail(2, 'expected a command, got none; see npx layertap-cli --help');
      return fail(2, `${error.message.replace(/^error: |\.$/g, '')}; see npx layertap-cli --help`);
    }
    if (error instanceof UsageError) return fail(2, `${error.message}; see npx layertap-cli --help`);
    return fail(1, error instanceof Error ? error.message : String(error));
  }
}

/** What options may be that takes the core to know. */
async function names() {
  const { listModels } = await import('layertap/models');
  const { listWeights } = await import('layertap/weights');
  return { model: listModels(), weights: listWeights().map(String) };
}

/**
 * @param {Command} program
 * @param {string} name
 */
function isCommand(program, name) {
  return name === 'help' || program.commands.some((command) => command.name() === name);
}

/**
 * The commands. Each is loaded when it runs: help, and a shell that asks for what may come next, wait for none.
 *
 * @param {Readonly<Record<string, readonly string[]>> | null} completes what options may be, where a shell asks for it
 * @param {(outcome: Outcome) => void} onOutcome
 */
function createProgram(completes, onOutcome) {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  // So is it called without being installed. Where it is, its command is `layertap`.
  const program = new Command(completes ? COMMAND : 'npx layertap-cli')
    .description('Taps the layers of torchvision networks.')
    .version(version)
    .exitOverride()
    .configureOutput({ writeErr: () => {}, outputError: () => {} })
    .showSuggestionAfterError(true);

  const model = () => new Option('--model <name>', "torchvision's name; `npx layertap-cli models` lists them");
  const modelByWeights = () => {
    const option = model();
    BY_WEIGHTS.add(option);
    return option;
  };
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
    );
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
    ).choices(PRESETS);
  const print = (/** @type {Outcome} */ outcome, /** @type {{ json?: boolean, quiet?: boolean }} */ options) => {
    onOutcome(outcome);
    printOutcome(outcome, options);
  };
  const threads = () =>
    new Option('--threads <count>', 'that run a picture each, or share one; as many as there are cores are the fastest')
      .argParser(parseCount)
      .default(1);
  const batch = () => new Option('--batch <pictures>', 'that are run at once').argParser(parseCount).default(1);
  const autoOrient = () => new Option('--auto-orient', 'turn photos upright, as their EXIF orientation says');
  const quiet = () => new Option('--quiet', 'print no progress and no summary');
  const skipExisting = () =>
    new Option('--skip-existing', 'leave out pictures whose outputs are there: go on after a stop');
  const top = (/** @type {number} */ count, /** @type {string} */ what) =>
    new Option('--top <count>', `how many ${what}`).argParser(parseCount).default(count);
  const deterministic = () => new Option('--deterministic', 'the same bits on every machine');
  const json = () => new Option('--json', 'print one JSON object');
  const pictureFiles = () => new Argument('[pictures...]', 'photos, folders and globs; - for stdin');

  withSourceOptions(
    program
      .command('extract')
      .description('Writes the features of some layers, computed up to the last of them.')
      .addArgument(pictureFiles())
      .addOption(modelByWeights())
      .addOption(modelOptions())
      .addOption(needed(weights())),
  )
    .addOption(needed(layers()))
    .addOption(input())
    .addOption(image())
    .addOption(preset('imagenet'))
    .option('--output <file>', 'for the features, in the order in which they are computed; - for stdout')
    .option('--output-dir <folder>', 'for a file for each picture, named after it')
    .addOption(new Option('--format <format>', "of the features; unless given, --output's end").choices(FORMATS))
    .option(
      '--heatmaps <folder>',
      "for PNGs in the input's size: the mean absolute activation of each feature; of photos also over the photo, and " +
        'a contact sheet',
    )
    .addOption(threads())
    .addOption(batch())
    .addOption(autoOrient())
    .addOption(skipExisting())
    .addOption(deterministic())
    .addOption(quiet())
    .addOption(json())
    .addHelpText(
      'after',
      examples(
        'extract --model resnet50 --weights W --layers layer3=aux,layer4=out --image photo.jpg --output f.safetensors',
        "extract --weights ResNet50_Weights.DEFAULT --layers layer4 'photos/*.jpg' --output-dir out --format npy",
        'extract --model resnet18 --weights W --layers layer4 photo.jpg --output - > f.safetensors',
      ),
    )
    .action(async (pictures, options) => {
      const { extract } = await import('./extract.js');
      print(await extract({ ...options, pictures }), options);
    });

  withSourceOptions(
    program
      .command('classify')
      .description('Prints the likeliest classes of pictures.')
      .addArgument(needed(pictureFiles()))
      .addOption(modelByWeights())
      .addOption(modelOptions())
      .addOption(needed(weights())),
  )
    .addOption(preset('imagenet'))
    .addOption(top(5, 'classes'))
    .option('--classes <file>', "the classes' names, one a line; unless given, those of torchvision's weights")
    .addOption(threads())
    .addOption(batch())
    .addOption(autoOrient())
    .addOption(deterministic())
    .addOption(quiet())
    .addOption(json())
    .addHelpText(
      'after',
      examples(
        'classify --model squeezenet1_0 --weights W photo.jpg --top 5 --json',
        'classify --weights ResNet50_Weights.DEFAULT photos/ --threads 2',
      ),
    )
    .action(async (pictures, options) => {
      const { classify } = await import('./classify.js');
      print(await classify({ ...options, pictures }), options);
    });

  withSourceOptions(
    program
      .command('embed')
      .description("Writes a vector for each picture: a layer's means over pixels, at length 1.")
      .addArgument(needed(pictureFiles()))
      .addOption(modelByWeights())
      .addOption(modelOptions())
      .addOption(needed(weights())),
  )
    .addOption(needed(layers()))
    .addOption(preset('imagenet'))
    .addOption(
      needed(
        new Option('--output <file>', '.safetensors, which similar reads; .npy; .jsonl; - for JSON lines to stdout'),
      ),
    )
    .addOption(threads())
    .addOption(batch())
    .addOption(autoOrient())
    .addOption(skipExisting())
    .addOption(deterministic())
    .addOption(quiet())
    .addOption(json())
    .addHelpText(
      'after',
      examples(
        "embed --model resnet18 --weights W --layers layer4 'photos/**/*.jpg' --output e.safetensors",
        'embed --model resnet18 --weights W --layers layer4 photos/ --output e.jsonl --skip-existing --threads 2',
      ),
    )
    .action(async (pictures, options) => {
      const { embed } = await import('./embed.js');
      print(await embed({ ...options, pictures }), options);
    });

  withSourceOptions(
    program
      .command('similar')
      .description('Prints the pictures of an index that are most like another one, all compared.')
      .argument('<index>', 'safetensors file of embed')
      .argument('<query>', 'photo; - for stdin')
      .addOption(model())
      .addOption(modelOptions())
      .option('--weights <weights>', 'where they are now; unless given, where they were when the index was made'),
  )
    .addOption(layers())
    .addOption(preset("the index's"))
    .addOption(top(10, 'pictures'))
    .addOption(threads())
    .option('--auto-orient', 'as for embed; as the index was made unless given')
    .option('--deterministic', 'as for embed; as the index was made unless given')
    .addOption(quiet())
    .addOption(json())
    .addHelpText(
      'after',
      `\nAn index of other weights, of another layer or preset is refused.\n${examples(
        'similar e.safetensors query.jpg --top 10 --json',
        'similar e.safetensors - < query.jpg',
      )}`,
    )
    .action(async (index, query, options) => {
      const { similar } = await import('./similar.js');
      print(await similar({ ...options, index, query }), options);
    });

  withSourceOptions(
    program
      .command('segment')
      .description('Writes the class of each pixel.')
      .addArgument(pictureFiles())
      .addOption(modelByWeights())
      .addOption(modelOptions())
      .addOption(needed(weights())),
  )
    .addOption(input())
    .addOption(image())
    .addOption(preset('segmentation'))
    .option('--output <file>', "PNG for the mask: class numbers with Pascal VOC's palette; - for stdout")
    .option('--output-dir <folder>', 'for a mask for each picture, named after it')
    .option(
      '--scores <path>',
      "safetensors file for the scores: out, and aux where the weights have the auxiliary head's; with --output-dir a " +
        'folder for a file for each picture',
    )
    .addOption(threads())
    .addOption(batch())
    .addOption(autoOrient())
    .addOption(skipExisting())
    .addOption(deterministic())
    .addOption(quiet())
    .addOption(json())
    .addHelpText(
      'after',
      "\nThe mask has the input's size; of a photo with the preset segmentation, the\n" +
        "photo's size. Scores are in the input's size. The auxiliary head is run only for\n" +
        '--scores, or where --model-options says {"auxLoss":true}; else its weights are\n' +
        `ignored.\n${examples(
          'segment --model deeplabv3_resnet50 --weights W photo.jpg --output mask.png',
          'segment --weights DeepLabV3_ResNet50_Weights.DEFAULT photos/ --output-dir masks --threads 2',
        )}`,
    )
    .action(async (pictures, options) => {
      const { segment } = await import('./segment.js');
      print(await segment({ ...options, pictures }), options);
    });

  withSourceOptions(
    program
      .command('convert')
      .description("Writes a weight file's tensors as safetensors: all of them, or those that some layers need.")
      .argument(
        '<input>',
        "safetensors, an index of shards, or .pth; a URL, hub:OWNER/NAME, or the name of torchvision's own weights; " +
          '- for stdin',
      )
      .argument('<output>', 'safetensors file; - for stdout')
      .addOption(new Option('--dtype <dtype>', 'of numbers with a fraction; as they are unless given').choices(DTYPES))
      .option('--model <name>', "torchvision's name, for --layers")
      .addOption(modelOptions())
      .addOption(layers()),
  )
    .addOption(json())
    .addHelpText('after', examples('convert resnet50.pth resnet50.safetensors --dtype f16'))
    .action(async (input, output, options) => {
      const { convert } = await import('./convert.js');
      print(await convert({ ...options, input, output }), options);
    });

  program
    .command('inspect')
    .description(
      "Prints a model's children: which are kept for some layers, which a getter gives the model's own values of, " +
        'their outputs, parameters, MACs and bytes.',
    )
    .addOption(needed(model()))
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
    .addHelpText('after', examples('inspect --model resnet50 --layers layer2=c3 --size 224 --depth 2'))
    .action(async (options) => {
      const { inspect } = await import('./inspect.js');
      print(inspect(options), options);
    });

  program
    .command('models')
    .description("Prints the models' names, families, parameters, MACs, inputs and stages.")
    .argument('[pattern]', 'of names: * stands for any characters, ? for one', '*')
    .addOption(json())
    .addHelpText('after', examples("models 'res*'"))
    .action(async (pattern, options) => {
      const { describeModels } = await import('./models.js');
      print(describeModels(pattern), options);
    });

  program
    .command('weights')
    .description("Prints torchvision's weights: their names, quality, sizes, what they want of a photo, and licences.")
    .argument('[pattern]', 'of the names of weights or models: * stands for any characters, ? for one', '*')
    .addOption(json())
    .addHelpText('after', examples("weights 'resnet50' --json"))
    .action(async (pattern, options) => {
      const { describeWeights } = await import('./weights.js');
      print(describeWeights(pattern), options);
    });

  for (const command of program.commands) {
    takeOptionsOnce(command);
    command.hook('preAction', checkNeeded);
  }
  const completed = completion(program);
  const { setup } = completed;
  completed.setup = (name, executable, shell) => {
    const { log } = console;
    // The library has no other way to give the script away.
    console.log = (script) => log(shell === 'bash' ? withOwnVariables(script) : script);
    try {
      setup.call(completed, name, executable, shell);
    } finally {
      console.log = log;
    }
  };
  for (const command of completed.commands.values()) {
    for (const [name, values] of Object.entries(completes ?? {})) {
      const option = command.options.get(name);
      if (!option) continue;
      option.handler = (add) => {
        for (const value of values) add(value, '');
      };
    }
  }
  return program;
}

/**
 * A script for bash whose variables are its own and may be set again. The library's are readonly, and named alike for
 * all commands: a shell that reads the script twice, as by `source ~/.bashrc`, would tell of each.
 *
 * @param {string} script
 */
function withOwnVariables(script) {
  return script.replace(/^readonly (?=ShellCompDirective)/gm, '').replaceAll('ShellCompDirective', `__${COMMAND}_$&`);
}

/**
 * Takes the options that tell where weights lie, and which of a file's tensors they are.
 *
 * @param {Command} command
 */
function withSourceOptions(command) {
  return command
    .option('--hub-endpoint <url>', 'a mirror of the Hugging Face hub; HF_ENDPOINT unless given, HF_TOKEN is the token')
    .option(
      '--cache <folder>',
      'keeps the parts of weights that were read from a server; LAYERTAP_CACHE unless given, else ~/.cache/layertap',
    )
    .option('--no-cache', "reads weights from the server alone: neither from this cache, nor from Python's")
    .option('--weights-key <key>', 'the state dict in a checkpoint: model, ema.state_dict')
    .option('--weights-prefix <prefix>', 'what is taken off the names: module.; others are left out');
}

/** Options and arguments without which a command can't run. @type {WeakSet<object>} */
const NEEDED = new WeakSet();

/** Options that weights may stand for. @type {WeakSet<Option>} */
const BY_WEIGHTS = new WeakSet();

/** The commands that take one input by an option, or pictures. */
const TAKES_ONE = new Set(['extract', 'segment']);

/** Options of these commands of which they need one. */
const EITHER = [
  { of: ['input', 'image'], flags: '--image <file> or --input <file>' },
  { of: ['output'], flags: '--output <file>' },
];

/**
 * @template {object} Part
 * @param {Part} part of a command line
 */
function needed(part) {
  NEEDED.add(part);
  return part;
}

/**
 * Fails a command line that lacks something, and names all of it.
 *
 * @param {Command} _program
 * @param {Command} command
 * @throws {UsageError}
 */
function checkNeeded(_program, command) {
  const message = lacking(command);
  if (message !== null) throw new UsageError(message);
}

/**
 * All that a command line lacks, null where that is nothing: commander would name the first. Where it is one thing that
 * something else may stand for, the command says so itself, and in more words.
 *
 * @param {Command} command
 */
function lacking(command) {
  const given = command.opts();
  const isMissing = (/** @type {Option} */ option) => given[option.attributeName()] === undefined;
  const missing = command.options.filter((option) => NEEDED.has(option) && isMissing(option));
  const either = EITHER.filter(
    ({ of }) =>
      TAKES_ONE.has(command.name()) && command.args.length === 0 && of.every((name) => given[name] === undefined),
  );
  const model = command.options.filter(
    (option) => BY_WEIGHTS.has(option) && isMissing(option) && !namesModel(given.weights),
  );
  const flags = [...missing, ...model, ...either].map((one) => `'${one.flags}'`);
  const files = command.registeredArguments
    .filter((one, i) => (one.required || NEEDED.has(one)) && command.args[i] === undefined)
    .map((one) => one.name());
  const isClear = missing.length > 0 || files.length > 0 || flags.length > 1;
  const options = isClear && flags.length > 0 && `required option${flags.length > 1 ? 's' : ''} ${flags.join(', ')}`;
  const problems = [files.join(', '), options].filter(Boolean);
  return problems.length > 0 ? `${problems.join(' and ')} not specified` : null;
}

/** @param {readonly string[]} lines what comes after the program's name */
function examples(...lines) {
  // No word has a blank in it. A shell takes a line that ends with a backslash together with the next one.
  const wrapped = lines.map((line) =>
    `npx layertap-cli ${line}`.split(' ').reduce(
      ([...done], word) => {
        const last = /** @type {string} */ (done.pop());
        return `${last} ${word} \\`.length <= 80
          ? [...done, `${last} ${word}`]
          : [...done, `${last} \\`, `      ${word}`];
      },
      [' '],
    ),
  );
  return `\nExamples:\n${wrapped.flat().join('\n')}`;
}

/**
 * @param {string} text
 * @returns {number}
 */
function parseCount(text) {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new InvalidArgumentError('Expected a whole number from 1 to 9999.');
  return Number(text);
}

/**
 * @param {Outcome} outcome
 * @param {{ json?: boolean, quiet?: boolean }} options
 */
function printOutcome({ result, lines, warnings = [], isOnStderr = false }, { json = false, quiet = false }) {
  status('');
  warnings.forEach(warn);
  if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else if (!quiet && lines.length > 0) (isOnStderr ? process.stderr : process.stdout).write(`${lines.join('\n')}\n`);
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
