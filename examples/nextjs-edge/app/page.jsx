'use client';

import { useRef, useState } from 'react';

/** Photos are scaled down to fit into this square: the route takes no larger ones. */
const SIDE = 256;

/** Decodes a photo, has the route tap it, and draws the answer. An edge runtime decodes no pictures; a browser does. */
export default function Page() {
  const canvas = useRef(null);
  const [said, say] = useState('');

  async function tap({ target }) {
    const [photo] = target.files;
    if (!photo) return;
    // Nothing of another photo stays beside what is said of this one.
    canvas.current.hidden = true;
    say('Computing …');
    try {
      const { pixels, width, height } = await decode(photo);
      const response = await fetch(`/tap?width=${width}&height=${height}`, { method: 'POST', body: pixels });
      if (!response.ok) return say(await response.text());
      const map = new Uint8ClampedArray(await response.arrayBuffer());
      Object.assign(canvas.current, { width, height, hidden: false });
      canvas.current.getContext('2d').putImageData(new ImageData(map, width, height), 0, 0);
      say(`layer4: ${response.headers.get('x-shape')}`);
    } catch (error) {
      say(`${photo.name}: ${error.message}`);
    }
  }

  return (
    <main>
      <h1>Where a network looks</h1>
      <label>
        Photo <input type="file" accept="image/*" onChange={tap} />
      </label>
      <p role="status">{said}</p>
      <canvas
        ref={canvas}
        hidden
        role="img"
        aria-label="The photo under the layer's heat map"
        style={{ minWidth: '50%' }}
      />
    </main>
  );
}

/** A photo's pixels, colours as they are in the file, scaled down to fit. */
async function decode(photo) {
  const bitmap = await createImageBitmap(photo, { colorSpaceConversion: 'none' });
  const scale = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
  const [width, height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale)));
  const context = new OffscreenCanvas(width, height).getContext('2d');
  context.drawImage(bitmap, 0, 0, width, height);
  return { pixels: context.getImageData(0, 0, width, height).data, width, height };
}
