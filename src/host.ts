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

/** What is known of a file on the disk. */
export interface NodeStat {
  readonly size: number;
  readonly mtimeMs: number;
  isFile(): boolean;
  isDirectory(): boolean;
}

/** An open file of `node:fs/promises`. */
export interface NodeFile {
  /** Where it is, for errors. Node's own handles don't tell. */
  readonly name?: string;
  /** Reads bytes from a place of the file into a buffer. */
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }>;
  /** The file's size and times. */
  stat(): Promise<NodeStat>;
  /** Lets go of the file. */
  close(): Promise<void>;
}

/** What is used of `node:fs/promises`. */
export interface NodeFiles {
  open(path: string): Promise<NodeFile>;
  readdir(path: string): Promise<string[]>;
  mkdir(path: string): Promise<unknown>;
  stat(path: string): Promise<NodeStat>;
  rename(from: string, to: string): Promise<void>;
  rm(path: string, options: { readonly force: true }): Promise<void>;
  utimes(path: string, accessed: Date, modified: Date): Promise<void>;
  writeFile(path: string, data: readonly Uint8Array[], options: { readonly flag: 'wx' }): Promise<void>;
}

/** A hash of `node:crypto`. */
export interface NodeHash {
  update(data: string | Uint8Array): NodeHash;
  digest(): Uint8Array;
}

/** The modules of Node that are used here. */
export interface BuiltinModules {
  readonly 'node:v8': { setFlagsFromString(flag: string): void };
  readonly 'node:fs/promises': NodeFiles;
  readonly 'node:os': { homedir(): string };
  readonly 'node:path': {
    join(...parts: string[]): string;
    resolve(path: string): string;
    dirname(path: string): string;
    basename(path: string): string;
  };
  readonly 'node:crypto': {
    createHash(name: 'sha256'): NodeHash;
    randomUUID(): string;
  };
  readonly 'node:zlib': { crc32?(bytes: Uint8Array): number };
  readonly 'node:worker_threads': {
    readonly Worker: new (url: URL, options: object) => NodeWorker;
    readonly parentPort: NodePort | null;
  };
}

/** Node's `process`, which Deno and Bun have too. */
export interface HostProcess {
  readonly versions: Readonly<Record<string, string | undefined>>;
  readonly arch: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Missing in Node before 20.16. */
  getBuiltinModule?<Name extends keyof BuiltinModules>(name: Name): BuiltinModules[Name];
}

/** The global scope. A page's has no `process`, and only a page's tells whether it is isolated. */
export interface HostScope {
  readonly process?: HostProcess;
  readonly crossOriginIsolated?: boolean;
}
