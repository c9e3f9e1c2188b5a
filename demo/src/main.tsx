/** Starts the worker, then draws the page in a task of its own. */

import { render } from 'preact';
import { App } from './app.tsx';
import { Engine } from './engine.ts';
import './style.css';

const engine = new Engine();
setTimeout(() => render(<App engine={engine} />, document.getElementById('app')!));
