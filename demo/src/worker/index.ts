/**
 * The worker: one request at a time, in the order in which they come. A request that was cancelled ends at its next
 * turn. What the host offers is told beside the others, since it waits for threads.
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
let picture: Image | null = null;

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
    const { choices } = await import('./torchvision.ts');
    return { networks: choices(), isRelaxed, isIsolated, threads: await startThreads(), budgetBytes };
  },

  async open({ network, source }, { signal }) {
    const next = await Session.open(network, source, signal);
    await session?.close();
    session = next;
    return session.describe();
  },

  async picture({ source, name }) {
    picture = await decode(source ?? new Blob([await builtin('scene')]), name);
    return { width: picture.width, height: picture.height };
  },

  run(options, context) {
    if (!picture) throw new Said('There is no picture yet.', 'Choose one, take one, or draw one.');
    return run(opened(), picture, { ...options, ...context });
  },

  async embed({ id, photo, name, layer, size }, { signal }) {
    const image = await decode(photo, name);
    await embed(opened(), image, { id, layer, size, signal });
    return { thumbnail: thumbnailOf(image, THUMBNAIL) };
  },

  compare: ({ ids }) => compare(ids),
  neighbours: ({ id, ids, count }) => neighbours(id, ids, count),
  forget({ ids }) {
    forget(ids);
    return null;
  },
};

function opened(): Session {
  if (session) return session;
  throw new Said('No network is open yet.', 'Choose a network and its weights.');
}

const controllers = new Map<number, AbortController>();
let queue: Promise<void> = Promise.resolve();

self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  if (data.name === 'builtin') return takeBuiltin(data);
  if (data.name === 'cancel') return controllers.get(data.id)?.abort();
  const controller = new AbortController();
  controllers.set(data.id, controller);
  const work = () => answer(data, controller.signal).finally(() => controllers.delete(data.id));
  if (data.name === 'host') work();
  else queue = queue.then(work);
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
    self.postMessage(signal.aborted ? { id, cancelled: true } : { id, problem: problemOf(error) });
  }
}

/** The memory of the pictures in an event, which is handed over rather than copied. */
function buffersIn(event: Event): ArrayBuffer[] {
  const parts =
    event.type !== 'answer'
      ? Object.values(event)
      : event.answer.kind === 'classes'
        ? event.answer.top.map(({ where }) => where)
        : [event.answer.mask, event.answer.overlay];
  const pictures = parts.filter(
    (part): part is Picture => (part as Partial<Picture> | null)?.data instanceof Uint8ClampedArray,
  );
  return [...new Set(pictures.map(({ data }) => data.buffer))];
}
