/** layertap's public names. */

export {
  DtypeError,
  FileChangedError,
  FormatError,
  KeyError,
  LayertapError,
  MemoryError,
  NetworkError,
  ShapeError,
  StateDictError,
  ThreadError,
  UnsupportedError,
  ValueError,
} from './errors.ts';
export * from './features/feature-extractor.ts';
export * from './features/features-only.ts';
export * from './features/intermediate-layer-getter.ts';
export * from './formats/open-safetensors.ts';
export { loadWeights, type OpenedWeights, type OpenWeightsOptions, openWeights } from './formats/open-weights.ts';
export {
  MAX_SAFETENSORS_HEADER_BYTES,
  parseSafetensorsHeader,
  type SafetensorsDtype,
  type SafetensorsHeader,
  safetensorsHeaderBytes,
  type TensorInfo,
} from './formats/safetensors-header.ts';
export {
  decodeSafetensorsTensor,
  loadSafetensors,
  readSafetensors,
  type SafetensorsFile,
} from './formats/safetensors-read.ts';
export { saveSafetensors } from './formats/safetensors-write.ts';
export { Graph, macsOf, type Node, type Program, Value } from './graph/graph.ts';
export { interpret } from './graph/interpret.ts';
export {
  checkImage,
  checkImageSize,
  type Image,
  imageFromRgb,
  imageFromRgba,
  imageToRgba,
  MAX_IMAGE_BYTES,
} from './image/image.ts';
export * from './image/presets.ts';
export * from './image/resize.ts';
export { normalize, toImage, toTensor } from './image/to-tensor.ts';
export * from './models/index.ts';
export * as models from './models/index.ts';
export * from './nn/activation.ts';
export * from './nn/batchnorm.ts';
export * from './nn/batchnorm1d.ts';
export * from './nn/container.ts';
export * from './nn/conv-transpose.ts';
export * from './nn/conv1d.ts';
export { Conv2d, type Conv2dOptions, type PaddingMode } from './nn/conv2d.ts';
export * from './nn/custom-op.ts';
export * from './nn/dropout.ts';
export type { AsyncOptions, Progress } from './nn/execution.ts';
export * from './nn/flatten.ts';
export * as functional from './nn/functional.ts';
export * from './nn/functional.ts';
export * from './nn/instance-norm.ts';
export * from './nn/layer.ts';
export * from './nn/linear.ts';
export type { IncompatibleKeys, LoadStateDictAsyncOptions } from './nn/load-state-dict.ts';
export * from './nn/module.ts';
export * from './nn/normalization.ts';
export type { Materialized } from './nn/output.ts';
export * from './nn/padding-layers.ts';
export * from './nn/pooling.ts';
export * from './nn/pooling1d.ts';
export * from './nn/state-dict.ts';
export * from './nn/upsampling.ts';
export type { WeightStorage } from './ops/lowering/algorithm.ts';
export type { Pair, Sides } from './ops/rules/window.ts';
export type { CompileOptions } from './plan/compile-options.ts';
export type { Compiled } from './plan/compiled.ts';
export type { StepReport } from './plan/plan.ts';
export type { Pool } from './plan/pool.ts';
export { DTYPES, type Dtype, float16ToNumber, numberToFloat16, type TensorData } from './tensor/dtype.ts';
export { Buffer, Parameter } from './tensor/parameter.ts';
export type { Shape } from './tensor/shape.ts';
export { Tensor, tensor, zeros } from './tensor/tensor.ts';
export type { LoadProgress, ReadTensorsOptions, TensorStream } from './tensor/tensor-stream.ts';
export type { Binary } from './wasm/binary.ts';
export { setModule } from './wasm/instantiate.ts';
