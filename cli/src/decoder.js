/**
 * sharp, with the loaders of photos alone. It is loaded with the first photo, since loading takes longer than all else
 * at the start of a command.
 */

import sharp from 'sharp';

// Other loaders can't run at all: an SVG of 276 bytes can take minutes and gigabytes.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: ['Jpeg', 'Png', 'Webp', 'Nsgif'].map((format) => `VipsForeignLoad${format}Buffer`),
});

export { sharp };
