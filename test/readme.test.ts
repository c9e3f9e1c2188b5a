/** What the READMEs show and link to is there, and compiles. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import sharp from 'sharp';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const pages = ['.', 'cli', 'examples/digits'].flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name)),
);

describe('links', () => {
  it.each(pages)('of %s lead to files', (page) => {
    const links = [...readFileSync(page, 'utf8').matchAll(/\]\(([^)#]+)/g)].map(([, link]) => link!);
    const paths = links.flatMap((link) => {
      if (!/^https?:/.test(link)) return [join(dirname(page), link)];
      // The repository's own files by their address.
      return (
        /^https:\/\/(?:github\.com|raw\.githubusercontent\.com)\/layertap\/layertap\/(?:(?:blob|tree)\/)?main\/(.*)/
          .exec(link)
          ?.slice(1) ?? []
      );
    });
    expect(paths.filter((path) => !existsSync(path))).toEqual([]);
  });

  // npm shows these pages without the repository around them.
  it.each(['README.md', join('cli', 'README.md')])('of %s, which is packed, are whole addresses', (page) => {
    const links = [...readFileSync(page, 'utf8').matchAll(/\]\(([^)]+)/g)].map(([, link]) => link!);
    expect(links.filter((link) => !link.startsWith('https://'))).toEqual([]);
    expect(links.length).toBeGreaterThan(0);
  });

  it('of the table of differences are tests', () => {
    const tests = [...readFileSync('README.md', 'utf8').matchAll(/`(test\/[^`]+)`/g)].map(([, path]) => path!);
    expect(tests.length).toBeGreaterThan(10);
    expect(tests.filter((path) => !existsSync(path))).toEqual([]);
  });
});

describe("the README's examples", () => {
  /** What they leave to their reader. */
  const GIVEN = `
    declare const bytes: Uint8Array;
    declare const x: import('layertap').Tensor;
    declare const stateDict: import('layertap').StateDict;
  `;
  const IMPORTED = "import { IntermediateLayerGetter, loadSafetensors, resnet50 } from 'layertap';\n";
  const blocks = [...readFileSync('README.md', 'utf8').matchAll(/^```js\n(.*?)^```$/gms)]
    .map(([, code]) => code!)
    .map((code) => (code.includes("from 'layertap'") ? code : IMPORTED + code));

  it('compile under strict, but for types that JavaScript leaves out', () => {
    const files = new Map(blocks.map((code, i) => [resolve(`example-${i}.js`), code]));
    files.set(resolve('given.d.ts'), GIVEN);
    const options: ts.CompilerOptions = {
      strict: true,
      noImplicitAny: false,
      allowJs: true,
      checkJs: true,
      noEmit: true,
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.NodeNext,
      lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'],
      types: ['node'],
      skipLibCheck: true,
      paths: { layertap: [resolve('dist/index.d.ts')] },
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
    expect(blocks.length).toBeGreaterThanOrEqual(3);
  });
});

it("the README's decoder gives a file's pixels, whatever its colour profile says", async () => {
  const lines = /^const photo = sharp\('photo\.jpg', .*;\nconst \{ data, info \} = .*;$/m.exec(
    readFileSync('README.md', 'utf8'),
  )!;
  const AsyncFunction = (async () => {}).constructor as new (
    ...code: string[]
  ) => (...values: unknown[]) => Promise<Buffer>;
  const decode = new AsyncFunction('sharp', 'file', `${lines[0].replace("'photo.jpg'", 'file')}\nreturn data;`);
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
