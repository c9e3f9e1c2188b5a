"""Writes test/goldens/generator.json: what pins the generator that parameters and inputs of the goldens come from.

As a module it is that generator, the same few lines as test/support/generator.ts: a tensor depends on its key and
shape alone, so goldens need no weight files. Also here: the writer of .safetensors files.
"""

import hashlib
import json
import pathlib

import numpy as np
import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDENS = ROOT / "test/goldens"


def fnv1a(key):
    """FNV-1a, 32 bits, of the key's UTF-8."""
    seed = 0x811C9DC5
    for byte in key.encode():
        seed = (seed ^ byte) * 0x01000193 % 2**32
    return seed


def uniform(key, count):
    """`count` float64 in [0, 1): murmur3's fmix32 of seed + i * 0x9E3779B9, its upper 24 bits."""
    h = (np.arange(count, dtype=np.uint64) * 0x9E3779B9 + fnv1a(key)).astype(np.uint32)
    h ^= h >> 16
    h *= np.uint32(0x85EBCA6B)
    h ^= h >> 13
    h *= np.uint32(0xC2B2AE35)
    h ^= h >> 16
    return (h >> 8) * 2.0**-24


def generated(key, shape, scale=2.0):
    """A tensor of (2u - 1) * scale."""
    u = uniform(key, int(np.prod(shape)))
    return torch.from_numpy(((2 * u - 1) * scale).astype(np.float32).reshape(shape))


def parameter(key, shape, prefix=""):
    """The values of a state dict's key: Kaiming-uniform weights, and statistics far from 0 and 1."""
    name = key.split(".")[-1]
    seed = prefix + key
    if len(shape) >= 2:
        return generated(seed, shape, (6 / int(np.prod(shape[1:]))) ** 0.5)
    if name == "running_mean":
        return generated(seed, shape, 0.2)
    if name == "bias":
        return generated(seed, shape, 0.1)
    base, width = {"running_var": (0.25, 3.75), "weight": (0.5, 1.0), "scale_weight": (10.0, 20.0)}[name]
    u = uniform(seed, int(np.prod(shape)))
    return torch.from_numpy((base + width * u).astype(np.float32).reshape(shape))


def fill(module, prefix=""):
    """Fills all parameters and buffers but num_batches_tracked; returns the module in eval mode."""
    # With its metadata: MNASNet refuses a state without a version.
    state = module.state_dict()
    for key, t in state.items():
        if not key.endswith("num_batches_tracked"):
            state[key] = parameter(key, tuple(t.shape), prefix)
    module.load_state_dict(state)
    return module.eval()


def save_safetensors(path, tensors, metadata=None):
    """Writes float32 and uint8 arrays, float32 first, so that all are aligned."""
    names = {"float32": "F32", "uint8": "U8"}
    arrays = sorted(((k, np.ascontiguousarray(v)) for k, v in tensors.items()),
        key=lambda kv: (kv[1].dtype.name, kv[0]))
    header, at = {"__metadata__": metadata} if metadata else {}, 0
    for key, array in arrays:
        header[key] = {"dtype": names[array.dtype.name], "shape": list(array.shape),
            "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(a.tobytes() for _, a in arrays))


def snake_case(options):
    """layertap's option names as PyTorch's keywords: `ceilMode` to `ceil_mode`."""
    return {"".join(f"_{c.lower()}" if c.isupper() else c for c in key): value for key, value in options.items()}


PINNED = [
    ("layer1.0.conv1.weight", [8, 5, 3, 3]),
    ("fc.weight", [1000, 512]),
    ("bn1.weight", [64]),
    ("bn1.bias", [64]),
    ("bn1.running_mean", [64]),
    ("bn1.running_var", [70001]),
    ("é→𝄞.weight", [3, 7]),
]


def main():
    golden = []
    for key, shape in PINNED:
        data = parameter(key, shape).numpy().reshape(-1)
        golden.append({"key": key, "shape": shape, "first": [v.item() for v in data[:4]],
                       "sha256": hashlib.sha256(data.tobytes()).hexdigest()})
    data = generated("input", [2, 3, 97, 131]).numpy()
    golden.append({"key": "input", "shape": list(data.shape), "first": [v.item() for v in data.reshape(-1)[:4]],
                   "sha256": hashlib.sha256(data.tobytes()).hexdigest()})
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in golden)
    (GOLDENS / "generator.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
