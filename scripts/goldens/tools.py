"""Writes test/goldens/tools.json: what torch and numpy make of features, for layertap/tools.

Inputs are the generator's, with some elements set: NaN, infinities, equal ones. Run with Debian's Python (torch 1.13):
/usr/bin/python3 scripts/goldens/tools.py
"""

import json

import numpy as np
import torch
import torch.nn.functional as F

from generator import GOLDENS, generated

NAN, INF = float("nan"), float("inf")


def numbers(values):
    """Finite numbers as such, others as text."""
    return [v if np.isfinite(v) else str(v) for v in np.asarray(values, np.float64).reshape(-1).tolist()]


def result(tensor):
    return {"shape": list(tensor.shape), "values": numbers(tensor)}


def tensor_of(key, shape, sets):
    x = generated(key, shape)
    for index, value in sets:
        x.view(-1)[index] = float(value)
    return x


def case(function, name, shapes, run, args=(), sets=((), ())):
    """`run` on tensors of these shapes; `sets` has [index, value] of each that is set."""
    inputs = [tensor_of(f"{name}.{i}", shape, sets[i]) for i, shape in enumerate(shapes)]
    outputs = run(*inputs)
    outputs = outputs if isinstance(outputs, (tuple, list)) else [outputs]
    given = [{"key": f"{name}.{i}", "shape": list(shape), "sets": [[j, str(v)] for j, v in sets[i]]}
             for i, shape in enumerate(shapes)]
    return {"function": function, "name": name, "inputs": given, "args": list(args),
        "outputs": [result(y) for y in outputs]}


def heat(x, size, percentile):
    """numpy's percentiles of the mean absolute value, and torch's interpolation of it, in float64."""
    means = x.double().abs().mean(0)
    low, high = np.percentile(means.numpy(), [100 - percentile, percentile])
    drawn = F.interpolate(means[None, None], size, mode="bilinear", align_corners=False)[0, 0]
    return [torch.tensor([low, high]), ((drawn - low) / (high - low)).clamp(0, 1)]


def pca(x):
    """Scores of three components by numpy's SVD, each from 0 to 1, and the parts of all variance."""
    channels = x.shape[0]
    rows = x.double().reshape(channels, -1).T.numpy()
    rows = rows - rows.mean(0)
    _, s, vt = np.linalg.svd(rows, full_matrices=False)
    explained = s**2 / (s**2).sum()
    scores = []
    for v in vt[:3]:
        score = rows @ (v * np.sign(v[np.abs(v).argmax()]))
        scores.append((score - score.min()) / (score.max() - score.min()))
    return [torch.tensor(explained[:3]), torch.from_numpy(np.stack(scores)).reshape(3, *x.shape[1:])]


