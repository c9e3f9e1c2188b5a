/** Weights of the Hugging Face hub by their names, as the timm project publishes them. */

import type { AnyModule, TensorStream } from 'layertap';
import { type HubPreset, openHub } from 'layertap/hub';

/** Repositories that are proposed: torchvision's own weights, or timm's best known ones. Others can be typed. */
const REPOS: Readonly<Record<string, readonly string[]>> = {
  resnet18: ['timm/resnet18.tv_in1k', 'timm/resnet18.a1_in1k'],
  resnet34: ['timm/resnet34.tv_in1k', 'timm/resnet34.a1_in1k'],
  resnet50: ['timm/resnet50.tv_in1k', 'timm/resnet50.a1_in1k'],
  resnet101: ['timm/resnet101.tv_in1k', 'timm/resnet101.a1h_in1k'],
  resnet152: ['timm/resnet152.tv_in1k', 'timm/resnet152.a1h_in1k'],
  resnext50_32x4d: ['timm/resnext50_32x4d.tv_in1k', 'timm/resnext50_32x4d.a1h_in1k'],
  wide_resnet50_2: ['timm/wide_resnet50_2.tv_in1k'],
  mobilenet_v2: ['timm/mobilenetv2_100.ra_in1k'],
  mobilenet_v3_large: ['timm/mobilenetv3_large_100.ra_in1k'],
  efficientnet_b0: ['timm/efficientnet_b0.ra_in1k'],
  convnext_tiny: ['timm/convnext_tiny.fb_in1k'],
  densenet121: ['timm/densenet121.tv_in1k'],
  vgg16: ['timm/vgg16.tv_in1k'],
};

/** The repositories that are proposed for a network. */
export function reposOf(network: string): readonly string[] {
  return REPOS[network] ?? [];
}

/** A repository that was opened. */
export interface Repository {
  /** torchvision's name of the network. */
  readonly name: string;
  readonly model: AnyModule;
  readonly weights: TensorStream;
  readonly labels: readonly string[] | null;
  readonly preset: HubPreset;
  close(): Promise<void>;
}

/** Opens a repository: what is read of its weights comes by range requests. */
export function openRepo(repo: string, signal: AbortSignal): Promise<Repository> {
  return openHub(repo, { signal, onWarning: null });
}
