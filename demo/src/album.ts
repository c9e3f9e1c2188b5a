/** Photos that are compared: what was added stays, whatever happens to the network, the layer or the work meanwhile. */

import { type Engine, ProblemError } from './engine.ts';
import { MOST_PHOTOS } from './files.ts';
import type { Neighbour, Opened, Picture } from './protocol.ts';

/** What vectors are of: a network that was opened, and a layer. Those of another one can't be compared with these. */
export interface Space {
  readonly opened: Opened;
  readonly layer: string;
}

/** A photo that was added. */
export interface Photo {
  readonly id: number;
  readonly name: string;
  readonly file: File;
  /** Null until it was read. */
  readonly thumbnail: Picture | null;
  /** What the photo's vector is of. */
  readonly space: Space | null;
  /** Where it has no vector, for a reason that was told. */
  readonly failed: Space | null;
}

/** What is shown. */
export interface Shown {
  readonly photos: readonly Photo[];
  /** Photos with a vector, in the order in which they were added. */
  readonly ready: readonly Photo[];
  /** Photos that can't have one, for a reason that was told. */
  readonly failed: readonly Photo[];
  /** How many photos wait for one. */
  readonly waiting: number;
  /** Whether they wait to be tried again. */
  readonly isPaused: boolean;
  /** Similarities of the first of them, each with each. */
  readonly matrix: readonly (readonly number[])[];
  readonly query: Photo | null;
  readonly nearest: readonly Neighbour[];
}

/** Photos that are compared each with each. */
export const SIDE_BY_SIDE = 6;

/** Neighbours that are shown. */
const NEAREST = 12;

/** The page is told of each of so many photos, and of every eighth of more. */
const FEW = 24;

/** Who is told. */
export interface Listener {
  shown(shown: Shown): void;
  say(text: string): void;
  fail(error: unknown): void;
}

/** What came of a photo. Paused means that the weights are out of reach, overtaken that another network is open. */
type Outcome = 'read' | 'unreadable' | 'failed' | 'moved' | 'overtaken' | 'paused';

/** The photos, and the work on them: one photo after the other, as long as one waits and the network has weights. */
export class Album {
  readonly #engine: Engine;
  readonly #listener: Listener;
  #photos: readonly Photo[] = [];
  #space: Space | null = null;
  #matrix: readonly (readonly number[])[] = [];
  #query: number | null = null;
  #nearest: readonly Neighbour[] = [];
  /** Ends the work on a photo once there is something else to do. */
  #controller = new AbortController();
  #isWorking = false;
  /** Whether the weights' server was out of reach, so that the photos wait to be tried again. */
  #isPaused = false;
  /** Photos that could be read since the last report, and names of those that couldn't. */
  #read = 0;
  #unreadable: string[] = [];
  #next = 1;

  constructor(engine: Engine, listener: Listener) {
    this.#engine = engine;
    this.#listener = listener;
  }

  /** Takes photos, after those that are there: as many as are compared. */
  add(files: readonly File[]): void {
    const room = MOST_PHOTOS - this.#photos.length;
    if (files.length > room) {
      const detail = `Of these ${files.length} photos, the first ${room} are added.`;
      this.#listener.fail(new ProblemError({ title: `At most ${MOST_PHOTOS} photos are compared.`, detail }));
    }
    const added = files.slice(0, room).map((file) => ({ id: this.#next++, name: file.name, file }));
    const empty = { thumbnail: null, space: null, failed: null };
    this.#photos = [...this.#photos, ...added.map((photo) => ({ ...photo, ...empty }))];
    this.goOn();
  }

  /** Works on what waits, also where it was paused. */
  goOn(): void {
    this.#isPaused = false;
    this.#tell();
    this.#work();
  }

  /** Has the photos compared by another network or layer. */
  move(space: Space): void {
    this.#space = space;
    this.#drop();
    this.goOn();
  }

  /** Lets go of all photos. */
  clear(): void {
    this.#drop();
    this.#photos = [];
    this.#query = null;
    this.#tell();
    this.#listener.say('No photos are compared.');
  }

  /** Asks for the nearest of a photo. */
  async find(id: number): Promise<void> {
    this.#query = id;
    this.#nearest = [];
    this.#tell();
    await this.#unlessMoved(() => this.#findNearest());
    this.#tell();
  }

  /** Vectors and what was made of them aren't wanted any more. */
  #drop(): void {
    this.#controller.abort();
    this.#controller = new AbortController();
    const ids = this.#photos.map(({ id }) => id);
    this.#engine.ask('forget', { ids }).catch(this.#listener.fail);
    this.#matrix = [];
    this.#nearest = [];
    this.#read = 0;
    this.#unreadable = [];
  }

  #ready(): readonly Photo[] {
    return this.#photos.filter(({ space }) => space !== null && space === this.#space);
  }

  #waiting(): readonly Photo[] {
    return this.#photos.filter(({ space, failed }) => space !== this.#space && failed !== this.#space);
  }

