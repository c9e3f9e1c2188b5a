"""torchvision's backbones of detectors by layertap's names, for the cases of test/cases/zoo.json that have some.

As test/support/backbones.ts, which makes layertap's counterparts of the same options.
"""

import functools

import torch
import torchvision
from torchvision.models.detection import backbone_utils, ssd, ssdlite
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

from generator import snake_case


def resolved(options):
    """Options with the objects that JSON can't hold: a norm by its name, P6 and P7 by their channels."""
    arguments = snake_case(options)
    if "norm_layer" in arguments:
        arguments["norm_layer"] = getattr(torch.nn, arguments["norm_layer"])
    if "extra_blocks" in arguments:
        arguments["extra_blocks"] = LastLevelP6P7(*arguments["extra_blocks"])
    return arguments


def backbone_with_fpn(backbone, **options):
    return backbone_utils.BackboneWithFPN(torchvision.models.get_model(backbone, weights=None), **options)


def ssd300_backbone():
    return ssd._vgg_extractor(torchvision.models.vgg16(), False, 5)


def ssdlite320_backbone():
    """As ssdlite320_mobilenet_v3_large makes it where it loads its own weights."""
    norm = functools.partial(torch.nn.BatchNorm2d, eps=0.001, momentum=0.03)
    model = torchvision.models.mobilenet_v3_large(norm_layer=norm, reduced_tail=True)
    return ssdlite._mobilenet_extractor(model, 6, norm)


BACKBONES = {
    "resnetFpnBackbone": functools.partial(backbone_utils.resnet_fpn_backbone, weights=None),
    "mobilenetBackbone": functools.partial(backbone_utils.mobilenet_backbone, weights=None),
    "BackboneWithFPN": backbone_with_fpn,
    "ssd300Vgg16Backbone": ssd300_backbone,
    "ssdlite320MobilenetV3LargeBackbone": ssdlite320_backbone,
}


def build_backbone(name, options):
    """torchvision's backbone, without pretrained weights."""
    return BACKBONES[name](**resolved(options))
