// What a user of a bundler writes: names, not the whole package.
import {
  AdaptiveAvgPool2d,
  AvgPool2d,
  add,
  BatchNorm2d,
  Conv2d,
  cat,
  functional,
  Hardsigmoid,
  Hardswish,
  IntermediateLayerGetter,
  Linear,
  loadSafetensors,
  MaxPool2d,
  Module,
  relu,
  resnet18,
  Sequential,
  Sigmoid,
  SiLU,
  saveSafetensors,
  Tensor,
  Upsample,
} from 'layertap';
import { golden } from './golden.mjs';
import { probe } from './probe.mjs';

const layers = {
  AdaptiveAvgPool2d,
  AvgPool2d,
  BatchNorm2d,
  Conv2d,
  Hardsigmoid,
  Hardswish,
  Linear,
  MaxPool2d,
  Upsample,
};
const others = { add, cat, functional, IntermediateLayerGetter, loadSafetensors, Module, relu, resnet18 };
const layertap = { ...layers, ...others, Sequential, Sigmoid, SiLU, saveSafetensors, Tensor };
console.log(JSON.stringify(probe(layertap, golden)));
