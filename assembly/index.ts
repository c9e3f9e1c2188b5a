/**
 * The kernels: what a binary exports. A kernel's name there is a letter. The reason is that a package has it four
 * times, in the binaries and beside each call, and nobody reads it. scripts/kernel-bindings.mjs takes the letters from
 * here.
 */

export { f32_conv2d as a, f32_conv2d_table as b } from "./conv2d";
export { f32_dwconv2d as c } from "./dwconv2d";
export { f32_affine as d, f32_channel_shuffle as e, f32_copy as f, f32_mul as g } from "./eltwise";
export {
  f32_from_f16 as h, f32_nchw_to_nhwc as i, f32_nhwc_to_nchw as j, f32_pack_conv2d as k, f32_pad2d as l,
  f32_to_f16 as m,
} from "./pack";
export { f32_avgpool2d as n, f32_maxpool2d as o } from "./pool2d";
export { f32_resize2d_bilinear as p, f32_resize2d_nearest as q } from "./resize2d";
export { f32_winograd_input as r, f32_winograd_output as s, f32_winograd_weights as t } from "./winograd";
