/** The worker as the page sees it: requests that return promises, and events in between. */

import sceneUrl from '../../examples/digits/scene.png?url';
import weightsUrl from '../../examples/digits/weights.safetensors?url';
import type { BuiltinName, Event, FromWorker, Problem, RequestName, Requests, ToWorker } from './protocol.ts';

/** What went wrong, in words for people. */
export class ProblemError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.title);
    this.problem = problem;
  }
}

/** Options of a request. */
export interface AskOptions {
  readonly onEvent?: (event: Event) => void;
  readonly signal?: AbortSignal;
  readonly transfer?: Transferable[];
}

interface Pending {
  resolve(result: unknown): void;
  reject(error: Error): void;
  onEvent: ((event: Event) => void) | undefined;
}

/** The files that come with the page. */
const BUILTIN: Readonly<Record<BuiltinName, string>> = { weights: weightsUrl, scene: sceneUrl };

/** A worker with one network. */
export class Engine {
  readonly #worker = new Worker(new URL('./worker/index.ts', import.meta.url), { type: 'module' });
  readonly #pending = new Map<number, Pending>();
  #next = 1;
  /** Why the worker answers nothing any more. */
  #stopped: ProblemError | null = null;

  constructor() {
    // Here, since the worker's own code comes later than these files.
    for (const name of ['weights', 'scene'] as const) {
      const post = (message: Extract<ToWorker, { name: 'builtin' }>, transfer: Transferable[]) =>
        this.#worker.postMessage(message, transfer);
      fetch(BUILTIN[name])
        .then((response) => {
          if (response.ok) return response.arrayBuffer();
          throw new TypeError(`expected a file of this page, got status ${response.status} for ${response.url}`);
        })
        .then(
          (bytes) => post({ name: 'builtin', builtin: name, bytes }, [bytes]),
          (error) => post({ name: 'builtin', builtin: name, bytes: null, reason: String(error) }, []),
        );
    }
    this.#worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#receive(data);
    this.#worker.onerror = ({ message }) => {
      const detail = message || 'The browser gives no reason. Reload the page; a smaller network or input may help.';
      this.#stopped = new ProblemError({ title: 'The worker that computes has stopped.', detail });
      for (const { reject } of this.#pending.values()) reject(this.#stopped);
      this.#pending.clear();
    };
  }

  /**
   * What the worker answers. Rejects with a {@link ProblemError}, or with an AbortError once the signal is aborted.
   */
  ask<N extends RequestName>(
    name: N,
    args: Requests[N]['args'],
    { onEvent, signal, transfer = [] }: AskOptions = {},
  ): Promise<Requests[N]['result']> {
    if (this.#stopped) return Promise.reject(this.#stopped);
    const id = this.#next++;
    const cancel = () => this.#worker.postMessage({ id, name: 'cancel' });
    signal?.addEventListener('abort', cancel, { once: true });
    const answer = new Promise<Requests[N]['result']>((resolve, reject) => {
      this.#pending.set(id, { resolve: resolve as (result: unknown) => void, reject, onEvent });
      this.#worker.postMessage({ id, name, args }, transfer);
      if (signal?.aborted) cancel();
    });
    return answer.finally(() => signal?.removeEventListener('abort', cancel));
  }

  #receive(message: FromWorker): void {
    const pending = this.#pending.get(message.id);
    if (!pending) return;
    if ('event' in message) {
      pending.onEvent?.(message.event);
      return;
    }
    this.#pending.delete(message.id);
    if ('result' in message) pending.resolve(message.result);
    else if ('problem' in message) pending.reject(new ProblemError(message.problem));
    else pending.reject(new DOMException('Another request took over.', 'AbortError'));
  }
}
