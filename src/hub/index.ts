/**
 * `layertap/hub`: timm's models on the Hugging Face hub, and caches of parts of files. Who imports this ships every
 * family. Re-exports only.
 */

export {
  type CachedFile,
  type CachedFileOptions,
  type CachedRange,
  type CacheLike,
  type ClosableSource,
  cachedFile,
  type RangeCache,
  rangesInCache,
} from '../formats/range-cache.ts';
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
