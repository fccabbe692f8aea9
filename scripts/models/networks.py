"""The networks whose exports the lab is tested on, written from their published structure.

Each is a plain torch.nn.Module with seeded weights and BatchNorm statistics settled on seeded data, so that activations
stay in a realistic range however deep the network is. Module attributes carry the names that exported nodes get, and
with them the lab's stages: `blocks.1.3`, `neck.deblocks.2.0`, `heads.0.reg.3`, `layer2.0.conv1`.
"""

import dataclasses
import math

import torch
from torch import nn


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


class BasicBlock(nn.Module):
    """The residual block of ResNet-18: two 3x3 convolutions and a shortcut."""

    def __init__(self, in_channels, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = None
        if stride != 1 or in_channels != channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(x)) + shortcut)


class ResNet18(nn.Module):
    """ResNet-18: a 7x7 stem, a max pool, four layers of two basic blocks, a global mean and a classifier."""

    def __init__(self, widths, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        in_channels = widths[0]
        for index, width in enumerate(widths):
            stride = 1 if index == 0 else 2
            layer = nn.Sequential(BasicBlock(in_channels, width, stride), BasicBlock(width, width, 1))
            setattr(self, f"layer{index + 1}", layer)
            in_channels = width
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(in_channels, classes)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


class Planner(nn.Module):
    """A motion planner: a costmap through a small CNN, four vectors beside it, dense layers, 60 numbers out
    (30 way points)."""

    def __init__(self, channels, pixels, hidden, vectors):
        super().__init__()
        layers = []
        in_channels = 1
        for width in channels:
            layers += [nn.Conv2d(in_channels, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            in_channels = width
        self.costmap = nn.Sequential(*layers)
        self.flatten = nn.Flatten()
        features = in_channels * pixels + sum(vectors)
        self.decoder = nn.Sequential(
            nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 60)
        )

    def forward(self, costmap, ego_state, goal, route, limits):
        seen = self.flatten(self.costmap(costmap))
        return self.decoder(torch.cat([seen, ego_state, goal, route, limits], 1))


def pillars(shape, seed):
    """A pseudo-image as PillarFeatureNet scatters it: most pixels zero, the others non-negative features, in clusters."""
    generator = torch.Generator().manual_seed(seed)
    batch, _, height, width = shape
    coarse = torch.rand(batch, 1, math.ceil(height / 4), math.ceil(width / 4), generator=generator)
    density = torch.where(coarse < 0.35, 0.6, 0.03)
    density = density.repeat_interleave(4, 2).repeat_interleave(4, 3)[:, :, :height, :width]
    occupied = torch.rand(batch, 1, height, width, generator=generator) < density
    return torch.relu(torch.randn(shape, generator=generator)) * occupied


def normal(shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@dataclasses.dataclass
class Network:
    """A network with what is needed to export it."""

    module: nn.Module
    inputs: dict  # name -> function of (batch, seed) giving a tensor
    outputs: list  # names

    def sample(self, seed, batch=1):
        return {name: make(batch, seed + 101 * index) for index, (name, make) in enumerate(self.inputs.items())}


def seed_weights(module, seed):
    """He-normal kernels, BatchNorm scales around 1 and shifts around 0, all from one seed."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for part in module.modules():
            if isinstance(part, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
                weight = part.weight
                fan_in = weight[0].numel()
                if isinstance(part, nn.ConvTranspose2d):
                    fan_in = weight.shape[0] * weight[0, 0].numel() // (part.stride[0] * part.stride[1])
                weight.copy_(torch.randn(weight.shape, generator=generator) * math.sqrt(2 / fan_in))
                if part.bias is not None:
                    part.bias.copy_(torch.randn(part.bias.shape, generator=generator) * 0.1)
            elif isinstance(part, nn.BatchNorm2d):
                part.weight.copy_(1 + 0.2 * torch.randn(part.weight.shape, generator=generator))
                part.bias.copy_(0.2 * torch.randn(part.bias.shape, generator=generator))


def settle(network, seed, batches=2, batch=2):
    """Sets every BatchNorm's running statistics to those of seeded data flowing through the network."""
    norms = [part for part in network.module.modules() if isinstance(part, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over the batches
    network.module.train()
    with torch.no_grad():
        for index in range(batches):
            network.module(*network.sample(seed + index, batch).values())
    network.module.eval()
    return network


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


def resnet18(case="narrow"):
    widths, classes, side = ((8, 8, 16, 24), 10, 56) if case == "narrow" else ((64, 128, 256, 512), 1000, 224)
    return Network(
        ResNet18(widths, classes), {"image": lambda batch, seed: normal((batch, 3, side, side), seed)}, ["logits"]
    )


def planner(case="narrow"):
    channels, side, hidden = ((4, 8, 12), 40, 64) if case == "narrow" else ((32, 64, 128), 200, 512)
    vectors = {"ego_state": 6, "goal": 3, "route": 20, "limits": 4}
    pixels = (side // 2 ** len(channels)) ** 2
    inputs = {"costmap": lambda batch, seed: torch.relu(normal((batch, 1, side, side), seed))}
    for name, length in vectors.items():
        inputs[name] = lambda batch, seed, length=length: normal((batch, length), seed)
    return Network(Planner(channels, pixels, hidden, vectors.values()), inputs, ["trajectory"])


NETWORKS = {"second": second, "second_fpn": second_fpn, "centerpoint": centerpoint, "resnet18": resnet18,
            "planner": planner}
FULL_CASE = {"second": "A", "second_fpn": "A", "centerpoint": "A", "resnet18": "full", "planner": "full"}
NARROW = ("second", "centerpoint", "resnet18", "planner")


def make(name, case="narrow", seed=1):
    """The network, seeded and settled, in evaluation mode."""
    network = NETWORKS[name](case)
    seed_weights(network.module, seed)
    return settle(network, seed + 1000)
