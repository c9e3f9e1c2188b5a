"""Writes test/goldens/hub/: timm's names beside torchvision's, padding as in TensorFlow, and timm's presets.

- names.json: for each of timm's architectures that torchvision has, the names of its layers in the order of
  torchvision's. They are made of timm's definitions of blocks, with the shapes that these have; each must have the
  shape of the layer of torchvision's at its position, axes of length 1 left out.
- same.safetensors: features of two networks with batch norm's eps 1e-3 and SAME padding, in float64.
- presets.json: digests of what torchvision's transforms make of synthetic images for the presets that timm's
  repositories have.

Run with Debian's Python (torch 1.13, torchvision 0.14): /usr/bin/python3 scripts/goldens/hub.py
"""

import functools
import hashlib
import json
import math
import re

import numpy as np
import torch
import torchvision
from torch.nn import functional
from torchvision import transforms

from generator import GOLDENS, fill, generated, save_safetensors
from image import MODES, image
from models import build

NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
SAMPLES = 61


def divisible(value, divisor=8):
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def conv(name, out, inputs, kernel, bias=False):
    return [(f"{name}.weight", (out, inputs, kernel, kernel))] + ([(f"{name}.bias", (out,))] if bias else [])


def norm(name, channels):
    return [(f"{name}.{part}", () if part == "num_batches_tracked" else (channels,)) for part in NORM]


def linear(name, out, inputs):
    return [(f"{name}.weight", (out, inputs)), (f"{name}.bias", (out,))]


def squeeze(name, channels, squeezed):
    reduce = conv(f"{name}.se.conv_reduce", squeezed, channels, 1, True)
    return reduce + conv(f"{name}.se.conv_expand", channels, squeezed, 1, True)


def block(name, text, inputs, first, width, squeeze_of):
    """A block's parameters and channels, of timm's text: ir_r2_k3_s2_e6_c24_se0.25."""
    kind, *parts = text.split("_")
    numbered = [part for part in parts if re.search(r"\d", part)]
    o = {k: float(v) for k, v in (re.match(r"([a-z]+)([\d.]+)$", part).groups() for part in numbered)}
    out, kernel = divisible(o["c"] * width), int(o["k"])
    if kind == "cn":
        return conv(f"{name}.conv", out, inputs, kernel) + norm(f"{name}.bn1", out), out
    middle = divisible(inputs * o.get("e", 1)) if kind != "ds" else inputs
    se = squeeze(name, middle, squeeze_of(inputs, middle, o["se"])) if "se" in o else []
    if kind == "ds":
        named = [conv(f"{name}.conv_dw", inputs, 1, kernel), norm(f"{name}.bn1", inputs), se]
        named += [conv(f"{name}.conv_pw", out, inputs, 1), norm(f"{name}.bn2", out)]
    elif kind == "er":
        named = [conv(f"{name}.conv_exp", middle, inputs, kernel), norm(f"{name}.bn1", middle)]
        named += [conv(f"{name}.conv_pwl", out, middle, 1), norm(f"{name}.bn2", out)]
    else:
        named = [conv(f"{name}.conv_pw", middle, inputs, 1), norm(f"{name}.bn1", middle)]
        named += [conv(f"{name}.conv_dw", middle, 1, kernel), norm(f"{name}.bn2", middle), se]
        named += [conv(f"{name}.conv_pwl", out, middle, 1), norm(f"{name}.bn3", out)]
    return sum(named, []), out


def builder(stages, stem, width=1.0, depth=1.0, features=1280, v3=False):
    """What timm's EfficientNetBuilder makes of its texts."""
    squeeze_of = (lambda i, m, r: divisible(m * r)) if v3 else (lambda i, m, r: round(i * r))
    channels = divisible(stem * width)
    state = conv("conv_stem", channels, 3, 3) + norm("bn1", channels)
    for s, texts in enumerate(stages):
        texts = sum(([t] * math.ceil(int(re.search(r"_r(\d+)", t)[1]) * depth) for t in texts), [])
        for b, text in enumerate(texts):
            named, channels = block(f"blocks.{s}.{b}", text, channels, b == 0, width, squeeze_of)
            state += named
    if v3:
        return state + conv("conv_head", features, channels, 1, True) + linear("classifier", 1000, features)
    state += conv("conv_head", features, channels, 1) + norm("bn2", features)
    return state + linear("classifier", 1000, features)


