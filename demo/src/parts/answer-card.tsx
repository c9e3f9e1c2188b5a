/** What the network says: the top five, or the mask and its legend. */

import { useState } from 'preact/hooks';
import { percent } from '../format.ts';
import type { Answer, ClassScore } from '../protocol.ts';
import { Pixels } from './pixels.tsx';

export function AnswerCard({ answer, isOld }: { readonly answer: Answer; readonly isOld: boolean }) {
  if (answer.kind === 'classes') return <TopFive top={answer.top} isOld={isOld} />;
  if (answer.kind === 'noNumbers') {
    return (
      <section class="card answer" aria-labelledby="answer-title">
        <h2 id="answer-title">The network’s scores are no numbers.</h2>
        <p>
          {answer.count} of {answer.of} are NaN or infinite, so they say nothing of the picture. The weights are the
          likely cause: a training that went wrong leaves NaN in them.
        </p>
      </section>
    );
  }
  return (
    <section class="card answer" aria-labelledby="answer-title">
      <h2 id="answer-title">Mask</h2>
      <div class="views">
        <figure>
          <Pixels picture={answer.overlay} label="The mask over the picture" isOld={isOld} />
          <figcaption>Over the picture</figcaption>
        </figure>
        <figure>
          <Pixels picture={answer.mask} label="The mask alone" class="crisp" isOld={isOld} />
          <figcaption>Alone</figcaption>
        </figure>
      </div>
      <ul class={`legend ${isOld ? 'old' : ''}`} aria-label="Legend">
        {answer.legend.map(({ name, color, share }) => (
          <li key={name}>
            <svg width="14" height="14" aria-hidden="true">
              <rect width="14" height="14" rx="3" fill={`rgb(${color.join(' ')})`} />
            </svg>
            <span>{name}</span>
            <span class="number">{percent(share)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function TopFive({ top, isOld }: { readonly top: readonly ClassScore[]; readonly isOld: boolean }) {
  const [chosen, setChosen] = useState(0);
  const shown = top[chosen] ?? top[0];
  const canShow = shown?.where != null;
  return (
    <section class="card answer" aria-labelledby="answer-title">
      <h2 id="answer-title">Top {top.length === 5 ? 'five' : top.length}</h2>
      <div class={canShow ? 'where' : ''}>
        <ol class={`classes ${isOld ? 'old' : ''}`}>
          {top.map(({ name, probability, where }, i) => (
            <li key={name}>
              {where ? (
                <button type="button" aria-pressed={i === chosen} onClick={() => setChosen(i)}>
                  {name}
                </button>
              ) : (
                <span>{name}</span>
              )}
              <meter min={0} max={1} value={probability} aria-label={`Probability of ${name}`} />
              <span class="number">{percent(probability)}</span>
            </li>
          ))}
        </ol>
        {shown?.where && (
          <figure>
            <Pixels picture={shown.where} label={`Where the network sees ${shown.name}`} isOld={isOld} />
            <figcaption>Where it sees {shown.name}</figcaption>
          </figure>
        )}
      </div>
      {top.length === 1 && <p class="hint">Of one class, softmax says 100 % whatever the score is.</p>}
    </section>
  );
}
