/** The page's turns in Debian's Chromium: what is asked for while something else goes on, and what doesn't work out. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CLASSES, classifier, halves, noise, oneClass, png, stripes } from './fixtures.mjs';
import { check, drop, file, give, picture, pixels, problem, ran, until, withFolder } from './page.mjs';
import { serve } from './server.mjs';
import { MISSING, visits } from './visits.mjs';

/** @typedef {import('playwright-core').Page} Page */

const WEIGHTS = 'Weight file, .pth or .safetensors';
const SHUFFLENET = file('shufflenet_v2_x0_5.safetensors', classifier());
const BROKEN = picture('broken.png', Buffer.from('no picture'));

/** Pictures that differ. @param {string} names each a letter */
const photos = (names) =>
  [...names].map((name, i) =>
    picture(
      `${name}.png`,
      png(96, 64, (x, y) => [x * 2, y * 3, (i * 40) % 256]),
    ),
  );

/** The photos that are listed. @param {Page} page */
const listed = (page) =>
  page.getByRole('list', { name: 'Photos: choose one to find its nearest' }).getByRole('button').allTextContents();

/** @param {Page} page @param {string} begin */
const said = (page, begin) => until(page, ({ status, alert }) => alert !== '' || status.startsWith(begin), begin);

/** @param {Page} page @param {string | number} value */
async function resize(page, value) {
  const size = page.getByLabel('Input size');
  await size.fill(String(value));
  await size.press('Enter');
}

/** @param {Page} page */
const dismiss = (page) => page.getByRole('button', { name: 'Dismiss' }).click();

describe('the similarity tab', { skip: MISSING }, () => {
  const visit = visits();
  const names = ['a.png', 'b.png', 'c.png', 'd.png', 'e.png'];
  const add = (/** @type {Page} */ page, /** @type {string} */ letters) =>
    give(page, 'Photos to compare', ...photos(letters));

  it('keeps the photos that are being added when others are added', () =>
    visit(async (page) => {
      await page.getByRole('tab', { name: 'Similarity' }).click();
      await add(page, 'abcde');
      await add(page, 'f');
      await said(page, '6 photos are compared');
      assert.deepEqual(await listed(page), [...names, 'f.png']);
    }));

  it('keeps them when another layer is chosen meanwhile', () =>
    visit(async (page) => {
      await page.getByRole('tab', { name: 'Similarity' }).click();
      await add(page, 'abcde');
      await page.getByLabel('Layer', { exact: true }).selectOption('backbone.layer1');
      await said(page, '5 photos are compared by backbone.layer1');
      assert.deepEqual(await listed(page), names);
    }));

  it('keeps them while a network has no weights, and when networks are opened in a row', () =>
    visit(async (page) => {
      await page.getByRole('tab', { name: 'Similarity' }).click();
      await add(page, 'abcde');
      await said(page, '5 photos are compared by backbone.layer4');
      await page.getByLabel('Network', { exact: true }).selectOption('shufflenet_v2_x0_5');
      await page.getByText('shufflenet_v2_x0_5 has no weights yet. The photos wait for them.').waitFor();
      assert.deepEqual(await listed(page), names);
      await give(page, WEIGHTS, SHUFFLENET);
      await said(page, '5 photos are compared by conv5');
      await page.getByLabel('Network', { exact: true }).selectOption('digits');
      await give(page, WEIGHTS, SHUFFLENET);
      await said(page, '5 photos are compared by conv5');
      assert.deepEqual(await listed(page), names);
      assert.equal((await page.getByRole('table').getByRole('cell').allTextContents()).includes('…'), false);
    }));

  it('says how many photos there are', () =>
    visit(async (page) => {
      await page.getByRole('tab', { name: 'Similarity' }).click();
      await add(page, 'a');
      await said(page, '1 photo has a vector of backbone.layer4. Add another to compare it with.');
      await page.getByRole('button', { name: 'Remove all' }).click();
      await said(page, 'No photos are compared.');
      assert.equal(await page.getByRole('button', { name: 'a.png', exact: true }).count(), 0);
    }));

  it('compares the others where a photo is too large, and marks that', () =>
    visit(async (page) => {
      await page.getByRole('tab', { name: 'Similarity' }).click();
      const wide = png(30_000, 1, () => [0, 0, 0]);
      await give(page, 'Photos to compare', ...photos('a'), picture('wide.png', wide), ...photos('b'));
      assert.match(await problem(page), /^Too large for this tab/);
      await until(page, ({ status }) => status.startsWith('2 photos are compared'), 'the others');
      assert.deepEqual(await listed(page), ['a.png', 'wide.pngnot compared', 'b.png']);
      await check(page);
    }));

  it('takes photos that are dropped anywhere while it is shown', () =>
    visit(async (page) => {
      await page.getByRole('tab', { name: 'Similarity' }).click();
      const files = ['x.png', 'y.png'].map((name) => ({ name, bytes: [...halves] }));
      assert.equal(await page.evaluate(drop, { selector: 'header', files }), true);
      await said(page, '2 photos are compared');
    }));
});

