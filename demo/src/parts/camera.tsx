/** The camera: its picture, and a button that takes it. */

import { useEffect, useRef, useState } from 'preact/hooks';
import { ProblemError } from '../engine.ts';
import type { TakePicture } from './take-picture.ts';

/** Why there is no picture, in words for people. */
function refusal(error: unknown): ProblemError {
  const name = error instanceof Error ? error.name : '';
  const detail =
    name === 'NotAllowedError'
      ? 'Allow the camera for this page in the browser’s settings, or choose a photo instead.'
      : name === 'NotFoundError'
        ? 'No camera was found. Choose a photo instead.'
        : name === 'NotReadableError'
          ? 'Another program may be using it. Close that, or choose a photo instead.'
          : 'Choose a photo instead.';
  return new ProblemError({ title: 'The camera can’t be used.', detail });
}

export function Camera(props: {
  readonly take: TakePicture;
  readonly close: () => void;
  readonly fail: (error: unknown) => void;
}) {
  const video = useRef<HTMLVideoElement>(null);
  const [isReady, setIsReady] = useState(false);
  const { take, close, fail } = props;

  useEffect(() => {
    let stream: MediaStream | null = null;
    let isGone = false;
    const start = async () => {
      try {
        // Pages that aren't served by HTTPS or from this machine have no devices at all.
        stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' }, audio: false });
        if (isGone) return stop();
        video.current!.srcObject = stream;
        await video.current!.play();
        setIsReady(true);
      } catch (error) {
        if (isGone) return;
        fail(refusal(error));
        close();
      }
    };
    const stop = () => {
      for (const track of stream?.getTracks() ?? []) track.stop();
    };
    start();
    return () => {
      isGone = true;
      stop();
    };
  }, []);

  const shoot = async () => {
    try {
      take(await createImageBitmap(video.current!), 'camera');
      close();
    } catch (error) {
      fail(refusal(error));
    }
  };

  return (
    <div class="camera">
      <video ref={video} playsInline muted aria-label="The camera’s picture" />
      <button type="button" class="primary" disabled={!isReady} onClick={shoot}>
        Take the picture
      </button>
    </div>
  );
}
