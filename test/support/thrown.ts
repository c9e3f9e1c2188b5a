/** What tests of refusals share. */

/** The class and message of what `run` throws, as in `ShapeError: …`. */
export function thrown(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return String(error);
  }
  return 'nothing thrown';
}

/** As {@link thrown}, of what the promise is rejected with. */
export function rejection(run: () => PromiseLike<unknown>): Promise<string> {
  return Promise.resolve()
    .then(run)
    .then(() => 'nothing thrown', String);
}
