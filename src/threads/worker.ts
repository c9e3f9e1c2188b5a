/** A worker of a pool: instantiates the kernels on the shared memory, and runs its steps of each phase. */

import { callsOf } from '../ops/op.ts';
import type { Kernels } from '../wasm/kernels.gen.ts';
import { arrive, enter, fail, hasEnded, hasFailed, leave, type Message, sleep } from './protocol.ts';

/** A worker's end of its channel, as far as it is used here. */
interface Port {
  postMessage(message: unknown): void;
}

interface WorkerThreads {
  readonly parentPort: (Port & { on(event: 'message', listener: (message: Message) => void): void }) | null;
}

type Process = { getBuiltinModule?(name: 'node:worker_threads'): WorkerThreads } | undefined;

let control: Int32Array;
let threads = 1;
let thread = 0;
const instances = new Map<number, { readonly kernels: Kernels; calls: readonly (readonly (() => void)[])[] }>();

function receive(message: Message): void {
  switch (message.kind) {
    case 'start':
      control = message.control;
      threads = message.threads;
      thread = message.thread;
      port.postMessage('ready');
      break;
    case 'instance': {
      const { exports } = new WebAssembly.Instance(message.module, { env: { memory: message.memory } });
      instances.set(message.id, { kernels: exports as unknown as Kernels, calls: [] });
      break;
    }
    case 'phases': {
      const instance = instances.get(message.id)!;
      instance.calls = message.phases.map((phase) => callsOf(instance.kernels, [phase]));
      break;
    }
    case 'run':
      run(instances.get(message.id)!.calls, message.first, message.last);
      break;
    case 'drop':
      instances.delete(message.id);
  }
}

function run(calls: readonly (readonly (() => void)[])[], first: number, last: number): void {
  enter(control, thread);
  try {
    for (let i = first; i < last && !hasFailed(control); i++) {
      for (const call of calls[i]!) call();
      const phase = arrive(control, threads);
      // The next phase reads what this one writes: woken by a failure, this thread doesn't go on.
      while (!hasEnded(control, phase) && !hasFailed(control)) sleep(control, phase, 50);
    }
  } catch (error) {
    fail(control);
    throw error;
  } finally {
    leave(control, thread);
  }
}

// Node's threads have no messages of their own in their global scope.
const isWeb = 'postMessage' in globalThis;
const { process } = globalThis as { process?: Process };
const port: Port = isWeb
  ? (globalThis as unknown as Port)
  : process!.getBuiltinModule!('node:worker_threads').parentPort!;
if (isWeb) addEventListener('message', ({ data }) => receive(data as Message));
else process!.getBuiltinModule!('node:worker_threads').parentPort!.on('message', receive);
