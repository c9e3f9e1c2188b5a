"""Writes test/goldens/state-dicts.json and test/goldens/repr/: keys, shapes and repr() of torchvision's models.

For every builder in src/models, and the backbones of test/cases/zoo.json: the number of keys, the SHA-256 of the
ordered lines "key [shape]", and of what PyTorch prints; for a few of them, and for a getter of resnet50, all of it.

Run with Debian's Python (torch 1.13, torchvision 0.14): /usr/bin/python3 scripts/goldens/state_dicts.py
"""

import hashlib
import inspect
import json
import re

import torchvision
from torchvision.models._utils import IntermediateLayerGetter

from backbones import BACKBONES, build_backbone
from generator import GOLDENS, ROOT
from models import build

# DeepLab with its auxiliary head, whose keys are the commonest trouble in loading.
WHOLE_KEYS = [("resnet18", {}), ("deeplabv3_resnet50", {"auxLoss": True})]
WHOLE_REPRS = ["resnet18", "squeezenet1_1"]


def builders():
    """The exported functions in lower case in src/models, which are torchvision's names."""
    files = sorted((ROOT / "src/models").glob("*.ts"))
    return [name for file in files for name in re.findall(r"^export function ([a-z0-9_]+)\(", file.read_text(), re.M)]


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def golden(name, options):
    model = (build_backbone if name in BACKBONES else build)(name, options)
    lines = [f"{key} {list(t.shape)}" for key, t in model.state_dict().items()]
    text = repr(model)
    if not options and name in WHOLE_REPRS:
        (GOLDENS / "repr" / f"{name}.txt").write_text(text + "\n")
    entry = {"model": name, "options": options, "count": len(lines), "sha256": sha256("\n".join(lines)),
             "reprSha256": sha256(text)}
    return {**entry, "keys": lines} if (name, options) in WHOLE_KEYS else entry


def main():
    (GOLDENS / "repr").mkdir(exist_ok=True)
    goldens = []
    for name in builders():
        goldens.append(golden(name, {}))
        if "aux_loss" in inspect.signature(torchvision.models.get_model_builder(name)).parameters:
            goldens.append(golden(name, {"auxLoss": True}))
    for case in json.loads((ROOT / "test/cases/zoo.json").read_text()):
        if case["model"] in BACKBONES:
            goldens.append(golden(case["model"], case["options"]))
    getter = IntermediateLayerGetter(build("resnet50", {}), {"layer1": "aux", "layer2": "out"})
    (GOLDENS / "repr" / "resnet50-getter.txt").write_text(repr(getter) + "\n")
    lines = ",\n".join(json.dumps(entry) for entry in goldens)
    (GOLDENS / "state-dicts.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
