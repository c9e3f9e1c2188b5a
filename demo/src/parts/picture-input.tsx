/** Where pictures come from: a file, the clipboard, the camera, a pen. */

import { useEffect, useRef, useState } from 'preact/hooks';
import type { Inbox } from '../inbox.ts';
import { Camera } from './camera.tsx';
import { DrawPad } from './draw-pad.tsx';
import { FileButton } from './files.tsx';
import type { TakePicture } from './take-picture.ts';

export function PictureInput(props: {
  readonly take: TakePicture;
  readonly fail: (error: unknown) => void;
  readonly inbox: Inbox;
  /** Whether this is in sight; the camera is off otherwise. */
  readonly isShown: boolean;
  readonly children: preact.ComponentChildren;
}) {
  const { take, fail, inbox, isShown } = props;
  const [mode, setMode] = useState<'none' | 'camera' | 'draw'>('none');
  const cameraButton = useRef<HTMLButtonElement>(null);

  useEffect(() => inbox.on('layers', takeFiles));

  const takeFiles = ([file, ...others]: readonly File[]) => {
    if (!file) return;
    setMode('none');
    // Similarity takes all of them.
    take(file, others.length > 0 ? `${file.name}, the first of ${others.length + 1} files` : file.name);
  };
  const toggle = (next: 'camera' | 'draw') => setMode((now) => (now === next ? 'none' : next));

  return (
    <section class="card picture-input" aria-labelledby="picture-title">
      <h2 id="picture-title">Picture</h2>
      {mode === 'none' && props.children}
      {mode === 'camera' && isShown && (
        <Camera
          take={take}
          close={() => {
            setMode('none');
            // Its own button goes, and whoever uses the keyboard stays here.
            cameraButton.current?.focus();
          }}
          fail={fail}
        />
      )}
      {mode === 'draw' && <DrawPad take={take} />}
      <fieldset class="row" aria-label="Choose a picture">
        <FileButton
          id="photo-file"
          label="Photo"
          accept="image/*"
          isPrimary
          take={(files) => inbox.give(files, 'layers')}
        >
          Photo…
        </FileButton>
        <button type="button" ref={cameraButton} aria-pressed={mode === 'camera'} onClick={() => toggle('camera')}>
          Camera
        </button>
        <button type="button" aria-pressed={mode === 'draw'} onClick={() => toggle('draw')}>
          Draw digits
        </button>
        <button
          type="button"
          onClick={() => {
            setMode('none');
            take(null, 'scene.png');
          }}
        >
          Example
        </button>
      </fieldset>
      <p class="hint">Or drop a photo anywhere on this page, or paste one.</p>
    </section>
  );
}