describe('a network that is opened', { skip: MISSING }, () => {
  const visit = visits();
  const allowed = { 'access-control-allow-origin': '*', 'access-control-expose-headers': 'content-range' };
  const fetchRepo = async (/** @type {Page} */ page, /** @type {string} */ repo) => {
    await page.getByLabel('Or by name, from the Hugging Face hub').fill(repo);
    await page.getByRole('button', { name: 'Fetch' }).click();
  };

  it('leaves the one before at work while its server doesn’t answer', () =>
    visit(
      async (page) => {
        await fetchRepo(page, 'timm/resnet18.slow');
        await said(page, 'Opening timm/resnet18.slow');
        await give(page, 'Photo', picture('halves.png', halves));
        await pixels(page, 'The picture as the network gets it: halves.png');
        await page.getByLabel('Network', { exact: true }).selectOption('digits');
        await ran(page, 'halves.png');
      },
      {
        setup: (context) => context.route('https://huggingface.co/**', () => {}),
        may: /^left for https:\/\/huggingface\.co\/timm\/resnet18\.slow\//,
      },
    ));

  it('leaves the run of the one before and what is said of it where it can’t be opened', () =>
    visit(async (page) => {
      await resize(page, 1024);
      await said(page, 'Running digits on scene.png');
      await give(page, WEIGHTS, file('resnet18.pth', 'no weights at all, only text'));
      assert.match(await problem(page), /^This file isn’t a weight file\./);
      const { status } = await until(page, () => true, 'what is said');
      assert.match(status, /^(Running digits|digits ran) on scene\.png/);
    }));

  it('doesn’t wait for the run of the one before', () =>
    visit(async (page) => {
      await page.evaluate(() => {
        const status = /** @type {Element} */ (document.querySelector('[role=status]'));
        const said = /** @type {string[]} */ ([]);
        Object.assign(globalThis, { said });
        new MutationObserver(() => said.push(status.textContent ?? '')).observe(status, {
          ...{ characterData: true, childList: true, subtree: true },
        });
      });
      await resize(page, 2048);
      await said(page, 'Running digits on scene.png');
      await page.getByLabel('Network', { exact: true }).selectOption('shufflenet_v2_x0_5');
      await said(page, 'shufflenet_v2_x0_5 has no weights yet.');
      const all = await page.evaluate(() => /** @type {any} */ (globalThis).said);
      assert.deepEqual(
        all.filter((/** @type {string} */ text) => text.startsWith('digits ran')),
        [],
      );
    }));

  it('is tried again where its weights’ server was out of reach', async () => {
    const weights = noise('resnet18');
    let isUp = false;
    await visit(
      async (page) => {
        await fetchRepo(page, 'timm/resnet18.mine');
        assert.match(await problem(page), /^The weights couldn’t be fetched\./);
        await dismiss(page);
        await page.getByRole('tab', { name: 'Similarity' }).click();
        await give(page, 'Photos to compare', ...photos('ab'));
        assert.match(await problem(page), /^The weights couldn’t be fetched\./);
        isUp = true;
        await page.getByRole('button', { name: 'Try again' }).click();
        await said(page, '2 photos are compared by layer4.');
        assert.equal((await until(page, () => true, 'what is said')).alert, '');
        await page.getByRole('tab', { name: 'Layers' }).click();
        await page.getByRole('button', { name: 'Try again' }).click();
        await ran(page, 'scene.png', 'resnet18');
        assert.equal(await page.getByRole('article').count(), 5);
      },
      {
        setup: (context) =>
          context.route('https://huggingface.co/timm/resnet18.mine/**', (route) => {
            const request = route.request();
            if (request.url().endsWith('/config.json')) {
              const config = { architecture: 'resnet18', num_classes: 1000 };
              const body = JSON.stringify({ ...config, pretrained_cfg: { input_size: [3, 224, 224] } });
              return route.fulfill({ status: 200, headers: allowed, body });
            }
            const [, begin = 0, last = weights.length - 1] = (
              /^bytes=(\d+)-(\d+)$/.exec(request.headers().range ?? '') ?? []
            ).map(Number);
            if (begin > 0 && !isUp) return route.abort('connectionreset');
            const end = Math.min(last + 1, weights.length);
            const range = `bytes ${begin}-${end - 1}/${weights.length}`;
            const headers = { ...allowed, 'content-range': range };
            return route.fulfill({ status: 206, headers, body: weights.subarray(begin, end) });
          }),
        may: /^left for https:\/\/huggingface\.co\/timm\/resnet18\.mine\/|ERR_CONNECTION_RESET/,
      },
    );
  });
});

