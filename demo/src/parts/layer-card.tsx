/** What one layer sees. */

import { milliseconds, percent, shape, value } from '../format.ts';
import type { LayerDetails, LayerMaps } from '../protocol.ts';
import { Pixels } from './pixels.tsx';

export function LayerCard(props: {
  readonly maps: LayerMaps;
  readonly details: LayerDetails | undefined;
  readonly ms: number | undefined;
  /** Whether pictures are of a run before. */
  readonly isOld: (part: LayerMaps | LayerDetails) => boolean;
}) {
  const { maps, details, ms, isOld } = props;
  const areMapsOld = isOld(maps);
  const areDetailsOld = details !== undefined && isOld(details);
  const { layer } = maps;
  return (
    <article class="card layer" aria-labelledby={`layer-${layer}`}>
      <header>
        <h3 id={`layer-${layer}`}>{layer}</h3>
        <dl>
          <div>
            <dt>Shape</dt>
            <dd>{shape(maps.shape)}</dd>
          </div>
          <div>
            <dt>Time up to here</dt>
            <dd>{ms === undefined ? '…' : milliseconds(ms)}</dd>
          </div>
          <div>
            <dt>{maps.heat ? 'Heat map’s colours' : 'Values'}</dt>
            <dd>
              {maps.heat && Number.isNaN(maps.low)
                ? 'none: there are no numbers'
                : maps.heat
                  ? `${value(maps.low)} black, ${value(maps.high)} white`
                  : `${value(maps.low)} to ${value(maps.high)}`}
            </dd>
          </div>
        </dl>
      </header>
      <div class="views">
        {maps.heat && (
          <figure>
            <Pixels picture={maps.heat} label={`Heat map of ${layer}`} isOld={areMapsOld} />
            <figcaption>
              Heat map
              <span class="scale" aria-hidden="true" />
            </figcaption>
          </figure>
        )}
        {maps.overlay && (
          <figure>
            <Pixels picture={maps.overlay} label={`Heat map of ${layer} over the picture`} isOld={areMapsOld} />
            <figcaption>Overlay</figcaption>
          </figure>
        )}
        {(!details || details.pca) && maps.heat && (
          <figure>
            <Pixels
              picture={details?.pca ?? null}
              label={`Principal components of ${layer} as colours`}
              isOld={areDetailsOld}
            />
            <figcaption>
              PCA colours
              {details && (
                <small>{percent(details.explained.reduce((sum, part) => sum + part, 0))} of the variance</small>
              )}
            </figcaption>
          </figure>
        )}
        <figure>
          <Pixels picture={details?.channels ?? null} label={`Channels of ${layer}`} isOld={areDetailsOld} isEven />
          <figcaption>
            Channels
            {details && (
              <small>
                {details.shown} of {details.count}
              </small>
            )}
          </figcaption>
        </figure>
      </div>
    </article>
  );
}
