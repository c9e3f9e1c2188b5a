/** A turn of the event loop: between two stretches of work it lets everything else that waits run. */

/** Resolves in a later turn of the event loop, as soon as the host allows. */
export function nextTurn(): Promise<void> {
  const { setImmediate } = globalThis as { setImmediate?: (callback: () => void) => void };
  if (setImmediate) return new Promise((resolve) => setImmediate(resolve));
  // Browsers delay timers that follow each other, but no messages.
  if (typeof MessageChannel === 'undefined') return new Promise((resolve) => void setTimeout(resolve, 0));
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
