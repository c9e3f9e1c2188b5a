/** When the page showed what, noted by the page itself. */

import { PATIENCE } from '../test/page.mjs';

/**
 * Milliseconds from the navigation, or from the choice of the weight file, to the frame that shows a thing.
 * `longestTask` is the longest task of the page's own thread meanwhile, 0 where none took more than 50 ms.
 *
 * @typedef {{ tree: number, first: number, five: number, answer: number, longestTask: number }} Notes
 */

/**
 * In the page, before its own scripts: notes what frames show, for the network that is open. It looks at frames behind
 * changes alone: a frame that it asked for again and again would be drawn 60 times a second, which takes as long as the
 * page's own work.
 */
export function observe() {
  /** @type {Record<string, any>} */
  const all = {};
  /** @type {{ start: number, duration: number }[]} */
  const tasks = [];
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) tasks.push({ start: startTime, duration });
  }).observe({ type: 'longtask', buffered: true });
  let start = 0;
  addEventListener(
    'change',
    ({ target }) => {
      if (/** @type {Element} */ (target).id === 'weights-file') start = performance.now();
    },
    true,
  );
  let isAsked = false;
  const look = () => {
    isAsked = false;
    const network = /^\w+/.exec(document.querySelector('#weights-hint')?.textContent ?? '')?.[0];
    if (!network) return;
    all[network] ??= { start, tasks };
    const note = (/** @type {string} */ what) => {
      all[network][what] ??= performance.now() - start;
    };
    if (document.querySelector('.tree input[name=layer]')) note('tree');
    // Pictures of the network before stay for a moment: those of ticked layers count.
    const ticked = [...document.querySelectorAll('.tree input[name=layer]:checked')];
    const maps = ticked.filter((box) => {
      const label = `Heat map of ${/** @type {HTMLInputElement} */ (box).value}`;
      const canvas = document.querySelector(`canvas[aria-label="${label}"]`);
      return canvas instanceof HTMLCanvasElement && canvas.width > 4;
    });
    if (maps.length > 0) note('first');
    if (maps.length >= 5) note('five');
    if (document.querySelector(network === 'digits' ? '.legend li' : '.classes li')) note('answer');
    const status = document.querySelector('[role=status]')?.textContent ?? '';
    if (!status.startsWith(`${network} ran on `) || all[network].end) return;
    note('end');
    // Long tasks are told a moment after their end.
    setTimeout(() => console.info(`notes of ${network}`, JSON.stringify(all[network])), 200);
  };
  const ask = () => {
    if (!isAsked) requestAnimationFrame(look);
    isAsked = true;
  };
  new MutationObserver(ask).observe(document, {
    ...{ subtree: true, childList: true, attributes: true, characterData: true },
  });
}

/**
 * What was noted of a network, once its run has ended. The page tells it by its console: to ask the page for it would
 * take the page's own thread, which compiles the tool's code then.
 *
 * @param {import('playwright-core').Page} page
 * @param {string} network
 * @param {() => Promise<unknown>} act what opens the network
 * @returns {Promise<Notes>}
 */
export async function notes(page, network, act) {
  const prefix = `notes of ${network} `;
  const [message] = await Promise.all([
    page.waitForEvent('console', { predicate: (one) => one.text().startsWith(prefix), timeout: PATIENCE }),
    act(),
  ]);
  const { start, end, tasks, ...times } = JSON.parse(message.text().slice(prefix.length));
  const own = tasks.filter((/** @type {any} */ task) => task.start >= start && task.start <= start + end);
  return { ...times, longestTask: Math.max(0, ...own.map((/** @type {any} */ { duration }) => duration)) };
}
