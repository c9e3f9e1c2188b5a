/** What the page gives to its parts. */

import type { Engine } from './engine.ts';
import type { Inbox } from './inbox.ts';

/** What the parts of the page share. */
export interface Shared {
  readonly engine: Engine;
  readonly inbox: Inbox;
  /** Tells everybody who listens what goes on: read aloud, and shown where it is a problem. */
  readonly say: (text: string) => void;
  /** What is said of the run that goes on, once a problem was told; '' where none does. */
  readonly doing: { current: string };
  readonly fail: (error: unknown) => void;
  readonly clearProblem: () => void;
  /** The first answer, or a problem, is there: what it would have waited for can be asked for. */
  readonly settled: () => void;
}
