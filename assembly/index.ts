/** The kernels: what a binary exports. */

export { f32_conv2d, f32_conv2d_table } from "./conv2d";
export { f32_dwconv2d } from "./dwconv2d";
export { f32_affine, f32_channel_shuffle, f32_copy, f32_mul } from "./eltwise";
export {
  f32_from_f16, f32_nchw_to_nhwc, f32_nhwc_to_nchw, f32_pack_conv2d, f32_pad2d, f32_to_f16,
} from "./pack";
export { f32_avgpool2d, f32_maxpool2d } from "./pool2d";
export { f32_resize2d_bilinear, f32_resize2d_nearest } from "./resize2d";
export { f32_winograd_input, f32_winograd_output, f32_winograd_weights } from "./winograd";
