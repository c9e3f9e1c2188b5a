/** Starts the worker, then draws the page. */

import { render } from 'preact';
import { App } from './app.tsx';
import { Engine } from './engine.ts';
import './style.css';

render(<App engine={new Engine()} />, document.getElementById('app')!);
