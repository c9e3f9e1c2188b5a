"""Writes test/goldens/ops.safetensors: PyTorch's output for each case of test/cases/ops.json, whole.

The table names PyTorch's layer or function for each op. Parameters and inputs come from the generator, keyed by the
case's name. PyTorch has no padding of each side for itself: there the input is padded first, with what the op's own
padding counts as.

Run with Debian's Python (torch 1.13, torchvision 0.14): /usr/bin/python3 scripts/goldens/ops.py
"""

import json

import torch
import torch.nn.functional as F

from generator import GOLDENS, ROOT, fill, generated, save_safetensors
from named import module_of

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
    """The padded input, and the options without padding."""
    p = options["padding"]
    sides = (p["left"], p["right"], p["top"], p["bottom"])
    return F.pad(x, sides, value=value), {key: v for key, v in options.items() if key != "padding"}


def evaluated(op, case, options, inputs):
    """The output of PyTorch's own layer or function."""
    module = module_of(op, case.get("args", []), options)
    return fill(module, f"{case['name']}.")(*inputs)


def with_sides(op, case, options, x):
    """The output with padding of each side for itself: of an input that is padded before, with what `op` pads with."""
    padded, rest = pad_sides(x, options, float(op["padsWith"]))
    if options.get("countIncludePad", True):
        return evaluated(op, case, rest, [padded])
    # A mean over the pixels inside: their sum by their number, each the sum of a window.
    inside, _ = pad_sides(torch.ones_like(x), options, 0.0)
    sums = {**rest, "divisorOverride": 1}
    return evaluated(op, case, sums, [padded]) / evaluated(op, case, sums, [inside])


def main():
    torch.set_num_threads(1)
    outputs = {}
    table = json.loads((ROOT / "test/cases/ops.json").read_text())
    for case in table["cases"]:
        op, options = table["ops"][case["op"]], case.get("options", {})
        inputs = inputs_of(case)
        read = [inputs[i] for i in case.get("reads", range(len(inputs)))]
        has_sides = isinstance(options.get("padding"), dict)
        with torch.no_grad():
            output = with_sides(op, case, options, *read) if has_sides else evaluated(op, case, options, read)
        outputs[case["name"]] = output.numpy()
    save_safetensors(GOLDENS / "ops.safetensors", outputs)


if __name__ == "__main__":
    main()
