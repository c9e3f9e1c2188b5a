/**
 * What every runtime computes: features of a truncated network against torchvision's, and the bits of a deterministic
 * one. It is handed the package as it was imported, so the same lines run under every kind of import, in workers and
 * behind bundlers.
 */

import { everyKernel, fill, generatedTensor, oddInput } from './networks.mjs';

/** The part of a feature's largest absolute value by which it may be off torchvision's. */
const GOLDEN_BOUND = 1e-4;

/** The part by which the two binaries may be apart: fused multiply-adds round once where others round twice. */
const BINARIES_BOUND = 1e-5;

/**
 * @param {any} layertap the package's exports
 * @param {{ input: number[], features: Record<string, { shape: number[], largest: number, samples: number[] }> }}
 *   golden
 * @returns {{ binary: string, golden: number, apart: number, hash: string }} the binary that the host chose, the
 *   largest parts by which
 * features were off torchvision's and off the plain binary's, and the deterministic features' hash
 * @throws Error where features are off
 */
export function probe(layertap, golden) {
  const getter = truncatedNetwork(layertap);
  const x = generatedTensor(layertap, 'input', golden.input);
  const features = getter.forward(x);
  const { binary } = getter.compiled;

  const off = { golden: 0, apart: 0 };
  const names = Object.keys(golden.features);
  for (const name of names) {
    const { shape, largest, samples } = golden.features[name];
    const { data, shape: got } = features.get(name);
    if (String(got) !== String(shape)) throw new Error(`feature ${name}: expected shape ${shape}, got ${got}`);
    const at = samples.map((_, i) => data[Math.floor((i * data.length) / samples.length)]);
    off.golden = Math.max(off.golden, ...samples.map((sample, i) => distance(at[i], sample, largest)));
  }
  if (!(off.golden <= GOLDEN_BOUND)) throw new Error(`features are off torchvision's by ${off.golden}`);

  const plain = getter.compile({ deterministic: true }).forward(x);
  for (const name of names) {
    const [one, other] = [features.get(name).data, plain.get(name).data];
    const { largest } = golden.features[name];
    one.forEach((value, i) => {
      off.apart = Math.max(off.apart, distance(value, other[i], largest));
    });
  }
  if (!(off.apart <= BINARIES_BOUND)) throw new Error(`the binaries are ${off.apart} apart`);

  const network = everyKernel(layertap).compile({ deterministic: true });
  return { binary, ...off, hash: hashOf([...network.call(oddInput(layertap)).values(), ...plain.values()]) };
}

/**
 * The same on two threads.
 *
 * @param {any} layertap the package's exports
 * @param {any} ThreadPool
 * @param {Parameters<typeof probe>[1]} golden
 * @returns {Promise<{ binary: string, hash: string }>}
 * @throws Error where a bit is another than on one thread
 */
export async function probeThreads(layertap, ThreadPool, golden) {
  const { binary, hash } = probe(layertap, golden);
  const pool = await ThreadPool.create(2);
  const getter = truncatedNetwork(layertap);
  const x = generatedTensor(layertap, 'input', golden.input);
  const alone = getter.forward(x);
  const shared = await getter.compile({ pool }).forwardAsync(x);
  if (hashOf([...shared.values()]) !== hashOf([...alone.values()]))
    throw new Error('two threads gave other bits than one');

  const plain = await getter.compile({ pool, deterministic: true }).forwardAsync(x);
  const network = everyKernel(layertap).compile({ pool, deterministic: true });
  const outputs = [...(await network.callAsync(oddInput(layertap))).values(), ...plain.values()];
  await pool.close();
  if (hashOf(outputs) !== hash) throw new Error('two threads gave other deterministic bits than one');
  return { binary, hash };
}

/** A ResNet-18 with weights up to the layers that the golden has. */
function truncatedNetwork(layertap) {
  const { IntermediateLayerGetter, loadSafetensors, resnet18, saveSafetensors } = layertap;
  const getter = new IntermediateLayerGetter(resnet18(), { layer1: '0', layer2: '1' });
  const file = saveSafetensors(fill(layertap, getter.stateShapes()));
  getter.loadStateDict(loadSafetensors(file), { strict: false });
  return getter;
}

/** How far apart two values are, as a part of `largest`; not a number where one of them isn't. */
function distance(a, b, largest) {
  return Math.abs(a - b) / largest;
}

/**
 * FNV-1a, 64 bits, of all values' bits. @param {readonly { data: Float32Array }[]} tensors @returns {string} 16
 * hexadecimal digits
 */
function hashOf(tensors) {
  let hash = 0xcbf29ce484222325n;
  for (const { data } of tensors) {
    const { buffer, byteOffset, length } = data;
    for (const word of new Uint32Array(buffer, byteOffset, length)) {
      hash = BigInt.asUintN(64, (hash ^ BigInt(word)) * 0x100000001b3n);
    }
  }
  return hash.toString(16).padStart(16, '0');
}
