/**
 * Starts what the first picture waits for, before the page's own code is there: the worker, and the files that come
 * with the page. Then draws the page.
 */

import { Engine } from './engine.ts';
import './style.css';

const engine = new Engine();
import('./page.tsx').then(
  ({ draw }) => draw(engine),
  () => document.getElementById('app')!.append('The page couldn’t be loaded whole. Reload it.'),
);
