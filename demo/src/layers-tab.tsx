/** One picture through the network: its layers, and its answer. */

import { useCallback, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { bytes, milliseconds } from './format.ts';
import { AnswerCard } from './parts/answer-card.tsx';
import { LayerCard } from './parts/layer-card.tsx';
import { LayerTree } from './parts/layer-tree.tsx';
import { PictureInput } from './parts/picture-input.tsx';
import { Pixels } from './parts/pixels.tsx';
import type { Answer, Event, LayerDetails, LayerMaps, Opened, Picture, WeightsProgress } from './protocol.ts';
import type { Shared } from './shared.ts';

/** What is asked of a network; another network has settings of its own. */
interface Settings {
  readonly of: Opened;
  readonly layers: readonly string[];
  readonly size: number;
}

/** What has come so far. */
interface Results {
  readonly input: Picture | null;
  readonly maps: readonly LayerMaps[];
  readonly details: ReadonlyMap<string, LayerDetails>;
  readonly times: Readonly<Record<string, number>>;
  readonly answer: Answer | null;
}

const NOTHING: Results = { input: null, maps: [], details: new Map(), times: {}, answer: null };

/** The results with one more event. Pictures of the run before stay until new ones are there. */
function added(results: Results, event: Event): Results {
  switch (event.type) {
    case 'input':
      return { ...results, input: event.picture };
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

export function LayersTab({ shared, opened }: { readonly shared: Shared; readonly opened: Opened | null }) {
  const { engine, say, fail, clearProblem, settled } = shared;
  const [settings, setSettings] = useState<Settings | null>(null);
  const [withAnswer, setWithAnswer] = useState(true);
  const [pictureName, setPictureName] = useState('');
  const [pictureCount, setPictureCount] = useState(0);
  const [results, setResults] = useState(NOTHING);
  const [weights, setWeights] = useState<WeightsProgress | null>(null);
  const [progress, setProgress] = useState<number | null>(null);
  const running = useRef<AbortController | null>(null);

  const take = useCallback(
    async (source: Blob | ImageBitmap | null, name: string) => {
      running.current?.abort();
      clearProblem();
      try {
        await engine.ask('picture', { source, name }, { transfer: source instanceof ImageBitmap ? [source] : [] });
        setPictureName(name);
        setPictureCount((count) => count + 1);
      } catch (error) {
        fail(error);
      }
    },
    [engine, fail, clearProblem],
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
    if (!settings || settings.of !== opened || !opened.hasWeights || pictureCount === 0) return;
    const { layers, size } = settings;
    const controller = new AbortController();
    running.current = controller;
    const onEvent = (event: Event) => {
      if (controller.signal.aborted) return;
      if (event.type === 'weights') setWeights(event);
      else if (event.type === 'progress') setProgress(event.done);
      else setResults((before) => added(before, event));
      if (event.type === 'answer') settled();
    };
    setResults((before) => ({
      ...before,
      maps: before.maps.filter(({ layer }) => layers.includes(layer)),
      answer: withAnswer ? before.answer : null,
      times: {},
    }));
    say(`Running ${opened.id} on ${pictureName}`);
    setProgress(0);
    engine
      .ask('run', { layers, size, withAnswer }, { onEvent, signal: controller.signal })
      .then(({ ms, memoryBytes }) => {
        const count = `${layers.length} ${layers.length === 1 ? 'layer' : 'layers'}`;
        say(`${opened.id} ran on ${pictureName} in ${milliseconds(ms)}: ${count}, ${bytes(memoryBytes)} of memory.`);
      })
      .catch((error) => {
        if (!controller.signal.aborted) fail(error);
      })
      .finally(() => {
        if (running.current === controller) setProgress(null);
        settled();
      });
    return () => controller.abort();
  }, [engine, opened, settings, withAnswer, pictureCount]);

  const layers = settings?.layers ?? [];
  const change = (changed: Partial<Settings>) => {
    clearProblem();
    setSettings((before) => before && { ...before, ...changed });
  };
  const toggle = (path: string) =>
    change({ layers: layers.includes(path) ? layers.filter((other) => other !== path) : [...layers, path] });
  const order = (maps: readonly LayerMaps[]) =>
    [...maps].sort((a, b) => layers.indexOf(a.layer) - layers.indexOf(b.layer));

  return (
    <div class="columns">
      <div class="side">
        <PictureInput take={take} fail={fail}>
          <figure class="input">
            <Pixels picture={results.input} label={`The picture as the network gets it: ${pictureName}`} />
            <figcaption>
              As the network gets it
              {results.input && (
                <small>
                  {results.input.width} × {results.input.height}
                </small>
              )}
            </figcaption>
          </figure>
        </PictureInput>
        <section class="card layers" aria-labelledby="layers-title">
          <h2 id="layers-title">Layers</h2>
          <div class="row">
            <label for="size">Input size</label>
            <input
              id="size"
              type="number"
              min={32}
              max={8192}
              step={1}
              value={settings?.size ?? ''}
              aria-describedby="size-hint"
              onChange={(event) => {
                const next = Math.round(event.currentTarget.valueAsNumber);
                if (next >= 1) change({ size: next });
              }}
            />
            <span class="hint" id="size-hint">
              pixels, {opened?.kind === 'classification' ? 'of the square crop' : 'shorter side'}
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
            <LayerTree key={opened.id} root={opened.tree} chosen={layers} toggle={toggle} inSight={opened.layers} />
          )}
        </section>
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
        </div>
        {opened && !opened.hasWeights && (
          <p class="empty">
            {opened.id} has no weights yet, so there is nothing to see. Open a file, or choose weights of the hub.
          </p>
        )}
        {results.answer && <AnswerCard answer={results.answer} />}
        {opened?.hasWeights && layers.length === 0 && <p class="empty">Tick a layer to see what it sees.</p>}
        {order(results.maps).map((maps) => (
          <LayerCard
            key={maps.layer}
            maps={maps}
            details={results.details.get(maps.layer)}
            ms={results.times[maps.layer]}
          />
        ))}
      </div>
    </div>
  );
}
