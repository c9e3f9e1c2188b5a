/**
 * Bundlers without any configuration for WebAssembly: what each makes of named imports runs in Node, and a getter of
 * one family comes without the code of the others.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import nodeResolve from '@rollup/plugin-node-resolve';
import * as esbuild from 'esbuild';
import MinimizerPlugin from 'minimizer-webpack-plugin';
import { rolldown } from 'rolldown';
import { rollup } from 'rollup';
import * as vite from 'vite';
import webpack from 'webpack';
import { outputOf, printedResult } from '../command.mjs';

/** Classes of other families than ResNet, and of another entry. */
const OTHERS = ['SqueezeNet', 'MobileNetV2', 'MobileNetV3', 'DeepLabV3', 'DeepLabHead', 'FCNHead', 'ThreadPool'];

/** Whether code has a class, however a bundler writes that. */
const hasClass = (code, name) => new RegExp(`class ${name}\\b|(?:\\b|_)${name} ?= ?class`).test(code);

/**
 * Each bundler: writes `outfile` from `entry`, with its names. `edge` takes the entry for hosts that import the
 * kernels.
 */
const BUNDLERS = {
  esbuild: ({ cwd, entry, outfile, edge }) =>
    esbuild.build({
      absWorkingDir: cwd,
      entryPoints: [entry],
      outfile,
      bundle: true,
      format: 'esm',
      logLevel: 'error',
      conditions: edge ? ['workerd'] : [],
      external: edge ? ['*.wasm?module'] : [],
    }),
  rollup: async ({ cwd, entry, outfile, edge }) => {
    const plugins = [nodeResolve({ exportConditions: edge ? ['workerd'] : [] })];
    const external = edge ? /\.wasm\?module$/ : [];
    const bundle = await rollup({ input: join(cwd, entry), plugins, external });
    await bundle.write({ file: join(cwd, outfile), format: 'es' });
    await bundle.close();
  },
  rolldown: async ({ cwd, entry, outfile }) => {
    const bundle = await rolldown({ cwd, input: join(cwd, entry) });
    await bundle.write({ file: join(cwd, outfile), format: 'es', codeSplitting: false });
    await bundle.close();
  },
  vite: ({ cwd, entry, outfile }) =>
    vite.build({
      root: cwd,
      configFile: false,
      logLevel: 'error',
      build: {
        minify: false,
        emptyOutDir: false,
        outDir: cwd,
        lib: { entry: join(cwd, entry), formats: ['es'], fileName: () => outfile },
      },
    }),
  webpack: ({ cwd, entry, outfile }) =>
    new Promise((resolve, reject) => {
      const config = {
        mode: 'production',
        context: cwd,
        entry: `./${entry}`,
        target: 'web',
        // webpack leaves it to the minimizer to drop what a module has and nobody uses; names stay, to be looked for.
        optimization: {
          minimizer: [
            new MinimizerPlugin({
              minimizerOptions: { mangle: false, compress: { defaults: false, unused: true, toplevel: true } },
            }),
          ],
        },
        experiments: { outputModule: true },
        output: { path: cwd, filename: outfile, module: true, library: { type: 'module' } },
      };
      webpack(config, (error, stats) => {
        if (error || stats.hasErrors()) reject(error ?? new Error(stats.toString({ colors: false })));
        else resolve(undefined);
      });
    }),
};

export const checks = async (project) =>
  Object.entries(BUNDLERS).flatMap(([name, bundle]) => {
    const { version } = JSON.parse(readFileSync(join(project.packages, 'node_modules', name, 'package.json'), 'utf8'));
    const cwd = project.folder;
    const shake = (edge) => async () => {
      const outfile = `getter.${name}${edge ? '.edge' : ''}.mjs`;
      await bundle({ cwd, entry: 'getter.mjs', outfile, edge });
      const code = readFileSync(join(cwd, outfile), 'utf8');
      if (!hasClass(code, 'ResNet')) throw new Error('expected the class ResNet in the bundle');
      const found = OTHERS.filter((name) => hasClass(code, name));
      if (found.length > 0) throw new Error(`expected a ResNet getter without other families, got ${found.join(', ')}`);
      return { version };
    };
    const checked = [
      [
        `${name}, its bundle in Node 22`,
        async () => {
          const outfile = `named.${name}.mjs`;
          await bundle({ cwd, entry: 'named.mjs', outfile });
          return { version, ...printedResult(await outputOf(project.node(22), [outfile], { cwd })) };
        },
      ],
      [`${name}, drops other families`, shake(false)],
    ];
    if (name === 'esbuild' || name === 'rollup') checked.push([`${name}, drops them for workerd, too`, shake(true)]);
    return checked;
  });
