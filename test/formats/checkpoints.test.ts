/** Where in a checkpoint the state dict is, by which names, and what the messages say where it isn't what is wanted. */

import { describe, expect, it } from 'vitest';
import { loadWeights, openWeights, resnet18, resnet50, Tensor } from '../../src/index.ts';
import { fillParameters } from '../support/generator.ts';
import { dict, global, int, legacyWith, pickledTensor, zipWith } from '../support/pickle.ts';
import { rejection, thrown } from '../support/thrown.ts';

const state = dict({ w: pickledTensor() });
const storages = { 0: [1, 2] };

describe.each([
  ['zip', zipWith],
  ['legacy', legacyWith],
])('a checkpoint in the %s layout', (_, fileWith) => {
  it.each([
    [{ epoch: int(3), state_dict: state }, '"state_dict"', 'state_dict'],
    [{ model: state, optimizer: dict({}) }, '"model"', 'model'],
    [{ ema: state, model_state_dict: state }, '"ema", "model_state_dict"', 'model_state_dict'],
    [{ model_ema: state, params: state }, '"model_ema", "params"', 'params'],
    [{ mine: state, net: state }, '"mine", "net"', 'net'],
    [{ mine: state }, '"mine"', 'mine'],
    [{ ema: dict({ state_dict: state }), epoch: int(1) }, '"ema.state_dict"', 'ema.state_dict'],
    [{ a: dict({ b: dict({ c: state }) }) }, '"a.b.c"', 'a.b.c'],
    [{ a: dict({ 'b.c': state }) }, '"a.b.c"', 'a.b.c'],
    [{ 'a.b': dict({ c: state }) }, '"a.b.c"', 'a.b.c'],
    [{ 'a.b': dict({ 'c.d': dict({ e: state }) }), a: int(1) }, '"a.b.c.d.e"', 'a.b.c.d.e'],
  ])('is told with the key that gives the state dict: %j', async (entries, found, key) => {
    const bytes = fileWith(dict(entries as Record<string, string>), storages);
    expect(await rejection(() => openWeights(bytes))).toBe(
      `FormatError: pth: expected a state dict, got a checkpoint with state dicts under ${found}; ` +
        `pass { key: "${key}" } to openWeights`,
    );
    expect([...(await loadWeights(bytes, { key }))]).toEqual([['w', new Tensor(Float32Array.of(1, 2), [2])]]);
  });

  it('with tensors beside its state dicts says how to get at either', async () => {
    const bytes = fileWith(dict({ w: pickledTensor(), ema: dict({ v: pickledTensor() }) }), storages);
    expect(await rejection(() => openWeights(bytes))).toBe(
      'FormatError: pth: expected a state dict, got a checkpoint with state dicts under "ema"; ' +
        'pass { key: "ema" } to openWeights, or { key: "" } for the tensors beside them',
    );
    expect([...(await openWeights(bytes, { key: '' })).tensors.keys()]).toEqual(['w']);
    expect([...(await openWeights(bytes, { key: 'ema' })).tensors.keys()]).toEqual(['v']);
  });

  it('under whose key are no tensors is refused, with the way on where there is one', async () => {
    const inner = dict({ b: dict({ c: state }), lr: int(1), none: dict({}) });
    const bytes = fileWith(dict({ a: inner, model: state }), storages);
    expect(await rejection(() => openWeights(bytes, { key: 'a' }))).toBe(
      'FormatError: pth: expected a state dict under key "a", got a checkpoint with state dicts under "b.c"; ' +
        'pass { key: "a.b.c" } to openWeights',
    );
    expect(await rejection(() => openWeights(bytes, { key: 'a.lr' }))).toBe(
      'FormatError: pth: expected a dict under key "a.lr", got a checkpoint of "a", "model"',
    );
    const optimizer = fileWith(dict({ optimizer: dict({ lr: int(1) }), model: state }), storages);
    expect(await rejection(() => openWeights(optimizer, { key: 'optimizer' }))).toBe(
      'FormatError: pth: expected a state dict under key "optimizer", got a checkpoint with no tensors under "lr"',
    );
    expect((await openWeights(bytes, { key: 'a.none' })).tensors.size).toBe(0);
  });

  it('whose tensors have numbers for names says so', async () => {
    const bytes = fileWith(`}(${int(0)}${pickledTensor()}${int(1)}${pickledTensor()}u`, storages);
    expect(await rejection(() => openWeights(bytes))).toBe(
      'FormatError: pth: expected a state dict, got tensors without names, under 0, 1',
    );
  });

  it('of a hundred dicts names eight', async () => {
    const many = Object.fromEntries(Array.from({ length: 102 }, (_, i) => [`k${i}`, state]));
    expect(await rejection(() => openWeights(fileWith(dict(many), storages)))).toBe(
      'FormatError: pth: expected a state dict, got a checkpoint with state dicts under "k0", "k1", "k2", "k3", "k4", ' +
        '"k5", "k6", "k7" and 94 more; pass { key: "k0" } to openWeights',
    );
  });

  it('of a whole module says how to get at its state dict', async () => {
    const model = `${global('timm.models.ResNet')})R`;
    expect(await rejection(() => openWeights(fileWith(dict({ epoch: int(3), model }))))).toBe(
      'FormatError: pth: expected a state dict, got a checkpoint with no tensors under "epoch", "model"; ' +
        '"model" is a whole "timm.models.ResNet": in Python, save its state_dict()',
    );
  });

  it('that holds itself is looked through once', async () => {
    const loop = '}q\x00X\x01\x00\x00\x00ah\x00s';
    expect(await rejection(() => openWeights(fileWith(loop)))).toBe(
      'FormatError: pth: expected a state dict, got a checkpoint with no tensors under "a"',
    );
  });
});

