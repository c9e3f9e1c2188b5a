/** torchvision's models, by torchvision's names: each exported function whose name is lower case builds one. */

export * from './alexnet.ts';
export * from './blocks.ts';
export * from './convnext.ts';
export * from './deeplabv3.ts';
export * from './densenet.ts';
export * from './efficientnet.ts';
export * from './fcn.ts';
export {
  BackboneWithFPN,
  ExtraFPNBlock,
  FeaturePyramidNetwork,
  type FPNOptions,
  LastLevelMaxPool,
  LastLevelP6P7,
  type NamedMaps,
} from './fpn.ts';
export {
  type MobilenetBackboneOptions,
  type MobilenetFeatures,
  mobilenetBackbone,
  type ResnetFpnBackboneOptions,
  resnetFpnBackbone,
} from './fpn-backbones.ts';
export * from './googlenet.ts';
export * from './inceptionv3.ts';
export * from './lraspp.ts';
export * from './mnasnet.ts';
export * from './mobilenetv2.ts';
export * from './mobilenetv3.ts';
export * from './regnet.ts';
export * from './resnet.ts';
export { type SegmentationOptions, SimpleSegmentationModel } from './segmentation.ts';
export * from './shufflenetv2.ts';
export * from './squeezenet.ts';
export * from './ssd.ts';
export * from './ssdlite.ts';
export * from './vgg.ts';