describe('the page', { skip: MISSING }, () => {
  const visit = visits();

  it('says so where its own files aren’t there', () =>
    visit(
      async (page) => {
        assert.match(
          await problem(page),
          /^A file of this page couldn’t be loaded\. Reload the page\.TypeError: expected a file of this page, got status/,
        );
        await give(page, 'Photo', picture('stripes.png', stripes));
        await page.getByText('No network is open: choose one.').waitFor();
      },
      {
        setup: (context) => context.route('**/*.safetensors', (route) => route.fulfill({ status: 404 })),
        ...{ may: /status of 404/, runs: false },
      },
    ));

  it('says so where the names of networks can’t be loaded', () =>
    visit(
      async (page) => {
        assert.match(await problem(page), /^The other networks couldn’t be loaded\. Reload the page\.TypeError/);
      },
      {
        setup: (context) => context.route('**/torchvision-*.js', (route) => route.abort()),
        ...{ may: /ERR_FAILED/, runs: false },
      },
    ));

  it('says so whenever something is asked of a worker that has stopped', async () => {
    const broken = await serve({ prelude: 'throw new Error("broken");' });
    try {
      await visit(
        async (page) => {
          const stopped = /^The worker that computes has stopped\.Uncaught Error: broken/;
          assert.match(await problem(page), stopped);
          await dismiss(page);
          await give(page, 'Photo', picture('halves.png', halves));
          assert.match(await problem(page), stopped);
        },
        { url: broken.url, may: /broken/, runs: false },
      );
    } finally {
      broken.close();
    }
  });

  it('takes the photos of what is dropped, and leaves the other files', () =>
    visit(async (page) => {
      const files = [
        { name: 'notes.txt', bytes: [1, 2, 3], type: 'text/plain' },
        { name: 'halves.png', bytes: [...halves] },
      ];
      await page.evaluate(drop, { selector: '.results', files });
      await ran(page, 'halves.png');
    }));

  it('has the camera on only while it is in sight, and the keyboard stays where it was', () =>
    visit(
      async (page) => {
        const active = () => page.evaluate(() => document.activeElement?.textContent);
        await page.getByRole('button', { name: 'Camera' }).click();
        await page.locator('.camera button:enabled').waitFor();
        await page.getByRole('tab', { name: 'Similarity' }).click();
        assert.equal(await page.locator('video').count(), 0);
        await page.getByRole('tab', { name: 'Layers' }).click();
        await page.getByRole('button', { name: 'Take the picture' }).click();
        await ran(page, 'camera');
        assert.equal(await active(), 'Camera');
        await give(page, 'Photo', BROKEN);
        await problem(page);
        await dismiss(page);
        assert.equal(await page.evaluate(() => document.activeElement?.role ?? ''), 'status');
      },
      { permissions: ['camera'] },
    ));
});