MOBILENET_V2 = [["ds_r1_k3_s1_c16"], ["ir_r2_k3_s2_e6_c24"], ["ir_r3_k3_s2_e6_c32"], ["ir_r4_k3_s2_e6_c64"],
                ["ir_r3_k3_s1_e6_c96"], ["ir_r3_k3_s2_e6_c160"], ["ir_r1_k3_s1_e6_c320"]]
MNASNET = [["ds_r1_k3_s1_c16"], ["ir_r3_k3_s2_e3_c24"], ["ir_r3_k5_s2_e3_c40"], ["ir_r3_k5_s2_e6_c80"],
           ["ir_r2_k3_s1_e6_c96"], ["ir_r4_k5_s2_e6_c192"], ["ir_r1_k3_s1_e6_c320"]]
LARGE = [["ds_r1_k3_s1_e1_c16"], ["ir_r1_k3_s2_e4_c24", "ir_r1_k3_s1_e3_c24"], ["ir_r3_k5_s2_e3_c40_se0.25"],
         ["ir_r1_k3_s2_e6_c80", "ir_r1_k3_s1_e2.5_c80", "ir_r2_k3_s1_e2.3_c80"], ["ir_r2_k3_s1_e6_c112_se0.25"],
         ["ir_r3_k5_s2_e6_c160_se0.25"], ["cn_r1_k1_s1_c960"]]
SMALL = [["ds_r1_k3_s2_e1_c16_se0.25"], ["ir_r1_k3_s2_e4.5_c24", "ir_r1_k3_s1_e3.67_c24"],
         ["ir_r1_k5_s2_e4_c40_se0.25", "ir_r2_k5_s1_e6_c40_se0.25"], ["ir_r2_k5_s1_e3_c48_se0.25"],
         ["ir_r3_k5_s2_e6_c96_se0.25"], ["cn_r1_k1_s1_c576"]]
EFFICIENTNET = [["ds_r1_k3_s1_e1_c16_se0.25"], ["ir_r2_k3_s2_e6_c24_se0.25"], ["ir_r2_k5_s2_e6_c40_se0.25"],
                ["ir_r3_k3_s2_e6_c80_se0.25"], ["ir_r3_k5_s1_e6_c112_se0.25"], ["ir_r4_k5_s2_e6_c192_se0.25"],
                ["ir_r1_k3_s1_e6_c320_se0.25"]]
V2_S = [["cn_r2_k3_s1_e1_c24_skip"], ["er_r4_k3_s2_e4_c48"], ["er_r4_k3_s2_e4_c64"], ["ir_r6_k3_s2_e4_c128_se0.25"],
        ["ir_r9_k3_s1_e6_c160_se0.25"], ["ir_r15_k3_s2_e6_c256_se0.25"]]
V2_M = [["cn_r3_k3_s1_e1_c24_skip"], ["er_r5_k3_s2_e4_c48"], ["er_r5_k3_s2_e4_c80"], ["ir_r7_k3_s2_e4_c160_se0.25"],
        ["ir_r14_k3_s1_e6_c176_se0.25"], ["ir_r18_k3_s2_e6_c304_se0.25"], ["ir_r5_k3_s1_e6_c512_se0.25"]]
V2_L = [["cn_r4_k3_s1_e1_c32_skip"], ["er_r7_k3_s2_e4_c64"], ["er_r7_k3_s2_e4_c96"], ["ir_r10_k3_s2_e4_c192_se0.25"],
        ["ir_r19_k3_s1_e6_c224_se0.25"], ["ir_r25_k3_s2_e6_c384_se0.25"], ["ir_r7_k3_s1_e6_c640_se0.25"]]
SCALES = [(1, 1), (1, 1.1), (1.1, 1.2), (1.2, 1.4), (1.4, 1.8), (1.6, 2.2), (1.8, 2.6), (2, 3.1)]


def layer_norm(name, channels):
    return [(f"{name}.weight", (channels,)), (f"{name}.bias", (channels,))]