  #tell(): void {
    const [photos, ready] = [this.#photos, this.#ready()];
    const query = photos.find(({ id }) => id === this.#query) ?? null;
    const failed = photos.filter((photo) => photo.failed !== null && photo.failed === this.#space);
    this.#listener.shown({
      ...{ photos, ready, failed, query, waiting: this.#waiting().length, isPaused: this.#isPaused },
      ...{ matrix: this.#matrix, nearest: this.#nearest },
    });
  }

  async #work(): Promise<void> {
    if (this.#isWorking) return;
    this.#isWorking = true;
    while (this.#space?.opened.hasWeights && !this.#isPaused) {
      const [photo] = this.#waiting();
      if (photo) {
        const outcome = await this.#embed(photo, this.#space);
        if (outcome === 'overtaken') break;
        if (outcome === 'unreadable') this.#unreadable.push(photo.name);
        if (outcome === 'read') this.#read++;
        this.#isPaused = outcome === 'paused';
        if (this.#isPaused || this.#photos.length <= FEW || this.#read % 8 === 0) this.#tell();
        continue;
      }
      const { layer } = this.#space;
      const isDone = await this.#unlessMoved(async () => {
        await this.#compare();
        await this.#findNearest();
      });
      if (this.#waiting().length > 0) continue;
      this.#tell();
      if (isDone) this.#report(layer);
      break;
    }
    this.#isWorking = false;
  }

  /** Gives a photo its vector. Overtaken means that another network is open of which this side will hear. */
  async #embed(photo: Photo, space: Space): Promise<Outcome> {
    const { signal } = this.#controller;
    const { id, file, name } = photo;
    const { opened, layer } = space;
    try {
      const args = { of: opened.key, id, photo: file, name, layer, size: opened.size };
      const { thumbnail } = await this.#engine.ask('embed', args, { signal });
      this.#change(id, { thumbnail, ...(signal.aborted ? {} : { space }) });
      return 'read';
    } catch (error) {
      if (signal.aborted) return 'moved';
      if (error instanceof DOMException) return 'overtaken';
      const kind = error instanceof ProblemError ? error.problem.kind : undefined;
      if (kind === 'picture') {
        this.#photos = this.#photos.filter((other) => other.id !== id);
        return 'unreadable';
      }
      this.#listener.fail(error);
      if (kind === 'network') return 'paused';
      this.#change(id, { failed: space });
      return 'failed';
    }
  }

  #change(id: number, changed: Partial<Photo>): void {
    this.#photos = this.#photos.map((photo) => (photo.id === id ? { ...photo, ...changed } : photo));
  }

  async #compare(): Promise<void> {
    const { signal } = this.#controller;
    const ids = this.#ready()
      .slice(0, SIDE_BY_SIDE)
      .map(({ id }) => id);
    const matrix = await this.#engine.ask('compare', { ids });
    if (!signal.aborted) this.#matrix = matrix;
  }

  async #findNearest(): Promise<void> {
    const { signal } = this.#controller;
    const id = this.#query;
    const ready = this.#ready();
    if (id === null || !ready.some((photo) => photo.id === id)) return;
    const ids = ready.map((photo) => photo.id);
    const nearest = await this.#engine.ask('neighbours', { id, ids, count: NEAREST });
    if (signal.aborted || this.#query !== id) return;
    this.#nearest = nearest;
    const first = ready.find((photo) => photo.id === nearest[0]?.id);
    if (first) this.#listener.say(`Nearest: ${first.name}, similarity ${nearest[0]!.similarity.toFixed(2)}.`);
  }

  /** Whether something was done before the vectors that it needs were let go of. Other failures are told. */
  async #unlessMoved(act: () => Promise<void>): Promise<boolean> {
    const { signal } = this.#controller;
    try {
      await act();
    } catch (error) {
      if (!signal.aborted) this.#listener.fail(error);
      return false;
    }
    return !signal.aborted;
  }

  #report(layer: string): void {
    const unreadable = this.#unreadable;
    const skipped = `Not readable: ${unreadable.slice(0, 3).join(', ')}${unreadable.length > 3 ? ' and others' : ''}.`;
    const count = this.#ready().length;
    const told =
      count === 1
        ? `1 photo has a vector of ${layer}. Add another to compare it with.`
        : `${count} photos are compared by ${layer}.`;
    if (count > 0) this.#listener.say(unreadable.length > 0 ? `${told} ${skipped}` : told);
    const isNone = this.#read === 0 && unreadable.length > 0;
    this.#read = 0;
    this.#unreadable = [];
    if (!isNone) return;
    const title = 'None of these pictures can be read by this browser.';
    this.#listener.fail(new ProblemError({ title, detail: skipped }));
  }
}
