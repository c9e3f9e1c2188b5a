"""Writes test/goldens/models/*.safetensors: what torchvision's models return for the cases of test/cases/models.json.

Of each output: shape and largest absolute value in the metadata, SAMPLES values at evenly spread flat indices, and for
segmentation the class of every pixel. Parameters come from the generator, keyed by state-dict key, and the input comes
by "input".

Run with Debian's Python (torch 1.13, torchvision 0.14): /usr/bin/python3 scripts/goldens/models.py
"""

import inspect
import json

import numpy as np
import torch
import torchvision
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.models.feature_extraction import create_feature_extractor

from generator import GOLDENS, ROOT, fill, generated, save_safetensors, snake_case

# A prime: flat indices floor(i * numel / SAMPLES) fall on ever other channels and pixels.
SAMPLES = 509


def build(name, options):
    """torchvision's model without pretrained weights, from layertap's options. Its parameters aren't initialised."""
    for init in [f for f in dir(torch.nn.init) if f.endswith("_") and not f.startswith("_")]:
        setattr(torch.nn.init, init, lambda tensor, *args, **kwargs: tensor)
    arguments = snake_case(options)
    if "norm_layer" in arguments:
        arguments["norm_layer"] = getattr(torchvision.ops, arguments["norm_layer"])
    if "weights_backbone" in inspect.signature(torchvision.models.get_model_builder(name)).parameters:
        arguments["weights_backbone"] = None
    return torchvision.models.get_model(name, weights=None, **arguments)


def outputs_of(case):
    """The case's outputs by name; of a model that returns a tensor it is "out"."""
    model = fill(build(case["model"], case["options"]))
    if "returnLayers" in case:
        model = IntermediateLayerGetter(model, case["returnLayers"])
    if "returnNodes" in case:
        # An activation in place would overwrite the node before it.
        for module in model.modules():
            if hasattr(module, "inplace"):
                module.inplace = False
        model = create_feature_extractor(model.eval(), case["returnNodes"], suppress_diff_warning=True)
    with torch.no_grad():
        result = model(generated("input", case["input"]))
    return {"out": result} if isinstance(result, torch.Tensor) else dict(result)


def main():
    torch.set_num_threads(1)
    for old in (GOLDENS / "models").glob("*.safetensors"):
        old.unlink()
    for case in json.loads((ROOT / "test/cases/models.json").read_text()):
        taps, tensors = [], {}
        for name, output in outputs_of(case).items():
            flat = output.numpy().reshape(-1)
            indices = np.arange(min(SAMPLES, flat.size)) * flat.size // min(SAMPLES, flat.size)
            taps.append({"name": name, "shape": list(output.shape), "largest": np.abs(flat).max().item()})
            tensors[str(name)] = flat[indices]
            if name == "out" and "returnLayers" not in case and "returnNodes" not in case and output.ndim == 4:
                tensors["classes"] = output.argmax(1).to(torch.uint8).numpy()
        save_safetensors(GOLDENS / "models" / f"{case['name']}.safetensors", tensors, {"taps": json.dumps(taps)})


if __name__ == "__main__":
    main()
