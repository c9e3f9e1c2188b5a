/**
 * `layertap/hub`: timm's models on the Hugging Face hub, and caches of parts of files. Who imports this ships every
 * family. Re-exports only.
 */

export type { HubConfig } from './hub-config.ts';
export type { HubPreset } from './hub-preset.ts';
export {
  type FromHubOptions,
  fromHub,
  type HubFacts,
  type HubGetter,
  type HubModel,
  type LocalHub,
  type LocalHubFile,
  type OpenedHub,
  type OpenHubOptions,
  openHub,
} from './open-hub.ts';
export { type CachedFile, type CachedRange, type CacheLike, type RangeCache, rangesInCache } from './range-cache.ts';
