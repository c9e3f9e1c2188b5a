"""PyTorch's layers and functions by the names that the tables of cases have for them.

As test/support/named.ts, which calls layertap's counterparts by the same names.
"""

import importlib

import torch

from generator import snake_case


class Function(torch.nn.Module):
    """A function of tensors as a module. `takes` is "a list" where the function wants its tensors in one."""

    def __init__(self, function, args, options, takes):
        super().__init__()
        self.function, self.args, self.options, self.takes = function, args, options, takes

    def forward(self, *tensors):
        return self.function(*([list(tensors)] if self.takes == "a list" else tensors), *self.args, **self.options)


def named(name):
    """The class or function of a dotted name, `torch.nn.functional.relu` for example."""
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def module_of(name, args, options, takes=None):
    """A layer made with these arguments, or a module that calls a function with them after the tensors."""
    called, options = named(name), snake_case(options)
    return called(*args, **options) if isinstance(called, type) else Function(called, args, options, takes)