describe('a run', { skip: MISSING }, () => {
  const visit = visits();
  const cards = (/** @type {Page} */ page) => page.getByRole('article');
  const undrawn = (/** @type {Page} */ page) => page.getByRole('img', { name: /not drawn yet$/ });

  it('goes on when a picture can’t be read, and shows one picture in all cards', () =>
    visit(async (page) => {
      await resize(page, 640);
      await give(page, 'Photo', picture('halves.png', halves));
      await said(page, 'Running digits on halves.png');
      await give(page, 'Photo', BROKEN);
      assert.match(await problem(page), /^“broken\.png” isn’t a picture/);
      await until(page, ({ status }) => /^(Running digits|digits ran) on halves\.png/.test(status), 'the run’s status');
      await until(page, ({ status }) => status.startsWith('digits ran on halves.png in '), 'the run');
      await dismiss(page);
      assert.equal(await undrawn(page).count(), 0);
      assert.equal(await cards(page).count(), 5);
      const input = await pixels(page, 'The picture as the network gets it: halves.png');
      assert.deepEqual([input.width, input.height], [800, 640]);
    }));

  it('that is refused leaves no maps of another run, and says why for as long as there are none', () =>
    visit(async (page) => {
      await resize(page, 8192);
      await problem(page);
      await dismiss(page);
      assert.equal(await cards(page).count(), 0);
      await page.getByText(/^There is nothing to see: Too large for this tab/).waitFor();
      await resize(page, 96);
      await ran(page, 'scene.png');
      assert.equal(await cards(page).count(), 5);
      assert.equal(await page.getByText(/^There is nothing to see/).count(), 0);
    }));

  it('that is refused leaves no picture of another one of its name', () =>
    visit(async (page) => {
      await give(page, 'Photo', picture('image.png', halves));
      await ran(page, 'image.png');
      await give(
        page,
        'Photo',
        picture(
          'image.png',
          png(30_000, 1, () => [0, 0, 0]),
        ),
      );
      assert.match(await problem(page), /^Too large for this tab/);
      await page.getByText(/^There is nothing to see/).waitFor();
      assert.equal(await page.getByRole('img', { name: /^The picture as the network gets it/ }).count(), 0);
    }));

  it('shows layers whose channels come last by their pixels', () =>
    withFolder({ 'convnext_tiny.safetensors': noise('convnext_tiny') }, (folder) =>
      visit(async (page) => {
        await page.getByLabel(WEIGHTS, { exact: true }).setInputFiles(`${folder}/convnext_tiny.safetensors`);
        await ran(page, 'scene.png', 'convnext_tiny');
        await give(page, 'Photo', picture('halves.png', halves));
        for (const path of ['features', 'features.1', 'features.1.0', 'features.1.0.block']) {
          const below = page.getByRole('button', { name: `Layers in ${path}`, exact: true });
          if ((await below.getAttribute('aria-expanded')) === 'false') await below.click();
        }
        await page.getByRole('checkbox', { name: 'features.1.0.block.2, LayerNorm' }).check();
        await ran(page, 'halves.png', 'convnext_tiny');
        const heat = await pixels(page, 'Heat map of features.1.0.block.2');
        assert.deepEqual(heat.at(60, 100), heat.at(60, 128));
        assert.notDeepEqual(heat.at(60, 100), heat.at(180, 100));
        const text = (await page.getByRole('article', { name: 'features.1.0.block.2' }).textContent()) ?? '';
        assert.match(text, /Shape56 × 56 × 96/);
        assert.match(text, /16 of 96/);
      }),
    ));

  it('takes sizes from 32 to 8192, and says so of others', () =>
    visit(async (page) => {
      for (const value of [1, -5, '', 100000]) {
        await resize(page, value);
        assert.match(await problem(page), /^The input size is a number from 32 to 8192\.It is still 128\./);
        assert.equal(await page.getByLabel('Input size').inputValue(), '128');
        await dismiss(page);
      }
      assert.equal(await cards(page).count(), 5);
    }));

  it('has its own shapes in the tree', () =>
    visit(async (page) => {
      const shapes = async () => {
        const told = (/** @type {string[]} */ texts) => texts.map((text) => /\d+ × \d+ × \d+/.exec(text)?.[0]);
        // Both in the network's order.
        const ticked = await page.locator('.branch:has(:checked)').allTextContents();
        return [told(ticked), told(await cards(page).allTextContents())];
      };
      const [tree, shown] = await shapes();
      assert.equal(tree[0], '16 × 64 × 80');
      assert.deepEqual(tree, shown);
      await resize(page, 256);
      await ran(page, 'scene.png');
      const [later, laterShown] = await shapes();
      assert.equal(later[0], '16 × 128 × 160');
      assert.deepEqual(later, laterShown);
    }));

  it('shows the picture as a network without weights would get it, and says that it has none', () =>
    visit(async (page) => {
      await page.getByLabel('Network', { exact: true }).selectOption('resnet18');
      await said(page, 'resnet18 has no weights yet.');
      await give(page, 'Photo', picture('halves.png', halves));
      const input = await pixels(page, 'The picture as the network gets it: halves.png');
      assert.deepEqual([input.width, input.height], [224, 224]);
      assert.deepEqual(input.at(10, 100), [0, 0, 0, 255]);
      await said(page, 'resnet18 has no weights yet.');
    }));

  it('shows of one pixel per channel the values, and cards in the network’s order', () =>
    visit(async (page) => {
      for (const path of ['classifier', 'classifier.0', 'classifier.0.convs', 'classifier.0.convs.4']) {
        await page.getByRole('button', { name: `Layers in ${path}`, exact: true }).click();
      }
      await page.getByRole('checkbox', { name: 'classifier.0.convs.4.0, AdaptiveAvgPool2d' }).check();
      await page.getByRole('button', { name: 'Layers in backbone.layer1', exact: true }).click();
      await page.getByRole('checkbox', { name: 'backbone.layer1.0, BasicBlock' }).check();
      await page.getByRole('article', { name: 'backbone.layer1.0', exact: true }).waitFor();
      await until(page, ({ status }) => /: 7 layers/.test(status), 'seven layers');
      const layers = await cards(page).getByRole('heading').allTextContents();
      const order = ['backbone.relu', 'backbone.layer1.0', 'backbone.layer1', 'backbone.layer2', 'backbone.layer3'];
      assert.deepEqual(layers, [...order, 'backbone.layer4', 'classifier.0.convs.4.0']);
      const card = page.getByRole('article', { name: 'classifier.0.convs.4.0', exact: true });
      assert.match((await card.textContent()) ?? '', /Shape64 × 1 × 1.*Values[-\d.e]+ to [-\d.e]+.*64 of 64$/);
      const strip = await pixels(page, 'Channels of classifier.0.convs.4.0');
      assert.deepEqual([strip.width, strip.height], [32, 2]);
      assert.equal(await page.getByRole('img', { name: /^Heat map of classifier/ }).count(), 0);
      const times = (await cards(page).allTextContents()).map((text) => {
        const [, value, unit] = /here([\d.]+) (m?s)/.exec(text) ?? [];
        return Number(value) * (unit === 's' ? 1000 : 1);
      });
      assert.deepEqual(
        times,
        [...times].sort((a, b) => a - b),
      );
    }));

  it('draws the pixels of a channel grid at whole multiples, on a wide screen', () =>
    visit(
      async (page) => {
        await resize(page, 32);
        await ran(page, 'scene.png');
        const grid = page.getByRole('img', { name: 'Channels of backbone.layer4', exact: true });
        await grid.waitFor();
        const times = await grid.evaluate((element) => {
          const canvas = /** @type {HTMLCanvasElement} */ (element);
          return canvas.getBoundingClientRect().width / canvas.width;
        });
        assert.ok(times >= 2 && Math.abs(times - Math.round(times)) < 1e-3, String(times));
      },
      { viewport: { width: 1280, height: 900 } },
    ));
});

