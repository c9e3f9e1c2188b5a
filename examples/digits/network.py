"""The digits network: DeepLabV3 over a narrow ResNet of basic blocks, with torchvision's names and state-dict keys.

torchvision's own parts are used where their widths allow it (ASPP, FCNHead, IntermediateLayerGetter, DeepLabV3). Its
BasicBlock refuses dilation and its ResNet fixes the widths, so both are written here again, as narrow as they need be.
"""
from torch import nn
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.models.segmentation import DeepLabV3
from torchvision.models.segmentation.deeplabv3 import ASPP
from torchvision.models.segmentation.fcn import FCNHead

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]  # of RGB in 0..1, as torchvision's presets have them


class BasicBlock(nn.Module):
    """torchvision.models.resnet.BasicBlock with dilation in both convolutions."""

    def __init__(self, inplanes, planes, stride=1, downsample=None, dilation=1):
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, 3, stride, padding=dilation, dilation=dilation, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, padding=dilation, dilation=dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = downsample

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(out)) + identity)


class NarrowResNet(nn.Module):
    """torchvision.models.resnet.ResNet with given widths; replace_stride_with_dilation is [False, True, True].

    The output of layer3 and of layer4 has stride 4.
    """

    def __init__(self, layers, widths, num_classes=10):
        super().__init__()
        self.inplanes, self.dilation = widths[0], 1
        self.conv1 = nn.Conv2d(3, self.inplanes, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(self.inplanes)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=1, padding=1)
        self.layer1 = self._make_layer(widths[0], layers[0])
        self.layer2 = self._make_layer(widths[1], layers[1], stride=2)
        self.layer3 = self._make_layer(widths[2], layers[2], stride=2, dilate=True)
        self.layer4 = self._make_layer(widths[3], layers[3], stride=2, dilate=True)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(widths[3], num_classes)

    def _make_layer(self, planes, blocks, stride=1, dilate=False):
        previous_dilation = self.dilation
        if dilate:
            self.dilation *= stride
            stride = 1
        downsample = None
        if stride != 1 or self.inplanes != planes:
            downsample = nn.Sequential(
                nn.Conv2d(self.inplanes, planes, 1, stride, bias=False), nn.BatchNorm2d(planes)
            )
        stage = [BasicBlock(self.inplanes, planes, stride, downsample, previous_dilation)]
        self.inplanes = planes
        for _ in range(1, blocks):
            stage.append(BasicBlock(planes, planes, dilation=self.dilation))
        return nn.Sequential(*stage)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))


def digits_network(num_classes=11):
    """The network, freshly initialised; it returns {'out', 'aux'}, both [N, num_classes, H, W]."""
    widths = [16, 32, 48, 64]
    backbone = IntermediateLayerGetter(NarrowResNet([1, 1, 2, 2], widths), {"layer4": "out", "layer3": "aux"})
    classifier = nn.Sequential(
        ASPP(widths[3], [2, 4, 6], 48),
        nn.Conv2d(48, 48, 3, padding=1, bias=False),
        nn.BatchNorm2d(48),
        nn.ReLU(),
        nn.Conv2d(48, num_classes, 1),
    )
    return DeepLabV3(backbone, classifier, FCNHead(widths[2], num_classes))
