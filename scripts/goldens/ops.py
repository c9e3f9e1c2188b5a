"""Writes test/goldens/ops.safetensors: PyTorch's output for each case of test/cases/ops.json, whole.

Parameters and inputs come from the generator, keyed by the case's name. PyTorch has no padding of each side for
itself: there the input is padded first, with what the op's own padding counts as.

Run with Debian's Python (torch 1.13, torchvision 0.14): /usr/bin/python3 scripts/goldens/ops.py
"""

import json

import torch
import torch.nn.functional as F
from torchvision.ops import FrozenBatchNorm2d

from generator import GOLDENS, ROOT, fill, generated, save_safetensors, snake_case

SPECIALS = [float("nan"), float("inf"), float("-inf"), -0.0, 6.0]


def inputs_of(case):
    """The inputs' values; "with" puts special ones at every 11th place, or minus infinity everywhere."""
    tensors = []
    for i, shape in enumerate(case["inputs"]):
        x = generated(f"{case['name']}.input{i}", shape, case.get("scale", 2))
        if case.get("with") == "lowest":
            x = torch.full_like(x, float("-inf"))
        if case.get("with") == "specials":
            flat = x.reshape(-1)
            for at in range(3 + i, flat.numel(), 11):
                flat[at] = SPECIALS[at // 11 % len(SPECIALS)]
        tensors.append(x)
    return tensors


def pad_sides(x, options, value):
    """The padded input and the options without padding, where each side has its own; else both as they are."""
    if not isinstance(options.get("padding"), dict):
        return x, options
    p = options["padding"]
    sides = (p["left"], p["right"], p["top"], p["bottom"])
    return F.pad(x, sides, value=value), {key: v for key, v in options.items() if key != "padding"}


def conv2d(case, options, x):
    x, options = pad_sides(x, options, 0.0)
    in_channels = case["inputs"][0][1]
    kernel = case["kernelSize"]
    conv = torch.nn.Conv2d(in_channels, case["outChannels"], kernel, **options)
    return fill(conv, f"{case['name']}.")(x)


def batch_norm(case, options, x):
    return fill(torch.nn.BatchNorm2d(x.shape[1], **options), f"{case['name']}.")(x)


def frozen_batch_norm(case, options, x):
    return fill(FrozenBatchNorm2d(x.shape[1], **options), f"{case['name']}.")(x)


def max_pool2d(case, options, x):
    x, options = pad_sides(x, options, float("-inf"))
    return F.max_pool2d(x, case["kernelSize"], **options)


def avg_pool2d(case, options, x):
    padded, rest = pad_sides(x, options, 0.0)
    if rest is options or options.get("count_include_pad", True):
        return F.avg_pool2d(padded, case["kernelSize"], **rest)
    inside, _ = pad_sides(torch.ones_like(x), options, 0.0)
    sums = {**rest, "divisor_override": 1}
    return F.avg_pool2d(padded, case["kernelSize"], **sums) / F.avg_pool2d(inside, case["kernelSize"], **sums)


def linear(case, options, x):
    return fill(torch.nn.Linear(x.shape[1], case["outFeatures"], **options), f"{case['name']}.")(x)


OPS = {
    "conv2d": conv2d,
    "batch_norm": batch_norm,
    "frozen_batch_norm": frozen_batch_norm,
    "relu": lambda case, options, x: torch.nn.ReLU()(x),
    "relu6": lambda case, options, x: torch.nn.ReLU6()(x),
    "hardswish": lambda case, options, x: F.hardswish(x),
    "hardsigmoid": lambda case, options, x: F.hardsigmoid(x),
    "sigmoid": lambda case, options, x: torch.sigmoid(x),
    "silu": lambda case, options, x: F.silu(x),
    "mul": lambda case, options, a, b: a * b,
    "max_pool2d": max_pool2d,
    "avg_pool2d": avg_pool2d,
    "adaptive_avg_pool2d": lambda case, options, x: F.adaptive_avg_pool2d(x, case["outputSize"]),
    "interpolate": lambda case, options, x: F.interpolate(x, **options),
    "linear": linear,
    "add": lambda case, options, a, b: a + b,
    "cat": lambda case, options, *tensors: torch.cat(tensors, 1),
    "flatten": lambda case, options, x: torch.flatten(x, 1),
}


def main():
    torch.set_num_threads(1)
    outputs = {}
    for case in json.loads((ROOT / "test/cases/ops.json").read_text()):
        inputs = inputs_of(case)
        read = [inputs[i] for i in case.get("reads", range(len(inputs)))]
        with torch.no_grad():
            outputs[case["name"]] = OPS[case["op"]](case, snake_case(case["options"]), *read).numpy()
    save_safetensors(GOLDENS / "ops.safetensors", outputs)


if __name__ == "__main__":
    main()
