/** A worker of a pool: instantiates the kernels on the shared memory, and runs its steps of each phase. */

import type { HostScope, NodePort } from '../host.ts';
import type { Kernels } from '../wasm/kernels.gen.ts';
import { callsOf } from '../wasm/step.ts';
import { arrive, enter, fail, hasEnded, hasFailed, leave, type Message, sleep } from './protocol.ts';

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
const scope = globalThis as unknown as HostScope;
const port = isWeb
  ? (globalThis as unknown as NodePort)
  : scope.process!.getBuiltinModule!('node:worker_threads').parentPort!;
if (isWeb) addEventListener('message', ({ data }) => receive(data as Message));
else port.on('message', (message) => receive(message as Message));
