/** A picture that the worker drew. */

import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import type { Picture } from '../protocol.ts';

export function Pixels(props: {
  readonly picture: Picture | null;
  /** Says what there is to see. */
  readonly label: string;
  readonly class?: string;
  /** Whether it is of a run before, and the new one is on its way. */
  readonly isOld?: boolean;
  /** Whether each of its pixels is to be shown as large as the others: a whole multiple, where there is room for it. */
  readonly isEven?: boolean;
}) {
  const { picture, label, isOld = false, isEven = false } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    if (!picture || !canvas.current) return;
    canvas.current.width = picture.width;
    canvas.current.height = picture.height;
    const context = canvas.current.getContext('2d');
    context?.putImageData(new ImageData(picture.data, picture.width), 0, 0);
  }, [picture]);
  useLayoutEffect(() => {
    const element = canvas.current;
    if (!isEven || !picture || !element?.parentElement) return;
    const fit = () => {
      const times = Math.floor((element.parentElement!.clientWidth * devicePixelRatio) / picture.width);
      element.style.width = times > 0 ? `${(times * picture.width) / devicePixelRatio}px` : '';
      element.toggleAttribute('data-crisp', times > 0);
    };
    const observer = new ResizeObserver(fit);
    observer.observe(element.parentElement);
    return () => observer.disconnect();
  });
  const isWaiting = picture === null;
  return (
    <canvas
      ref={canvas}
      width={4}
      height={4}
      class={`pixels ${props.class ?? ''} ${isWaiting ? 'waiting' : isOld ? 'old' : ''}`}
      role="img"
      aria-label={isWaiting || isOld ? `${label}: not drawn yet` : label}
    />
  );
}
