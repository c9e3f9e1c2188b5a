/**
 * The worker: one request at a time, in the order in which they come. A request that was cancelled ends at its next
 * turn. Pictures are read in a row of their own and networks are opened in another one, since the run before goes on
 * until a new one is there. What the host offers is told beside the others, since it waits for threads.
 */

import type { Image } from 'layertap';
import type { Event, Picture, RequestName, Requests, ToWorker } from '../protocol.ts';
import { builtin, takeBuiltin } from './builtin.ts';
import { budgetBytes, isIsolated, isRelaxed, startThreads } from './host.ts';
import { decode, thumbnailOf } from './pictures.ts';
import { problemOf, Said } from './problems.ts';
import { run } from './run.ts';
import { Session } from './session.ts';
import { compare, embed, forget, neighbours } from './similar.ts';

/** The longer side of a photo among others, in pixels. */
const THUMBNAIL = 144;

let session: Session | null = null;
/** The picture of the latest run, and those that were read since. */
const pictures = new Map<number, Image>();

interface Context {
  readonly emit: (event: Event) => void;
  readonly signal: AbortSignal;
}

type Handlers = {
  [N in RequestName]: (
    args: Requests[N]['args'],
    context: Context,
  ) => Promise<Requests[N]['result']> | Requests[N]['result'];
};

const handlers: Handlers = {
  async host() {
    const { choices } = await import('./torchvision.ts').catch((error) => {
      throw new Said('The other networks couldn’t be loaded. Reload the page.', String(error));
    });
    return { networks: choices(), isRelaxed, isIsolated, threads: await startThreads(), budgetBytes };
  },

  async open({ network, source }, { signal }) {
    const next = await Session.open(network, source, signal);
    // The page doesn't hear of what it has cancelled, and goes on with the network before.
    if (signal.aborted) await next.close();
    signal.throwIfAborted();
    const before = session;
    session = next;
    // What still reads of the network before is cancelled by the page, once it hears of this one.
    rows.work = rows.work.then(() => before?.close());
    return next.describe();
  },

  async picture({ id, source, name }, { signal }) {
    const picture = await decode(source ?? new Blob([await builtin('scene')]), name);
    signal.throwIfAborted();
    pictures.set(id, picture);
    return null;
  },

  run({ of, picture: id, ...options }, context) {
    const picture = pictures.get(id);
    if (!picture) throw new Said('There is no picture yet.', 'Choose one, take one, or draw one.');
    for (const other of pictures.keys()) if (other < id) pictures.delete(other);
    return run(opened(of), picture, { ...options, ...context });
  },

  async embed({ of, id, photo, name, layer, size }, { signal }) {
    const session = opened(of);
    const image = await decode(photo, name);
    await embed(session, image, { id, layer, size, signal });
    return { thumbnail: thumbnailOf(image, THUMBNAIL) };
  },

  compare: ({ ids }) => compare(ids),
  neighbours: ({ id, ids, count }) => neighbours(id, ids, count),
  forget({ ids }) {
    forget(ids);
    return null;
  },
};

/** The session that is meant; another one has taken over where the page didn't know of it yet. */
function opened(key: number): Session {
  if (session?.key === key) return session;
  throw new DOMException('Another network was opened.', 'AbortError');
}

const controllers = new Map<number, AbortController>();
/** What waits for what: each request for those before it in its row. */
const rows = { work: Promise.resolve(), pictures: Promise.resolve(), networks: Promise.resolve() };

/** The rows of requests that aren't work with the network that is open. */
const ROWS: Partial<Record<RequestName, keyof typeof rows>> = { picture: 'pictures', open: 'networks' };

self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  if (data.name === 'builtin') return takeBuiltin(data);
  if (data.name === 'cancel') return controllers.get(data.id)?.abort();
  const controller = new AbortController();
  controllers.set(data.id, controller);
  const work = () => answer(data, controller.signal).finally(() => controllers.delete(data.id));
  if (data.name === 'host') return void work();
  const row = ROWS[data.name] ?? 'work';
  rows[row] = rows[row].then(work);
};

async function answer(
  { id, name, args }: Exclude<ToWorker, { name: 'cancel' | 'builtin' }>,
  signal: AbortSignal,
): Promise<void> {
  const emit = (event: Event) => self.postMessage({ id, event }, { transfer: buffersIn(event) });
  try {
    signal.throwIfAborted();
    const result = await (handlers[name] as (args: unknown, context: Context) => unknown)(args, { emit, signal });
    self.postMessage({ id, result });
  } catch (error) {
    const isCancelled = signal.aborted || (error instanceof DOMException && error.name === 'AbortError');
    self.postMessage(isCancelled ? { id, cancelled: true } : { id, problem: problemOf(error) });
  }
}

/** The memory of the pictures in an event, which is handed over rather than copied. */
function buffersIn(event: Event): ArrayBuffer[] {
  const parts =
    event.type !== 'answer'
      ? Object.values(event)
      : event.answer.kind === 'classes'
        ? event.answer.top.map(({ where }) => where)
        : Object.values(event.answer);
  const pictures = parts.filter(
    (part): part is Picture => (part as Partial<Picture> | null)?.data instanceof Uint8ClampedArray,
  );
  return [...new Set(pictures.map(({ data }) => data.buffer))];
}
