/** torchvision's models, by torchvision's names: each exported function whose name is lower case builds one. */

export * from './blocks.ts';
export * from './deeplabv3.ts';
export * from './fcn.ts';
export * from './mobilenetv2.ts';
export * from './mobilenetv3.ts';
export * from './resnet.ts';
export * from './segmentation.ts';
export * from './squeezenet.ts';