def convnext(depths, dims):
    state = conv("stem.0", dims[0], 3, 4, True) + layer_norm("stem.1", dims[0])
    for s, (depth, dim) in enumerate(zip(depths, dims)):
        if s > 0:
            state += layer_norm(f"stages.{s}.downsample.0", dims[s - 1])
            state += conv(f"stages.{s}.downsample.1", dim, dims[s - 1], 2, True)
        for b in range(depth):
            name = f"stages.{s}.blocks.{b}"
            state += [(f"{name}.gamma", (dim,))] + conv(f"{name}.conv_dw", dim, 1, 7, True)
            state += layer_norm(f"{name}.norm", dim) + linear(f"{name}.mlp.fc1", 4 * dim, dim)
            state += linear(f"{name}.mlp.fc2", dim, 4 * dim)
    return state + layer_norm("head.norm", dims[3]) + linear("head.fc", 1000, dims[3])


def regnet(depth, w0, wa, wm, group, has_se, torchvision_rounds=False):
    """timm's RegNet, in the order of torchvision's: shortcuts come first."""
    continuous = np.arange(depth) * wa + w0
    widths = np.round(w0 * np.power(wm, np.round(np.log(continuous / w0) / np.log(wm))) / 8) * 8
    widths, depths = np.unique(widths.astype(int), return_counts=True)
    groups = [min(group, width) for width in widths]
    quantized = lambda w, g: divisible(w, g) if torchvision_rounds else int(round(w / g) * g)
    widths = [quantized(int(width), int(g)) for width, g in zip(widths, groups)]
    normed = lambda name, *sizes: conv(f"{name}.conv", *sizes) + norm(f"{name}.bn", sizes[0])
    state, inputs = normed("stem", 32, 3, 3), 32
    for s, (width, count, g) in enumerate(zip(widths, depths, groups)):
        for b in range(count):
            name = f"s{s + 1}.b{b + 1}"
            state += normed(f"{name}.downsample", width, inputs, 1) if b == 0 else []
            state += normed(f"{name}.conv1", width, inputs, 1) + normed(f"{name}.conv2", width, int(g), 3)
            if has_se:
                squeezed = int(round(inputs * 0.25))
                state += conv(f"{name}.se.fc1", squeezed, width, 1, True)
                state += conv(f"{name}.se.fc2", width, squeezed, 1, True)
            state += normed(f"{name}.conv3", width, width, 1)
            inputs = width
    return state + linear("head.fc", 1000, inputs)


def vgg(counts, has_norm):
    state, at, inputs = [], 0, 3
    for stage, count in enumerate(counts):
        for _ in range(count):
            out = min(64 << stage, 512)
            state += conv(f"features.{at}", out, inputs, 3, True)
            state += norm(f"features.{at + 1}", out) if has_norm else []
            at, inputs = at + (3 if has_norm else 2), out
        at += 1
    state += conv("pre_logits.fc1", 4096, 512, 7, True) + conv("pre_logits.fc2", 4096, 4096, 1, True)
    return state + linear("head.fc", 1000, 4096)


