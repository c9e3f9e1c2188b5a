/** COCO's classes. A file of its own, so that bundlers leave it out where it isn't asked for. */

const NAMES = `
__background__, person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant, N/A,
stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, N/A, backpack,
umbrella, N/A, N/A, handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat, baseball glove,
skateboard, surfboard, tennis racket, bottle, N/A, wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich,
orange, broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed, N/A, dining table, N/A, N/A,
toilet, N/A, tv, laptop, mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink, refrigerator, N/A, book,
clock, vase, scissors, teddy bear, hair drier, toothbrush`;

/**
 * The 91 names of COCO's classes, by the index of a detection network's label; those that no image has are `N/A`.
 *
 * @see torchvision.models._meta._COCO_CATEGORIES
 */
export const COCO_CATEGORIES: readonly string[] = Object.freeze(NAMES.trim().split(/,\s/));
