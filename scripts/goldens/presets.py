"""Writes test/goldens/weights/presets.json: what torchvision's presets make of images, for all weights, and classes.

The presets' options are those of test/goldens/weights/torchvision.json, each combination once. The images are
image.py's, of odd sizes: a landscape, a portrait, and one that is smaller than all crops. A result is stored as its
SHA-256, its sum and some samples; a list of classes as its SHA-256 and its ends.

Run with Debian's Python (Pillow 9.4, torch 1.13, torchvision 0.14): /usr/bin/python3 scripts/goldens/presets.py
"""

import hashlib
import json
import pathlib

import PIL
import torch
import torchvision
from image import MODES, image
from torchvision.models import _meta
from torchvision.transforms import _presets

GOLDENS = pathlib.Path(__file__).parents[2] / "test/goldens/weights"
PICTURES = [("waves", (641, 427)), ("noise", (375, 501)), ("edges", (97, 131))]
PRESETS = {"imageClassification": _presets.ImageClassification,
           "semanticSegmentation": _presets.SemanticSegmentation}
SAMPLES = 6


def preset_of(name, options):
    snake = {"resizeSize": "resize_size", "cropSize": "crop_size"}
    args = {snake.get(key, key): value for key, value in options.items()}
    return PRESETS[name](**{**args, "interpolation": MODES[options["interpolation"]]})


def summary(x):
    flat = x.contiguous().reshape(-1)
    step = flat.numel() // SAMPLES
    return {"shape": list(x.shape), "sha256": hashlib.sha256(flat.numpy().tobytes()).hexdigest(),
            "sum": flat.double().sum().item(), "step": step, "samples": flat[:: step][:SAMPLES].tolist()}


def main():
    weights = json.loads((GOLDENS / "torchvision.json").read_text())
    presets = {json.dumps([one["preset"], one["transforms"]]): None for one in weights}
    pictures = [(kind, size, image(kind, size)) for kind, size in PICTURES]
    results = []
    for key in presets:
        name, options = json.loads(key)
        preset = preset_of(name, options)
        for kind, size, picture in pictures:
            result = preset(picture)[None]
            results.append({"preset": name, "options": options, "kind": kind, "from": size, **summary(result)})
    lists = {"IMAGENET": _meta._IMAGENET_CATEGORIES, "VOC": _meta._VOC_CATEGORIES, "COCO": _meta._COCO_CATEGORIES}
    golden = {
        "madeBy": f"Pillow {PIL.__version__}, torch {torch.__version__}, torchvision {torchvision.__version__}",
        "categories": {name: {"count": len(names), "first": names[0], "last": names[-1],
                              "sha256": hashlib.sha256("\n".join(names).encode()).hexdigest()}
                       for name, names in lists.items()},
        "presets": results,
    }
    text = json.dumps(golden, separators=(",", ":")).replace('{"preset"', '\n{"preset"')
    (GOLDENS / "presets.json").write_text(text + "\n")


main()
