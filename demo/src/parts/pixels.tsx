/** A picture that the worker drew. */

import { useEffect, useRef } from 'preact/hooks';
import type { Picture } from '../protocol.ts';

export function Pixels(props: {
  readonly picture: Picture | null;
  /** Says what there is to see. */
  readonly label: string;
  readonly class?: string;
}) {
  const { picture, label } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    if (!picture || !canvas.current) return;
    canvas.current.width = picture.width;
    canvas.current.height = picture.height;
    const context = canvas.current.getContext('2d');
    context?.putImageData(new ImageData(picture.data, picture.width), 0, 0);
  }, [picture]);
  const isWaiting = picture === null;
  return (
    <canvas
      ref={canvas}
      width={4}
      height={4}
      class={`pixels ${props.class ?? ''} ${isWaiting ? 'waiting' : ''}`}
      role="img"
      aria-label={isWaiting ? `${label}: not drawn yet` : label}
    />
  );
}
