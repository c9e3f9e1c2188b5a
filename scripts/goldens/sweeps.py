"""Writes test/sweeps/*.json: thousands of layers, their options drawn at random, and what PyTorch computes.

A file says what PyTorch calls the layer or function, and by how much layertap's results may be off (`BoundRule` in
test/support/named.ts). Then it has a line for each case: [arguments, options, input shapes, data, result]. The result
is "error" where PyTorch raises, or [shape, samples, sum, sum of absolute values, numbers of NaN, ∞ and −∞,
magnitudes]. Sums are of the finite values. Samples are at the places that `places` gives. Magnitudes are the largest
and the sum of Σ|term| over the outputs, where the bound asks for them; null for others.

All is computed in float64 and rounded once, so that other roundings are layertap's alone. But resizing is computed in
float32, since its coordinates are. Inputs and parameters come from the generator, keyed by the layer's name and the
line's number. What differs on purpose is drawn as well; test/sweeps/differences.ts names it.

Run with Debian's Python (torch 1.13, torchvision 0.14): /usr/bin/python3 scripts/goldens/sweeps.py
"""

import json
import math
import random
import sys

import numpy as np
import torch

from generator import ROOT, parameter, uniform
from named import module_of

DATA = ["noise", "constant", "ramp", "positive", "negative", "specials"]
SPECIALS = np.array([np.nan, np.inf, -np.inf, -0.0, 6.0])