describe('keys that are not the model’s', () => {
  const tensors = fillParameters(resnet18({ numClasses: 2 })).stateDict();
  const firstLine = (rename: (key: string) => string, model = resnet18({ numClasses: 2 })) =>
    thrown(() => model.loadStateDict(new Map(Array.from(tensors, ([key, value]) => [rename(key), value])))).split(
      '\n',
    )[0];

  it.each(['module.', '_orig_mod.', 'model.', 'backbone.', 'encoder.', 'module.model.', 'encoder_q.'])(
    'have the prefix %s, as the first line says',
    (prefix) => {
      expect(firstLine((key) => prefix + key)).toBe(
        'StateDictError: Error(s) in loading state_dict for ResNet: ' +
          `keys begin with "${prefix}"; pass { prefix: "${prefix}" } to openWeights`,
      );
    },
  );

  it('have a prefix beside keys of other parts, too', () => {
    expect(firstLine((key) => (key.startsWith('fc.') ? key : `backbone.${key}`))).toMatch(/begin with "backbone\."; /);
  });

  it('are another architecture’s, of which three tell', () => {
    expect(firstLine((key) => key, resnet50({ numClasses: 2 }))).toBe(
      'StateDictError: Error(s) in loading state_dict for ResNet: another architecture, as ' +
        '"layer1.0.conv3.weight", "layer1.0.bn3.weight", "layer1.0.bn3.bias" tell',
    );
    expect(firstLine((key) => key.replace(/^layer/, 'stages.'))).toBe(
      'StateDictError: Error(s) in loading state_dict for ResNet: another architecture, as ' +
        '"stages.1.0.conv1.weight", "stages.1.0.bn1.weight", "stages.1.0.bn1.bias" tell',
    );
  });

  it('are another architecture’s where some end as keys of the model do', () => {
    expect(firstLine((key) => (key.startsWith('fc.') ? key : `${key}.conv1.weight`))).toBe(
      'StateDictError: Error(s) in loading state_dict for ResNet: another architecture, as ' +
        '"conv1.weight.conv1.weight", "bn1.weight.conv1.weight", "bn1.bias.conv1.weight" tell',
    );
  });

  it('may be a few of another head', () => {
    expect(firstLine((key) => key.replace(/^fc\./, 'head.'))).toBe(
      'StateDictError: Error(s) in loading state_dict for ResNet:',
    );
  });
});
