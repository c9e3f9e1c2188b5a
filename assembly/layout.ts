/**
 * The layout constants that both sides of the kernel border need. `npm run build` writes them to
 * src/wasm/kernels.gen.ts, so that no constant has a twin that is kept by hand.
 */

/** Floats of a vector. */
export const LANES: i32 = 4;

/** Output channels of a panel: two vectors. */
export const PANEL: i32 = 8;

/** Bytes that say where a Winograd tile is: its image, row and column, as integers of 4 bytes. */
export const TILE_PLACE_BYTES: i32 = 12;

/**
 * What an epilogue's activation is known by: clamping, which is ReLU and ReLU6 too. Those above {@link HARDSWISH} are
 * applied after the stores, in a pass of their own.
 */
export const CLAMP: i32 = 0;

/** x·min(max(x + 3, 0), 6) / 6. */
export const HARDSWISH: i32 = 1;

/** min(max(x + 3, 0), 6) / 6. */
export const HARDSIGMOID: i32 = 2;

/** 1 / (1 + e⁻ˣ). */
export const SIGMOID: i32 = 3;

/** x / (1 + e⁻ˣ). */
export const SILU: i32 = 4;

/** x·Φ(x), of the normal distribution's Φ. */
export const GELU: i32 = 5;

/** Bytes of an epilogue's record: see epilogue.ts. */
export const EPILOGUE_BYTES: i32 = 32;

/**
 * Rows of the largest tile of f32_conv2d. x86-64 has 16 vector registers, of which six rows take twelve for sums, two
 * for weights and one for a pixel. Without fused multiply-adds, a product takes a register of its own, and five rows
 * are the fastest: the caller chooses.
 */
export const MAX_TILE_ROWS: i32 = 6;

/** Bytes of addresses that f32_winograd_input writes: one for each pixel of the largest tile, 7×7, in whole vectors. */
export const TILE_ADDRESS_BYTES: i32 = 208;

/** Scratch bytes that f32_winograd_input takes: the addresses, and as many vectors as pixels. */
export const WINOGRAD_INPUT_BYTES: i32 = TILE_ADDRESS_BYTES + 49 * 16;

/**
 * Scratch bytes that f32_winograd_weights takes: three columns of six points of eight channels, for four input
 * channels.
 */
export const WINOGRAD_WEIGHT_BYTES: i32 = 6 * 3 * 128;

/** Bytes of the output pixels that f32_winograd_output makes of a tile: four rows of four vectors. */
export const TILE_OUTPUT_BYTES: i32 = 256;

/**
 * Scratch bytes that f32_winograd_output takes: the output pixels, and rows of vectors: four of six (F(4×4)), which is
 * more than three of seven (stride 2).
 */
export const WINOGRAD_OUTPUT_BYTES: i32 = TILE_OUTPUT_BYTES + 4 * 6 * 16;

/** Tiles of f32_conv2d per call of a function: V8 swaps in optimised code only between calls. */
export const CALL_TILES: i32 = 16;

/** Scratch bytes for the sums of a call's tiles before their last run. */
export const PARTIAL_BYTES: i32 = CALL_TILES * MAX_TILE_ROWS * PANEL * 4;
