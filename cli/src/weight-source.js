/** Where weights come from, as types: what a text on the command line stands for. */

export {};

/**
 * One of torchvision's presets with all of its options, or timm's that squashes a photo.
 *
 * @typedef {{ preset: 'imageClassification' | 'semanticSegmentation' | 'none' | 'squash', options: object }} Recipe
 */

/**
 * What is done to a photo.
 *
 * @typedef {object} Preparation
 * @property {string} name
 * @property {boolean} isWhole whether the network sees the whole photo
 * @property {(image: import('layertap').Image) => import('layertap').Tensor<Float32Array>} prepare
 * @property {Recipe} [recipe] unless `prepare` has it
 */

/**
 * How a source that is no file is opened.
 *
 * @typedef {object} OpenSource
 * @property {string | undefined} [key] the dict in a checkpoint
 * @property {string | undefined} [prefix] what is taken off the names
 * @property {boolean | undefined} [whole] whether all of it will be read
 */

/**
 * Where weights come from, and what follows from that.
 *
 * @typedef {object} WeightSource
 * @property {string} label what names it in messages
 * @property {string} [path] of a file
 * @property {string} [model] torchvision's name of the model
 * @property {Record<string, unknown>} modelOptions
 * @property {Preparation} [preparation]
 * @property {readonly string[] | null} categories the classes' names
 * @property {() => import('layertap').Module<any>} [build] where more than a name tells the model
 * @property {(options: OpenSource) => Promise<import('layertap').OpenedWeights>} [open] where it is no file
 */

/**
 * What goes with the text that names a source.
 *
 * @typedef {object} SourceOptions
 * @property {string} [option] what the text was given as
 * @property {string | undefined} [model]
 * @property {Readonly<Record<string, unknown>>} [modelOptions]
 * @property {string | undefined} [hubEndpoint] a mirror of the Hugging Face hub
 * @property {string | false | undefined} [cache] the folder of what was read before, or false for no cache at all
 */
