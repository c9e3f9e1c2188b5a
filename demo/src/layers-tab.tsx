/** One picture through the network: its layers, and its answer. */

import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { ProblemError } from './engine.ts';
import { bytes, milliseconds, withoutWeights } from './format.ts';
import { AnswerCard } from './parts/answer-card.tsx';
import { LayerCard } from './parts/layer-card.tsx';
import { LayerTree } from './parts/layer-tree.tsx';
import { PictureInput } from './parts/picture-input.tsx';
import { Pixels } from './parts/pixels.tsx';
import type {
  Answer,
  Event,
  LayerDetails,
  LayerMaps,
  Opened,
  Picture,
  Problem,
  Shapes,
  TreeNode,
  WeightsProgress,
} from './protocol.ts';
import type { Shared } from './shared.ts';

/** What is asked of a network; another network has settings of its own. */
interface Settings {
  readonly of: Opened;
  readonly layers: readonly string[];
  readonly size: number;
}

/** A picture that the worker has read. */
interface Chosen {
  readonly id: number;
  readonly name: string;
}

/** What has come so far. */
interface Results {
  readonly input: (Picture & { readonly of: Chosen }) | null;
  readonly shapes: Shapes;
  readonly maps: readonly LayerMaps[];
  readonly details: ReadonlyMap<string, LayerDetails>;
  readonly times: Readonly<Record<string, number>>;
  readonly answer: Answer | null;
  /** What is of a run before, and stays in sight until the new run has brought its own. */
  readonly old: ReadonlySet<unknown>;
  /** Why there is nothing, once a run has failed. */
  readonly failure: Problem | null;
}

const NOTHING: Results = {
  ...{ input: null, shapes: {}, maps: [], details: new Map(), times: {}, answer: null, old: new Set(), failure: null },
};

/** The sizes that can be asked for. */
const [LEAST, MOST] = [32, 8192];

/** Where the page is narrow, the tree is shut at first: what is seen comes right below it. */
const WIDE = matchMedia('(min-width: 52.01rem)');

let nextPicture = 1;

/** The results as they are when a run begins. */
function begun(results: Results, layers: readonly string[], withAnswer: boolean): Results {
  const maps = results.maps.filter(({ layer }) => layers.includes(layer));
  const details = new Map([...results.details].filter(([layer]) => layers.includes(layer)));
  const answer = withAnswer ? results.answer : null;
  const old = new Set<unknown>([...maps, ...details.values(), answer]);
  return { ...results, maps, details, answer, old, times: {}, failure: null };
}

/** The results with one more event of a run on a picture. */
function added(results: Results, event: Event, of: Chosen): Results {
  switch (event.type) {
    case 'input':
      return { ...results, input: { ...event.picture, of } };
    case 'shapes':
      return { ...results, shapes: event.shapes };
    case 'maps': {
      const at = results.maps.findIndex(({ layer }) => layer === event.layer);
      return { ...results, maps: at < 0 ? [...results.maps, event] : results.maps.with(at, event) };
    }
    case 'details':
      return { ...results, details: new Map(results.details).set(event.layer, event) };
    case 'times':
      return { ...results, times: event.ms };
    case 'answer':
      return { ...results, answer: event.answer };
    default:
      return results;
  }
}

/** The layers of a network in its order: what a layer is made of comes before it. */
function pathsOf({ children, path }: TreeNode): readonly string[] {
  return [...children.flatMap(pathsOf), path];
}

