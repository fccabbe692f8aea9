"""CenterPoint and its parts: the SECOND backbone, the SECFPN neck, the heads, from pillars or from their pseudo-image."""

import math

import torch
from torch import nn

from networks.network import Network, normal


class Second(nn.Module):
    """The SECOND backbone: per block one strided Conv+BN+ReLU and `layers` more of stride 1, all 3x3."""

    def __init__(self, in_channels, channels, layers, strides):
        super().__init__()
        blocks = []
        for out_channels, extra, stride in zip(channels, layers, strides):
            block = []
            for index in range(extra + 1):
                block += [
                    nn.Conv2d(in_channels, out_channels, 3, stride if index == 0 else 1, 1, bias=False),
                    nn.BatchNorm2d(out_channels, eps=1e-3),
                    nn.ReLU(inplace=True),
                ]
                in_channels = out_channels
            blocks.append(nn.Sequential(*block))
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x):
        outputs = []
        for block in self.blocks:
            x = block(x)
            outputs.append(x)
        return tuple(outputs)


class SecondFpn(nn.Module):
    """The SECFPN neck: each block's output brought to one resolution and concatenated on channels.

    A factor above 1 is a transposed convolution with kernel = stride = factor, a factor below 1 a convolution with
    kernel = stride = 1/factor, and 1 a 1x1 convolution."""

    def __init__(self, in_channels, out_channels, factors):
        super().__init__()
        deblocks = []
        for channels, out, factor in zip(in_channels, out_channels, factors):
            if factor > 1:
                resize = nn.ConvTranspose2d(channels, out, int(factor), int(factor), bias=False)
            else:
                step = round(1 / factor)
                resize = nn.Conv2d(channels, out, step, step, bias=False)
            deblocks.append(nn.Sequential(resize, nn.BatchNorm2d(out, eps=1e-3), nn.ReLU(inplace=True)))
        self.deblocks = nn.ModuleList(deblocks)

    def forward(self, features):
        return torch.cat([deblock(x) for deblock, x in zip(self.deblocks, features)], 1)


class CenterPoint(nn.Module):
    """CenterPoint after the scatter: SECOND, SECFPN, one shared convolution and per task one small head per quantity."""

    def __init__(self, backbone, neck, neck_channels, shared_channels, head_channels, tasks):
        super().__init__()
        self.backbone = backbone
        self.neck = neck
        self.shared = nn.Sequential(
            nn.Conv2d(neck_channels, shared_channels, 3, 1, 1),
            nn.BatchNorm2d(shared_channels),
            nn.ReLU(inplace=True),
        )
        self.heads = nn.ModuleList(
            nn.ModuleDict(
                {
                    quantity: nn.Sequential(
                        nn.Conv2d(shared_channels, head_channels, 3, 1, 1),
                        nn.BatchNorm2d(head_channels),
                        nn.ReLU(inplace=True),
                        nn.Conv2d(head_channels, channels, 3, 1, 1),
                    )
                    for quantity, channels in task.items()
                }
            )
            for task in tasks
        )

    def forward(self, x):
        x = self.shared(self.neck(self.backbone(x)))
        return tuple(head(x) for task in self.heads for head in task.values())

    def output_names(self):
        return [f"{quantity}_{index}" for index, task in enumerate(self.heads) for quantity in task]


def pillars(shape, seed):
    """A pseudo-image as PillarFeatureNet scatters it: most pixels zero, the others non-negative features, in clusters."""
    generator = torch.Generator().manual_seed(seed)
    batch, _, height, width = shape
    coarse = torch.rand(batch, 1, math.ceil(height / 4), math.ceil(width / 4), generator=generator)
    density = torch.where(coarse < 0.35, 0.6, 0.03)
    density = density.repeat_interleave(4, 2).repeat_interleave(4, 3)[:, :, :height, :width]
    occupied = torch.rand(batch, 1, height, width, generator=generator) < density
    return torch.relu(torch.randn(shape, generator=generator)) * occupied


NUSCENES_TASKS = (1, 2, 2, 1, 2, 2)  # classes per task


def head_channels_of(classes, velocity=True):
    quantities = {"reg": 2, "height": 1, "dim": 3, "rot": 2}
    if velocity:
        quantities["vel"] = 2
    return quantities | {"heatmap": classes}


