"""PyTorch's layers and functions by the names that the tables of cases have for them.

As test/support/named.ts, which calls layertap's counterparts by the same names.
"""

import functools
import importlib

import torch
import torchvision  # named() finds its layers

from generator import snake_case


class Function(torch.nn.Module):
    """A function of tensors as a module."""

    def __init__(self, function, args, options, takes_list):
        super().__init__()
        self.function, self.args, self.options, self.takes_list = function, args, options, takes_list

    def forward(self, *tensors):
        y = self.function(*([list(tensors)] if self.takes_list else tensors), *self.args, **self.options)
        return y if torch.is_tensor(y) else y[-1]


class SyncBatchNorm(torch.nn.modules.batchnorm._BatchNorm):
    """In eval mode it is a batch norm of any shape; PyTorch's own refuses tensors that aren't on a GPU."""

    def _check_input_dim(self, x):
        torch.nn.SyncBatchNorm._check_input_dim(self, x)


class Padding(torch.nn.Module):
    """What later versions' layers of padding do, in their words: the functional form, of so many axes and a mode."""

    def __init__(self, axes, mode, padding):
        super().__init__()
        self.mode = mode
        self.padding = (padding,) * (2 * axes) if isinstance(padding, int) else tuple(padding)

    def forward(self, x):
        return torch.nn.functional.pad(x, self.padding, self.mode)


class DropPath(torch.nn.Identity):
    """timm's, in eval mode."""


# What PyTorch 1.13 has not, or not on a CPU, and timm's.
OWN = {
    "torch.nn.SyncBatchNorm": SyncBatchNorm,
    "torch.nn.ZeroPad1d": functools.partial(Padding, 1, "constant"),
    "torch.nn.CircularPad1d": functools.partial(Padding, 1, "circular"),
    "torch.nn.CircularPad2d": functools.partial(Padding, 2, "circular"),
    "timm.layers.DropPath": DropPath,
}


def named(name):
    """The class or function of a dotted name, `torch.nn.functional.relu` for example."""
    if name in OWN:
        return OWN[name]
    package, *attributes = name.split(".")
    return functools.reduce(getattr, attributes, importlib.import_module(package))


def module_of(entry, args, options):
    """A layer made with these arguments, or a module that calls a function with them after the tensors.

    `entry` is the table's: its "torch" names what is called, and "takes" is "a list" where a function wants its tensors
    in one. Of a function that gives several tensors, the module gives the last.
    """
    called, options = named(entry["torch"]), snake_case(options)
    if isinstance(called, type) or entry["torch"] in OWN:
        return called(*args, **options)
    return Function(called, args, options, entry.get("takes") == "a list")