export function LayersTab(props: {
  readonly shared: Shared;
  readonly opened: Opened | null;
  readonly isShown: boolean;
}) {
  const { shared, opened, isShown } = props;
  const { engine, inbox, say, doing, fail, clearProblem, settled } = shared;
  const [settings, setSettings] = useState<Settings | null>(null);
  const [withAnswer, setWithAnswer] = useState(true);
  const [picture, setPicture] = useState<Chosen | null>(null);
  const [isReading, setIsReading] = useState(false);
  const [isOpen, setIsOpen] = useState(WIDE.matches);
  const [results, setResults] = useState(NOTHING);
  const [weights, setWeights] = useState<WeightsProgress | null>(null);
  const [progress, setProgress] = useState<number | null>(null);
  const running = useRef<AbortController | null>(null);
  const reading = useRef<AbortController | null>(null);

  // A picture that can't be read changes nothing: the run before goes on until another picture is there.
  const take = useCallback(
    async (source: Blob | ImageBitmap | null, name: string) => {
      reading.current?.abort();
      const controller = new AbortController();
      reading.current = controller;
      const { signal } = controller;
      const id = nextPicture++;
      clearProblem();
      setIsReading(true);
      if (source) say(`Reading ${name}`);
      try {
        const transfer = source instanceof ImageBitmap ? [source] : [];
        await engine.ask('picture', { id, source, name }, { signal, transfer });
        if (!signal.aborted) setPicture({ id, name });
      } catch (error) {
        if (!signal.aborted) fail(error);
      } finally {
        if (reading.current === controller) setIsReading(false);
      }
    },
    [engine, say, fail, clearProblem],
  );

  // What asks the worker doesn't wait for a frame: each would take one.
  useLayoutEffect(() => {
    take(null, 'scene.png');
  }, [take]);

  useLayoutEffect(() => {
    setWeights(null);
    setResults((before) => ({ ...NOTHING, input: before.input }));
    if (opened) setSettings({ of: opened, layers: opened.layers, size: opened.size });
  }, [opened]);

  useLayoutEffect(() => {
    // While one is opened, the status says so in its place.
    if (!opened && picture) say('No network is open: choose one.');
    if (!settings || settings.of !== opened || !picture) return;
    const { layers, size } = settings;
    const { name } = picture;
    const controller = new AbortController();
    running.current = controller;
    const onEvent = (event: Event) => {
      if (controller.signal.aborted) return;
      if (event.type === 'weights') setWeights(event);
      else if (event.type === 'progress') setProgress(event.done);
      else setResults((before) => added(before, event, picture));
      if (event.type === 'answer') settled();
    };
    setResults((before) => begun(before, layers, withAnswer));
    if (opened.hasWeights) {
      doing.current = `Running ${opened.id} on ${name}`;
      say(doing.current);
      setProgress(0);
    }
    const args = { of: opened.key, picture: picture.id, layers, size, withAnswer };
    engine
      .ask('run', args, { onEvent, signal: controller.signal })
      .then((ran) => {
        if (controller.signal.aborted) return;
        if (!ran) return say(withoutWeights(opened.id));
        const count = `${layers.length} ${layers.length === 1 ? 'layer' : 'layers'}`;
        const { ms, memoryBytes } = ran;
        say(`${opened.id} ran on ${name} in ${milliseconds(ms)}: ${count}, ${bytes(memoryBytes)} of memory.`);
      })
      .catch((error) => {
        if (controller.signal.aborted || error instanceof DOMException) return;
        doing.current = '';
        fail(error);
        // What is there is of an earlier run, or of a part of this one.
        const failure = error instanceof ProblemError ? error.problem : { title: String(error), detail: '' };
        setResults((before) => ({ ...NOTHING, input: before.input?.of === picture ? before.input : null, failure }));
      })
      .finally(() => {
        if (running.current === controller) {
          doing.current = '';
          setProgress(null);
        }
        settled();
      });
    return () => controller.abort();
  }, [engine, opened, settings, withAnswer, picture]);

  useEffect(() => {
    const onChange = () => setIsOpen(WIDE.matches);
    WIDE.addEventListener('change', onChange);
    return () => WIDE.removeEventListener('change', onChange);
  }, []);

  const layers = settings?.layers ?? [];
  const change = (changed: Partial<Settings>) => {
    clearProblem();
    setSettings((before) => before && { ...before, ...changed });
  };
  const toggle = (path: string) => {
    const next = new Set(layers);
    if (!next.delete(path)) next.add(path);
    change({ layers: opened ? pathsOf(opened.tree).filter((other) => next.has(other)) : [] });
  };
  const order = (maps: readonly LayerMaps[]) =>
    [...maps].sort((a, b) => layers.indexOf(a.layer) - layers.indexOf(b.layer));
  const resize = (field: HTMLInputElement) => {
    const size = Math.round(field.valueAsNumber);
    if (size >= LEAST && size <= MOST) return change({ size });
    const detail = settings ? `It is still ${settings.size}.` : '';
    fail(new ProblemError({ title: `The input size is a number from ${LEAST} to ${MOST}.`, detail }));
    field.value = String(settings?.size ?? '');
  };
  const isOld = (part: unknown) => results.old.has(part);

  return (
    <div class="columns">
      <div class="side">
        <PictureInput take={take} fail={fail} inbox={inbox} isShown={isShown}>
          {(results.input || !results.failure) && (
            <figure class="input">
              <Pixels
                picture={results.input}
                label={`The picture as the network gets it: ${(results.input?.of ?? picture)?.name ?? ''}`}
              />
              <figcaption>
                As the network gets it
                {results.input && (
                  <small>
                    {results.input.width} × {results.input.height}
                  </small>
                )}
              </figcaption>
            </figure>
          )}
        </PictureInput>
        <details class="card layers" open={isOpen} onToggle={(event) => setIsOpen(event.currentTarget.open)}>
          <summary>
            <h2>Layers</h2>
            <small>
              {layers.length} ticked, input size {settings?.size ?? ''}
            </small>
          </summary>
          <div class="row">
            <label for="size">Input size</label>
            <input
              id="size"
              type="number"
              min={LEAST}
              max={MOST}
              step={1}
              value={settings?.size ?? ''}
              aria-describedby="size-hint"
              onChange={(event) => resize(event.currentTarget)}
            />
            <span class="hint" id="size-hint">
              pixels, {opened?.kind === 'classification' ? 'of the square crop' : 'shorter side'}
              {opened && settings?.size !== opened.ownSize ? `; the weights are for ${opened.ownSize}` : ''}
            </span>
          </div>
          <label class="row">
            <input
              type="checkbox"
              id="answer"
              checked={withAnswer}
              onChange={(event) => setWithAnswer(event.currentTarget.checked)}
            />
            {opened?.kind === 'classification' ? 'Classify, too' : 'Segment, too'}
          </label>
          <p class="hint">What comes after the last ticked layer isn’t computed, nor are its weights read.</p>
          {opened && (
            <LayerTree
              key={opened.id}
              root={opened.tree}
              shapes={results.shapes}
              chosen={layers}
              toggle={toggle}
              inSight={opened.layers}
            />
          )}
        </details>
      </div>
      <div class="results">
        <div class="progress">
          {weights && (
            <p id="weights-progress">
              Weights: {bytes(weights.loadedBytes)} of {bytes(weights.neededBytes)} needed
              {weights.fileBytes > weights.neededBytes ? `, of a file of ${bytes(weights.fileBytes)}` : ''}
              {weights.loadedBytes < weights.neededBytes && (
                <progress max={weights.neededBytes} value={weights.loadedBytes} aria-labelledby="weights-progress" />
              )}
            </p>
          )}
          {progress !== null && <progress max={1} value={progress} aria-label="The run" />}
          {progress === null && isReading && <progress aria-label="The picture is read" />}
        </div>
        {opened && !opened.hasWeights && (
          <p class="empty">
            {withoutWeights(opened.id)} There is nothing to see. Open a file, or choose weights of the hub.
          </p>
        )}
        {results.failure && (
          <p class="empty" id="failure">
            There is nothing to see: {results.failure.title}{' '}
            {results.failure.kind === 'network' && (
              <button type="button" onClick={() => change({})}>
                Try again
              </button>
            )}
          </p>
        )}
        {results.answer && <AnswerCard answer={results.answer} isOld={isOld(results.answer)} />}
        {results.maps.some(({ heat }) => heat) && (
          <p class="hint">
            A heat map shows how strongly a layer responds at each place: the mean of its channels without their signs.
            Of these means, one half per cent is below what is black, and one half per cent above what is white.
          </p>
        )}
        {opened?.hasWeights && layers.length === 0 && <p class="empty">Tick a layer to see what it sees.</p>}
        {order(results.maps).map((maps) => (
          <LayerCard
            key={maps.layer}
            maps={maps}
            details={results.details.get(maps.layer)}
            ms={results.times[maps.layer]}
            isOld={isOld}
          />
        ))}
      </div>
    </div>
  );
}
