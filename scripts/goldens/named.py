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


def named(name):
    """The class or function of a dotted name, `torch.nn.functional.relu` for example."""
    package, *attributes = name.split(".")
    return functools.reduce(getattr, attributes, importlib.import_module(package))


def module_of(entry, args, options):
    """A layer made with these arguments, or a module that calls a function with them after the tensors.

    `entry` is the table's: its "torch" names what is called, and "takes" is "a list" where a function wants its tensors
    in one. Of a function that gives several tensors, the module gives the last.
    """
    called, options = named(entry["torch"]), snake_case(options)
    if isinstance(called, type):
        return called(*args, **options)
    return Function(called, args, options, entry.get("takes") == "a list")
