/** Pascal VOC's classes. A file of its own, so that bundlers leave it out where it isn't asked for. */

const NAMES = `
__background__, aeroplane, bicycle, bird, boat, bottle, bus, car, cat, chair, cow, diningtable, dog, horse, motorbike,
person, pottedplant, sheep, sofa, train, tvmonitor`;

/**
 * The 21 names of Pascal VOC's classes, by the index of a segmentation network's score; the first is the background.
 *
 * @see torchvision.models._meta._VOC_CATEGORIES
 */
export const VOC_CATEGORIES: readonly string[] = Object.freeze(NAMES.trim().split(/,\s/));
