/**
 * The snippets of the README and of docs/ do what they say: each runs as a program of its own, in an empty folder with
 * the package, some weights and some photos. What they fetch comes from that folder, too.
 */

import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { IntermediateLayerGetter } from '../src/features/intermediate-layer-getter.ts';
import { saveSafetensors } from '../src/formats/safetensors-write.ts';
import { resnet18, resnet50 } from '../src/models/index.ts';
import { zeros } from '../src/tensor/tensor.ts';
import { fillParameters } from './support/generator.ts';

/** Why a snippet isn't run. Its types are checked all the same. */
const NOT_RUN: Readonly<Record<string, string>> = {
  browser: 'it needs a page, a web worker or a Worker, which test:bundle and test:examples try',
  network: "it checks a file's hash, or asks a service, which is not at hand",
};

/** What snippets leave to their reader: see {@link PRELOAD} for `given`. */
const GIVEN: Readonly<Record<string, string>> = {
  bytes: "given.read('resnet50.safetensors')",
  x: "given.zeros([1, typeof block === 'undefined' ? 3 : 64, 96, 96])",
  stateDict: 'given.stateDictOf(SUBJECT)',
  image: 'given.imageFromRgb(new Uint8Array(224 * 224 * 3), 224, 224)',
  feature: 'given.waves([1, 512, 7, 7])',
  scores: 'given.waves([1, 1000])',
  maskScores: 'given.waves([1, 21, 224, 224])',
  others: 'given.waves([5, 512])',
  signal: 'new AbortController().signal',
  model: 'given.loaded(given.resnet18())',
  getter: "given.loaded(new given.IntermediateLayerGetter(given.resnet18(), { layer3: 'aux', layer4: 'out' }))",
};

const IMPORTED = "import { IntermediateLayerGetter, loadSafetensors, resnet50 } from 'layertap';\n";

/** In the place of `fetch`, the folder's weights of the network that an address names; and what is given. */
const PRELOAD = `
import { readFileSync } from 'node:fs';
import * as layertap from 'layertap';
const { loadSafetensors, tensor, zeros } = layertap;
const waves = (shape) => {
  const count = shape.reduce((product, size) => product * size);
  return tensor(Float32Array.from({ length: count }, (_, i) => Math.sin(i * i)), shape);
};
const loaded = (module) => {
  module.loadStateDict(loadSafetensors(readFileSync('resnet18.safetensors')));
  return module;
};
const stateDictOf = (module) => new Map([...module.stateShapes()].map(([key, shape]) => [key, zeros(shape)]));
globalThis.given = { ...layertap, read: readFileSync, waves, loaded, stateDictOf };
globalThis.fetch = async (address) => {
  const { pathname } = new URL(address);
  const [model] = /resnet(18|50)/.exec(pathname) ?? ['resnet50'];
  const name = pathname.endsWith('config.json') ? 'config.json' : model + '.safetensors';
  return new Response(readFileSync(name));
};
`;

/** What the hub says of its ResNet-50. */
const CONFIG = {
  architecture: 'resnet50',
  num_classes: 1000,
  pretrained_cfg: { input_size: [3, 224, 224], interpolation: 'bicubic', crop_pct: 0.95, license: 'apache-2.0' },
};

interface Snippet {
  readonly page: string;
  readonly line: number;
  readonly code: string;
  readonly mark: string | undefined;
}

const snippets: Snippet[] = ['README.md', ...readdirSync('docs').map((name) => join('docs', name))]
  .filter((page) => page.endsWith('.md'))
  .flatMap((page) => {
    const text = readFileSync(page, 'utf8');
    return [...text.matchAll(/^```js(?: (\w+))?\n(.*?)^```$/gms)].map(({ index, 1: mark, 2: code }) => ({
      ...{ page, code: code!, mark },
      line: text.slice(0, index).split('\n').length,
    }));
  });