describe('weights', { skip: MISSING }, () => {
  const visit = visits();

  it('that give NaN are told of', () =>
    visit(async (page) => {
      await give(page, WEIGHTS, file('shufflenet_v2_x0_5.safetensors', classifier({ score: Number.NaN })));
      await ran(page, 'scene.png', 'shufflenet_v2_x0_5');
      const answer = page.getByRole('region', { name: 'The network’s scores are no numbers.' });
      const text = (await answer.textContent()) ?? '';
      assert.ok(text.includes(`1 of ${CLASSES} are NaN or infinite, so they say nothing of the picture.`), text);
      assert.ok(text.includes('The weights are the likely cause'), text);
    }));

  for (const [score, name] of /** @type {const} */ ([
    [-3, 'not class 0'],
    [3, 'class 0'],
  ])) {
    it(`of one class are asked by the score’s sign: ${score}`, () =>
      visit(async (page) => {
        await give(page, WEIGHTS, file('lraspp_mobilenet_v3_large.safetensors', oneClass(score)));
        await ran(page, 'scene.png', 'lraspp_mobilenet_v3_large');
        const legend = page.getByRole('list', { name: 'Legend' }).getByRole('listitem');
        assert.deepEqual(await legend.allTextContents(), [`${name}100.0 %`]);
      }));
  }

  it('of another network are refused before the network that is open is let go of', () =>
    visit(async (page) => {
      await page.getByLabel('Network', { exact: true }).selectOption('shufflenet_v2_x1_0');
      await said(page, 'shufflenet_v2_x1_0 has no weights yet.');
      await give(page, WEIGHTS, file('mine.safetensors', classifier()));
      const told = await problem(page);
      assert.match(told, /^These weights are another network’s\./);
      assert.match(told, /stage2\.0\.branch1\.2\.weight of shufflenet_v2_x1_0 has a shape of/);
      assert.doesNotMatch(told, /FeatureExtractor|state_dict/);
      await page.getByText('shufflenet_v2_x1_0 has no weights yet. Open or drop a .pth').waitFor();
    }));

  it('whose names begin with module. are taken without it', () =>
    visit(async (page) => {
      await give(page, WEIGHTS, file('shufflenet_v2_x0_5-dp.safetensors', classifier({ prefix: 'module.' })));
      await ran(page, 'scene.png', 'shufflenet_v2_x0_5');
      await page.getByText('shufflenet_v2_x0_5-dp.safetensors, its names without “module.”.').waitFor();
    }));

  it('that take over from others and can’t be read leave a network that runs', () =>
    visit(async (page) => {
      await give(page, WEIGHTS, SHUFFLENET);
      await give(page, WEIGHTS, file('resnet18.pth', 'no weights at all, only text'));
      assert.match(await problem(page), /^This file isn’t a weight file\./);
      await dismiss(page);
      await give(page, 'Photo', picture('halves.png', halves));
      await ran(page, 'halves.png', await page.getByLabel('Network', { exact: true }).inputValue());
    }));

  it('that were cut are told so', () =>
    visit(async (page) => {
      const cut = classifier();
      await give(page, WEIGHTS, file('shufflenet_v2_x0_5.safetensors', cut.subarray(0, cut.length / 2)));
      assert.match(await problem(page), /^This weight file isn’t whole: its end is missing\./);
    }));

  it('and a photo are both taken where they are dropped together, anywhere', () =>
    visit(async (page) => {
      const { name, buffer } = SHUFFLENET;
      const files = [
        { name, bytes: [...buffer], type: '' },
        { name: 'stripes.png', bytes: [...stripes] },
      ];
      assert.equal(await page.evaluate(drop, { selector: '.results', files }), true);
      await ran(page, 'stripes.png', 'shufflenet_v2_x0_5');
      await page.evaluate(drop, { selector: '.network', files: [{ name: 'halves.png', bytes: [...halves] }] });
      await ran(page, 'halves.png', 'shufflenet_v2_x0_5');
    }));
});

describe('a phone', { skip: MISSING }, () => {
  const visit = visits();

  for (const width of [320, 360]) {
    it(`of ${width} pixels shows all within its width, and the tree, shut, before what is seen`, () =>
      visit(
        async (page) => {
          await check(page);
          const card = await page.getByRole('region', { name: 'Network and weights' }).boundingBox();
          const network = await page.getByLabel('Network', { exact: true }).boundingBox();
          assert.ok(card && network && network.x + network.width <= card.x + card.width);
          const size = page.getByLabel('Input size');
          assert.equal(await size.isVisible(), false);
          const title = page.getByRole('heading', { name: 'Layers' });
          const [tree, mask] = [
            await title.boundingBox(),
            await page.getByRole('heading', { name: 'Mask' }).boundingBox(),
          ];
          assert.ok(tree && mask && tree.y < mask.y);
          await title.click();
          await size.waitFor();
          await check(page);
        },
        { viewport: { width, height: 740 } },
      ));
  }
});
