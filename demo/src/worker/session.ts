/** The network that is open: its weights, read as far as layers need them, and its compiled form for these layers. */

import {
  createFeatureExtractor,
  type FeatureExtractor,
  getGraphNodeNames,
  type OpenedWeights,
  openWeights,
  type Shape,
  StateDictError,
  type TensorStream,
  zeros,
} from 'layertap';
import { type CamLayers, camLayers } from 'layertap/tools';
import type { Event, Opened, WeightSource } from '../protocol.ts';
import { builtin } from './builtin.ts';
import { compileOptions } from './host.ts';
import { type Network, treeOf } from './network.ts';
import { network } from './networks.ts';
import { OTHER_NETWORK, Said } from './problems.ts';

/** The name of the feature that the answer is made of. */
export const ANSWER = '\0answer';

/** The name of the feature that class activation maps are made of. */
export const CAM = '\0cam';

/** Bytes of an element, by the formats' names of its type. */
const ELEMENT_BYTES: readonly [type: RegExp, bytes: number][] = [
  [/64|double|long/i, 8],
  [/16|half|short/i, 2],
  [/8|bool|byte|char/i, 1],
];

/** The page is told of bytes that often at most: a file comes in a thousand pieces, and each would be drawn. */
const PROGRESS_MS = 50;

/** Pixels and parameters up to which any of torchvision's networks takes less than 1 GiB, the least that there is. */
const SMALL_PIXELS = 2 * 224 ** 2;
const SMALL_PARAMETERS = 20e6;

/** A network with the weights that it has so far. */
export class Session {
  static #count = 0;
  /** Which session it is. */
  readonly key = ++Session.#count;
  readonly network: Network;
  readonly #file: Weights | null;
  readonly #weightsName: string;
  /** Keys whose values are there. */
  readonly #loaded = new Set<string>();
  /** What was planned last, and fits. */
  #planned = '';
  #cam: CamLayers | null | undefined;
  #extractor: { readonly key: string; readonly extractor: FeatureExtractor<string> } | null = null;

  private constructor(net: Network, file: Weights | null, weightsName: string) {
    this.network = net;
    this.#file = file;
    this.#weightsName = weightsName;
  }

  /** Opens weights, and makes the network that they are for. */
  static async open(id: string, source: WeightSource, signal: AbortSignal): Promise<Session> {
    if (source.kind === 'hub') return Session.#ofHub(source.repo, signal);
    const opening = opened(source, signal);
    // Its failure is told below.
    opening.catch(() => {});
    const plain = await network(id);
    // While the weights are on their way.
    treeOf(plain);
    const file = await opening;
    if (!file) return new Session(plain, null, '');
    if (source.kind !== 'file') return new Session(plain, file, 'comes with this page');
    const { name } = source.file;
    try {
      return new Session(await fitting(plain, file), file, name);
    } catch (error) {
      const prefix = error instanceof OtherNetwork && error.prefix;
      if (!prefix) throw error;
      // Such as module., which DataParallel puts before each name.
      const bare = await openWeights(source.file, { prefix, signal });
      return new Session(await fitting(plain, bare), bare, `${name}, its names without “${prefix}”`);
    }
  }

