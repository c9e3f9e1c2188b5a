/**
 * The page in Debian's Chromium: every control is used, and pixels of known pictures are compared with what they must
 * show. Where there is no Chromium, all of that is skipped, loudly.
 */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { loadSafetensors, saveSafetensors, zeros } from 'layertap';
import { distinctPalette } from 'layertap/tools';
import { CLASSES, classifier, halves, likeStripes, PROBABILITY, png, SEEN, stripes } from './fixtures.mjs';
import {
  check,
  drop,
  file,
  give,
  paste,
  picture,
  pixels,
  problem,
  ran,
  taskTimes,
  until,
  withFolder,
} from './page.mjs';
import { DIST, serve } from './server.mjs';
import { MISSING, visits } from './visits.mjs';

/** What the page's code may take, as gzip has it. */
const MOST_BYTES = 150_000;

const digits = (/** @type {string} */ name) => readFileSync(new URL(`../../examples/digits/${name}`, import.meta.url));

describe('the bundle', () => {
  const assets = readdirSync(join(DIST, 'assets'));
  const html = readFileSync(join(DIST, 'index.html'), 'utf8');

  it(`takes at most ${MOST_BYTES} bytes without weights, as gzip has them`, (t) => {
    const code = [...assets, '../index.html', '../icon.svg'].filter((name) => /\.(js|css|html|svg)$/.test(name));
    const bytes = code.reduce((sum, name) => sum + gzipSync(readFileSync(join(DIST, 'assets', name))).length, 0);
    t.diagnostic(`${bytes} bytes`);
    assert.ok(bytes <= MOST_BYTES, `${bytes} bytes`);
  });

  it('computes in the worker alone: the page’s own script has no WebAssembly', () => {
    // What starts the worker, and what draws the page.
    const own = assets.filter((name) => name.endsWith('.js') && html.includes(name));
    assert.equal(own.length, 2);
    for (const name of own)
      assert.doesNotMatch(readFileSync(join(DIST, 'assets', name), 'utf8'), /WebAssembly\.[a-zA-Z]/);
  });

  it('lies in any folder: no address begins with a slash', () => {
    assert.doesNotMatch(html, /(src|href)="\//);
  });
});

describe('the page in Chromium', { skip: MISSING }, () => {
  const visit = visits();

  it('shows the digits scene’s mask in its classes’ colours, pixel by pixel, with a legend', () =>
    visit(async (page) => {
      const golden = loadSafetensors(digits('golden.safetensors')).get('argmax');
      const classes = Array.from(golden?.data ?? [], Number);
      const palette = [[0, 0, 0], ...distinctPalette(10)];
      const mask = await pixels(page, 'The mask alone');
      assert.deepEqual([mask.width, mask.height], [160, 128]);
      assert.deepEqual(
        mask.data,
        classes.flatMap((index) => [...palette[index], 255]),
      );
      const counts = new Map();
      for (const index of classes) counts.set(index, (counts.get(index) ?? 0) + 1);
      const expected = [...counts].sort(([, a], [, b]) => b - a);
      const legend = page.getByRole('list', { name: 'Legend' }).getByRole('listitem');
      assert.deepEqual(
        await legend.allTextContents(),
        expected.map(([index, count]) => {
          const share = `${((count / classes.length) * 100).toFixed(1)} %`;
          return `${index === 0 ? 'background' : index - 1}${share}`;
        }),
      );
    }));

  it('shows of a half black, half white picture heat that changes across and not downwards', () =>
    visit(async (page) => {
      await give(page, 'Photo', picture('halves.png', halves));
      await ran(page, 'halves.png');
      const input = await pixels(page, 'The picture as the network gets it: halves.png');
      assert.deepEqual(input.at(10, 64), [0, 0, 0, 255]);
      assert.deepEqual(input.at(150, 64), [255, 255, 255, 255]);
      const heat = await pixels(page, 'Heat map of backbone.relu');
      assert.deepEqual([heat.width, heat.height], [160, 128]);
      // Away from the picture's edges a column has one colour. Three columns in different parts have three.
      for (const x of [30, 80, 130]) assert.deepEqual(heat.at(x, 50), heat.at(x, 78), `column ${x}`);
      assert.notDeepEqual(heat.at(30, 64), heat.at(80, 64));
      assert.notDeepEqual(heat.at(30, 64), heat.at(130, 64));
      // Six tenths of heat over four of the picture, both rounded.
      const over = await pixels(page, 'Heat map of backbone.relu over the picture');
      for (const [i, value] of over.data.entries()) {
        const mixed = i % 4 === 3 ? 255 : 0.6 * heat.data[i] + 0.4 * input.data[i];
        assert.ok(Math.abs(value - mixed) <= 1, `byte ${i}: ${value}, not ${mixed}`);
      }
      const colours = await pixels(page, 'Principal components of backbone.relu as colours');
      assert.notDeepEqual(colours.at(30, 64), colours.at(130, 64));
      // 16 channels of 80 x 64 pixels in rows of four, two transparent pixels between two.
      const grid = await pixels(page, 'Channels of backbone.relu');
      assert.deepEqual([grid.width, grid.height], [4 * 80 + 3 * 2, 4 * 64 + 3 * 2]);
      assert.deepEqual(
        [79, 80, 81, 82].map((x) => grid.at(x, 10)[3]),
        [255, 0, 0, 255],
      );
    }));

  it('shows of each layer shape, time and the heat map’s ends, and how many bytes were needed', () =>
    visit(async (page) => {
      const shapes = { 'backbone.relu': '16 × 64 × 80', 'backbone.layer4': '64 × 32 × 40' };
      for (const [layer, shape] of Object.entries(shapes)) {
        const text = (await page.getByRole('article', { name: layer, exact: true }).textContent()) ?? '';
        assert.ok(text.includes(`Shape${shape}`), text);
        assert.match(text, /Time up to here[\d.]+ m?s/);
        assert.match(text, /Heat map’s colours[\d.e-]+ black, [\d.e-]+ white/);
      }
      const needed = /^Weights: (\d+ kB) of \1 needed, of a file of \d+ kB$/;
      assert.match((await page.locator('#weights-progress').textContent()) ?? '', needed);
    }));

  it('taps what is ticked in the tree, by mouse and by keyboard', () =>
    visit(async (page) => {
      await page.getByRole('button', { name: 'Layers in backbone.layer3', exact: true }).click();
      await page.getByRole('checkbox', { name: 'backbone.layer3.0, BasicBlock' }).check();
      await page.getByRole('article', { name: 'backbone.layer3.0', exact: true }).waitFor();
      await page.getByRole('button', { name: 'Layers in classifier', exact: true }).press('Enter');
      await page.getByRole('checkbox', { name: 'classifier.0, ASPP' }).press('Space');
      await page.getByRole('article', { name: 'classifier.0', exact: true }).waitFor();
      // A module that gives no tensor can't be tapped.
      const backbone = page.getByRole('checkbox', { name: 'backbone, IntermediateLayerGetter' });
      assert.equal(await backbone.isDisabled(), true);
      // Nothing after the last layer is asked for, and then nothing at all.
      await page.getByRole('checkbox', { name: 'Segment, too' }).uncheck();
      await page.getByRole('heading', { name: 'Mask' }).waitFor({ state: 'detached' });
      const ticked = page.getByRole('checkbox', { name: /^(backbone|classifier)\./, checked: true });
      while ((await ticked.count()) > 0) await ticked.first().uncheck();
      await page.getByText('Tick a layer to see what it sees.').waitFor();
      assert.equal(await page.getByRole('article').count(), 0);
    }));

  it('classifies by a local weight file: the network is told by its name, classes by its last layer', () =>
    visit(async (page) => {
      const weights = file('shufflenet_v2_x0_5-mine.safetensors', classifier());
      await give(page, 'Weight file, .pth or .safetensors', weights);
      await ran(page, 'scene.png', 'shufflenet_v2_x0_5');
      const answer = page.getByRole('region', { name: 'Top five' });
      const classes = await answer.getByRole('listitem').allTextContents();
      assert.equal(classes.length, 5);
      assert.equal(classes[0], `class ${SEEN}${(PROBABILITY * 100).toFixed(1)} %`);
      assert.equal(classes[1], `class 0${(((1 - PROBABILITY) / (CLASSES - 1)) * 100).toFixed(1)} %`);
      await page.getByRole('button', { name: 'class 0', exact: true }).click();
      const where = await pixels(page, 'Where the network sees class 0');
      assert.deepEqual([where.width, where.height], [224, 224]);
      await page.getByLabel('Network', { exact: true }).selectOption('resnet18');
      await page.getByText('resnet18 has no weights yet. There is nothing to see.').waitFor();
    }));

  it('takes a picture of the camera, and drawings', () =>
    visit(
      async (page) => {
        await page.getByRole('button', { name: 'Camera' }).click();
        await page.getByRole('button', { name: 'Take the picture' }).click();
        await ran(page, 'camera');
        await page.getByRole('button', { name: 'Draw digits' }).click();
        await page.getByLabel('Or type up to four digits').fill('7');
        await ran(page, 'your drawing');
        const legend = page.getByRole('list', { name: 'Legend' });
        await legend.getByText('7', { exact: true }).waitFor();
        // By hand, on clean paper: a stroke.
        await page.getByRole('button', { name: 'Clear' }).click();
        await legend.getByText('7', { exact: true }).waitFor({ state: 'detached' });
        await ran(page, 'your drawing');
        assert.equal(await legend.getByRole('listitem').count(), 1);
        const paper = page.getByRole('img', { name: /^Paper to draw digits on/ });
        // A mouse moves to a place of the window, and the camera's button may have scrolled the page.
        await paper.scrollIntoViewIfNeeded();
        const pad = await paper.boundingBox();
        assert.ok(pad);
        await page.mouse.move(pad.x + pad.width / 2, pad.y + pad.height * 0.2);
        await page.mouse.down();
        await page.mouse.move(pad.x + pad.width / 2 - 4, pad.y + pad.height * 0.8, { steps: 6 });
        await page.mouse.up();
        // A digit beside the background, which is all that an empty sheet has.
        await legend.getByRole('listitem').nth(1).waitFor();
        await page.getByRole('button', { name: 'Example' }).click();
        await ran(page, 'scene.png');
      },
      { permissions: ['camera'] },
    ));

  it('takes what is dropped and what is pasted', () =>
    visit(async (page) => {
      await page.evaluate(drop, { selector: '.picture-input', files: [{ name: 'dropped.png', bytes: [...halves] }] });
      await ran(page, 'dropped.png');
      const two = ['one.png', 'two.png'].map((name) => ({ name, bytes: [...halves] }));
      await page.evaluate(drop, { selector: '.picture-input', files: two });
      await ran(page, 'one.png, the first of 2 files');
      await page.evaluate(paste, { name: 'pasted.png', bytes: [...stripes] });
      await ran(page, 'pasted.png');
    }));

  it('compares photos, and finds the nearest in a folder', () =>
    visit(async (page) => {
      await page.getByRole('tab', { name: 'Layers' }).press('ArrowRight');
      assert.equal(await page.getByRole('tab', { name: 'Similarity' }).getAttribute('aria-selected'), 'true');
      const photos = [picture('a.png', halves), picture('b.png', halves), picture('c.png', stripes)];
      await give(page, 'Photos to compare', ...photos);
      await until(page, ({ status }) => status.startsWith('3 photos are compared'), 'three photos');
      const cells = await page.getByRole('table').getByRole('cell').allTextContents();
      const [aa, ab, ac, ba, bb, bc, ca, cb, cc] = cells.filter((text) => text !== '').map(Number);
      // Vectors of length 1 within float32: alike to three places.
      assert.deepEqual([aa, ab, ba, bb, cc], [1, 1, 1, 1, 1]);
      assert.deepEqual([bc, ca, cb], [ac, ac, ac]);
      assert.ok(ac >= -1 && ac < 0.999, String(ac));
      const files = { 'like-c.png': likeStripes, 'broken.png': 'no picture', 'notes.txt': 'no picture' };
      await withFolder(files, async (folder) => {
        await page.getByLabel('Folder of photos').setInputFiles(folder);
        const { status } = await until(page, (now) => now.status.startsWith('4 photos'), 'four photos');
        assert.ok(status.endsWith('Not readable: broken.png.'), status);
      });
      await page.getByRole('button', { name: 'c.png', exact: true }).click();
      await until(page, (now) => now.status.startsWith('Nearest: like-c.png'), 'the nearest');
      const nearest = page.getByRole('list', { name: 'Nearest to c.png' }).getByRole('listitem');
      assert.equal(await nearest.count(), 3);
      await page.getByLabel('Layer', { exact: true }).selectOption('backbone.layer1');
      const another = 'photos are compared by backbone.layer1';
      await until(page, (now) => now.status.includes(another), 'another layer');
      await page.getByRole('button', { name: 'Remove all' }).click();
      await page.getByRole('table').waitFor({ state: 'detached' });
    }));

  it('says what is wrong, in words, and goes on', () =>
    visit(
      async (page) => {
        const dismiss = () => page.getByRole('button', { name: 'Dismiss' }).click();
        const weights = 'Weight file, .pth or .safetensors';
        const size = page.getByLabel('Input size');
        await give(page, 'Photo', picture('notes.png', Buffer.from('no picture')));
        assert.match(await problem(page), /^“notes\.png” isn’t a picture that this browser can read\./);
        await dismiss();
        await give(page, weights, file('resnet18.pth', 'no weights at all, only text'));
        assert.match(await problem(page), /^This file isn’t a weight file\./);
        await dismiss();
        await give(page, weights, file('resnet18.safetensors', digits('weights.safetensors')));
        assert.match(await problem(page), /^These weights are another network’s\./);
        await dismiss();
        // The network that was is open still.
        await give(page, weights, file('other.safetensors', classifier()));
        assert.match(
          await problem(page),
          /^These weights are another network’s\..*The file has no backbone\.conv1\.weight/s,
        );
        await dismiss();
        const network = page.getByLabel('Network', { exact: true });
        assert.equal(await network.inputValue(), 'digits');
        await give(page, 'Photo', picture('halves.png', halves));
        await ran(page, 'halves.png');
        await page.getByRole('button', { name: 'Example' }).click();
        await ran(page, 'scene.png');
        await size.fill('8192');
        await size.press('Enter');
        const told = /^Too large for this tab: at least [\d.]+ GB are needed, [\d.]+ GB are allowed\./;
        assert.match(await problem(page), told);
        await size.fill('96');
        await size.press('Enter');
        await ran(page, 'scene.png');
        await page.getByRole('button', { name: 'Camera' }).click();
        assert.match(await problem(page), /^The camera can’t be used\.Allow the camera for this page/);
        await dismiss();
        await page.getByRole('tab', { name: 'Similarity' }).click();
        await withFolder({ 'notes.txt': 'text' }, async (folder) => {
          await page.getByLabel('Folder of photos').setInputFiles(folder);
          assert.match(await problem(page), /^There are no pictures here\.“notes\.txt” isn’t a photo/);
        });
        await dismiss();
        // Four million pixels wide once it is as high as the network's input.
        await give(
          page,
          'Photos to compare',
          picture(
            'wide.png',
            png(30_000, 1, () => [0, 0, 0]),
          ),
        );
        assert.match(await problem(page), told);
      },
      { permissions: [] },
    ));

  it('fetches weights of the hub by name, and says where that fails', () =>
    visit(
      async (page) => {
        await page.getByLabel('Or by name, from the Hugging Face hub').fill('timm/nothing');
        await page.getByRole('button', { name: 'Fetch' }).click();
        assert.match(
          await problem(page),
          /^The weights couldn’t be fetched\..* got 404; is there such a repository\? This page takes no token: download/,
        );
      },
      {
        // This machine answers in the hub's place.
        setup: (context) =>
          context.route('https://huggingface.co/**', (route) =>
            route.fulfill({ status: 404, headers: { 'access-control-allow-origin': '*' }, body: '' }),
          ),
        may: /^left for https:\/\/huggingface\.co\/timm\/nothing\/|status of 404/,
      },
    ));

  it('keeps the network that is open where weights of the hub are not those that its configuration names', () =>
    visit(
      async (page) => {
        await page.getByLabel('Or by name, from the Hugging Face hub').fill('timm/resnet18.other');
        await page.getByRole('button', { name: 'Fetch' }).click();
        const told = await problem(page);
        assert.match(told, /^These weights are another network’s\./);
        assert.match(told, /conv1\.weight of 64 × 3 × 7 × 7\. The file has conv1\.weight of 8 × 3 × 7 × 7\./);
        // The digits are still there.
        assert.equal((await pixels(page, 'The mask alone')).width, 160);
      },
      {
        setup: (context) =>
          context.route('https://huggingface.co/timm/resnet18.other/**', (route) => {
            const isConfig = route.request().url().endsWith('/config.json');
            const config = {
              architecture: 'resnet18',
              num_classes: 1000,
              pretrained_cfg: { input_size: [3, 224, 224] },
            };
            const weights = saveSafetensors(new Map([['conv1.weight', zeros([8, 3, 7, 7])]]));
            const body = isConfig ? JSON.stringify(config) : Buffer.from(weights);
            return route.fulfill({ status: 200, headers: { 'access-control-allow-origin': '*' }, body });
          }),
        may: /^left for https:\/\/huggingface\.co\/timm\/resnet18\.other\//,
      },
    ));

  it('works without isolation and relaxed SIMD, and says what would be faster', async () => {
    const plain = await serve({ isIsolated: false, prelude: 'WebAssembly.validate = () => false;\n' });
    const use = async (/** @type {import('playwright-core').Page} */ page) => {
      const text = (await page.getByRole('contentinfo').textContent()) ?? '';
      assert.match(text, /Relaxed SIMD: no, so plain SIMD is used\./);
      assert.match(text, /Threads: one\. With the headers Cross-Origin-Opener-Policy/);
    };
    try {
      await visit(use, { url: plain.url });
    } finally {
      plain.close();
    }
  });

  for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
    for (const width of [1280, 390]) {
      it(`keeps accessibility's rules and the screen's width, ${colorScheme}, ${width} pixels wide`, () =>
        visit(
          async (page) => {
            await check(page);
            await page.getByRole('button', { name: 'Draw digits' }).click();
            await give(page, 'Photo', picture('notes.png', Buffer.from('no picture')));
            await problem(page);
            await check(page);
            await page.getByRole('tab', { name: 'Similarity' }).click();
            await give(page, 'Photos to compare', picture('a.png', halves), picture('b.png', stripes));
            await until(page, ({ status }) => status.startsWith('2 photos'), 'two photos');
            await page.getByRole('button', { name: 'a.png', exact: true }).click();
            await until(page, ({ status }) => status.startsWith('Nearest'), 'the nearest');
            await check(page);
          },
          { colorScheme, viewport: { width, height: 844 } },
        ));
    }
  }

  it('leaves the page free while it works: no task takes more than 50 ms of the processor', (t) =>
    visit((page) => {
      const files = { 'a.png': halves, 'b.png': stripes, 'shufflenet_v2_x0_5.safetensors': classifier() };
      // By their paths, since what is given as bytes is unpacked by the page's own thread.
      return withFolder(files, async (folder) => {
        const give = (/** @type {string} */ label, /** @type {string[]} */ ...names) =>
          page.getByLabel(label, { exact: true }).setInputFiles(names.map((name) => join(folder, name)));
        const times = await taskTimes(page, async () => {
          await give('Photo', 'a.png');
          await ran(page, 'a.png');
          await give('Weight file, .pth or .safetensors', 'shufflenet_v2_x0_5.safetensors');
          await ran(page, 'a.png', 'shufflenet_v2_x0_5');
          await page.getByRole('tab', { name: 'Similarity' }).click();
          await give('Photos to compare', 'a.png', 'b.png');
          await until(page, ({ status }) => status.startsWith('2 photos'), 'two photos');
        });
        t.diagnostic(`the longest of ${times.length} tasks: ${times[0].toFixed(1)} ms`);
        assert.ok(times.length > 10);
        assert.ok(times[0] <= 50, `${times[0]} ms`);
      });
    }));

  it('tells its first heat map’s time and its long tasks', (t) =>
    visit(
      async (page) => {
        const { tasks, first } = await page.evaluate(() => /** @type {any} */ (globalThis).measured);
        const longest = tasks.map((/** @type {number} */ ms) => `${Math.round(ms)} ms`).join(', ');
        // Wall-clock times, in which other processes take part: told, and bound by nothing.
        t.diagnostic(`the page's own tasks over 50 ms: ${longest || 'none'}`);
        t.diagnostic(`first heat map ${Math.round(first)} ms after the navigation`);
        assert.ok(first > 0);
      },
      { setup: (context) => context.addInitScript(measure) },
    ));
});

/** In the page: notes long tasks, and when a layer's first picture is there. */
function measure() {
  const measured = { tasks: /** @type {number[]} */ ([]), first: 0 };
  Object.assign(globalThis, { measured });
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) measured.tasks.push(duration);
  });
  observer.observe({ type: 'longtask', buffered: true });
  const look = () => {
    if (document.querySelector('article canvas:not(.waiting)')) measured.first = performance.now();
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}
