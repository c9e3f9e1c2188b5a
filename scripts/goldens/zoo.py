"""Writes test/goldens/zoo/*.safetensors: every builder's stages and outputs, and the maps of detectors' backbones.

Cases are those of test/cases/zoo.json.

Of each: shape, largest absolute value and mean in the metadata, SAMPLES values at evenly spread flat indices, and for
segmentation the class of every pixel. Parameters come from the generator, keyed by state-dict key, and the computation
is in float64, so that only layertap's roundings are seen. Inputs are noise, and a white and a black page with
ImageNet's mean and deviation.

Run with Debian's Python (torch 1.13, torchvision 0.14): /usr/bin/python3 scripts/goldens/zoo.py [name ...]
"""

import json
import sys

import torch

from backbones import BACKBONES, build_backbone
from generator import GOLDENS, ROOT, fill, generated, save_safetensors
from models import build

# A prime: flat indices floor(i * numel / SAMPLES) fall on ever other channels and pixels.
SAMPLES = 61

MEAN = torch.tensor([0.485, 0.456, 0.406], dtype=torch.float64)
STD = torch.tensor([0.229, 0.224, 0.225], dtype=torch.float64)


def page(shape):
    """A white image and a black one, normalised, in float32."""
    channels = torch.stack([(1 - MEAN) / STD, (0 - MEAN) / STD])
    return channels[:, :, None, None].expand(shape).float()


def outputs_of(model, layers, x):
    """The layers' outputs by path, and the model's as "out", or by the names that it gives them."""
    taps, removals = {}, []
    for layer in layers:
        module = model.get_submodule(layer)
        # In-place layers that follow would change what was returned.
        keep = lambda _module, _inputs, output, layer=layer: taps.__setitem__(layer, output.clone())
        removals.append(module.register_forward_hook(keep))
    with torch.no_grad():
        result = model(x)
    for removal in removals:
        removal.remove()
    return {**taps, **({"out": result} if isinstance(result, torch.Tensor) else dict(result))}


def write(case):
    make = build_backbone if case["model"] in BACKBONES else build
    model = fill(make(case["model"], case["options"]))
    for key, t in model.state_dict().items():
        if t.ndim == 1 and key.endswith("weight"):
            t.mul_(case.get("normScale", 1))
        if "apart" in case and t.ndim >= 2:
            t.copy_(t.half())
    model = model.double()
    taps, tensors = [], {}
    inputs = {"noise": generated("input", case["input"]), "page": page(case["input"])}
    for name, x in inputs.items():
        for layer, output in outputs_of(model, case["taps"], x.double()).items():
            flat = output.reshape(-1)
            count = min(SAMPLES, flat.numel())
            indices = torch.arange(count) * flat.numel() // count
            taps.append({"input": name, "layer": layer, "shape": list(output.shape),
                         "largest": flat.abs().max().item(), "mean": flat.mean().item()})
            tensors[f"{name} {layer}"] = flat[indices].float().numpy()
            if layer == "out" and output.ndim == 4 and name == "noise":
                tensors["classes"] = output.argmax(1).to(torch.uint8).numpy()
    save_safetensors(GOLDENS / "zoo" / f"{case['name']}.safetensors", tensors, {"taps": json.dumps(taps)})


def main(names):
    torch.set_num_threads(1)
    for case in json.loads((ROOT / "test/cases/zoo.json").read_text()):
        if not names or case["name"] in names:
            print(case["name"], flush=True)
            write(case)


if __name__ == "__main__":
    main(sys.argv[1:])
