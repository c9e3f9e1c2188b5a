/** The files that come with the page. The page fetches them, while the worker's own code is on its way. */

import type { BuiltinName, ToWorker } from '../protocol.ts';
import { Said } from './problems.ts';

type Taken = Extract<ToWorker, { name: 'builtin' }>;

const takers = new Map<BuiltinName, (taken: Taken) => void>();
const files = { weights: awaited('weights'), scene: awaited('scene') };

function awaited(name: BuiltinName): Promise<Taken> {
  return new Promise((resolve) => takers.set(name, resolve));
}

/** A file that comes with the page. */
export async function builtin(name: BuiltinName): Promise<ArrayBuffer> {
  const { bytes, reason } = await files[name];
  if (bytes) return bytes;
  throw new Said('A file of this page couldn’t be loaded. Reload the page.', `${reason}`);
}

/** Takes a file, or why it isn't there. */
export function takeBuiltin(taken: Taken): void {
  takers.get(taken.builtin)?.(taken);
}
