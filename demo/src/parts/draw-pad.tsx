/** A sheet of paper to draw digits on, of the size of the scenes that the network knows. */

import { useEffect, useRef, useState } from 'preact/hooks';
import type { TakePicture } from './take-picture.ts';

/** The scenes' own size; the page shows it larger. */
const [WIDTH, HEIGHT] = [160, 128];

/** MNIST's strokes at the size of the scenes' digits. */
const STROKE = 7;

/** Strokes that spell digits, for those who can't draw: a digit is tapped in. In parts of a box. */
const GLYPHS: readonly (readonly (readonly [number, number][])[])[] = [
  [
    [
      [0.5, 0.08],
      [0.22, 0.25],
      [0.15, 0.55],
      [0.3, 0.88],
      [0.6, 0.9],
      [0.82, 0.6],
      [0.78, 0.25],
      [0.5, 0.08],
    ],
  ],
  [
    [
      [0.58, 0.06],
      [0.45, 0.94],
    ],
  ],
  [
    [
      [0.2, 0.28],
      [0.35, 0.1],
      [0.65, 0.1],
      [0.75, 0.3],
      [0.55, 0.6],
      [0.18, 0.9],
      [0.85, 0.88],
    ],
  ],
  [
    [
      [0.2, 0.15],
      [0.55, 0.08],
      [0.75, 0.25],
      [0.45, 0.46],
      [0.78, 0.66],
      [0.62, 0.9],
      [0.18, 0.88],
    ],
  ],
  [
    [
      [0.3, 0.1],
      [0.2, 0.52],
      [0.8, 0.5],
    ],
    [
      [0.72, 0.1],
      [0.62, 0.95],
    ],
  ],
  [
    [
      [0.8, 0.1],
      [0.32, 0.12],
      [0.26, 0.46],
      [0.6, 0.42],
      [0.8, 0.65],
      [0.6, 0.9],
      [0.18, 0.86],
    ],
  ],
  [
    [
      [0.7, 0.06],
      [0.36, 0.4],
      [0.24, 0.72],
      [0.45, 0.93],
      [0.72, 0.8],
      [0.66, 0.56],
      [0.3, 0.62],
    ],
  ],
  [
    [
      [0.16, 0.12],
      [0.82, 0.12],
      [0.45, 0.94],
    ],
  ],
  [
    [
      [0.72, 0.2],
      [0.45, 0.08],
      [0.28, 0.25],
      [0.66, 0.62],
      [0.62, 0.88],
      [0.36, 0.9],
      [0.32, 0.68],
      [0.72, 0.2],
    ],
  ],
  [
    [
      [0.72, 0.3],
      [0.45, 0.1],
      [0.26, 0.32],
      [0.48, 0.5],
      [0.72, 0.3],
      [0.62, 0.94],
    ],
  ],
];

export function DrawPad({ take }: { readonly take: TakePicture }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const last = useRef<{ x: number; y: number } | null>(null);
  const [typed, setTyped] = useState('');

  const context = () => canvas.current!.getContext('2d')!;
  const clear = () => {
    const paper = context();
    paper.fillStyle = '#f4f1e8';
    paper.fillRect(0, 0, WIDTH, HEIGHT);
    paper.strokeStyle = '#1d3f8f';
    paper.lineWidth = STROKE;
    paper.lineCap = paper.lineJoin = 'round';
  };
  useEffect(clear, []);

  const send = async () => take(await createImageBitmap(canvas.current!), 'your drawing');
  const placeOf = (event: PointerEvent) => {
    const { left, top, width, height } = canvas.current!.getBoundingClientRect();
    return { x: ((event.clientX - left) * WIDTH) / width, y: ((event.clientY - top) * HEIGHT) / height };
  };
  const draw = (event: PointerEvent) => {
    if (!last.current) return;
    const to = placeOf(event);
    const paper = context();
    paper.beginPath();
    paper.moveTo(last.current.x, last.current.y);
    paper.lineTo(to.x, to.y);
    paper.stroke();
    last.current = to;
  };
  const write = (digits: string) => {
    setTyped(digits);
    clear();
    const paper = context();
    const box = { width: 56, height: 66 };
    [...digits].forEach((digit, i) => {
      const left = 12 + (i % 2) * 78;
      const top = digits.length > 2 ? -1 + Math.floor(i / 2) * 64 : 31;
      for (const stroke of GLYPHS[Number(digit)]!) {
        paper.beginPath();
        for (const [x, y] of stroke) paper.lineTo(left + x * box.width, top + y * box.height);
        paper.stroke();
      }
    });
    send();
  };

  return (
    <div class="draw">
      <canvas
        ref={canvas}
        width={WIDTH}
        height={HEIGHT}
        class="pad"
        role="img"
        aria-label="Paper to draw digits on with a pointer; the field below writes digits instead"
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          last.current = placeOf(event);
          draw(event);
        }}
        onPointerMove={draw}
        onPointerUp={() => {
          last.current = null;
          send();
        }}
        onPointerCancel={() => {
          last.current = null;
        }}
      />
      <div class="row">
        <label for="typed">Or type up to four digits</label>
        <input
          id="typed"
          inputMode="numeric"
          maxLength={4}
          size={4}
          value={typed}
          onInput={(event) => write(event.currentTarget.value.replace(/\D/g, '').slice(0, 4))}
        />
        <button type="button" onClick={() => write('')}>
          Clear
        </button>
      </div>
    </div>
  );
}
