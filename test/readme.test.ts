/** What the documents show and link to is there, compiles, and comes from a command. */

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { saveSafetensors } from '../src/formats/safetensors-write.ts';
import { resnet18 } from '../src/models/index.ts';
import { fillParameters } from './support/generator.ts';

const examples = readdirSync('examples').map((name) => join('examples', name));
const pages = ['.', 'docs', 'bench', 'cli', ...examples].flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name)),
);

/** What the README and the pages that it leads to show. */
const shown = ['README.md', ...pages.filter((page) => page.startsWith('docs'))];

/** Where a page's links and pictures lead: `[text](here)`, and `[name]: here` for those by name. */
function linksOf(page: string): string[] {
  const text = readFileSync(page, 'utf8').replaceAll(/^```.*?^```$/gms, '');
  return [...text.matchAll(/\]\(([^)]+)\)|^\[[^\]]+\]: (\S+)$/gm)].map(([, inline, named]) => (inline ?? named)!);
}

/** The names of a page's headings, as GitHub makes them. */
function anchorsOf(page: string): string[] {
  return [...readFileSync(page, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

describe('links', () => {
  it.each(pages)('of %s lead to files, and to headings that they have', (page) => {
    const lost = linksOf(page).filter((link) => {
      // The repository's own files by their address.
      const own =
        /^https:\/\/(?:github\.com|raw\.githubusercontent\.com)\/layertap\/layertap\/(?:(?:blob|tree)\/)?main\//;
      const isOwn = own.test(link);
      if (/^https?:/.test(link) && !isOwn) return false;
      const [path, heading] = link.replace(own, '').split('#') as [string, string?];
      const file = path === '' ? page : isOwn ? path : join(dirname(page), path);
      return !existsSync(file) || (heading !== undefined && !anchorsOf(file).includes(heading));
    });
    expect(lost).toEqual([]);
  });

  it.each(pages)('by name of %s are all defined, and all used', (page) => {
    const text = readFileSync(page, 'utf8').replaceAll(/^(?:```| {4}).*?(?:^```$|$)/gms, '');
    const defined = [...text.matchAll(/^\[([^\]]+)\]: /gm)].map(([, name]) => name!);
    for (const name of defined) expect(text.split(`[${name}]`).length, name).toBeGreaterThan(2);
    const files = [...text.matchAll(/(?<![`\]!])\[([\w/.-]+\.md)\](?![(:])/g)].map(([, name]) => name!);
    expect(files.filter((name) => !defined.includes(name))).toEqual([]);
  });

  // npm shows these pages without the repository around them.
  it.each(['README.md', join('cli', 'README.md')])('of %s, which is packed, are whole addresses', (page) => {
    const links = linksOf(page);
    expect(links.filter((link) => !/^(?:https:\/\/|#)/.test(link))).toEqual([]);
    expect(links.length).toBeGreaterThan(0);
  });

  it('of the README and of docs/index.md reach every page of docs/', () => {
    const links = [
      ...linksOf('README.md').map((link) => link.replace(/^.*\/blob\/main\//, '')),
      ...linksOf(join('docs', 'index.md')).map((link) => join('docs', link)),
    ];
    const index = join('docs', 'index.md');
    expect(links).toContain(index);
    expect(shown.slice(1).filter((page) => !links.includes(page))).toEqual([]);
  });

  it.each(['ARCHITECTURE.md', 'CONTRIBUTING.md'])('and names of files in %s are of files that there are', (page) => {
    const named = [...readFileSync(page, 'utf8').matchAll(/`([\w./-]+\.(?:ts|mjs|py|json))`/g)].map(
      ([, name]) => name!,
    );
    const files = ['src', 'assembly', 'scripts', 'test', 'bench'].flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
    );
    expect(named.length).toBeGreaterThan(2);
    expect(named.filter((name) => !files.some((file) => `/${file}`.endsWith(`/${name}`)))).toEqual([]);
  });

  it('of the table of differences are tests', () => {
    const tests = [...readFileSync('docs/pytorch.md', 'utf8').matchAll(/`(test\/[^`]+)`/g)].map(([, path]) => path!);
    expect(tests.length).toBeGreaterThan(15);
    expect(tests.filter((path) => !existsSync(path))).toEqual([]);
  });

  it('of the table of differences to numbered tests are to tests that there are', () => {
    const getter = readFileSync('test/features/intermediate-layer-getter.test.ts', 'utf8');
    const numbers = [...readFileSync('docs/pytorch.md', 'utf8').matchAll(/\bI\d+\b/g)].map(([number]) => number);
    expect(numbers.length).toBeGreaterThan(5);
    expect(numbers.filter((number) => !new RegExp(`it\\(.${number}[:,] `).test(getter))).toEqual([]);
  });
});

describe('commands', () => {
  /** The programs that pages call. */
  const PROGRAMS = ['npm', 'npx', 'node', 'esbuild', 'curl', 'mkdir', 'export', 'python3', 'redis-server'];

  /** A page's blocks of commands: indented ones, which aren't parts of other blocks, and those of shells. */
  function commandsOf(page: string): string[] {
    const text = readFileSync(page, 'utf8');
    const fenced = [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block!);
    const indented = text.replaceAll(/^```.*?^```$/gms, '').match(/(?<=^\n)(?: {4}.*\n)+/gm) ?? [];
    return [...fenced, ...indented.map((block) => block.replaceAll(/^ {4}/gm, ''))];
  }

  it.each([...pages, join('demo', 'README.md')])(
    'of %s can be pasted: each line begins with a program, unless the line before ends with a backslash',
    (page) => {
      const lines = commandsOf(page).flatMap((block) => block.replaceAll(/\\\n/g, ' ').trimEnd().split('\n'));
      const programOf = (line: string) => /^(?:[A-Z_]+=\S+ )*(\S+)/.exec(line)?.[1] ?? '';
      expect(lines.filter((line) => !PROGRAMS.includes(programOf(line)))).toEqual([]);
    },
  );
});

describe('the examples of the README and of docs/', () => {
  /** What they leave to their reader. */
  const GIVEN = `
    declare const bytes: Uint8Array;
    declare const x: import('layertap').Tensor;
    declare const stateDict: import('layertap').StateDict;
    declare const signal: AbortSignal;
    declare const getter: import('layertap').IntermediateLayerGetter;
    declare const [feature, scores, maskScores, others]: import('layertap').Tensor[];
    declare const image: import('layertap').Image;
    declare const model: import('layertap').ResNet;
  `;
  const IMPORTED = "import { IntermediateLayerGetter, loadSafetensors, resnet50 } from 'layertap';\n";
  const blocks = shown
    .flatMap((page) => [...readFileSync(page, 'utf8').matchAll(/^```js(?: \w+)?\n(.*?)^```$/gms)])
    .map(([, code]) => code!)
    .map((code) => (code.includes('import ') ? code : IMPORTED + code));

  it('close the local files that they open, which Node warns of otherwise', () => {
    const snippets = shown.flatMap((page) => [...readFileSync(page, 'utf8').matchAll(/^```js.*?^```$/gms)].map(String));
    const opening = snippets.filter((snippet) => /from 'node:fs\/promises'/.test(snippet) && /\bopen\(/.test(snippet));
    expect(opening.length).toBeGreaterThan(0);
    expect(opening.filter((snippet) => !/\.close\(\)/.test(snippet))).toEqual([]);
  });

  it('compile under strict, but for types that JavaScript leaves out', () => {
    const files = new Map(blocks.map((code, i) => [resolve(`example-${i}.js`), code]));
    files.set(resolve('given.d.ts'), GIVEN);
    const options: ts.CompilerOptions = {
      strict: true,
      noImplicitAny: false,
      strictNullChecks: false,
      useUnknownInCatchVariables: false,
      allowJs: true,
      checkJs: true,
      noEmit: true,
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.NodeNext,
      lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'],
      types: ['node'],
      skipLibCheck: true,
      paths: {
        layertap: [resolve('dist/index.d.ts')],
        'layertap/models': [resolve('dist/models/registry.d.ts')],
        'layertap/weights': [resolve('dist/weights/index.d.ts')],
        'layertap/threads': [resolve('dist/threads/index.d.ts')],
        'layertap/hub': [resolve('dist/hub/index.d.ts')],
        'layertap/node': [resolve('dist/node/index.d.ts')],
        'layertap/tools': [resolve('dist/tools/index.d.ts')],
        'layertap/relaxed': [resolve('dist/wasm/relaxed.d.ts')],
      },
    };
    const host = ts.createCompilerHost(options);
    const { fileExists, getSourceFile } = host;
    host.fileExists = (name) => files.has(name) || fileExists(name);
    host.getSourceFile = (name, version, ...rest) => {
      const code = files.get(name);
      return code === undefined
        ? getSourceFile(name, version, ...rest)
        : ts.createSourceFile(name, code, version, true);
    };
    const program = ts.createProgram([...files.keys()], options, host);
    const problems = ts
      .getPreEmitDiagnostics(program)
      .map(({ messageText, file }) => `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`);
    expect(problems).toEqual([]);
    expect(blocks.length).toBeGreaterThanOrEqual(10);
  });

  it('the first one runs as it stands and prints what it says', async () => {
    const code = /^```js\n(.*?)^```$/ms.exec(readFileSync('README.md', 'utf8'))![1]!;
    const weights = saveSafetensors(fillParameters(resnet18()).stateDict());
    const server = createServer((_, response) => response.end(weights)).listen(0, '127.0.0.1');
    try {
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      const local = code.replace(/https:\/\/huggingface\.co\/[^']+/, `http://127.0.0.1:${port}/model.safetensors`);
      expect(local).not.toBe(code);
      const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', local]);
      const said = [...code.matchAll(/^\/\/ (\w+ \[.*\])$/gm)].map(([, line]) => line);
      expect(said.length).toBe(2);
      expect(stdout.trim().split('\n')).toEqual(said);
    } finally {
      server.close();
    }
  });
});

/** A row of a benchmark's result. */
interface Row {
  readonly model: string;
  readonly runtime: string;
  readonly engine: string;
  readonly medianMs: number;
  readonly minMs: number;
  readonly peakRssMB: number;
  /** A peer's time over layertap's, from turns that were neighbours. */
  readonly speedup: number;
}

/** The rows of a benchmark's result, and its models in order. */
function resultsOf(suite: string) {
  const { rows } = JSON.parse(readFileSync(`bench/results/${suite}.json`, 'utf8')) as { rows: Row[] };
  return { rows, models: [...new Set(rows.map(({ model }) => model))] };
}

/** Of a model on a Node: layertap's row, the fastest WASM peer, its time over layertap's, a peer's least memory. */
function measured(rows: readonly Row[], model: string, node: number) {
  const all = rows.filter((row) => row.model === model && row.engine.startsWith(`node ${node}`));
  const own = all.find(({ runtime }) => runtime === 'layertap')!;
  const peers = all.filter(({ runtime }) => /tfjs-wasm|onnxruntime-web|litert/.test(runtime));
  const fastest = peers.reduce((best, peer) => (peer.speedup < best.speedup ? peer : best));
  return {
    own,
    fastest: fastest.runtime,
    faster: fastest.speedup,
    leanest: Math.min(...peers.map(({ peakRssMB }) => peakRssMB)),
  };
}

const milliseconds = (value: number) => (value < 100 ? value.toFixed(1) : value.toFixed(0));

function geometricMean(values: readonly number[]): string {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length).toFixed(2);
}

describe("the README's numbers", () => {
  const readme = readFileSync('README.md', 'utf8');
  const { rows, models } = resultsOf('models');

  it('are those of bench/results/models.json', () => {
    const written = [
      ...readme.matchAll(/^\| [^|]+ \| ([\d.]+) \| ([\d.]+)× \| ([\d.]+) \| ([\d.]+)× \| (\d+) \| (\d+) \|$/gm),
    ];
    const figures = models.map((model) => {
      const [on24, on20] = [measured(rows, model, 24), measured(rows, model, 20)];
      return [
        milliseconds(on24.own.medianMs),
        on24.faster.toFixed(2),
        milliseconds(on20.own.medianMs),
        on20.faster.toFixed(2),
        String(on24.own.peakRssMB),
        String(on24.leanest),
      ];
    });
    expect(written.map(([, ...cells]) => cells)).toEqual(figures);
  });

  it.each([24, 20])('have the geometric mean of Node %i', (node) => {
    const mean = geometricMean(models.map((model) => measured(rows, model, node).faster));
    expect(readme).toMatch(new RegExp(`geometric mean.* ${mean}×`));
    if (node === 24) expect(readme.replaceAll('\n', ' ')).toContain(`layertap is ${mean} times as fast`);
  });

  it('of the other families are those of bench/results/zoo.json', () => {
    const zoo = resultsOf('zoo');
    const written = [...readme.matchAll(/^\| `(\w+)` \| ([\d.]+) \| ([\d.]+)× \| ([\w-]+) \|$/gm)];
    const all = zoo.models.map((model) => ({ model, ...measured(zoo.rows, model, 24) }));
    const figures = all.map(({ model, own, faster, fastest }) => [
      model,
      milliseconds(own.minMs),
      faster.toFixed(2),
      fastest,
    ]);
    expect(written.map(([, ...cells]) => cells)).toEqual(figures);
    const mean = geometricMean(all.map(({ faster }) => faster));
    expect(readme).toContain(`| geometric mean | | ${mean}× | |`);
    expect(readme.replaceAll('\n', ' ')).toContain(`over a model of each other family ${mean} times`);
  });
});

/** The README's lines that decode a photo, as a function of a file. */
function decoderOf(page: string) {
  const lines = /^const photo = sharp\('photo\.jpg', .*;\nconst \{ data, info \} = .*;$/m.exec(
    readFileSync(page, 'utf8'),
  )!;
  const AsyncFunction = (async () => {}).constructor as new (
    ...code: string[]
  ) => (...values: unknown[]) => Promise<Buffer>;
  return new AsyncFunction('sharp', 'file', `${lines[0].replace("'photo.jpg'", 'file')}\nreturn data;`);
}

it("the README's decoder gives a file's pixels, whatever its colour profile says", async () => {
  const decode = decoderOf('README.md');
  const red = sharp({ create: { width: 16, height: 16, channels: 3, background: { r: 200, g: 30, b: 40 } } });
  const jpeg = await red.jpeg().toBuffer();
  const { icc } = await sharp(await sharp(jpeg).withIccProfile('p3').jpeg().toBuffer()).metadata();
  const segment = Buffer.concat([Buffer.from('\xff\xe2\0\0ICC_PROFILE\0\x01\x01', 'latin1'), icc!]);
  segment.writeUInt16BE(segment.length - 2, 2);
  const profiled = Buffer.concat([jpeg.subarray(0, 2), segment, jpeg.subarray(2)]);
  expect((await sharp(profiled).metadata()).hasProfile).toBe(true);
  expect(await decode(sharp, profiled)).toEqual(await decode(sharp, jpeg));
  expect((await sharp(profiled).raw().toBuffer()).equals(await decode(sharp, jpeg))).toBe(false);
});

it.each(['README.md', 'docs/first-tap.md'])(
  "the decoder of %s gives Pillow's pixels, but of CMYK JPEGs",
  async (page) => {
    const { equal } = JSON.parse(readFileSync('test/goldens/pictures/pictures.json', 'utf8')) as {
      equal: Record<string, { mode: string; file: string; rgb: string }>;
    };
    const decode = decoderOf(page);
    const differing = new Set<string>();
    for (const { mode, file, rgb } of Object.values(equal)) {
      const pixels = await decode(sharp, Buffer.from(file, 'base64'));
      if (pixels.toString('base64') !== rgb) differing.add(mode);
    }
    expect([...differing]).toEqual(['CMYK']);
  },
);
