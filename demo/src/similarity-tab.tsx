/** Photos side by side, and the nearest in a folder. */

import { useEffect, useRef, useState } from 'preact/hooks';
import { ProblemError } from './engine.ts';
import { isPicture } from './files.ts';
import { DropSection, FileButton } from './parts/files.tsx';
import { Pixels } from './parts/pixels.tsx';
import type { Neighbour, Opened, Picture, TreeNode } from './protocol.ts';
import type { Shared } from './shared.ts';

/** A photo that has a vector. */
interface Photo {
  readonly id: number;
  readonly name: string;
  readonly file: File;
  readonly thumbnail: Picture;
}

/** Photos that are compared each with each. */
const SIDE_BY_SIDE = 6;

/** Neighbours that are shown. */
const NEAREST = 12;

let nextId = 1;

export function SimilarityTab({ shared, opened }: { readonly shared: Shared; readonly opened: Opened | null }) {
  const { engine, say, fail, clearProblem } = shared;
  const [layer, setLayer] = useState('');
  const [photos, setPhotos] = useState<readonly Photo[]>([]);
  const [matrix, setMatrix] = useState<readonly (readonly number[])[]>([]);
  const [query, setQuery] = useState<number | null>(null);
  const [nearest, setNearest] = useState<readonly Neighbour[]>([]);
  const [done, setDone] = useState<{ readonly count: number; readonly of: number } | null>(null);
  const adding = useRef<AbortController | null>(null);
  const layers = opened ? layersOf(opened) : [];
  const isUsable = opened?.hasWeights === true;

  // Vectors of another layer can't be compared with these.
  const start = (nextLayer: string, again: readonly File[]) => {
    adding.current?.abort();
    engine.ask('forget', { ids: photos.map(({ id }) => id) }).catch(fail);
    setPhotos([]);
    setMatrix([]);
    setNearest([]);
    setQuery(null);
    setDone(null);
    setLayer(nextLayer);
    if (again.length > 0 && isUsable) add(again, nextLayer, []);
  };
  useEffect(() => {
    if (opened)
      start(
        opened.layers.at(-1) ?? '',
        photos.map(({ file }) => file),
      );
  }, [opened]);

  const add = async (given: readonly File[], of = layer, before = photos) => {
    clearProblem();
    const pictures = given.filter(isPicture);
    if (pictures.length === 0) {
      const detail =
        given.length === 0
          ? 'The folder is empty.'
          : `None of its ${given.length} ${given.length === 1 ? 'file is' : 'files is'} a photo: ` +
            'JPEG, PNG, WebP, AVIF or GIF.';
      return fail(new ProblemError({ title: 'There are no pictures here.', detail }));
    }
    adding.current?.abort();
    const controller = new AbortController();
    adding.current = controller;
    const { signal } = controller;
    const all = [...before];
    const failed: string[] = [];
    try {
      for (const [i, file] of pictures.entries()) {
        setDone({ count: i, of: pictures.length });
        const id = nextId++;
        const args = { id, photo: file, name: file.name, layer: of, size: opened!.size };
        try {
          const { thumbnail } = await engine.ask('embed', args, { signal });
          all.push({ id, name: file.name, file, thumbnail });
        } catch (error) {
          if (!(error instanceof ProblemError) || !/isn’t a picture/.test(error.problem.title)) throw error;
          failed.push(file.name);
        }
        if (i % 8 === 7) setPhotos([...all]);
      }
      setPhotos(all);
      setMatrix(await engine.ask('compare', { ids: all.slice(0, SIDE_BY_SIDE).map(({ id }) => id) }));
      if (query !== null && all.some(({ id }) => id === query)) await find(query, all);
      const skipped =
        failed.length > 0
          ? ` Not readable: ${failed.slice(0, 3).join(', ')}${failed.length > 3 ? ' and others' : ''}.`
          : '';
      say(`${all.length} photos are compared by ${of}.${skipped}`);
      if (failed.length === pictures.length) {
        fail(
          new ProblemError({ title: 'None of these pictures can be read by this browser.', detail: skipped.trim() }),
        );
      }
    } catch (error) {
      if (!signal.aborted) fail(error);
    } finally {
      if (adding.current === controller) setDone(null);
    }
  };

  const find = async (id: number, among = photos) => {
    setQuery(id);
    try {
      const found = await engine.ask('neighbours', { id, ids: among.map((photo) => photo.id), count: NEAREST });
      setNearest(found);
      const first = among.find((photo) => photo.id === found[0]?.id);
      if (first) say(`Nearest: ${first.name}, similarity ${found[0]!.similarity.toFixed(2)}.`);
    } catch (error) {
      fail(error);
    }
  };

  const photoOf = (id: number | null) => photos.find((photo) => photo.id === id);
  const compared = photos.slice(0, SIDE_BY_SIDE);
  const asked = photoOf(query);

  return (
    <div class="similarity">
      <DropSection
        class="card"
        name={{ labelledBy: 'photos-title' }}
        take={(dropped) => isUsable && add(dropped)}
        fail={fail}
      >
        <h2 id="photos-title">Photos</h2>
        <fieldset class="row" aria-label="Add photos">
          <FileButton
            id="similar-files"
            label="Photos to compare"
            accept="image/*"
            multiple
            isPrimary
            disabled={!isUsable}
            take={add}
          >
            Add photos…
          </FileButton>
          <FileButton id="similar-folder" label="Folder of photos" multiple disabled={!isUsable} take={add}>
            Add a folder…
          </FileButton>
          <button type="button" disabled={photos.length === 0} onClick={() => start(layer, [])}>
            Remove all
          </button>
          <label for="similar-layer">Layer</label>
          <select
            id="similar-layer"
            value={layer}
            disabled={!isUsable}
            onChange={(event) =>
              start(
                event.currentTarget.value,
                photos.map(({ file }) => file),
              )
            }
          >
            {layers.map((path) => (
              <option key={path} value={path}>
                {path}
              </option>
            ))}
          </select>
        </fieldset>
        <p class="hint">
          Or drop photos or a folder here. A photo becomes the mean of the layer over its pixels, and two photos are as
          alike as the cosine between these vectors says.
        </p>
        {done && (
          <p>
            <progress max={done.of} value={done.count} aria-label="Photos" /> {done.count} of {done.of} photos
          </p>
        )}
        {!isUsable && opened && <p class="empty">{opened.id} has no weights yet.</p>}
        {photos.length > 0 && (
          <ul class="photos" aria-label="Photos: choose one to find its nearest">
            {photos.map(({ id, name, thumbnail }) => (
              <li key={id}>
                <button type="button" aria-pressed={id === query} title={name} onClick={() => find(id)}>
                  <Pixels picture={thumbnail} label={name} />
                  <span aria-hidden="true">{name}</span>
                </button>
              </li>
            ))}
          </ul>
        )}
      </DropSection>
      {compared.length > 1 && (
        <section class="card" aria-labelledby="matrix-title">
          <h2 id="matrix-title">Side by side</h2>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard */}
          <section class="scrolls" tabIndex={0} aria-label="Similarities">
            <table class="matrix">
              <caption>
                Cosine similarity of {layer}, from −1 to 1
                {photos.length > compared.length ? `, of the first ${SIDE_BY_SIDE}` : ''}
              </caption>
              <thead>
                <tr>
                  <td />
                  {compared.map(({ id, name, thumbnail }) => (
                    <th key={id} scope="col">
                      <Pixels picture={thumbnail} label={name} />
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {compared.map(({ id, name, thumbnail }, row) => (
                  <tr key={id}>
                    <th scope="row">
                      <Pixels picture={thumbnail} label={name} />
                      <span aria-hidden="true">{name}</span>
                    </th>
                    {compared.map((other, column) => {
                      const similarity = matrix[row]?.[column];
                      return (
                        <td key={other.id} class={heatOf(similarity)}>
                          {similarity?.toFixed(3) ?? '…'}
                        </td>
                      );
                    })}
                  </tr>
                ))}
              </tbody>
            </table>
          </section>
        </section>
      )}
      {photos.length > 1 && (
        <section class="card" aria-labelledby="nearest-title">
          <h2 id="nearest-title">{asked ? `Nearest to ${asked.name}` : 'Nearest neighbours'}</h2>
          {!asked && <p class="empty">Choose a photo above.</p>}
          {asked && (
            <ol class="photos nearest" aria-labelledby="nearest-title">
              {nearest.map(({ id, similarity }) => {
                const photo = photoOf(id);
                return (
                  photo && (
                    <li key={id}>
                      <figure>
                        <Pixels picture={photo.thumbnail} label={photo.name} />
                        <figcaption>
                          <span>{photo.name}</span> <b>{similarity.toFixed(3)}</b>
                        </figcaption>
                      </figure>
                    </li>
                  )
                );
              })}
            </ol>
          )}
        </section>
      )}
    </div>
  );
}

/** A class of ten, for colours. */
function heatOf(similarity: number | undefined): string {
  return similarity === undefined ? '' : `heat-${Math.min(9, Math.max(0, Math.floor(similarity * 10)))}`;
}

/** Layers that make good vectors: the network's own stages first, then all others that are tapped by default. */
function layersOf({ tree, layers }: Opened): string[] {
  const paths: string[] = [];
  const walk = (node: TreeNode, depth: number) => {
    if (node.shape?.length === 4) paths.push(node.path);
    if (depth < 3) for (const child of node.children) walk(child, depth + 1);
  };
  walk(tree, 0);
  return [...new Set([...layers, ...paths])];
}