def architectures():
    """timm's name, torchvision's, its options, and timm's parameters in the order of torchvision's."""
    for percent in (35, 50, 75, 100, 140):
        width = percent / 100
        features = max(1280, divisible(1280 * width))
        built = builder(MOBILENET_V2, 32, width, 1, features)
        yield f"mobilenetv2_{percent:03}", "mobilenet_v2", {"widthMult": width}, built
    for percent, name in ((50, "mnasnet0_5"), (75, "mnasnet0_75"), (100, "mnasnet1_0")):
        yield f"mnasnet_{percent:03}", name, {}, builder(MNASNET, 32, percent / 100)
    # Those from TensorFlow, with tf_ before their names, have the same layers.
    yield "mobilenetv3_large_100", "mobilenet_v3_large", {}, builder(LARGE, 16, features=1280, v3=True)
    yield "mobilenetv3_small_100", "mobilenet_v3_small", {}, builder(SMALL, 16, features=1024, v3=True)
    for b, (width, depth) in enumerate(SCALES):
        state = builder(EFFICIENTNET, 32, width, depth, divisible(1280 * width))
        yield f"efficientnet_b{b}", f"efficientnet_b{b}", {}, state
    for size, stages, stem in (("s", V2_S, 24), ("m", V2_M, 24), ("l", V2_L, 32)):
        yield f"efficientnetv2_{size}", f"efficientnet_v2_{size}", {}, builder(stages, stem)
    for name, depths, width in (("tiny", (3, 3, 9, 3), 96), ("small", (3, 3, 27, 3), 96), ("base", (3, 3, 27, 3), 128),
                                ("large", (3, 3, 27, 3), 192)):
        yield f"convnext_{name}", f"convnext_{name}", {}, convnext(depths, [width << i for i in range(4)])
    for timm, name, *line in (
        ("x_004_tv", "x_400mf", 22, 24, 24.48, 2.54, 16), ("x_008", "x_800mf", 16, 56, 35.73, 2.28, 16),
        ("x_016", "x_1_6gf", 18, 80, 34.01, 2.25, 24), ("x_032", "x_3_2gf", 25, 88, 26.31, 2.25, 48),
        ("x_080", "x_8gf", 23, 80, 49.56, 2.88, 120), ("x_160", "x_16gf", 22, 216, 55.59, 2.1, 128),
        ("x_320", "x_32gf", 23, 320, 69.86, 2.0, 168), ("y_004", "y_400mf", 16, 48, 27.89, 2.09, 8),
        ("y_008_tv", "y_800mf", 14, 56, 38.84, 2.4, 16), ("y_016", "y_1_6gf", 27, 48, 20.71, 2.65, 24),
        ("y_032", "y_3_2gf", 21, 80, 42.63, 2.66, 24), ("y_080_tv", "y_8gf", 17, 192, 76.82, 2.19, 56),
        ("y_160", "y_16gf", 18, 200, 106.23, 2.48, 112), ("y_320", "y_32gf", 20, 232, 115.89, 2.53, 232),
        ("y_1280", "y_128gf", 27, 456, 160.83, 2.52, 264),
    ):
        state = regnet(*line, has_se=name[0] == "y", torchvision_rounds=timm.endswith("_tv"))
        yield f"regnet{timm}", f"regnet_{name}", {}, state
    for size, counts in ((11, (1, 1, 2, 2, 2)), (13, (2, 2, 2, 2, 2)), (16, (2, 2, 3, 3, 3)), (19, (2, 2, 4, 4, 4))):
        yield f"vgg{size}", f"vgg{size}", {}, vgg(counts, False)
        yield f"vgg{size}_bn", f"vgg{size}_bn", {}, vgg(counts, True)


def layer_of(key):
    return key.rpartition(".")[0] if key.rpartition(".")[2] in NORM else key


def compact(shape):
    return tuple(size for size in shape if size != 1)


def write_names():
    rows = []
    for timm, name, options, state in architectures():
        print(timm, flush=True)
        arguments = {"width_mult": options["widthMult"]} if options else {}
        with torch.no_grad():
            torch.nn.Module.register_parameter = register_shape
            own = torchvision.models.get_model(name, weights=None, **arguments).state_dict()
        assert len(own) == len(state), (timm, len(own), len(state))
        for (key, shape), (own_key, tensor) in zip(state, own.items()):
            same = compact(shape) == compact(tensor.shape)
            # VGG's first linear layer sees the 7x7 pixels of 512 channels.
            flattened = timm.startswith("vgg") and shape[:1] == tensor.shape[:1] and math.prod(shape) == tensor.numel()
            assert same or flattened, (timm, key, shape, own_key, tensor.shape)
        layers = list(dict.fromkeys(layer_of(key) for key, _ in state))
        own_layers = list(dict.fromkeys(map(layer_of, own)))
        digest = hashlib.sha256("\n".join(own_layers).encode()).hexdigest()
        rows.append(json.dumps({"architecture": timm, "model": name, "torchvision": digest, "timm": " ".join(layers)}))
    (GOLDENS / "hub").mkdir(exist_ok=True)
    (GOLDENS / "hub/names.json").write_text("[\n" + ",\n".join(rows) + "\n]\n")


REGISTER = torch.nn.Module.register_parameter


def register_shape(module, name, parameter):
    """Registers a parameter of the shape without memory."""
    meta = None if parameter is None else torch.nn.Parameter(parameter.detach().to("meta"), requires_grad=False)
    REGISTER(module, name, meta)