# The bench cases of the SECOND family: input channels and extent, strides, block widths, extra layers, neck factors and
# widths.
SECOND_CASES = {
    "A": ((64, 512, 512), (2, 2, 2), (64, 128, 256), (3, 5, 5), (0.5, 1, 2), (128,) * 3),
    "B": ((32, 480, 480), (1, 2, 2), (64, 128, 256), (3, 5, 5), (1, 2, 4), (128,) * 3),
    "C": ((32, 480, 480), (2, 2, 2), (64, 128, 256), (3, 5, 5), (1, 2, 4), (128,) * 3),
    "D": ((64, 496, 432), (2, 2, 2), (64, 128, 256), (3, 5, 5), (1, 2, 4), (128,) * 3),
    "E": ((64, 468, 468), (1, 2, 2), (64, 128, 256), (3, 5, 5), (1, 2, 4), (128,) * 3),
    "F": ((32, 760, 760), (1, 2, 2), (64, 128, 256), (3, 5, 5), (1, 2, 4), (128,) * 3),
    "G": ((256, 180, 180), (1, 2), (128, 256), (5, 5), (1, 2), (256,) * 2),
}


def second_inputs(channels, height, width):
    return {"spatial_features": lambda batch, seed: pillars((batch, channels, height, width), seed)}


def second(case="narrow"):
    if case == "narrow":
        extent, strides, widths, layers = (8, 32, 32), (2, 2, 2), (8, 12, 24), (3, 5, 5)
    else:
        extent, strides, widths, layers, _, _ = SECOND_CASES[case]
    module = Second(extent[0], widths, layers, strides)
    return Network(module, second_inputs(*extent), [f"block_{index}" for index in range(len(widths))])


class SecondWithNeck(nn.Module):
    """SECOND and SECFPN, nothing after them: what the bench cases time."""

    def __init__(self, backbone, neck):
        super().__init__()
        self.backbone = backbone
        self.neck = neck

    def forward(self, x):
        return self.neck(self.backbone(x))


def second_fpn(case):
    extent, strides, widths, layers, factors, neck = SECOND_CASES[case]
    module = SecondWithNeck(Second(extent[0], widths, layers, strides), SecondFpn(widths, neck, factors))
    return Network(module, second_inputs(*extent), ["features"])


def centerpoint(case="narrow"):
    if case == "narrow":
        extent, strides, widths, layers = (8, 32, 32), (2, 2, 2), (8, 12, 16), (3, 5, 5)
        factors, neck, shared, head = (0.5, 1, 2), (8,) * 3, 16, 8
        tasks = [head_channels_of(classes) for classes in (1, 2)]
    else:
        extent, strides, widths, layers, factors, neck = SECOND_CASES[case]
        shared, head = 64, 64
        tasks = [head_channels_of(classes) for classes in NUSCENES_TASKS]
    backbone = Second(extent[0], widths, layers, strides)
    module = CenterPoint(backbone, SecondFpn(widths, neck, factors), sum(neck), shared, head, tasks)
    return Network(module, second_inputs(*extent), module.output_names())


class PillarFeatureNet(nn.Module):
    """Points of each pillar through one dense layer with BatchNorm and ReLU, then their maximum."""

    def __init__(self, features, channels):
        super().__init__()
        self.linear = nn.Linear(features, channels, bias=False)
        self.norm = nn.BatchNorm1d(channels, eps=1e-3)

    def forward(self, points):
        x = self.linear(points)
        x = torch.relu(self.norm(x.permute(0, 2, 1)).permute(0, 2, 1))
        return x.max(1).values


class CenterPointFromPoints(nn.Module):
    """The whole of CenterPoint: pillars to a pseudo-image, and everything after it."""

    def __init__(self, features, channels, height, width, rest):
        super().__init__()
        self.pillars = PillarFeatureNet(features, channels)
        self.height, self.width, self.channels = height, width, channels
        self.rest = rest

    def forward(self, points, coordinates):
        features = self.pillars(points)
        canvas = torch.zeros(self.height * self.width, self.channels, dtype=features.dtype)
        canvas = canvas.index_put((coordinates[:, 0] * self.width + coordinates[:, 1],), features)
        return self.rest(canvas.t().reshape(1, self.channels, self.height, self.width))


def pillar_coordinates(count, height, width, seed):
    """Rows and columns of `count` different cells."""
    cells = torch.randperm(height * width, generator=torch.Generator().manual_seed(seed))[:count]
    return torch.stack((cells // width, cells % width), 1)


def centerpoint_from_points(case="narrow"):
    rest = centerpoint(case)
    channels, height, width = (8, 32, 32) if case == "narrow" else SECOND_CASES[case][0]
    pillars_count, points_of_each = (120, 6) if case == "narrow" else (12000, 20)
    module = CenterPointFromPoints(10, channels, height, width, rest.module)
    inputs = {
        "points": lambda batch, seed: normal((pillars_count, points_of_each, 10), seed),
        "coordinates": lambda batch, seed: pillar_coordinates(pillars_count, height, width, seed),
    }
    return Network(module, inputs, rest.outputs)
