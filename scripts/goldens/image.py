"""Writes test/goldens/image/image.json: what Pillow and torchvision make of synthetic images.

The images come from the integer formulas in `pixels`, written again in test/image/synthetic.ts, so no input is stored.
An output is stored whole where it is small, else as its SHA-256 and some samples that say where a mismatch begins.

Run with Debian's Python (Pillow 9.4, torch 1.13, torchvision 0.14): /usr/bin/python3 scripts/goldens/image.py
"""

import base64
import hashlib
import json
import pathlib

import numpy as np
import PIL
import torch
import torchvision
from PIL import Image
from torchvision.transforms import InterpolationMode, functional
from torchvision.transforms._presets import ImageClassification, SemanticSegmentation

MODES = {"bilinear": InterpolationMode.BILINEAR, "bicubic": InterpolationMode.BICUBIC}
WHOLE_BYTES = 256
SAMPLES = 32


def pixels(kind, width, height):
    """RGB bytes [height, width, 3]: smooth waves, noise, or noise of 0 and 255 only."""
    if kind == "waves":
        y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
        return ((x * x * 3 + y * y * 5 + x * y * (c + 1) + c * 85) // 16 % 256).astype(np.uint8)
    state = width * 65536 + height
    out = np.empty(height * width * 3, np.uint8)
    for i in range(out.size):
        state = (state * 1664525 + 1013904223) % 2**32
        out[i] = state >> 24
    if kind == "edges":
        out = np.where(out < 128, 0, 255).astype(np.uint8)
    return out.reshape(height, width, 3)


def image(kind, size):
    return Image.fromarray(pixels(kind, *size), "RGB")


def summary(values):
    """What a test compares: everything, or a digest and evenly spread samples."""
    data = np.ascontiguousarray(values)
    if data.nbytes <= WHOLE_BYTES:
        return {"base64": base64.b64encode(data.tobytes()).decode()}
    flat = data.reshape(-1)
    step = flat.size // SAMPLES
    step -= step % 3 == 0  # samples of all channels
    samples = [v.item() for v in flat[: step * SAMPLES : step]]
    return {"sha256": hashlib.sha256(data.tobytes()).hexdigest(), "step": step, "samples": samples}


def image_golden(result):
    return {"size": list(result.size), **summary(np.asarray(result))}


def resize_case(kind, size, to, mode="bilinear"):
    """`to` is [width, height], or the shorter side."""
    arg = to if isinstance(to, int) else [to[1], to[0]]
    result = functional.resize(image(kind, size), arg, MODES[mode])
    return {"kind": kind, "from": size, "to": to, "interpolation": mode, **image_golden(result)}


def crop_case(kind, size, to):
    arg = to if isinstance(to, int) else [to[1], to[0]]
    return {"kind": kind, "from": size, "to": to, **image_golden(functional.center_crop(image(kind, size), arg))}


def preset_case(name, preset, kind, size, options):
    result = preset(image(kind, size))[None]
    return {"preset": name, "kind": kind, "from": size, "options": options, "shape": list(result.shape),
            **summary(result.numpy())}


RESIZES = [
    ("waves", [64, 48], [32, 24]),  # by a half
    ("noise", [64, 48], [32, 24]),
    ("noise", [37, 23], [101, 59]),  # up, odd sizes
    ("edges", [37, 23], [101, 59]),
    ("noise", [101, 59], [37, 23]),  # down, odd sizes
    ("noise", [300, 200], [7, 5]),  # a large ratio
    ("edges", [301, 203], [1, 1]),
    ("noise", [1, 1], [8, 6]),
    ("noise", [1, 17], [5, 9]),  # one column
    ("noise", [17, 1], [4, 3]),  # one row
    ("noise", [2, 2], [3, 3]),
    ("noise", [100, 100], [100, 37]),  # columns only
    ("noise", [90, 40], [31, 40]),  # rows only
    ("edges", [257, 129], [64, 256]),  # down in one direction, up in the other
    ("noise", [400, 3], [3, 400]),
    ("noise", [5, 5], [5, 5]),
    ("waves", [255, 256], [256, 255]),
]
SHORTER_SIDES = [
    ("noise", [125, 94], 64),
    ("noise", [94, 125], 64),
    ("waves", [333, 500], 256),
    ("noise", [50, 50], 31),
    ("noise", [200, 3], 2),
    ("noise", [3, 200], 7),
    ("noise", [64, 80], 64),
]
CROPS = [
    ("noise", [7, 7], 4),  # margins of 3: 1.5 to 2
    ("noise", [5, 5], 4),  # 0.5 to 0
    ("noise", [9, 11], 4),  # 2.5 to 2, 3.5 to 4
    ("noise", [10, 8], 4),
    ("noise", [6, 6], 6),
    ("noise", [6, 9], [6, 2]),
    ("noise", [3, 3], 8),  # padded by 2 and 3
    ("noise", [3, 10], [8, 5]),  # padded in one direction, cut in the other
    ("noise", [10, 3], [5, 8]),
    ("noise", [1, 1], [1, 4]),
]


def main():
    resizes = [resize_case(*case) for case in RESIZES + SHORTER_SIDES]
    resizes += [resize_case(*case, "bicubic") for case in RESIZES]
    levels = Image.fromarray(np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, 1).reshape(16, 16, 3), "RGB")
    scaled = functional.to_tensor(levels)
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    other = {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}
    presets = [
        preset_case("imageClassification", ImageClassification(crop_size=224), "waves", [320, 240], {}),
        preset_case("imageClassification", ImageClassification(crop_size=48, resize_size=40, **other), "noise",
                    [61, 83], {"cropSize": 48, "resizeSize": 40, **other}),
        preset_case("imageClassification", ImageClassification(crop_size=32, resize_size=35,
                                                               interpolation=InterpolationMode.BICUBIC),
                    "edges", [90, 70], {"cropSize": 32, "resizeSize": 35, "interpolation": "bicubic"}),
        preset_case("semanticSegmentation", SemanticSegmentation(resize_size=520), "noise", [60, 40], {}),
        preset_case("semanticSegmentation", SemanticSegmentation(resize_size=None), "noise", [33, 21],
                    {"resizeSize": None}),
    ]
    ramp = ((torch.arange(3 * 40 * 50) - 1000).float() / 4000).reshape(3, 40, 50)  # from -0.25 to 1.25
    golden = {
        "madeBy": f"Pillow {PIL.__version__}, torch {torch.__version__}, torchvision {torchvision.__version__}",
        "resize": resizes,
        "centerCrop": [crop_case(*case) for case in CROPS],
        "toTensor": summary(scaled.numpy()),
        "normalize": summary(functional.normalize(scaled, mean, std).numpy()),
        # As torchvision.utils.save_image rounds.
        "toImage": summary(ramp.mul(255).add_(0.5).clamp_(0, 255).permute(1, 2, 0).to(torch.uint8).numpy()),
        "presets": presets,
    }
    path = pathlib.Path(__file__).parents[2] / "test/goldens/image/image.json"
    path.write_text(json.dumps(golden, separators=(",", ":")).replace('{"kind"', '\n{"kind"') + "\n")


if __name__ == "__main__":
    main()