class Conv2dSame(torch.nn.Conv2d):
    def forward(self, x):
        sides = []
        for size, kernel, stride in zip(x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1]):
            zeros = max(0, (math.ceil(size / stride) - 1) * stride + kernel - size)
            sides += [zeros // 2, zeros - zeros // 2]
        return functional.conv2d(functional.pad(x, sides), self.weight, self.bias, self.stride, 0, 1, self.groups)


def as_tensorflow(model):
    """The model with SAME padding and eps 1e-3."""
    for module in list(model.modules()):
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps = 1e-3
        for name, child in list(module.named_children()):
            if isinstance(child, torch.nn.Conv2d) and child.kernel_size != (1, 1):
                child.__class__ = Conv2dSame
    return model


SAME = [("tf_efficientnet_b0", "efficientnet_b0", ["features.0", "features.3", "features.7", "features.8"]),
        ("tf_mobilenetv3_small_100", "mobilenet_v3_small", ["features.0", "features.1", "features.4", "features.12"])]
SIZES = [(64, 64), (75, 98), (97, 65)]


def write_same():
    taps, tensors = [], {}
    torch.nn.Module.register_parameter = REGISTER
    for architecture, name, layers in SAME:
        model = as_tensorflow(fill(build(name, {})).double())
        for height, width in SIZES:
            outputs, x = {}, generated("input", [1, 3, height, width]).double()
            removals = [model.get_submodule(layer).register_forward_hook(
                functools.partial(lambda layer, _m, _i, y: outputs.__setitem__(layer, y.clone()), layer)
            ) for layer in layers]
            with torch.no_grad():
                outputs["out"] = model(x)
            for removal in removals:
                removal.remove()
            for layer, output in outputs.items():
                flat = output.reshape(-1)
                count = min(SAMPLES, flat.numel())
                key = f"{architecture} {height}x{width} {layer}"
                taps.append({"architecture": architecture, "size": [height, width], "layer": layer,
                             "shape": list(output.shape), "largest": flat.abs().max().item()})
                tensors[key] = flat[torch.arange(count) * flat.numel() // count].float().numpy()
    save_safetensors(GOLDENS / "hub/same.safetensors", tensors, {"taps": json.dumps(taps)})


# Side of the crop, crop_pct, filter, mean and deviation: those of the 74 repositories with torchvision's networks, of
# EfficientNets and of an Inception, and one that is squashed.
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
HALVES = ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5])
PRESETS = [
    (160, 0.95, "bicubic", IMAGENET), (176, 0.9, "bicubic", IMAGENET), (176, 0.875, "bilinear", IMAGENET),
    (224, 0.875, "bicubic", IMAGENET), (224, 0.875, "bilinear", IMAGENET), (224, 0.9, "bicubic", HALVES),
    (224, 0.95, "bicubic", IMAGENET), (224, 0.965, "bilinear", IMAGENET), (224, 1.0, "bicubic", IMAGENET),
    (288, 0.95, "bicubic", IMAGENET), (288, 1.0, "bicubic", IMAGENET), (288, 1.0, "bicubic", HALVES),
    (299, 0.875, "bicubic", HALVES), (300, 0.904, "bicubic", HALVES), (384, 1.0, "bicubic", HALVES),
]
IMAGES = [("waves", (341, 257)), ("noise", (97, 331)), ("waves", (251, 500))]


def write_presets():
    rows = []
    for crop_mode in ("center", "squash"):
        for side, pct, mode, (mean, std) in PRESETS if crop_mode == "center" else PRESETS[6:8]:
            scale = math.floor(side / pct)
            size = scale if crop_mode == "center" else (scale, scale)
            transform = transforms.Compose([
                transforms.Resize(size, interpolation=MODES[mode]), transforms.CenterCrop(side), transforms.ToTensor(),
                transforms.Normalize(mean=torch.tensor(mean), std=torch.tensor(std)),
            ])
            digests = [hashlib.sha256(transform(image(*i)).numpy().tobytes()).hexdigest() for i in IMAGES]
            config = {"input_size": [3, side, side], "crop_pct": pct, "crop_mode": crop_mode, "interpolation": mode,
                      "mean": mean, "std": std}
            rows.append(json.dumps({"config": config, "sha256": digests}))
    text = ",\n".join(rows)
    (GOLDENS / "hub/presets.json").write_text(f'{{"images": {json.dumps(IMAGES)}, "presets": [\n{text}\n]}}\n')


if __name__ == "__main__":
    torch.set_num_threads(1)
    write_names()
    write_same()
    write_presets()
