/** Where pictures come from: a file, the clipboard, the camera, a pen. */

import { useEffect, useState } from 'preact/hooks';
import { isWeights } from '../files.ts';
import { Camera } from './camera.tsx';
import { DrawPad } from './draw-pad.tsx';
import { DropSection, FileButton } from './files.tsx';
import type { TakePicture } from './take-picture.ts';

export function PictureInput(props: {
  readonly take: TakePicture;
  readonly fail: (error: unknown) => void;
  readonly children: preact.ComponentChildren;
}) {
  const { take, fail } = props;
  const [mode, setMode] = useState<'none' | 'camera' | 'draw'>('none');

  useEffect(() => {
    const onPaste = ({ clipboardData }: ClipboardEvent) => {
      const file = clipboardData?.files[0];
      if (file) takeFile(file);
    };
    document.addEventListener('paste', onPaste);
    return () => document.removeEventListener('paste', onPaste);
  });

  const takeFile = (file: File | undefined) => {
    if (!file) return;
    setMode('none');
    if (isWeights(file)) window.dispatchEvent(new CustomEvent('weights', { detail: file }));
    else take(file, file.name);
  };
  const toggle = (next: 'camera' | 'draw') => setMode((now) => (now === next ? 'none' : next));

  return (
    <DropSection
      class="card picture-input"
      name={{ labelledBy: 'picture-title' }}
      take={([file]) => takeFile(file)}
      fail={fail}
    >
      <h2 id="picture-title">Picture</h2>
      {mode === 'none' && props.children}
      {mode === 'camera' && <Camera take={take} close={() => setMode('none')} fail={fail} />}
      {mode === 'draw' && <DrawPad take={take} />}
      <fieldset class="row" aria-label="Choose a picture">
        <FileButton id="photo-file" label="Photo" accept="image/*" isPrimary take={([file]) => takeFile(file)}>
          Photo…
        </FileButton>
        <button type="button" aria-pressed={mode === 'camera'} onClick={() => toggle('camera')}>
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
      <p class="hint">Or drop a photo here, or paste one.</p>
    </DropSection>
  );
}
