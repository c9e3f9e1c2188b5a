/** Photos side by side, and the nearest in a folder. */

import { useEffect, useLayoutEffect, useMemo, useState } from 'preact/hooks';
import { Album, type Shown, SIDE_BY_SIDE } from './album.ts';
import { ProblemError } from './engine.ts';
import { isPicture } from './files.ts';
import { withoutWeights } from './format.ts';
import { FileButton } from './parts/files.tsx';
import { Pixels } from './parts/pixels.tsx';
import type { Opened, TreeNode } from './protocol.ts';
import type { Shared } from './shared.ts';

const NO_PHOTOS: Shown = {
  ...{ photos: [], ready: [], failed: [], waiting: 0, isPaused: false, matrix: [], query: null, nearest: [] },
};

export function SimilarityTab({ shared, opened }: { readonly shared: Shared; readonly opened: Opened | null }) {
  const { engine, inbox, say, fail, clearProblem } = shared;
  const [layer, setLayer] = useState('');
  const [{ photos, ready, failed, waiting, isPaused, matrix, query, nearest }, setShown] = useState(NO_PHOTOS);
  const album = useMemo(() => new Album(engine, { shown: setShown, say, fail }), [engine, say, fail]);
  const layers = opened ? layersOf(opened) : [];
  const isUsable = opened?.hasWeights === true;

  // Before a frame is drawn: a photo that is added then is compared by this network.
  useLayoutEffect(() => {
    if (opened) move(opened, opened.layers.at(-1) ?? '');
  }, [opened]);

  const move = (next: Opened, nextLayer: string) => {
    setLayer(nextLayer);
    album.move({ opened: next, layer: nextLayer });
  };

  const add = (given: readonly File[]) => {
    clearProblem();
    const pictures = given.filter(isPicture);
    if (pictures.length > 0) return album.add(pictures);
    const what = given.length === 1 ? `“${given[0]!.name}” isn’t` : `None of these ${given.length} files is`;
    const detail = given.length === 0 ? 'The folder is empty.' : `${what} a photo: JPEG, PNG, WebP, AVIF or GIF.`;
    fail(new ProblemError({ title: 'There are no pictures here.', detail }));
  };
  useEffect(() => inbox.on('similarity', add));

  const compared = ready.slice(0, SIDE_BY_SIDE);

  return (
    <div class="similarity">
      <section class="card" aria-labelledby="photos-title">
        <h2 id="photos-title">Photos</h2>
        <fieldset class="row" aria-label="Add photos">
          <FileButton
            id="similar-files"
            label="Photos to compare"
            accept="image/*"
            multiple
            isPrimary
            disabled={!opened}
            take={add}
          >
            Add photos…
          </FileButton>
          <FileButton id="similar-folder" label="Folder of photos" multiple disabled={!opened} take={add}>
            Add a folder…
          </FileButton>
          <button type="button" disabled={photos.length === 0} onClick={() => album.clear()}>
            Remove all
          </button>
          <label for="similar-layer">Layer</label>
          <select
            id="similar-layer"
            value={layer}
            disabled={!opened}
            onChange={(event) => opened && move(opened, event.currentTarget.value)}
          >
            {layers.map((path) => (
              <option key={path} value={path}>
                {path}
              </option>
            ))}
          </select>
        </fieldset>
        <p class="hint">
          Or drop photos or a folder anywhere on this page. A photo becomes the mean of the layer over its pixels, and
          two photos are as alike as the cosine between these vectors says.
        </p>
        {isUsable && waiting > 0 && (
          <p>
            <progress max={photos.length} value={photos.length - waiting} aria-label="Photos" />{' '}
            {photos.length - waiting} of {photos.length} photos{' '}
            {isPaused && (
              <button
                type="button"
                onClick={() => {
                  clearProblem();
                  album.goOn();
                }}
              >
                Try again
              </button>
            )}
          </p>
        )}
        {!isUsable && opened && (
          <p class="empty">
            {withoutWeights(opened.id)} {photos.length > 0 ? 'The photos wait for them.' : ''}
          </p>
        )}
        {photos.length > 0 && (
          <ul class="photos" aria-label="Photos: choose one to find its nearest">
            {photos.map((photo) => (
              <li key={photo.id}>
                <button
                  type="button"
                  aria-pressed={photo === query}
                  title={photo.name}
                  disabled={failed.includes(photo)}
                  onClick={() => album.find(photo.id)}
                >
                  {!failed.includes(photo) && <Pixels picture={photo.thumbnail} label={photo.name} />}
                  <span aria-hidden={!failed.includes(photo)}>{photo.name}</span>
                  {failed.includes(photo) && <small>not compared</small>}
                </button>
              </li>
            ))}
          </ul>
        )}
      </section>
      {compared.length > 1 && (
        <section class="card" aria-labelledby="matrix-title">
          <h2 id="matrix-title">Side by side</h2>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard */}
          <section class="scrolls" tabIndex={0} aria-label="Similarities">
            <table class="matrix">
              <caption>
                Cosine similarity of {layer}, from −1 to 1
                {ready.length > compared.length ? `, of the first ${SIDE_BY_SIDE}` : ''}
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
      {ready.length > 1 && (
        <section class="card" aria-labelledby="nearest-title">
          <h2 id="nearest-title">{query ? `Nearest to ${query.name}` : 'Nearest neighbours'}</h2>
          {!query && <p class="empty">Choose a photo above.</p>}
          {query && (
            <ol class="photos nearest" aria-labelledby="nearest-title">
              {nearest.map(({ id, similarity }) => {
                const photo = ready.find((other) => other.id === id);
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