/** A program of a snippet: with what it leaves to its reader. */
function programOf(code: string): string {
  const whole = code.includes('import ') ? code : IMPORTED + code;
  const declares = (name: string) => new RegExp(`\\b(?:const|let|function|class) (?:\\{ )?${name}\\b`).test(whole);
  const uses = (name: string) =>
    new RegExp(`(?<![.\\w'"/])${name}\\b(?![\\w'"/:-])`).test(whole.replaceAll(/\/\/.*$/gm, ''));
  const given = Object.entries(GIVEN).filter(([name]) => uses(name) && !declares(name));
  const lines = whole.split('\n');
  const last = lines.map((line) => /^(?:import |\} from )/.test(line)).lastIndexOf(true);
  // What is made of another of the snippet's names comes after it.
  const subject = code.includes('const block = ') ? 'block' : 'backbone';
  const isLate = ([name]: readonly [string, string]) => name === 'stateDict' || subject === 'block';
  const line = ([name, value]: readonly [string, string]) => `const ${name} = ${value.replace('SUBJECT', subject)};`;
  const early = given.filter((each) => !isLate(each)).map(line);
  const head = [...lines.slice(0, last + 1), ...early, ...lines.slice(last + 1)].join('\n');
  const behind = new RegExp(`^const ${subject} = .*$`, 'm');
  return given.filter(isLate).reduce((text, each) => text.replace(behind, `$&\n${line(each)}`), head);
}

/** What a line says that it prints, and what was printed, without brackets, quotes and blanks. */
const bare = (text: string) => text.replaceAll(/Float32Array\(\d+\)|[^\w.,:-]/g, '');

describe('the snippets of the README and of docs/', () => {
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'layertap-docs-'));
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(resolve('.'), join(folder, 'node_modules/layertap'));
    const { resolve: find } = createRequire(resolve('cli/package.json'));
    symlinkSync(dirname(dirname(find('sharp'))), join(folder, 'node_modules/sharp'));
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    writeFileSync(join(folder, 'preload.mjs'), PRELOAD);
    writeFileSync(join(folder, 'config.json'), JSON.stringify(CONFIG));
    for (const [name, build] of Object.entries({ resnet18, resnet50 })) {
      const file = saveSafetensors(fillParameters(build()).stateDict());
      writeFileSync(join(folder, `${name}.safetensors`), file);
      // Told apart by their first bytes, whatever their names.
      writeFileSync(join(folder, `${name}.pth`), file);
    }
    const getter = new IntermediateLayerGetter(fillParameters(resnet18()), { layer3: 'aux', layer4: 'out' });
    const input = zeros([1, 3, 64, 64]);
    const golden = [['input', input] as const, ['out', getter.forward(input).get('out')!] as const];
    writeFileSync(join(folder, 'golden.safetensors'), saveSafetensors(new Map(golden)));
    for (const [name, background] of Object.entries({ 'photo.jpg': '#3a7', 'other.jpg': '#a37' })) {
      await sharp({ create: { width: 320, height: 240, channels: 3, background } })
        .jpeg()
        .toFile(join(folder, name));
    }
  });

  afterAll(() => rmSync(folder, { recursive: true }));

  it('are run, but for those that say why not', () => {
    expect(snippets.length).toBeGreaterThan(20);
    const marks = new Set(snippets.flatMap(({ mark }) => mark ?? []));
    expect([...marks].filter((mark) => !(mark in NOT_RUN))).toEqual([]);
  });

  it.each(snippets.filter(({ mark }) => mark === undefined).map((each) => [`${each.page}:${each.line}`, each]))(
    'at %s runs, and prints what it says',
    async (_, { code }) => {
      const file = join(folder, `snippet-${snippets.findIndex((each) => each.code === code)}.js`);
      writeFileSync(file, programOf(code));
      const { stdout } = await promisify(execFile)(process.execPath, ['--import', './preload.mjs', file], {
        cwd: folder,
      });
      const said = [...code.matchAll(/^\s*console\.log\(.*\); \/\/ (.*)$/gm)].map(([, text]) => text!);
      const printed = bare(stdout);
      for (const text of said) expect(printed).toContain(bare(text.replace(/(?:, on all hosts|, ?…)?$/, '')));
    },
  );
});
