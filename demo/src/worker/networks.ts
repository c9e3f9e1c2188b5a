/** Networks by their names: the digits network, which comes with the page, and the way to torchvision's. */

import { semanticSegmentation } from 'layertap';
import { distinctPalette } from 'layertap/tools';
import { CLASSES, digitsNetwork } from '../../../examples/digits/network.mjs';
import { DIGITS, IMAGENET, type Network } from './network.ts';

/** A network by its name. torchvision's are fetched once one is asked for. @param numClasses if they are known */
export async function network(id: string, numClasses?: number): Promise<Network> {
  if (id === DIGITS) return digits();
  const { torchvision } = await import('./torchvision.ts');
  return torchvision(id, numClasses);
}

function digits(): Network {
  return {
    id: DIGITS,
    kind: 'segmentation',
    model: digitsNetwork(),
    again: digits,
    layers: ['backbone.relu', 'backbone.layer1', 'backbone.layer2', 'backbone.layer3', 'backbone.layer4'],
    size: 128,
    ownSize: 128,
    classes: CLASSES,
    palette: [[0, 0, 0], ...distinctPalette(10)],
    ...IMAGENET,
    // Scenes have 128 pixels in height; a picture of this size is taken as it is.
    prepare: (image, size) =>
      semanticSegmentation(image, { resizeSize: Math.min(image.width, image.height) === size ? null : size }),
  };
}