  static async #ofHub(repo: string, signal: AbortSignal): Promise<Session> {
    const { hubNetwork, openRepo } = await import('./torchvision.ts');
    const repository = await openRepo(repo, signal);
    const { tensors, stream } = repository.weights;
    const file = { tensors, stream, close: () => repository.close() };
    const net = hubNetwork(repository);
    await checkFits(net, file);
    return new Session(net, file, repo);
  }

  /** Whether there is something to compute with. */
  get hasWeights(): boolean {
    return this.#file !== null;
  }

  /** What the page is told. */
  describe(): Opened {
    const { key, hasWeights, parameters } = this;
    const { id, kind, layers, size, ownSize } = this.network;
    return {
      ...{ key, id, kind, layers, size, ownSize, hasWeights, parameters, weightsName: this.#weightsName },
      tree: treeOf(this.network),
    };
  }

  /** The layers that class activation maps are made of; null where the network doesn't end as they need it. */
  get cam(): CamLayers | null {
    if (this.#cam !== undefined) return this.#cam;
    const { model, size, kind } = this.network;
    try {
      this.#cam = kind === 'classification' ? camLayers(model, [1, 3, size, size]) : null;
    } catch {
      this.#cam = null;
    }
    return this.#cam;
  }

  /** An extractor of some layers, and of the answer where it is asked for. */
  extractor(layers: readonly string[], withAnswer: boolean): FeatureExtractor<string> {
    const options = compileOptions();
    // Threads may have started since.
    const key = JSON.stringify([layers, withAnswer, options.pool !== undefined]);
    if (this.#extractor?.key === key) return this.#extractor.extractor;
    const { model, size } = this.network;
    const inputShape = [1, 3, size, size];
    const returnNodes = new Map<string, string>(layers.map((layer) => [layer, layer]));
    if (withAnswer) {
      const node = this.#answerNode(inputShape);
      if (!returnNodes.has(node)) returnNodes.set(node, ANSWER);
      if (this.cam && !returnNodes.has(this.cam.feature)) returnNodes.set(this.cam.feature, CAM);
    }
    const extractor = createFeatureExtractor(model, { returnNodes, inputShape }) as FeatureExtractor<string>;
    extractor.compile(options);
    this.#extractor = { key, extractor };
    return extractor;
  }

  /** The node that the network's scores come from. */
  #answerNode(inputShape: readonly number[]): string {
    const nodes = getGraphNodeNames(this.network.model, { inputShape });
    return this.network.kind === 'segmentation' && nodes.includes('interpolate') ? 'interpolate' : nodes.at(-1)!;
  }

  /**
   * Fails what is too large for the memory, before a picture is resized or weights are read. The same network without
   * weights is planned, and then refuses to run for the lack of them: so nothing is computed.
   */
  plan(layers: readonly string[], withAnswer: boolean, inputShape: Shape): void {
    const key = JSON.stringify([layers, withAnswer, inputShape]);
    if (this.#planned === key || this.#isSmall(inputShape)) return;
    const probe = new Session(this.network.again(), null, '');
    try {
      probe.extractor(layers, withAnswer).forward(zeros(inputShape));
    } catch (error) {
      if (!(error instanceof StateDictError)) throw error;
    }
    this.#planned = key;
  }

  /** Whether it fits in the smallest memory that there may be, whatever is asked for: that saves a picture a plan. */
  #isSmall([, , height, width]: Shape): boolean {
    return height! * width! <= SMALL_PIXELS && this.parameters <= SMALL_PARAMETERS;
  }

  /** How many numbers the network has learned. */
  get parameters(): number {
    return Array.from(this.network.model.parameters()).reduce((sum, parameter) => sum + parameter.numel(), 0);
  }

  /** Reads the weights that an extractor needs and that aren't there yet. */
  async load(extractor: FeatureExtractor<string>, emit: (event: Event) => void, signal: AbortSignal): Promise<void> {
    const file = this.#file;
    const missing = this.#missing(extractor);
    if (!file || missing.length === 0) return;
    const fileBytes = sizeOf(file);
    let next = 0;
    const onProgress = ({ loadedBytes, totalBytes }: { loadedBytes: number; totalBytes: number }) => {
      const now = performance.now();
      if (now < next && loadedBytes < totalBytes) return;
      next = now + PROGRESS_MS;
      emit({ type: 'weights', loadedBytes, neededBytes: totalBytes, fileBytes });
    };
    const isFirst = this.#loaded.size === 0;
    const wanted = new Set(missing);
    const stream: TensorStream = isFirst
      ? file
      : { tensors: new Map([...file.tensors].filter(([key]) => wanted.has(key))), stream: file.stream };
    await extractor.loadStateDictAsync(stream, { strict: isFirst, signal, onProgress });
    for (const key of missing) this.#loaded.add(key);
  }

  #missing(extractor: FeatureExtractor<string>): string[] {
    return [...extractor.stateShapes().keys()].filter((key) => !this.#loaded.has(key));
  }

  /** Lets go of the file. */
  async close(): Promise<void> {
    await this.#file?.close();
  }
}

/** What is read of weights. */
type Weights = TensorStream & Pick<OpenedWeights, 'close'>;

async function opened(source: WeightSource, signal: AbortSignal): Promise<OpenedWeights | null> {
  switch (source.kind) {
    case 'builtin':
      return openWeights(await builtin('weights'), { signal });
    case 'file':
      return openWeights(source.file, { signal });
    default:
      return null;
  }
}

/** Weights that aren't the network's. */
class OtherNetwork extends Said {
  /** What all their names begin with, where they fit without it. */
  readonly prefix: string | undefined;

  constructor(detail: string, prefix: string | undefined) {
    super(OTHER_NETWORK, detail);
    this.prefix = prefix;
  }
}

/**
 * A network with as many classes as a file has, where the file is that network's. Otherwise the file is closed.
 *
 * @throws OtherNetwork where it is another network's
 */
async function fitting(plain: Network, file: Weights): Promise<Network> {
  // The last tensor of the network is its last layer's: as many rows as there are classes.
  const numClasses = classesOf(plain, file);
  const fit = numClasses === undefined ? plain : await network(plain.id, numClasses);
  await checkFits(fit, file);
  return fit;
}

/**
 * Compares the names and shapes of weights with a network's, as the library judges them, before the network that is
 * open is let go of. What weights lack after the layers that are shown first is told once it is needed. Weights that
 * don't fit are closed.
 *
 * @throws OtherNetwork where they are another network's
 */
async function checkFits(net: Network, file: Weights): Promise<void> {
  const { model, layers, size } = net;
  const fits = new Error('They fit.');
  const stream = () => {
    throw fits;
  };
  try {
    const extractor = createFeatureExtractor(model, { returnNodes: layers, inputShape: [1, 3, size, size] });
    await extractor.loadStateDictAsync({ tensors: file.tensors, stream });
  } catch (error) {
    if (error === fits) return;
    await file.close();
    if (!(error instanceof StateDictError)) throw error;
    throw new OtherNetwork(differenceOf(net, file), /pass \{ prefix: "(.+?)" \}/.exec(error.message)?.[1]);
  }
}

/** Says what of a file isn't the network's. */
function differenceOf({ id, model }: Network, { tensors }: Weights): string {
  const own = model.stateShapes();
  const [first, shape] = [...own][0]!;
  const sizes = (of: Shape) => of.join(' × ');
  const there = tensors.get(first)?.shape;
  if (String(there) !== String(shape)) {
    const got = there ? `${first} of ${sizes(there)}` : `no ${first}, but ${[...tensors.keys()][0] ?? 'nothing'}`;
    return `The first layer of ${id} is ${first} of ${sizes(shape)}. The file has ${got}.`;
  }
  const lacking = [...own.keys()].find((key) => !tensors.has(key) && !key.endsWith('.num_batches_tracked'));
  if (lacking) return `${id} has a tensor ${lacking}, and the file has none.`;
  const differing = [...own].find(
    ([key, size]) => tensors.has(key) && String(tensors.get(key)!.shape) !== String(size),
  );
  if (differing) {
    const [key, size] = differing;
    const got = sizes(tensors.get(key)!.shape);
    return `${key} of ${id} has a shape of ${sizes(size)}, and the file’s of ${got}.`;
  }
  const foreign = [...tensors.keys()].find((key) => !own.has(key));
  return `The file has a tensor ${foreign}, and ${id} has none.`;
}

/** How many classes a file's last layer has, where that isn't what the network is made with. */
function classesOf({ model }: Network, file: Weights): number | undefined {
  const weights = [...model.stateShapes()].filter(([, shape]) => shape.length > 1 && !shape.includes(0));
  const last = weights.filter(([key]) => !key.startsWith('aux')).at(-1);
  if (!last) return undefined;
  const there = file.tensors.get(last[0])?.shape;
  const rows = there?.[0];
  const isAlike = there?.length === last[1].length && there.slice(1).every((size, i) => size === last[1][i + 1]);
  return isAlike && rows !== last[1][0] ? rows : undefined;
}

/** Bytes of all tensors of a file. */
function sizeOf({ tensors }: Weights): number {
  let sum = 0;
  for (const { dtype, shape } of tensors.values()) {
    const bytes = ELEMENT_BYTES.find(([type]) => type.test(dtype))?.[1] ?? 4;
    sum += shape.reduce((product, size) => product * size, bytes);
  }
  return sum;
}
