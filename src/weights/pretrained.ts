/** A model or a getter with torchvision's weights, in one call. Who imports this ships every family. */

import { type GetterOptions, IntermediateLayerGetter } from '../features/intermediate-layer-getter.ts';
import type { FeatureName, ReturnLayers } from '../features/taps.ts';
import { createModel, type ModelName, type ModelOf, type ModelOptions } from '../models/registry.ts';
import type { LoadStateDictAsyncOptions } from '../nn/load-state-dict.ts';
import type { AnyModule } from '../nn/module.ts';
import { withDefaults } from '../options.ts';
import type { TensorStream } from '../tensor/tensor-stream.ts';
import { weightsOf } from './get-weight.ts';
import { licenseNotice } from './license-notice.ts';
import { openPretrained, type PretrainedSource, SOURCE_DEFAULTS } from './open-pretrained.ts';
import { checkedWeights, type Weights } from './weights.ts';

/** Options of {@link pretrained}. */
export interface PretrainedOptions<Name extends ModelName = ModelName>
  extends PretrainedSource,
    Pick<LoadStateDictAsyncOptions, 'inputShapes' | 'onProgress'>,
    GetterOptions {
  /** `DEFAULT` unless given, or another name: `IMAGENET1K_V1`, `ResNet50_Weights.IMAGENET1K_V1`. */
  readonly weights?: string | Weights | undefined;
  /** The builder's, over those that go with the weights. */
  readonly modelOptions?: ModelOptions<Name> | undefined;
}

/** {@link PretrainedOptions} of a getter. */
export interface PretrainedGetterOptions<Feature extends FeatureName, Name extends ModelName = ModelName>
  extends PretrainedOptions<Name> {
  /** Layers and the names of their features, as {@link IntermediateLayerGetter} takes them. */
  readonly returnLayers: ReturnLayers<Feature, ModelOf<Name>>;
}

/**
 * A getter with torchvision's weights; only the bytes of its layers are read:
 *
 *     const getter = await pretrained('resnet50', { returnLayers: { layer4: 'out' } });
 *     const x = getModelWeights('resnet50').DEFAULT.transforms()(image);
 *     getter.forward(x).get('out');
 *
 * Without `returnLayers` it is the whole model, as torchvision's builder makes it with these weights: with the
 * auxiliary head of FCN and DeepLab v3 and of Inception v3, without those of GoogLeNet, and with the input transform of
 * both Inceptions. Then the whole file is read into memory, and its SHA-256 compared with the digits in its name;
 * `checkHash: false` leaves that out, and reads what the model needs. Of a licence that excludes commercial use,
 * `onWarning` is told before anything is read: console.warn unless given. What is thrown in it ends the call.
 *
 * @throws {@link KeyError} where there is no such model, or it has no such weights
 * @throws {@link FormatError} where the file isn't the one that was asked for
 * @throws {@link NetworkError} where the server can't be reached, refuses, or doesn't keep to HTTP
 * @throws what `signal` was aborted with
 * @see torchvision.models.get_model
 */
export function pretrained<Name extends ModelName, const Feature extends FeatureName>(
  name: Name,
  options: PretrainedGetterOptions<Feature, Name>,
): Promise<IntermediateLayerGetter<Feature, ModelOf<Name> & AnyModule>>;
/** As above, where strings and numbers are features in one list: TypeScript infers no union of them. */
export function pretrained<Name extends ModelName>(
  name: Name,
  options: PretrainedGetterOptions<FeatureName, Name>,
): Promise<IntermediateLayerGetter<FeatureName, ModelOf<Name> & AnyModule>>;
/** As above, the whole model. */
export function pretrained<Name extends ModelName>(
  name: Name,
  options?: PretrainedOptions<Name> & { readonly returnLayers?: undefined },
): Promise<ModelOf<Name>>;
/** The implementation. */
export async function pretrained(
  name: ModelName,
  options: PretrainedOptions<any> & { readonly returnLayers?: ReturnLayers<any, any> | undefined } = {},
): Promise<any> {
  const { weights, returnLayers, modelOptions, inputShapes, onWarning, ...source } = withDefaults(
    'pretrained',
    options,
    {
      ...SOURCE_DEFAULTS,
      ...{ weights: 'DEFAULT', returnLayers: undefined, modelOptions: undefined, inputShapes: undefined },
      onWarning: undefined,
    },
  );
  const chosen = weightsOf('pretrained', name, weights);
  const model: AnyModule = createModel(name as string, { ...modelOptionsOf(chosen), ...(modelOptions as object) });
  const getterOptions = onWarning === undefined ? {} : { onWarning };
  const module = returnLayers ? new IntermediateLayerGetter(model, returnLayers, getterOptions) : model;
  const notice = licenseNotice(chosen);
  if (notice !== null && onWarning !== null) (onWarning ?? console.warn)(`pretrained: ${notice}`);
  const { onProgress } = source;
  const isWhole = source.checkHash ?? !returnLayers;
  const file = await openPretrained(chosen, { ...source, ...(isWhole && { checkHash: isWhole }) });
  try {
    // A file that was read as a whole has told its progress.
    const reading = { signal: source.signal, inputShapes, ...(!isWhole && { onProgress }) };
    await module.loadStateDictAsync(withoutHeads(file, module), reading);
  } finally {
    await file.close();
  }
  return module;
}

/** What {@link modelOptionsOf} gives. */
export interface WeightsModelOptions {
  readonly auxLogits?: boolean;
  readonly auxLoss?: boolean;
  readonly transformInput?: boolean;
}

/** The options with which torchvision's builder makes the model of weights; absent ones are its defaults. */
export function modelOptionsOf(weights: Weights): WeightsModelOptions {
  const { model, meta } = checkedWeights('modelOptionsOf', weights);
  if (model === 'googlenet') return { auxLogits: false, transformInput: true };
  if (model === 'inception_v3') return { transformInput: true };
  return meta.categories === 'voc' && !model.startsWith('lraspp') ? { auxLoss: true } : {};
}

/** The auxiliary heads of torchvision's files. */
const HEADS = ['aux1.', 'aux2.', 'AuxLogits.', 'aux_classifier.'];

/** The file as one without the heads that a module hasn't. */
function withoutHeads(file: TensorStream, module: AnyModule): TensorStream {
  const keys = [...module.stateShapes().keys()];
  const left = HEADS.filter((head) => !keys.some((key) => key.startsWith(head)));
  const tensors = new Map([...file.tensors].filter(([key]) => !left.some((head) => key.startsWith(head))));
  return { ...file, tensors };
}
