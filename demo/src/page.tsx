/** Draws the page. */

import { render } from 'preact';
import { App } from './app.tsx';
import type { Engine } from './engine.ts';

export function draw(engine: Engine): void {
  render(<App engine={engine} />, document.getElementById('app')!);
}
