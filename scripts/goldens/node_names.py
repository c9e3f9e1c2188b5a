"""Writes test/goldens/node-names.json: torchvision's get_graph_node_names, in eval mode, of all builders of src/models.

Left out are nodes that layertap doesn't have: those that only compute shapes, and parameters. The input is `x`.
ShuffleNet's channel shuffle is one function, and ConvNeXt's LayerNorm2d is one layer. Of each network the number of
names and the SHA-256 of their lines, and of one network of each kind the names themselves.

Run with Debian's Python (torch 1.13, torchvision 0.14): /usr/bin/python3 scripts/goldens/node_names.py
"""

import hashlib
import json

from torchvision.models.convnext import LayerNorm2d
from torchvision.models.feature_extraction import NodePathTracer, _set_default_tracer_kwargs
from torchvision.models.shufflenetv2 import channel_shuffle

from generator import GOLDENS
from models import build
from state_dicts import builders

WHOLE = ["resnet18", "mobilenet_v2", "mobilenet_v3_small", "squeezenet1_1", "alexnet", "vgg11_bn", "efficientnet_b0",
         "regnet_y_400mf", "mnasnet0_5", "googlenet", "convnext_tiny", "shufflenet_v2_x0_5",
         "lraspp_mobilenet_v3_large"]


class Tracer(NodePathTracer):
    """Follows ShuffleNet's `x1, x2 = x.chunk(2)` and `n, c, h, w = x.size()` too, which torch.fx refuses."""

    def iter(self, proxy):
        items = {"chunk": lambda: proxy.node.args[1], "size": lambda: 4}
        if proxy.node.target not in items:
            return super().iter(proxy)
        return iter([proxy[i] for i in range(items[proxy.node.target]())])


def is_shape_only(node):
    """Whether it is a parameter, or computes a shape: sizes, parts of sizes, and their quotients."""
    if node.op == "get_attr":
        return True
    name = node.target if isinstance(node.target, str) else node.target.__name__
    if name in ("size", "getattr"):
        return True
    operands = [argument for argument in node.args if hasattr(argument, "op")]
    return name in ("getitem", "floordiv") and all(is_shape_only(operand) for operand in operands)


def node_names(model):
    kwargs = _set_default_tracer_kwargs({"leaf_modules": [LayerNorm2d], "autowrap_functions": (channel_shuffle,)})
    tracer = Tracer(**kwargs)
    tracer.trace(model.eval())
    named = [(node, name) for node, name in tracer.node_to_qualname.items() if not is_shape_only(node)]
    return ["x" if node.op == "placeholder" else name for node, name in named]


def main():
    goldens = []
    for model in builders():
        names = node_names(build(model, {}))
        digest = hashlib.sha256("\n".join(names).encode()).hexdigest()
        entry = {"model": model, "count": len(names), "sha256": digest}
        goldens.append({**entry, "names": names} if model in WHOLE else entry)
    lines = ",\n".join(json.dumps(entry) for entry in goldens)
    (GOLDENS / "node-names.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
