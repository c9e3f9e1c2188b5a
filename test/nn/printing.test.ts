/** What console.log and JSON.stringify make of tensors, features and modules: a line, and a plain array. */

import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { IntermediateLayerGetter } from '../../src/features/intermediate-layer-getter.ts';
import { resnet18 } from '../../src/models/resnet.ts';
import { Sequential } from '../../src/nn/container.ts';
import { Conv2d } from '../../src/nn/conv.ts';
import { Tensor, tensor, zeros } from '../../src/tensor/tensor.ts';

describe('console.log', () => {
  it('prints a tensor with its first elements', () => {
    expect(inspect(tensor([1, 2.5, -3], [3]))).toBe('Tensor(float32, [3]) [1,2.5,-3]');
    expect(inspect(zeros([1, 3, 4, 4]))).toBe('Tensor(float32, [1, 3, 4, 4]) [0,0,0,0,0,0]');
    expect(inspect(new Tensor(BigInt64Array.from([7n]), []))).toBe('Tensor(int64, []) [7]');
  });

  it('prints a tensor whose data was transferred, and an empty one', () => {
    const gone = tensor([1, 2], [2]);
    structuredClone(gone.data, { transfer: [gone.data.buffer as ArrayBuffer] });
    expect(inspect(gone)).toBe('Tensor(float32, [2]) []');
    expect(inspect(zeros([0, 3]))).toBe('Tensor(float32, [0, 3]) []');
  });

  it('prints a line for each feature of a map', () => {
    expect(inspect(new Map([['out', zeros([1, 2])]]))).toBe("Map(1) { 'out' => Tensor(float32, [1, 2]) [0,0] }");
  });

  it('prints a module with its children’s names, and one without as PyTorch does', () => {
    const net = resnet18();
    const children = 'conv1, bn1, relu, maxpool, layer1, layer2, layer3, layer4, avgpool, fc';
    expect(inspect(net)).toBe(`ResNet(${children})`);
    expect(inspect(new IntermediateLayerGetter(net, { bn1: 'a' }))).toBe('IntermediateLayerGetter(conv1, bn1)');
    expect(inspect(new Conv2d(3, 8, 1))).toBe('Conv2d(3, 8, kernel_size=(1, 1), stride=(1, 1))');
    expect(inspect(new Sequential())).toBe('Sequential()');
  });
});

describe('JSON.stringify', () => {
  it('makes a plain array of a tensor, in row-major order', () => {
    expect(JSON.stringify({ x: tensor([1, 2, Number.NaN, 4], [2, 2]) })).toBe('{"x":[1,2,null,4]}');
  });

  it('has values of every dtype as numbers', () => {
    expect(JSON.stringify(new Tensor(BigInt64Array.from([7n, -1n]), [2]))).toBe('[7,-1]');
    expect(JSON.stringify(new Tensor(Uint16Array.from([0x3c00, 0xc000]), [2], 'float16'))).toBe('[1,-2]');
    expect(JSON.stringify(new Tensor(Uint16Array.from([0x3f80]), [1], 'bfloat16'))).toBe('[1]');
  });
});
