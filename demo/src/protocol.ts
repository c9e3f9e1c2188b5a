/** What the page and its worker say to each other. Types alone: both sides import them. */

/** Pixels in rows from the top, four bytes each. */
export interface Picture {
  readonly data: Uint8ClampedArray<ArrayBuffer>;
  readonly width: number;
  readonly height: number;
}

/** Where a network's weights come from. */
export type WeightSource =
  | { readonly kind: 'builtin' }
  | { readonly kind: 'file'; readonly file: File }
  | { readonly kind: 'hub'; readonly repo: string }
  | { readonly kind: 'none' };

/** A network that can be chosen. */
export interface NetworkChoice {
  readonly id: string;
  readonly group: string;
  readonly builtin: boolean;
  /** Repositories of the hub with weights for it. */
  readonly repos: readonly string[];
}

/** What the worker's host offers. */
export interface Host {
  readonly networks: readonly NetworkChoice[];
  readonly isRelaxed: boolean;
  readonly isIsolated: boolean;
  readonly threads: number;
  /** The most bytes of WebAssembly memory that a plan may take. */
  readonly budgetBytes: number;
}

/** A layer in the network's own tree. */
export interface TreeNode {
  /** Dotted; '' of the network itself. */
  readonly path: string;
  readonly name: string;
  readonly type: string;
  /** Of its output for a square input; null where it has none that can be tapped. */
  readonly shape: readonly number[] | null;
  readonly children: readonly TreeNode[];
}

/** A network that was opened. */
export interface Opened {
  /** Which opening it was: what is asked of an earlier one is cancelled. */
  readonly key: number;
  readonly id: string;
  readonly kind: 'classification' | 'segmentation';
  readonly hasWeights: boolean;
  /** What the weights are called: the file's name, or the repository's. */
  readonly weightsName: string;
  readonly tree: TreeNode;
  /** The layers that are shown first. */
  readonly layers: readonly string[];
  /** The input's side in pixels that is proposed: of the crop, or the shorter one. */
  readonly size: number;
  /** The side that the weights are for. */
  readonly ownSize: number;
  readonly parameters: number;
}

/** One layer's first pictures. */
export interface LayerMaps {
  readonly layer: string;
  readonly shape: readonly number[];
  readonly heat: Picture | null;
  readonly overlay: Picture | null;
  /** What the heat map's ends stand for; of a layer without pixels its smallest and largest value. */
  readonly low: number;
  readonly high: number;
}

/** One layer's other pictures. */
export interface LayerDetails {
  readonly layer: string;
  readonly pca: Picture | null;
  /** Parts of all variance. */
  readonly explained: readonly number[];
  readonly channels: Picture | null;
  /** How many channels are shown, of how many. */
  readonly shown: number;
  readonly count: number;
}

/** One of the most probable classes. */
export interface ClassScore {
  readonly name: string;
  readonly probability: number;
  /** Where it is seen: its activation map over the picture; null where the network has none. */
  readonly where: Picture | null;
}

/** What the network says of the picture. */
export type Answer =
  /** Scores that are no numbers: how many of how many. */
  | { readonly kind: 'noNumbers'; readonly count: number; readonly of: number }
  | { readonly kind: 'classes'; readonly top: readonly ClassScore[] }
  | {
      readonly kind: 'mask';
      readonly mask: Picture;
      readonly overlay: Picture;
      readonly legend: readonly { readonly name: string; readonly color: readonly number[]; readonly share: number }[];
    };

/** How many bytes of the weights are there. */
export interface WeightsProgress {
  readonly loadedBytes: number;
  /** Of the tensors that the layers need. */
  readonly neededBytes: number;
  /** Of all tensors of the file. */
  readonly fileBytes: number;
}

/** Shapes by layers' paths. */
export type Shapes = Readonly<Record<string, readonly number[]>>;

/** What comes while a request is worked on. */
export type Event =
  | ({ readonly type: 'weights' } & WeightsProgress)
  | { readonly type: 'input'; readonly picture: Picture }
  /** Of each layer's output for the input that runs, by path. */
  | { readonly type: 'shapes'; readonly shapes: Shapes }
  | { readonly type: 'progress'; readonly done: number }
  | ({ readonly type: 'maps' } & LayerMaps)
  | ({ readonly type: 'details' } & LayerDetails)
  | { readonly type: 'answer'; readonly answer: Answer }
  | { readonly type: 'times'; readonly ms: Readonly<Record<string, number>> };

/** A photo among others, as the worker keeps it. */
export interface Embedded {
  readonly thumbnail: Picture;
}

/** How alike a photo is. */
export interface Neighbour {
  readonly id: number;
  readonly similarity: number;
}

/** What the page can ask for: arguments and results by name. */
export interface Requests {
  host: { args: Record<never, never>; result: Host };
  open: { args: { network: string; source: WeightSource }; result: Opened };
  /** Of a file that is a picture, or of pixels; null for the digits scene. Read beside a run, which goes on. */
  picture: { args: { id: number; source: Blob | ImageBitmap | null; name: string }; result: null };
  /** The result is null where the network has no weights: then the input and shapes are told. */
  run: {
    args: { of: number; picture: number; layers: readonly string[]; size: number; withAnswer: boolean };
    result: { ms: number; memoryBytes: number } | null;
  };
  embed: {
    args: { of: number; id: number; photo: Blob; name: string; layer: string; size: number };
    result: Embedded;
  };
  compare: { args: { ids: readonly number[] }; result: readonly (readonly number[])[] };
  neighbours: { args: { id: number; ids: readonly number[]; count: number }; result: readonly Neighbour[] };
  forget: { args: { ids: readonly number[] }; result: null };
}

export type RequestName = keyof Requests;

/** Files that come with the page: the digits network's weights, and a picture. */
export type BuiltinName = 'weights' | 'scene';

/** A request as it is posted. */
export type ToWorker =
  | { [N in RequestName]: { readonly id: number; readonly name: N; readonly args: Requests[N]['args'] } }[RequestName]
  | { readonly id: number; readonly name: 'cancel' }
  | {
      readonly name: 'builtin';
      readonly builtin: BuiltinName;
      /** Null where the file couldn't be fetched, for this reason. */
      readonly bytes: ArrayBuffer | null;
      readonly reason?: string;
    };

/** What went wrong, for people: what it is, and what can be done. */
export interface Problem {
  /** Of a picture that can't be read, and of a server or a line that may be there later. */
  readonly kind?: 'picture' | 'network';
  readonly title: string;
  readonly detail: string;
}

/** An answer as it is posted. */
export type FromWorker =
  | { readonly id: number; readonly event: Event }
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly problem: Problem }
  | { readonly id: number; readonly cancelled: true };
