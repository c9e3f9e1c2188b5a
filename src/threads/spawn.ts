/** Starts workers on the hosts that have some: Node's threads, or web workers in browsers, Deno and Bun. */

import type { HostScope } from '../host.ts';
import type { Message } from './protocol.ts';

/** A running worker. */
export interface Thread {
  post(message: Message): void;
  /** Lets the process exit while the worker waits. */
  unref(): void;
  /** Ends it, whatever it does. */
  end(): Promise<void>;
}

/** Who is told of a worker's life. */
export interface Listener {
  onReady(): void;
  /** It has ended, or has thrown. */
  onDeath(cause: unknown): void;
}

/** What this host lacks for threads, or null. */
export function missingForThreads(): string | null {
  const scope = globalThis as unknown as HostScope;
  if (typeof SharedArrayBuffer === 'undefined') return 'no SharedArrayBuffer';
  // A page that isn't isolated can make a shared memory, but not post it.
  if (scope.crossOriginIsolated === false && 'location' in globalThis)
    return 'a page that is not cross-origin isolated';
  if (typeof Worker === 'undefined' && !scope.process?.getBuiltinModule) return 'no workers';
  return null;
}

/** A file beside this one. Bundlers don't look for this form, since shipping the file as it is would help nobody. */
const beside = (file: string) => new URL(file, import.meta.url);

/**
 * Starts a worker.
 *
 * @param url of worker.js where a bundler has moved it
 */
export function spawn(url: URL | undefined, { onReady, onDeath }: Listener): Thread {
  if (typeof Worker === 'undefined') {
    const { getBuiltinModule } = (globalThis as unknown as HostScope).process!;
    const { Worker } = getBuiltinModule!('node:worker_threads');
    const worker = new Worker(url ?? beside('worker.js'), { execArgv: [] });
    worker.on('message', onReady);
    worker.on('error', onDeath);
    worker.on('exit', (code) => onDeath(`exit code ${code}`));
    return {
      post: (message) => worker.postMessage(message),
      unref: () => worker.unref(),
      end: async () => void (await worker.terminate()),
    };
  }
  // Bundlers look for just this form.
  const worker = url
    ? new Worker(url, { type: 'module' })
    : new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
  worker.onmessage = onReady;
  worker.onerror = (event) => {
    event.preventDefault();
    onDeath(event.message);
  };
  return {
    post: (message) => worker.postMessage(message),
    unref: () => (worker as { unref?: () => void }).unref?.(),
    end: async () => worker.terminate(),
  };
}
