/**
 * The types of what Node, Deno and Bun have beside the web's globals, as far as layertap uses it. It is looked for when
 * it is needed, never imported: other hosts couldn't load such an import.
 */

/** A worker of `node:worker_threads`. */
export interface NodeWorker {
  postMessage(message: unknown): void;
  unref(): void;
  terminate(): Promise<number>;
  on(event: 'message' | 'error' | 'exit', listener: (value: unknown) => void): void;
}

/** A worker's end of its channel in `node:worker_threads`. */
export interface NodePort {
  postMessage(message: unknown): void;
  on(event: 'message', listener: (message: unknown) => void): void;
}

/** The modules of Node that are used here. */
interface BuiltinModules {
  readonly 'node:v8': { setFlagsFromString(flag: string): void };
  readonly 'node:worker_threads': {
    readonly Worker: new (url: URL, options: object) => NodeWorker;
    readonly parentPort: NodePort | null;
  };
}

/** Node's `process`, which Deno and Bun have too. */
export interface HostProcess {
  readonly versions: Readonly<Record<string, string | undefined>>;
  readonly arch: string;
  /** Missing in Node before 20.16. */
  getBuiltinModule?<Name extends keyof BuiltinModules>(name: Name): BuiltinModules[Name];
}

/** The global scope. A page's has no `process`, and only a page's tells whether it is isolated. */
export interface HostScope {
  readonly process?: HostProcess;
  readonly crossOriginIsolated?: boolean;
}
