/**
 * `layertap/tools`: what is done with features after a network has run: scores, vectors, pictures. Plain loops over
 * tensors, without kernels. Nothing of it is loaded by the main entry, and bundlers keep those functions alone that are
 * used.
 */

export * from './batches.ts';
export * from './channel-grid.ts';
export * from './channels-first.ts';
export * from './class-activation.ts';
export * from './colormaps.ts';
export { type Heatmap, type HeatmapOptions, heatmap, overlay } from './heatmap.ts';
export * from './image-from.ts';
export * from './mask.ts';
export * from './palettes.ts';
export * from './pca.ts';
export type { Rgba } from './rgba.ts';
export * from './scores.ts';
export * from './vectors.ts';