def main():
    cases = [
        case("softmax", "rows", [[3, 7]], lambda x: x.softmax(-1)),
        case("softmax", "channels", [[2, 5, 3, 2]], lambda x: x.softmax(1), [1]),
        case("softmax", "far apart", [[2, 4]], lambda x: x.softmax(-1), sets=[[(0, 1000), (5, -1000)]]),
        case("softmax", "not finite", [[5, 3]], lambda x: x.softmax(-1),
             sets=[[(0, NAN), (4, INF), (6, -INF), (9, -INF), (10, -INF), (11, -INF), (12, INF), (13, INF)]]),
        case("softmax", "a scalar", [[]], lambda x: x.softmax(-1)),
        case("softmax", "empty", [[0, 3]], lambda x: x.softmax(0), [0]),
        case("topk", "rows", [[3, 50]], lambda x: x.topk(5), [5]),
        case("topk", "smallest of channels", [[2, 9, 3]], lambda x: x.topk(4, 1, largest=False),
             [4, {"dim": 1, "largest": False}]),
        case("topk", "not finite", [[9]], lambda x: x.topk(5), [5], [[(3, NAN), (5, INF), (7, -INF)]]),
        case("topk", "smallest, not finite", [[9]], lambda x: x.topk(9, largest=False), [9, {"largest": False}],
             [[(3, NAN), (5, INF), (7, -INF)]]),
        case("topk", "none", [[2, 4]], lambda x: x.topk(0), [0]),
        case("argmax", "all", [[3, 4, 5]], lambda x: x.argmax()),
        case("argmax", "kept", [[3, 4]], lambda x: x.argmax(keepdim=True) if False else x.argmax(1, True),
             [{"dim": 1, "keepdim": True}]),
        case("argmax", "channels, ties and NaN", [[2, 5, 2, 2]], lambda x: x.argmax(1), [{"dim": 1}],
             [[(0, 3), (8, 3), (5, NAN), (13, NAN), (2, -INF), (6, INF), (14, INF)]]),
        case("argmax", "an empty batch", [[0, 3]], lambda x: x.argmax(1), [{"dim": 1}]),
        case("globalAveragePool", "a feature", [[2, 5, 7, 3]],
            lambda x: F.adaptive_avg_pool2d(x.double(), 1).flatten(1)),
        case("globalAveragePool", "one pixel", [[2, 5, 1, 1]], lambda x: x.flatten(1)),
        case("l2Normalize", "rows", [[3, 8]], lambda x: F.normalize(x.double())),
        case("l2Normalize", "pixels", [[2, 4, 3, 3]], lambda x: F.normalize(x.double())),
        case("l2Normalize", "zeros", [[2, 2]], lambda x: F.normalize(x), sets=[[(0, 0), (1, 0)]]),
        case("l2Normalize", "the last axis", [[2, 4, 3]], lambda x: F.normalize(x.double(), dim=-1), [{"dim": -1}]),
        case("cosineSimilarity", "rows", [[4, 9], [4, 9]], lambda a, b: F.cosine_similarity(a.double(), b.double())),
        case("cosineSimilarity", "a query", [[1, 9], [4, 9]], lambda a, b: F.cosine_similarity(a.double(), b.double())),
        case("cosineSimilarity", "pixels", [[2, 5, 3, 3], [5, 1, 1]],
             lambda a, b: F.cosine_similarity(a.double(), b.double())),
        case("cosineSimilarity", "zeros", [[2, 2], [2, 2]], lambda a, b: F.cosine_similarity(a.double(), b.double()),
             sets=[[(0, 0), (1, 0)], []]),
        case("stack", "first", [[2, 3], [2, 3]], lambda *all: torch.stack(all)),
        case("stack", "last", [[2, 3], [2, 3]], lambda *all: torch.stack(all, -1), [-1]),
        case("stack", "scalars", [[], []], lambda *all: torch.stack(all)),
        case("cat", "batches", [[1, 3, 2], [2, 3, 2]], lambda *all: torch.cat(all)),
        case("cat", "columns", [[2, 3], [2, 1]], lambda *all: torch.cat(all, -1), [-1]),
        case("unstack", "a batch", [[3, 2, 2]], lambda x: x.unbind()),
        case("unstack", "columns", [[2, 3]], lambda x: x.unbind(-1), [-1]),
        case("heatmap", "as it is", [[6, 5, 4]], lambda x: heat(x, (5, 4), 100), [{}]),
        case("heatmap", "up", [[6, 5, 4]], lambda x: heat(x, (13, 9), 100), [{"height": 13, "width": 9}]),
        case("heatmap", "down", [[3, 9, 7]], lambda x: heat(x, (4, 3), 100), [{"height": 4, "width": 3}]),
        case("heatmap", "percentile", [[3, 9, 7]], lambda x: heat(x, (9, 7), 93), [{"percentile": 93}]),
        case("pcaToRgb", "more pixels", [[6, 5, 4]], pca),
        case("pcaToRgb", "more channels", [[64, 3, 4]], pca),
        case("pcaToRgb", "many", [[96, 12, 11]], pca),
        case("classActivationMaps", "two classes", [[2, 6, 3, 4], [5, 6]],
             lambda x, w: torch.einsum("nchw,kc->nkhw", x.double(), w.double()[[4, 1]]), [[4, 1]]),
    ]
    text = json.dumps({"madeBy": f"torch {torch.__version__}, numpy {np.__version__}", "cases": cases},
                      separators=(",", ":"))
    (GOLDENS / "tools.json").write_text(text.replace('{"function"', '\n{"function"') + "\n")


main()
