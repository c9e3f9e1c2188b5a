"""PyTorch's files in both layouts, and the bytes of each of their tensors: test/goldens/pth/."""

import argparse
import collections
import json
import os

import numpy as np
import torch

FOLDER = os.path.join(os.path.dirname(__file__), "../../test/goldens/pth")


def state_dict():
    """Each dtype, and views of every kind: strided, shared, expanded, empty."""
    torch.manual_seed(0)
    base = torch.arange(24, dtype=torch.float32)
    tensors = collections.OrderedDict()
    tensors["f32"] = torch.randn(2, 3)
    for name in ("float16", "bfloat16", "float64"):
        tensors[name] = torch.randn(3, 2).to(getattr(torch, name))
    for name in ("int64", "int32", "int16", "int8", "uint8"):
        tensors[name] = torch.randint(0, 100, (5,)).to(getattr(torch, name))
    tensors["bool"] = torch.tensor([True, False, True])
    tensors["scalar"] = torch.tensor(7)
    tensors["empty"] = torch.zeros(0, 3)
    tensors["channels_last"] = torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)
    tensors["transposed"] = torch.randn(3, 4).t()
    tensors["slice"] = base[4:10]
    tensors["shared"] = base.view(4, 6)
    tensors["strided"] = base[::3]
    tensors["expanded"] = torch.tensor([1.5]).expand(4)
    tensors["parameter"] = torch.nn.Parameter(torch.randn(4))
    tensors._metadata = collections.OrderedDict([("", {"version": 1}), ("bn", {"version": 2})])
    return tensors


def bytes_of(tensor):
    dense = tensor.detach().contiguous()
    words = dense.view(torch.int16) if dense.dtype == torch.bfloat16 else dense
    return {"dtype": str(dense.dtype)[6:], "shape": list(dense.shape), "hex": words.numpy().tobytes().hex()}


def main():
    os.makedirs(FOLDER, exist_ok=True)
    tensors = state_dict()
    # What training scripts save beside the weights.
    checkpoint = {
        "epoch": 3,
        "model": tensors,
        "ema": collections.OrderedDict(("module." + name, tensor) for name, tensor in tensors.items()),
        "args": argparse.Namespace(lr=0.1, betas=(0.9, 0.999)),
        "accuracy": np.float64(0.75),
        "optimizer": {"state": {0: {"step": 1, "momentum": torch.randn(2)}}, "param_groups": [{"lr": 0.1}]},
        "complex": torch.tensor([1 + 2j]),
    }
    module = torch.nn.Sequential(torch.nn.Linear(2, 2))
    for layout in ("zip", "legacy"):
        for name, value in (("state-dict", tensors), ("checkpoint", checkpoint), ("module", module)):
            path = os.path.join(FOLDER, f"{name}.{layout}.pth")
            torch.save(value, path, _use_new_zipfile_serialization=layout == "zip")
    with open(os.path.join(FOLDER, "tensors.json"), "w") as file:
        json.dump({name: bytes_of(tensor) for name, tensor in tensors.items()}, file, indent=0)
        file.write("\n")


main()