def values(kind, key, shape):
    """An input of one kind, in float32."""
    count = int(np.prod(shape))
    if kind == "constant":
        flat = np.full(count, 0.7)
    elif kind == "ramp":
        flat = (np.arange(count) % 1000 - 300) / 64
    else:
        u = uniform(key, count)
        flat = {"positive": 2 * u, "negative": -2 * u}.get(kind, 4 * u - 2)
    flat = flat.astype(np.float32)
    if kind == "specials":
        places = np.arange(3, count, 11)
        flat[3::11] = SPECIALS[places // 11 % 5]
    return torch.from_numpy(flat.reshape(shape))


def fill(module, key, kind):
    """Generated parameters; without a sign where the input has one, so that sums only grow."""
    state = module.state_dict()
    for name, tensor in state.items():
        if name.endswith("num_batches_tracked"):
            continue
        value = parameter(name, tuple(tensor.shape), f"{key}.")
        state[name] = value.abs() if kind in ("constant", "positive", "negative") else value
    module.load_state_dict(state)
    return module.eval()


def places(key, count):
    """Four places of `count`: the first, the last, and two by the generator."""
    return [0, count - 1, *(uniform(f"{key}.places", 2) * count).astype(int).tolist()]


def magnitude(module, inputs):
    """Σ|term| of each output: what the module gives for absolute inputs and parameters. Means are subtracted."""
    state = module.state_dict()
    for name, tensor in state.items():
        if tensor.is_floating_point():
            state[name] = -tensor.abs() if name.endswith("running_mean") else tensor.abs()
    module.load_state_dict(state)
    return module(*(torch.nan_to_num(x, 0, 0, 0).abs() for x in inputs)).abs()


def result_of(sweep, key, case):
    args, options, shapes, kind = case
    bound = sweep["bound"]
    try:
        # PyTorch takes some pairs as tuples only.
        args = [tuple(arg) if isinstance(arg, list) else arg for arg in args]
        options = {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
        module = fill(module_of(sweep, args, options), key, kind)
        inputs = [values(kind, f"{key}.input{i}", shape) for i, shape in enumerate(shapes)]
        if sweep.get("computed") != "in float32":
            module = module.double()
            inputs = [x.double() for x in inputs]
        with torch.no_grad():
            y = module(*inputs).float()
            finite = y[torch.isfinite(y)].double()
            at = places(key, y.numel()) if y.numel() else []
            samples = [short(v) for v in y.reshape(-1)[at].tolist()]
            special = [int(n) for n in (torch.isnan(y).sum(), torch.isposinf(y).sum(), torch.isneginf(y).sum())]
            counts_terms = bound != "none" and ("sumOf" in bound or bound["of"] == "terms")
            size = magnitude(module, inputs) if counts_terms else None
    except (RuntimeError, ValueError, TypeError, IndexError, ZeroDivisionError, OverflowError, AssertionError):
        return "error"
    sizes = None if size is None or not size.numel() else [above(size.max().item()), above(size.sum().item())]
    return [list(y.shape), samples, short(finite.sum().item()), short(finite.abs().sum().item()), special, sizes]


def short(v):
    """A number with nine digits, which tell any two float32s apart; NaN and infinities as strings."""
    return float(f"{v:.9g}") if math.isfinite(v) else str(v)


def above(v):
    """A number a little larger, with four digits."""
    return float(f"{v * 1.0006:.4g}")


class Draw:
    """Random options. Small sizes are likely; large ones come, too."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.pick = self.random.choice
        self.between = self.random.randint

    def chance(self, p):
        return self.random.random() < p

    def size(self):
        return self.pick([1, 2, 3, self.between(1, 9), self.between(1, 17), self.between(1, 17), self.between(5, 33)])

    def channels(self):
        return self.pick([1, 2, 3, 4, 5, 7, 8, 9, self.between(1, 20)])

    def batch(self):
        return self.pick([1, 1, 1, 2, 3]) if not self.chance(0.03) else 0

    def pair(self, one):
        """One number, or two."""
        return one() if self.chance(0.6) else [one(), one()]

    def image(self):
        return [self.batch(), self.channels(), self.size(), self.size()]

    def huge(self, channels=None):
        """An image with one huge axis."""
        size = self.pick([4097, 20001, 50000, 65537])
        shape = [1, channels or self.pick([1, 1, 2, 4]), 1, size]
        return shape if self.chance(0.6) else [*shape[:2], shape[3], 1]

    def data(self, specials=True):
        return self.pick(DATA if specials else DATA[:-1])

    def options(self, **chances):
        """Each option with its chance: name=(chance, function)."""
        return {name: value() for name, (chance, value) in chances.items() if self.chance(chance)}


def conv2d(d):
    if d.chance(0.06):
        # Long sums: as many products as the largest layers have.
        channels = d.pick([288, 512, 1024, 2048])
        size = d.between(1, 4)
        kernel = d.pick([1, 3])
        options = {"padding": kernel // 2, "bias": d.chance(0.5)}
        return [[channels, d.between(1, 6), kernel], options, [[1, channels, size, size]], d.data(False)]
    if d.chance(0.06):
        # Winograd's layers and their neighbours, Toeplitz products and split taps.
        channels, out = d.pick([16, 24, 32, 64]), d.pick([16, 17, 24, 32])
        dilation = d.pick([1, 1, 1, 1, 2, 6, 12])
        options = {"padding": d.pick([0, 1]) * dilation, "dilation": dilation, "stride": d.pick([1, 1, 2])}
        return [[channels, out, 3], options, [[d.pick([1, 2]), channels, d.between(7, 16), d.between(7, 16)]], d.data()]
    if d.chance(0.04):
        shape = d.huge()
        kernel = [1, d.between(1, 9)] if shape[2] == 1 else [d.between(1, 9), 1]
        return [[shape[1], d.between(1, 4), kernel], d.options(stride=(0.5, lambda: d.between(1, 3))), [shape],
            d.data()]
    shape = d.image()
    groups = d.pick([1, 1, 1, 1, 2, 3, 4, shape[1]])
    channels = shape[1] if shape[1] % groups == 0 else shape[1] * groups
    shape[1] = channels
    out = groups * d.between(1, max(1, 20 // groups))
    kernel = d.pair(lambda: d.pick([1, 1, 2, 3, 3, 3, 4, 5, 7]))
    options = d.options(
        stride=(0.4, lambda: d.pair(lambda: d.between(1, 3))),
        padding=(0.6, lambda: d.pick(["same", "valid", *[d.pair(lambda: d.between(0, 4)) for _ in range(8)]])),
        dilation=(0.25, lambda: d.pair(lambda: d.between(1, 3))),
        bias=(0.4, lambda: False),
    )
    if groups > 1:
        options["groups"] = groups
    case = [[channels, out, kernel], options, [shape], d.data()]
    if d.chance(0.1):
        # PyTorch checks less where there is nothing to compute.
        shape[0] = max(1, shape[0])
        name, value = d.pick([
            ("groups", 0), ("groups", channels + 1), ("stride", 0), ("stride", -1), ("stride", 1.5), ("dilation", 0),
            ("padding", -1),
            ("padding", 0.5), ("padding", "full"), ("stride", [1, 2, 3]), ("kernel", 40), ("channels", channels + 1),
            ("input", [shape[0], channels, 0, 5]), ("input", [shape[0], channels]), ("input", [1, channels, shape[2]]),
            ("dilation", 2**31 - 1), ("stride", 2**31 - 1), ("padding", [1, -1]),
        ])
        if name == "kernel":
            case[0][2] = value
        elif name == "channels":
            shape[1] = value
        elif name == "input":
            case[2] = [value]
        else:
            options[name] = value
    return case


def conv_transpose2d(d):
    if d.chance(0.03):
        shape = d.huge()
        kernel = [1, d.between(1, 9)] if shape[2] == 1 else [d.between(1, 9), 1]
        return [[shape[1], d.between(1, 4), kernel], d.options(stride=(0.5, lambda: d.between(1, 3))), [shape],
            d.data()]
    shape = d.image()
    if d.chance(0.05):
        # Long sums.
        shape = [1, d.pick([288, 512, 1024]), d.between(1, 4), d.between(1, 4)]
    groups = d.pick([1, 1, 1, 1, 2, 3, 4, shape[1]]) if shape[1] < 100 else 1
    channels = shape[1] if shape[1] % groups == 0 else shape[1] * groups
    shape[1] = channels
    out = groups * d.between(1, max(1, 20 // groups))
    kernel = d.pair(lambda: d.pick([1, 2, 2, 3, 3, 4, 4, 5, 7]))
    sizes = kernel if isinstance(kernel, list) else [kernel, kernel]
    options = d.options(
        stride=(0.7, lambda: d.pair(lambda: d.pick([1, 2, 2, 2, 3, 4]))),
        padding=(0.5, lambda: d.pair(lambda: d.between(0, max(1, min(sizes) // 2)))),
        dilation=(0.25, lambda: d.pair(lambda: d.between(1, 4))),
        bias=(0.4, lambda: False),
    )
    if d.chance(0.4):
        most = lambda axis: max(as_pair(options.get(name, 1))[axis] for name in ["stride", "dilation"]) - 1
        options["outputPadding"] = [d.between(0, most(0)), d.between(0, most(1))]
    if groups > 1:
        options["groups"] = groups
    case = [[channels, out, kernel], options, [shape], d.data()]
    if d.chance(0.1):
        shape[0] = max(1, shape[0])
        name, value = d.pick([
            ("groups", 0), ("groups", channels + 1), ("stride", 0), ("stride", -1), ("stride", 1.5), ("dilation", 0),
            ("padding", -1),
            ("padding", 0.5), ("stride", [1, 2, 3]), ("channels", channels + 1), ("padding", 40), ("outputPadding", 5),
            ("outputPadding", -1), ("outputPadding", [0, 9]), ("input", [shape[0], channels, 0, 5]),
            ("input", [shape[0], channels]),
            ("input", [1, channels, shape[2]]), ("paddingMode", "reflect"), ("padding", [1, -1]),
        ])
        if name == "channels":
            shape[1] = value
        elif name == "input":
            case[2] = [value]
        else:
            options[name] = value
    return case


def as_pair(value):
    return value if isinstance(value, list) else [value, value]


def window(d, name):
    """A pooling layer with what both kinds have."""
    shape = d.huge() if d.chance(0.06) else d.image()
    one = lambda: d.pick([1, 2, 2, 3, 3, 4, 5, 7])
    kernel = d.pair(one)
    if max(shape) > 4000:
        kernel = [d.between(1, 9), 1] if shape[3] == 1 else [1, d.between(1, 9)]
    sizes = kernel if isinstance(kernel, list) else [kernel, kernel]
    padding = lambda: d.between(0, min(sizes) // 2) if d.chance(0.9) else d.between(1, 4)
    options = d.options(
        stride=(0.6, lambda: d.pair(lambda: d.between(1, 4))),
        padding=(0.4, lambda: d.pair(padding)),
        ceilMode=(0.3, lambda: True),
    )
    case = [[kernel], options, [shape], d.data()]
    if d.chance(0.1):
        key, value = d.pick([
            ("kernel", 0), ("kernel", 50), ("kernel", [2, 0]), ("kernel", 1.5), ("stride", 0), ("stride", -2),
            ("padding", -1),
            ("padding", 9), ("input", [shape[0], shape[1], 0, 4]), ("input", [shape[0], 0, 4, 4]), ("input", [2, 3]),
            ("stride", [1, 0]),
            ("input", [3, 5, 5]), *([("dilation", 0), ("dilation", 2**31 - 1), ("dilation", 5000)] if name == "max" else
                                    [("divisorOverride", 0), ("divisorOverride", 2.5), ("divisorOverride", 2**31)]),
        ])
        if key == "kernel":
            case[0] = [value]
        elif key == "input":
            case[2] = [value]
        else:
            options[key] = value
        if value == 2**31 - 1 and key == "dilation":
            # PyTorch's own product with a kernel of more than one pixel overflows.
            case[0] = [1]
            options.pop("padding", None)
    return case


def max_pool2d(d):
    case = window(d, "max")
    if "dilation" not in case[1] and d.chance(0.25):
        case[1]["dilation"] = d.pair(lambda: d.between(1, 3))
    return case


def avg_pool2d(d):
    if d.chance(0.06):
        size = d.pick([32, 64, 128, 256])
        return [[size], {}, [[1, 1, size, size]], d.data(False)]
    case = window(d, "avg")
    if "divisorOverride" not in case[1]:
        case[1].update(d.options(countIncludePad=(0.3, lambda: False),
                                 divisorOverride=(0.15, lambda: d.pick([1, 2, 5, 9, -3]))))
    return case


def lp_pool2d(d):
    case = window(d, "lp")
    case[1] = {name: value for name, value in case[1].items() if name in ("stride", "ceilMode")}
    # Powers that take any sign, and those that don't.
    p = d.pick([1, 2, 2, 3, 4]) if d.chance(0.8) else d.pick([0.5, 1.5, -1, 2.5])
    return [[p, *case[0]], case[1], case[2], d.data(d.chance(0.3))]


def adaptive_max_pool2d(d):
    case = adaptive_avg_pool2d(d)
    if d.chance(0.4):
        # Sizes that divide.
        height, width = d.between(1, 6), d.between(1, 6)
        case[0] = [[height, width]]
        case[2] = [[d.batch(), d.channels(), height * d.between(1, 5), width * d.between(1, 5)]]
    return case


def avg_pool1d(d):
    case = avg_pool2d(d)
    case[1].pop("divisorOverride", None)
    return case


def adaptive_pool1d(d):
    case = adaptive_max_pool2d(d)
    size = case[0][0]
    # Of nothing PyTorch gives NaN.
    case[2][0][-1] = max(1, case[2][0][-1])
    # PyTorch's 1-D layers keep no size.
    return case if not isinstance(size, list) or size[-1] is not None else [[d.between(1, 9)], *case[1:]]


def adaptive_avg_pool2d(d):
    shape = d.image()
    if d.chance(0.05):
        size = d.pick([112, 224, 256])
        shape = [1, 1, size, size]
    if d.chance(0.08):
        shape = d.huge()
    one = lambda: d.pick([1, 1, 2, 3, 5, 7, 13, d.between(1, 40)])
    size = one() if d.chance(0.4) else [d.pick([one(), one(), None]), d.pick([one(), one(), None])]
    if max(shape) > 4000 and d.chance(0.5):
        size = [1, d.pick([None, 40000])] if shape[2] == 1 else [d.pick([None, 40000]), 1]
    if d.chance(0.08):
        size = d.pick([-1, 0, [2, -1], 1.5, [1, 2, 3]])
    if d.chance(0.04):
        shape = d.pick([[1, 3, 0, 4], [1, 3], [3, 4, 4], [1, 3, 4, 0]])
    return [[size], {}, [shape], d.data()]


def upsample(d, modes=("nearest", "bilinear")):
    shape = d.huge() if d.chance(0.04) else d.image()
    mode = d.pick(modes)
    options = {"mode": mode} if mode != "nearest" or d.chance(0.5) else {}
    if mode in ("bilinear", "bicubic") and d.chance(0.7):
        options["alignCorners"] = d.chance(0.5)
    factor = lambda: d.pick([1, 2, 0.5, 1.5, 3, 1.3, 0.7, 2.41, 1.1, round(d.random.uniform(0.3, 3), d.between(1, 6))])
    ways = d.pick(["size", "scaleFactor", "scaleFactor"])
    if ways == "size":
        near = lambda axis: d.pick([shape[axis], shape[axis], 2 * shape[axis], d.size(), d.size()])
        options["size"] = d.size() if d.chance(0.3) else [near(2), near(3)]
        if max(shape) > 4000:
            options["size"] = [near(2) if shape[2] > 1 else 1, near(3) if shape[3] > 1 else 1]
    else:
        options["scaleFactor"] = d.pair(factor)
    if d.chance(0.06):
        options.update(d.pick([
            {"scaleFactor": 0.01}, {"size": 0}, {"size": [3, -1]}, {"scaleFactor": [1, 0]}, {"scaleFactor": -1},
            {"size": 1.5},
            {"size": 4, "scaleFactor": 2}, {"mode": "nearest", "alignCorners": True}, {"mode": "linear"},
            {"scaleFactor": [2]},
            {"size": [1, 2, 3]},
        ]))
    if d.chance(0.03):
        shape = d.pick([[1, 3, 0, 4], [1, 0, 4, 4], [1, 3], [1, 3, 4, 0]])
    return [[], options, [shape], d.data()]


def resample(d):
    case = upsample(d, ("bicubic", "bicubic", "area", "nearest-exact"))
    # Where a weight of the cubic curve is nearly 0, rounding decides whether an infinite pixel makes NaN.
    return [*case[:3], d.data(False)] if case[1].get("mode") == "bicubic" else case


def upsampling(d):
    case = upsample(d, ("nearest",))
    return [case[0], {name: value for name, value in case[1].items() if name not in ("mode", "alignCorners")},
        *case[2:]]


def linear(d):
    if d.chance(0.1):
        features = d.pick([4608, 25088, 100000, 200000])
        return [[features, d.between(1, 3)], {}, [[1, features]], d.data(False)]
    features, out = d.between(1, 70), d.between(1, 40)
    shape = [d.batch() if d.chance(0.7) else d.between(1, 30), features]
    if d.chance(0.3):
        shape = [*[d.between(1, 5) for _ in range(d.between(0, 3))], features]
    if d.chance(0.08):
        shape = d.pick([[shape[0], features + 1], [shape[0], features, 1, 1], [shape[0], max(1, features - 1)]])
    return [[features, out], d.options(bias=(0.3, lambda: False)), [shape], d.data()]


def norm(d):
    shape = d.huge() if d.chance(0.05) else d.image()
    channels = shape[1] + (1 if d.chance(0.06) else 0)
    return [[channels], d.options(eps=(0.5, lambda: d.pick([0, 1e-3, 1e-5, 0.5]))), [shape], d.data()]


def batch_norm(d):
    case = norm(d)
    if d.chance(0.05):
        # FrozenBatchNorm2d would broadcast these.
        channels = case[0][0]
        case[2] = [d.pick([[2, channels], [channels], [2, channels, 3]])]
    case[1].update(d.options(affine=(0.2, lambda: False), momentum=(0.2, lambda: d.pick([0.01, 0.5]))))
    return case


def instance_norm(d):
    shape = d.huge() if d.chance(0.05) else d.image()
    # Not of an empty batch, which PyTorch 1.13 refuses with some options.
    shape[0] = max(1, shape[0])
    channels = shape[1] + (1 if d.chance(0.06) else 0)
    if d.chance(0.06):
        shape = d.pick([[2, channels], [1, channels, 1, 1], [2, channels, 3, 4, 5], [1, channels, 1, 2]])
    options = d.options(
        eps=(0.3, lambda: d.pick([1e-3, 1e-5, 0.5])), affine=(0.5, lambda: d.chance(0.8)),
        trackRunningStats=(0.3, lambda: d.chance(0.8)), momentum=(0.1, lambda: d.pick([0.01, 0.5])),
    )
    return [[channels], options, [shape], d.data(d.chance(0.3))]


def batch_norm1d(d):
    case = batch_norm(d)
    channels = case[2][0][1] if len(case[2][0]) > 1 else 3
    # PyTorch checks less where there is nothing to compute.
    batch = d.batch() if channels == case[0][0] else 2
    rows = [batch, channels, d.size()] if d.chance(0.6) else [batch, channels]
    case[2] = [rows if d.chance(0.93) else d.pick([[2, channels, 3, 4], [channels]])]
    return case


def sync_batch_norm(d):
    case = batch_norm(d)
    if d.chance(0.3):
        channels = case[0][0]
        case[2] = [d.pick([[2, channels], [2, channels, 3], [2, channels, 3, 2, 4], [channels]])]
    return case


def activation(d):
    shape = d.huge() if d.chance(0.05) else d.image() if d.chance(0.8) else [d.batch(), d.between(1, 60)]
    return [[], {}, [shape], d.data()]


def prelu(d):
    case = activation(d)
    channels = case[2][0][1]
    return [[], d.options(numParameters=(0.6, lambda: channels + d.pick([0, 0, 0, 1])), init=(0.2, lambda: 0.5)),
        *case[2:]]


def anything(d, least=1):
    """A shape of any rank, most often an image's."""
    return d.image() if d.chance(0.5) else [d.between(1, 7) for _ in range(d.between(least, 5))]


def flatten(d):
    shape = d.image()
    return [[], {}, [shape if d.chance(0.8) else shape[:2]], d.data()]


def dropout(d):
    return [[d.pick([0, 0.2, 0.5, 1, 1, -0.1, 1.5])] if d.chance(0.8) else [], {}, [d.image()], d.data()]


def two(d):
    shape = anything(d)
    if d.chance(0.25):
        # Numbers that are float32s.
        return [[d.pick([0, 1, -1, 0.5, 2.5, -3, 1024, 0.0625])], {}, [shape], d.data()]
    other = list(shape)
    if d.chance(0.5):
        # Broadcast: some axes of one element on either side, the first ones missing on one.
        for i in range(len(shape)):
            if d.chance(0.4):
                (shape if d.chance(0.5) else other)[i] = 1
        if d.chance(0.3):
            other = other[d.between(0, len(other) - 1):]
        if d.chance(0.3):
            shape, other = other, shape
    if d.chance(0.1):
        other[d.between(0, len(other) - 1)] += 1
    return [[], {}, [shape, other], d.data()]


def product(d):
    case = two(d)
    a = case[2][0]
    if len(a) == 4 and d.chance(0.3):
        case[0], case[2] = [], [a, [a[0], a[1], 1, 1]]
        if d.chance(0.3):
            case[2].reverse()
    return case


def gelu(d):
    case = activation(d)
    case[1] = d.options(approximate=(0.4, lambda: d.pick(["tanh", "tanh", "none", "erf"])))
    return case


def curve(d, *args, **options):
    """An activation whose arguments are drawn, each with a chance."""
    case = activation(d)
    if d.chance(0.3):
        case[2] = [anything(d)]
    count = d.between(0, len(args))
    case[0] = [one() for one in args[:count]]
    return case


def leaky_relu(d):
    return curve(d, lambda: d.pick([0, 0.2, 0.01, 1.5, -0.5]))


def elu(d):
    return curve(d, lambda: d.pick([0.5, 1, 2, 0.25]))


def celu(d):
    return curve(d, lambda: d.pick([0.5, 1, 2, 0.25, 0]))


def softplus(d):
    return curve(d, lambda: d.pick([1, 2, 0.5]), lambda: d.pick([20, 5, 1]))


def hardtanh(d):
    return curve(d, lambda: d.pick([-1, -0.5, 0, 2]), lambda: d.pick([1, 0.5, 3]))


def clamp(d):
    case = activation(d)
    case[1] = d.options(min=(0.7, lambda: d.pick([-1, 0, 0.5])), max=(0.7, lambda: d.pick([1, 0.25, 6])))
    return case


def softmax(d):
    shape = anything(d)
    return [[axis(d, len(shape))] if d.chance(0.8) else [], {}, [shape], d.data(d.chance(0.3))]


def softmax2d(d):
    return [[], {}, [anything(d)], d.data(False)]


def local_response_norm(d):
    shape = anything(d)
    options = d.options(alpha=(0.5, lambda: d.pick([1e-2, 0.5])), beta=(0.4, lambda: d.pick([0.5, 1])),
                        k=(0.4, lambda: d.pick([1, 2])))
    return [[d.between(1, 7)], options, [shape], d.data(d.chance(0.2))]


def group_norm(d):
    groups = d.pick([1, 1, 2, 3, 4])
    shape = d.image() if d.chance(0.6) else [d.between(1, 3), 1, *[d.between(1, 5) for _ in range(d.between(0, 3))]]
    shape[0] = max(1, shape[0])
    channels = shape[1] * groups
    shape[1] = channels + (groups if d.chance(0.05) else 0)
    if d.chance(0.04):
        groups += 1
    options = d.options(eps=(0.3, lambda: d.pick([1e-3, 0.5])), affine=(0.2, lambda: False))
    return [[groups, channels], options, [shape], d.data(d.chance(0.3))]


def padding(d):
    return d.between(0, 3) if d.chance(0.4) else [d.between(-1 if d.chance(0.15) else 0, 4) for _ in range(4)]


def circular(draw):
    """Without sides that cut: PyTorch wraps what is written before."""
    def drawn(d):
        (sides,), *others = draw(d)
        return [[[max(0, side) for side in sides] if isinstance(sides, list) else sides], *others]

    return drawn


def pad_layer(d):
    return [[padding(d)], {}, [d.image()], d.data()]


def constant_pad(d):
    return [[padding(d), d.pick([0, 1.5, -2])], {}, [d.image()], d.data()]


def pad(d):
    mode = d.pick(["constant", "constant", "reflect", "replicate", "circular"])
    shape = d.image() if d.chance(0.6) else [d.between(1, 6) for _ in range(d.between(1, 5))]
    axes = d.between(1, len(shape)) if mode == "constant" else max(1, min(3, len(shape) - 2))
    sides = [d.between(0, 3) for _ in range(2 * axes)]
    options = {"mode": mode} if mode != "constant" or d.chance(0.3) else {}
    if mode == "constant" and d.chance(0.4):
        options["value"] = d.pick([1, -0.5])
    return [[sides], options, [shape], d.data()]


def pixel_shuffle(d):
    r = d.between(1, 3)
    shape = d.image()
    shape[1] = d.between(1, 4) * r * r + (1 if d.chance(0.06) else 0)
    return [[r], {}, [shape], d.data()]


def pixel_unshuffle(d):
    r = d.between(1, 3)
    # Not of an empty batch, which PyTorch 1.13 gives back as it is.
    shape = [d.between(1, 3), d.channels(), r * d.between(1, 6), r * d.between(1, 6) + (1 if d.chance(0.06) else 0)]
    return [[r], {}, [shape], d.data()]


def layer_norm(d):
    shape = anything(d)
    axes = d.pick([1, 1, d.between(1, len(shape))])
    sizes = shape[-axes:]
    if d.chance(0.08):
        sizes[d.between(0, axes - 1)] += 1
    normalized = sizes[0] if axes == 1 and d.chance(0.7) else sizes
    options = d.options(eps=(0.4, lambda: d.pick([1e-3, 1e-6, 0.5])), elementwiseAffine=(0.2, lambda: False))
    return [[normalized], options, [shape], d.data()]


def dropping(d):
    case = dropout(d)
    case[2] = [anything(d)]
    return case


def concatenation(d):
    shape = d.image() if d.chance(0.8) else [d.batch(), d.between(1, 60)]
    at = axis(d, len(shape)) if d.chance(0.4) else 1
    dim = at % len(shape)
    shapes = [[*shape[:dim], d.channels(), *shape[dim + 1:]] for _ in range(d.between(1, 4))]
    if d.chance(0.15) and len(shape) == 4:
        shapes[-1][d.pick([0, 2, 3])] += 1
    return [[at], {}, shapes, d.data()]


def axis(d, rank):
    """An axis, sometimes counted from the end, seldom none of them."""
    return d.between(-rank, rank - 1) if d.chance(0.95) else d.pick([rank, -rank - 1])


def reshape(d):
    shape = anything(d)
    count = math.prod(shape)
    sizes, rest = [], count
    while rest > 1 and len(sizes) < 5:
        sizes.append(d.pick([n for n in range(1, rest + 1) if rest % n == 0]))
        rest //= sizes[-1]
    sizes = [*sizes, rest] if rest > 1 or not sizes else sizes
    if d.chance(0.3) and len(shape) == 4:
        # As layers do it: images stay.
        sizes = d.pick([[shape[0], shape[1], -1], [shape[0], -1, shape[2], shape[3]], [shape[0], 1, *shape[1:]],
            [-1, shape[3]]])
    elif d.chance(0.4):
        sizes[d.between(0, len(sizes) - 1)] = -1
    if d.chance(0.1):
        sizes[0] = d.pick([sizes[0] + 1, -1, 0, -2])
    return [[sizes], {}, [shape], d.data()]


def flatten_of(d):
    shape = anything(d)
    return [[axis(d, len(shape)), axis(d, len(shape))], {}, [shape], d.data()]


def flatten_layer(d):
    case = flatten(d) if d.chance(0.3) else flatten_of(d)
    return case if d.chance(0.8) else [case[0][:1], *case[1:]]


def unflatten(d):
    shape = anything(d)
    at = axis(d, len(shape))
    size = shape[at] if -len(shape) <= at < len(shape) else 4
    inner = d.pick([n for n in range(1, max(size, 1) + 1) if size % n == 0])
    sizes = [inner, size // inner] if d.chance(0.6) else [inner, -1]
    if d.chance(0.1):
        sizes[0] += 1
    return [[at, sizes], {}, [shape], d.data()]


def squeeze(d):
    shape = [1 if d.chance(0.4) else size for size in anything(d)]
    return [[axis(d, len(shape))] if d.chance(0.6) else [], {}, [shape], d.data()]


def unsqueeze(d):
    shape = anything(d)
    return [[axis(d, len(shape) + 1)], {}, [shape], d.data()]


def permute(d):
    shape = anything(d)
    dims = d.random.sample(range(len(shape)), len(shape))
    if len(shape) == 4 and d.chance(0.4):
        dims = d.pick([[0, 2, 3, 1], [0, 3, 1, 2]])
    dims = [dim - len(shape) if d.chance(0.1) else dim for dim in dims]
    if d.chance(0.06):
        dims = d.pick([dims[:-1], [dims[0], *dims[:-1]], [*dims, 0], [len(shape), *dims[1:]]])
    return [[dims], {}, [shape], d.data()]


def transpose(d):
    shape = anything(d)
    return [[axis(d, len(shape)), axis(d, len(shape))], {}, [shape], d.data()]


def narrow(d):
    shape = anything(d)
    at = d.pick([1, 1, axis(d, len(shape))]) if len(shape) > 1 else axis(d, len(shape))
    size = shape[at] if -len(shape) <= at < len(shape) else 4
    start = d.between(0, size)
    length = d.between(0 if d.chance(0.1) else min(1, size - start), size - start)
    if d.chance(0.1):
        start, length = d.pick([(start - size, 0), (-1, 1), (start, length + size), (-size - 1, 1), (0, -1)])
    return [[at, start, length], {}, [shape], d.data()]


def slice_of(d):
    shape = anything(d)
    at = d.pick([1, 1, axis(d, len(shape))]) if len(shape) > 1 else axis(d, len(shape))
    size = shape[at] if -len(shape) <= at < len(shape) else 4
    index = lambda: d.between(-size - 2, size + 3)
    step = d.pick([1, 1, 1, 2, 3, 5]) if d.chance(0.95) else d.pick([0, -1])
    return [[at, index(), index(), step], {}, [shape], d.data()]


def split(d):
    shape = anything(d)
    at = d.pick([1, 1, axis(d, len(shape))]) if len(shape) > 1 else axis(d, len(shape))
    size = shape[at] if -len(shape) <= at < len(shape) else 4
    if d.chance(0.5):
        return [[d.between(0 if d.chance(0.1) else 1, size + 2), at], {}, [shape], d.data()]
    first = d.between(0, size)
    sizes = [first, size - first] if d.chance(0.9) else [first, size + 1]
    return [[sizes, at], {}, [shape], d.data()]


def chunk(d):
    shape = anything(d)
    at = d.pick([1, 1, axis(d, len(shape))]) if len(shape) > 1 else axis(d, len(shape))
    return [[d.between(0 if d.chance(0.1) else 1, 5), at], {}, [shape], d.data()]


def channel_shuffle(d):
    shape = anything(d, 2)
    groups = d.pick([n for n in range(1, shape[1] + 1) if shape[1] % n == 0])
    return [[groups if d.chance(0.93) else d.pick([0, -1, groups + 1])], {}, [shape], d.data()]


def mean(d):
    shape = d.image() if d.chance(0.5) else [d.between(1, 9) for _ in range(d.between(1, 5))]
    dims = d.random.sample(range(len(shape)), d.between(1, len(shape)))
    if len(shape) == 4 and d.chance(0.4):
        dims = d.pick([[2, 3], [-1, -2], [3, 2]])
    if d.chance(0.06):
        dims = d.pick([[len(shape)], [0, 0], []])
    dim = dims[0] if len(dims) == 1 and d.chance(0.5) else dims
    return [[dim], d.options(keepdim=(0.5, lambda: True)), [shape], d.data()]


def in_one_row(draw):
    """A 2-D layer's draw as one of the 1-D layer: the last of two sizes, and rows."""
    last = lambda value: value[-1] if isinstance(value, list) else value

    def drawn(d):
        args, options, shapes, data = draw(d)
        # Numbers of axes that aren't the layer's stay what they are.
        rows = [
            [*shape[:2], shape[3]] if len(shape) == 4 else shape[:2] if len(shape) == 3 else shape[:1]
            for shape in shapes
        ]
        return [[last(arg) for arg in args], {name: last(value) for name, value in options.items()}, rows, data]

    return drawn


def conv2d_modes(d):
    shape = d.image()
    groups = d.pick([1, 1, 1, 2, shape[1]])
    shape[1] = shape[1] if shape[1] % groups == 0 else shape[1] * groups
    out = groups * d.between(1, max(1, 12 // groups))
    kernel = d.pair(lambda: d.pick([1, 2, 3, 3, 5]))
    options = {"paddingMode": d.pick(["reflect", "replicate", "circular", "zeros"]), **d.options(
        stride=(0.3, lambda: d.pair(lambda: d.between(1, 3))),
        padding=(0.85, lambda: d.pick(["same", "valid", *[d.pair(lambda: d.between(0, 3)) for _ in range(8)]])),
        dilation=(0.2, lambda: d.pair(lambda: d.between(1, 3))),
        bias=(0.4, lambda: False),
    )}
    if groups > 1:
        options["groups"] = groups
    if d.chance(0.06):
        shape[0] = max(1, shape[0])
        name, value = d.pick([("paddingMode", "edge"), ("paddingMode", ""), ("padding", 40), ("stride", 0)])
        options[name] = value
    # Infinities stay in their windows but by Winograd's algorithms, which are for kernels of 3.
    return [[shape[1], out, kernel], options, [shape], d.data(kernel not in (3, [3, 3]) and d.chance(0.5))]


def matmul(d):
    rows, inner, columns = d.size(), d.pick([d.size(), d.size(), 700]), d.size()
    batch = [d.between(1, 4) for _ in range(d.pick([0, 0, 1, 1, 2, 3]))]
    first, second = list(batch), list(batch)
    for axis in range(len(batch)):
        if d.chance(0.25):
            d.pick([first, second])[axis] = 1
    if batch and d.chance(0.3):
        drop = d.between(1, len(batch))
        if d.chance(0.5):
            first = first[drop:]
        else:
            second = second[drop:]
    a, b = [*first, rows, inner], [*second, inner, columns]
    if d.chance(0.15):
        a = [inner]
    if d.chance(0.15):
        b = [inner]
    if d.chance(0.08):
        a, b = d.pick([(a, [*b, 2]), ([*a[:-1], inner + 1], b), ([3, *a], [2, *b]), (a[:-1] or [inner + 1], b)])
    return [[], {}, [a, b], d.data(d.chance(0.3))]


def stacked(d):
    shape = anything(d)
    shapes = [list(shape) for _ in range(d.between(1, 4))]
    if d.chance(0.08):
        shapes[-1][d.between(0, len(shape) - 1)] += 1
    return [[axis(d, len(shape) + 1)] if d.chance(0.8) else [], {}, shapes, d.data()]


def pad_rows(d):
    shape = [d.batch(), d.channels(), d.size()] if d.chance(0.9) else [d.channels(), d.size()]
    sides = d.between(0, 3) if d.chance(0.4) else [d.between(-1 if d.chance(0.15) else 0, 4) for _ in range(2)]
    return [[sides], {}, [shape], d.data()]


def constant_pad_rows(d):
    case = pad_rows(d)
    return [[*case[0], d.pick([0, 1.5, -2])], *case[1:]]


def drop_path(d):
    return [[d.pick([0, 0.1, 0.5])] if d.chance(0.7) else [], {}, [anything(d)], d.data()]


SUM = {"sumOf": "products"}
# The kernels' promise: runs of 16 pixels in float32, which are added up in float64. Then one rounding on each side.
MEAN = {"roundings": 18, "of": "terms"}
# The scale, the mean's product with it, the shift, the product, the sum; and PyTorch's result.
NORM = {"roundings": 6, "of": "terms"}
# A value passes six roundings on each side: its two weights, products and sums. The coordinates are the same.
BILINEAR = {"roundings": 12, "of": "|x|", "where": {"mode": "bilinear"}}
BICUBIC = {"roundings": 60, "of": "|x|"}
# Computed in float64 on both sides: each result rounds once.
POWER = {"roundings": 2, "of": "terms"}
# A sum, a product and a quotient; and PyTorch's result.
RAMP = {"roundings": 4, "of": "1 or |x|"}
# Within 4 ulp, of which each is two units; and PyTorch's result.
CURVE = {"roundings": 9, "of": "1 or |x|"}

# One rounding on each side, of numbers that are not much larger than x.
ONCE = {"roundings": 4, "of": "1 or |x|"}

NN = "torch.nn."

# How many cases, what draws one, and what the file says beside them. Where no name is given, it is torch.nn's.
SWEEPS = {
    "Conv2d": (1300, conv2d, {"bound": SUM}),
    "ConvTranspose2d": (900, conv_transpose2d, {"bound": SUM}),
    "Conv2d in padding modes": (500, conv2d_modes, {"torch": "torch.nn.Conv2d", "bound": SUM}),
    "Conv1d": (500, in_one_row(conv2d), {"bound": SUM}),
    "ConvTranspose1d": (400, in_one_row(conv_transpose2d), {"bound": SUM}),
    "MaxPool2d": (600, max_pool2d, {}),
    "AvgPool2d": (600, avg_pool2d, {"bound": MEAN}),
    "AdaptiveAvgPool2d": (450, adaptive_avg_pool2d, {"bound": MEAN}),
    "Upsample": (1200, upsample, {"bound": BILINEAR, "computed": "in float32"}),
    # Four rows, and as many columns: four weights, products and sums each way, of sums of at most 1.9·1.9 of |x|.
    "interpolate": (700, resample, {"torch": "torch.nn.functional.interpolate", "bound": BICUBIC,
        "computed": "in float32"}),
    **{name: (150, upsampling, {"bound": bound, "computed": "in float32"}) for name, bound in [
        ("UpsamplingNearest2d", "none"), ("UpsamplingBilinear2d", {"roundings": 12, "of": "|x|"})]},
    "MaxPool1d": (250, in_one_row(max_pool2d), {}),
    "AvgPool1d": (250, in_one_row(avg_pool1d), {"bound": MEAN}),
    "AdaptiveAvgPool1d": (200, in_one_row(adaptive_pool1d), {"bound": MEAN}),
    "AdaptiveMaxPool1d": (200, in_one_row(adaptive_pool1d), {}),
    "LPPool1d": (200, in_one_row(lp_pool2d), {"bound": POWER}),
    "AdaptiveMaxPool2d": (400, adaptive_max_pool2d, {}),
    "LPPool2d": (400, lp_pool2d, {"bound": POWER}),
    "Linear": (250, linear, {"bound": SUM}),
    "BatchNorm2d": (130, batch_norm, {"bound": NORM}),
    "FrozenBatchNorm2d": (90, norm, {"torch": "torchvision.ops.FrozenBatchNorm2d", "bound": NORM}),
    "BatchNorm1d": (200, batch_norm1d, {"bound": NORM}),
    "SyncBatchNorm": (130, sync_batch_norm, {"bound": NORM}),
    "InstanceNorm2d": (300, instance_norm, {"bound": {"roundings": 12, "of": "1 or |x|"}}),
    "InstanceNorm1d": (200, in_one_row(instance_norm), {"bound": {"roundings": 12, "of": "1 or |x|"}}),
    **{name: (60, activation, {}) for name in ["ReLU", "ReLU6"]},
    **{name: (60, activation, {"bound": RAMP}) for name in ["Hardswish", "Hardsigmoid"]},
    **{name: (60, activation, {"bound": CURVE}) for name in ["Sigmoid", "SiLU"]},
    # Φ is within 7.5e-8, which are 1.3 units; an exponential of 4, and some products and sums.
    "GELU": (90, gelu, {"bound": CURVE}),
    # One rounding on each side, and PyTorch's curves within some units of float64.
    **{name: (80, draw, {"bound": ONCE}) for name, draw in [
        ("LeakyReLU", leaky_relu), ("ELU", elu), ("CELU", celu), ("SELU", curve), ("Mish", curve), ("Tanh", curve),
        ("Softplus", softplus)]},
    "ConstantPad2d": (60, constant_pad, {}),
    **{name: (90, pad_layer, {}) for name in ["ZeroPad2d", "ReflectionPad2d", "ReplicationPad2d"]},
    "CircularPad2d": (90, circular(pad_layer), {}),
    "ConstantPad1d": (60, constant_pad_rows, {}),
    **{name: (80, pad_rows, {}) for name in ["ZeroPad1d", "ReflectionPad1d", "ReplicationPad1d"]},
    "CircularPad1d": (80, circular(pad_rows), {}),
    "pad": (150, pad, {"torch": "torch.nn.functional.pad"}),
    "PixelShuffle": (50, pixel_shuffle, {}),
    "PixelUnshuffle": (50, pixel_unshuffle, {}),
    "Hardtanh": (60, hardtanh, {}),
    "clamp": (60, clamp, {"torch": "torch.clamp"}),
    **{name: (90, softmax, {"bound": ONCE}) for name in ["Softmax", "LogSoftmax"]},
    "Softmax2d": (40, softmax2d, {"bound": ONCE}),
    "LocalResponseNorm": (90, local_response_norm, {"bound": ONCE}),
    # Statistics are in float64; results are a few times x.
    "GroupNorm": (120, group_norm, {"bound": {"roundings": 8, "of": "1 or |x|"}}),
    # Statistics are in float64; results are a few times x, and round once on each side.
    "LayerNorm": (150, layer_norm, {"bound": {"roundings": 8, "of": "1 or |x|"}}),
    **{name: (30, dropping, {}) for name in ["Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout",
        "FeatureAlphaDropout"]},
    "PReLU": (70, prelu, {}),
    "Identity": (20, activation, {}),
    "Dropout": (30, dropout, {}),
    "Flatten": (80, flatten_layer, {}),
    "Unflatten": (60, unflatten, {}),
    "ChannelShuffle": (60, channel_shuffle, {}),
    "sub": (120, two, {"torch": "torch.sub"}),
    "div": (120, two, {"torch": "torch.div"}),
    "add": (150, two, {"torch": "torch.add"}),
    "mul": (170, product, {"torch": "torch.mul"}),
    "reshape": (150, reshape, {"torch": "torch.reshape"}),
    "squeeze": (60, squeeze, {"torch": "torch.squeeze"}),
    "unsqueeze": (60, unsqueeze, {"torch": "torch.unsqueeze"}),
    "permute": (120, permute, {"torch": "torch.permute"}),
    "transpose": (80, transpose, {"torch": "torch.transpose"}),
    "narrow": (120, narrow, {"torch": "torch.narrow"}),
    "slice": (150, slice_of, {"torch": "torch.ops.aten.slice"}),
    "split": (100, split, {"torch": "torch.split"}),
    "chunk": (100, chunk, {"torch": "torch.chunk"}),
    "mean": (120, mean, {"torch": "torch.mean", "bound": MEAN}),
    "matmul": (300, matmul, {"torch": "torch.matmul", "bound": {"roundings": 2, "of": "terms"}}),
    "stack": (120, stacked, {"torch": "torch.stack", "takes": "a list"}),
    "DropPath": (20, drop_path, {"torch": "timm.layers.DropPath"}),
    "cat": (90, concatenation, {"torch": "torch.cat", "takes": "a list"}),
}


def main():
    """Remakes all sweeps, or those that the command line names."""
    torch.set_num_threads(1)
    for layer in sys.argv[1:] or SWEEPS:
        count, draw, own = SWEEPS[layer]
        sweep = {"torch": NN + layer, "bound": "none", **own}
        d = Draw(layer)
        cases = []
        while len(cases) < count:
            case = draw(d)
            result = result_of(sweep, f"{layer} {len(cases)}", case)
            # Most of what PyTorch refuses is refused for the same few reasons.
            if result != "error" or d.chance(0.35):
                cases.append([*case, result])
        head = json.dumps(sweep, ensure_ascii=False)[:-1]
        lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
        text = f'{head}, "cases": [\n{lines}\n]}}\n'
        (ROOT / f"test/sweeps/{layer}.json").write_text(text, encoding="utf-8")
        print(f"  {layer}: {count} cases, {sum(case[-1] == 'error' for case in cases)} errors", flush=True)


if __name__ == "__main__":
    main()
