/** Where pictures come from: a file, the clipboard, the camera, a pen. */

import { useEffect, useRef, useState } from 'preact/hooks';
import { droppedFiles, isWeights } from '../files.ts';
import { Camera } from './camera.tsx';
import { DrawPad } from './draw-pad.tsx';

/** Takes a picture; null is the scene that comes with the page. */
export type TakePicture = (source: Blob | ImageBitmap | null, name: string) => void;

export function PictureInput(props: {
  readonly take: TakePicture;
  readonly fail: (error: unknown) => void;
  readonly children: preact.ComponentChildren;
}) {
  const { take, fail } = props;
  const [mode, setMode] = useState<'none' | 'camera' | 'draw'>('none');
  const [isOver, setIsOver] = useState(false);
  const input = useRef<HTMLInputElement>(null);

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
    <section
      class={`card picture-input ${isOver ? 'over' : ''}`}
      aria-labelledby="picture-title"
      onDragOver={(event) => {
        event.preventDefault();
        setIsOver(true);
      }}
      onDragLeave={() => setIsOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setIsOver(false);
        if (event.dataTransfer) droppedFiles(event.dataTransfer).then(([file]) => takeFile(file), fail);
      }}
    >
      <h2 id="picture-title">Picture</h2>
      {mode === 'none' && props.children}
      {mode === 'camera' && <Camera take={take} close={() => setMode('none')} fail={fail} />}
      {mode === 'draw' && <DrawPad take={take} />}
      <fieldset class="row" aria-label="Choose a picture">
        <button type="button" class="primary" onClick={() => input.current?.click()}>
          Photo…
        </button>
        <input
          ref={input}
          class="visually-hidden"
          type="file"
          id="photo-file"
          aria-label="Photo"
          tabIndex={-1}
          accept="image/*"
          onChange={(event) => {
            takeFile(event.currentTarget.files?.[0]);
            event.currentTarget.value = '';
          }}
        />
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
    </section>
  );
}
