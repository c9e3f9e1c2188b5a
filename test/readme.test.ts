/** What the READMEs show and link to is there, and compiles. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
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
    declare const pixels: Uint8ClampedArray, width: number, height: number;
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
