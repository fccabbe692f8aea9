"""Image backbones: residual, inverted residual, ConvNeXt and detector networks."""

import torch
from torch import nn

from networks.network import Network, normal


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


def resnet18(case="narrow"):
    widths, classes, side = ((8, 8, 16, 24), 10, 56) if case == "narrow" else ((64, 128, 256, 512), 1000, 224)
    return Network(
        ResNet18(widths, classes), {"image": lambda batch, seed: normal((batch, 3, side, side), seed)}, ["logits"]
    )


class Bottleneck(nn.Module):
    """The residual block of ResNet-50: 1x1, 3x3, 1x1 to four times the width."""

    def __init__(self, in_channels, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, 4 * channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or in_channels != 4 * channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, 4 * channels, 1, stride, bias=False), nn.BatchNorm2d(4 * channels)
            )

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        return self.relu(self.bn3(self.conv3(x)) + shortcut)


class ResNet50(nn.Module):
    def __init__(self, widths, depths, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        in_channels = widths[0]
        self.layers = nn.ModuleList()
        for index, (width, depth) in enumerate(zip(widths, depths)):
            blocks = []
            for at in range(depth):
                blocks.append(Bottleneck(in_channels, width, 2 if index > 0 and at == 0 else 1))
                in_channels = 4 * width
            self.layers.append(nn.Sequential(*blocks))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(in_channels, classes)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for layer in self.layers:
            x = layer(x)
        return self.fc(torch.flatten(self.avgpool(x), 1))


def image(side):
    return {"image": lambda batch, seed: normal((batch, 3, side, side), seed)}


def resnet50(case="narrow"):
    widths, depths, classes, side = (
        ((4, 6, 8, 12), (1, 2, 1, 1), 10, 56) if case == "narrow" else ((64, 128, 256, 512), (3, 4, 6, 3), 1000, 224)
    )
    return Network(ResNet50(widths, depths, classes), image(side), ["logits"])


class SqueezeExcitation(nn.Module):
    """Channels weighted by what their mean over space says of them."""

    def __init__(self, channels, squeezed, activation):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.expand = nn.Conv2d(squeezed, channels, 1)
        self.activation = activation

    def forward(self, x):
        return x * torch.sigmoid(self.expand(self.activation(self.reduce(self.pool(x)))))


class InvertedResidual(nn.Module):
    """MBConv: expand by 1x1, a depthwise convolution, optionally squeeze and excitation, project by 1x1."""

    def __init__(self, in_channels, channels, expansion, kernel, stride, squeezed, activation):
        super().__init__()
        wide = in_channels * expansion
        layers = []
        if expansion != 1:
            layers += [nn.Conv2d(in_channels, wide, 1, bias=False), nn.BatchNorm2d(wide), activation()]
        layers += [
            nn.Conv2d(wide, wide, kernel, stride, kernel // 2, groups=wide, bias=False),
            nn.BatchNorm2d(wide),
            activation(),
        ]
        if squeezed:
            layers.append(SqueezeExcitation(wide, squeezed, activation()))
        layers += [nn.Conv2d(wide, channels, 1, bias=False), nn.BatchNorm2d(channels)]
        self.layers = nn.Sequential(*layers)
        self.shortcut = stride == 1 and in_channels == channels

    def forward(self, x):
        return x + self.layers(x) if self.shortcut else self.layers(x)


class MobileNetV2(nn.Module):
    """Inverted residuals with ReLU6; `stages`: expansion, channels, depth, stride."""

    def __init__(self, stem, stages, last, classes):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, stem, 3, 2, 1, bias=False), nn.BatchNorm2d(stem), nn.ReLU6())
        blocks, width = [], stem
        for expansion, channels, depth, stride in stages:
            for at in range(depth):
                blocks.append(InvertedResidual(width, channels, expansion, 3, stride if at == 0 else 1, 0, nn.ReLU6))
                width = channels
        self.blocks = nn.Sequential(*blocks)
        self.top = nn.Sequential(nn.Conv2d(width, last, 1, bias=False), nn.BatchNorm2d(last), nn.ReLU6())
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(last, classes))

    def forward(self, x):
        return self.classifier(self.top(self.blocks(self.stem(x))).mean([2, 3]))


def mobilenet_v2(case="narrow"):
    if case == "narrow":
        return Network(MobileNetV2(8, ((1, 4, 1, 1), (6, 6, 2, 2), (6, 8, 2, 2)), 32, 10), image(40), ["logits"])
    stages = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    return Network(MobileNetV2(32, stages, 1280, 1000), image(224), ["logits"])


class EfficientNet(nn.Module):
    """Inverted residuals with SiLU, squeeze and excitation; `stages`: expansion, kernel, stride, channels, depth."""

    def __init__(self, stem, stages, last, logits):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, stem, 3, 2, 1, bias=False), nn.BatchNorm2d(stem), nn.SiLU())
        blocks, width = [], stem
        for expansion, kernel, stride, channels, depth in stages:
            for at in range(depth):
                blocks.append(InvertedResidual(width, channels, expansion, kernel, stride if at == 0 else 1,
                                               max(1, width // 4), nn.SiLU))
                width = channels
        self.blocks = nn.Sequential(*blocks)
        self.top = nn.Sequential(nn.Conv2d(width, last, 1, bias=False), nn.BatchNorm2d(last), nn.SiLU())
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(last, logits))

    def forward(self, x):
        return self.classifier(torch.flatten(self.pool(self.top(self.blocks(self.stem(x)))), 1))


def efficientnet_b0(case="narrow"):
    if case == "narrow":
        return Network(EfficientNet(8, ((1, 3, 1, 4, 1), (6, 3, 2, 6, 2), (6, 5, 2, 8, 1)), 32, 2), image(40), ["logits"])
    stages = ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3),
              (6, 5, 2, 192, 4), (6, 3, 1, 320, 1))
    return Network(EfficientNet(32, stages, 1280, 2), image(224), ["logits"])


class ChannelNorm(nn.Module):
    """LayerNorm over the channels of an image."""

    def __init__(self, channels):
        super().__init__()
        self.norm = nn.LayerNorm(channels, eps=1e-6)

    def forward(self, x):
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNextBlock(nn.Module):
    """A 7x7 depthwise convolution, LayerNorm, two dense layers with GELU, a scale per channel, the shortcut."""

    def __init__(self, channels):
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 7, 1, 3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.expand = nn.Linear(channels, 4 * channels)
        self.activation = nn.GELU()
        self.project = nn.Linear(4 * channels, channels)
        self.scale = nn.Parameter(torch.full((channels,), 0.2))

    def forward(self, x):
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.scale * self.project(self.activation(self.expand(y)))
        return x + y.permute(0, 3, 1, 2)


class LocalizationNet(nn.Module):
    """ConvNeXt with two heads: a position, and how uncertain it is."""

    def __init__(self, widths, depths, hidden):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, widths[0], 4, 4), ChannelNorm(widths[0]))
        stages, width = [], widths[0]
        for index, (channels, depth) in enumerate(zip(widths, depths)):
            down = [] if index == 0 else [ChannelNorm(width), nn.Conv2d(width, channels, 2, 2)]
            stages.append(nn.Sequential(*down, *(ConvNextBlock(channels) for _ in range(depth))))
            width = channels
        self.stages = nn.ModuleList(stages)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.position = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, 3))
        self.spread = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, 3), nn.Softplus())

    def forward(self, x):
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        x = self.norm(x.mean([-2, -1]))
        return self.position(x), torch.clamp(self.spread(x), 1e-3, 10.0)


def localization_net(case="narrow"):
    """LocalizationNet tiny."""
    widths, depths, hidden, side = (
        ((8, 12, 16, 24), (1, 1, 2, 1), 16, 64) if case == "narrow" else ((96, 192, 384, 768), (3, 3, 9, 3), 256, 224)
    )
    return Network(LocalizationNet(widths, depths, hidden), image(side), ["position", "spread"])


def localization_net_large(case="full"):
    """LocalizationNet large: 786 MB of weights."""
    return Network(LocalizationNet((192, 384, 768, 1536), (3, 3, 27, 3), 512), image(224), ["position", "spread"])


class ConvSilu(nn.Sequential):
    def __init__(self, in_channels, channels, kernel=1, stride=1):
        super().__init__(nn.Conv2d(in_channels, channels, kernel, stride, kernel // 2, bias=False),
                         nn.BatchNorm2d(channels, eps=1e-3), nn.SiLU())


class SplitBlock(nn.Module):
    """Half of the channels through residual blocks, everything concatenated (as YOLO's C2f)."""

    def __init__(self, in_channels, channels, depth):
        super().__init__()
        self.half = channels // 2
        self.enter = ConvSilu(in_channels, channels)
        self.blocks = nn.ModuleList(
            nn.Sequential(ConvSilu(self.half, self.half, 3), ConvSilu(self.half, self.half, 3)) for _ in range(depth)
        )
        self.leave = ConvSilu((2 + depth) * self.half, channels)

    def forward(self, x):
        parts = list(self.enter(x).split((self.half, self.half), 1))
        for block in self.blocks:
            parts.append(parts[-1] + block(parts[-1]))
        return self.leave(torch.cat(parts, 1))


class PyramidPool(nn.Module):
    """Three max pools in a row, concatenated."""

    def __init__(self, channels):
        super().__init__()
        self.enter = ConvSilu(channels, channels // 2)
        self.pool = nn.MaxPool2d(5, 1, 2)
        self.leave = ConvSilu(2 * channels, channels)

    def forward(self, x):
        x = self.enter(x)
        y = self.pool(x)
        z = self.pool(y)
        return self.leave(torch.cat((x, y, z, self.pool(z)), 1))


class Yolo(nn.Module):
    """A one-stage detector: a backbone, a pyramid down and up again, three detection scales, boxes and scores."""

    def __init__(self, widths, depth, classes):
        super().__init__()
        a, b, c = widths
        self.stem = nn.Sequential(ConvSilu(3, a // 2, 3, 2), ConvSilu(a // 2, a, 3, 2))
        self.stage3 = nn.Sequential(SplitBlock(a, a, depth), ConvSilu(a, b, 3, 2), SplitBlock(b, b, depth))
        self.stage4 = nn.Sequential(ConvSilu(b, c, 3, 2), SplitBlock(c, c, depth))
        self.stage5 = nn.Sequential(ConvSilu(c, c, 3, 2), PyramidPool(c))
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.up4 = SplitBlock(c + c, c, depth)
        self.up3 = SplitBlock(c + b, b, depth)
        self.down4 = ConvSilu(b, b, 3, 2)
        self.merge4 = SplitBlock(b + c, c, depth)
        self.down5 = ConvSilu(c, c, 3, 2)
        self.merge5 = SplitBlock(c + c, c, depth)
        self.heads = nn.ModuleList(nn.Conv2d(width, 4 + classes, 1) for width in (b, c, c))

    def forward(self, x):
        p3 = self.stage3(self.stem(x))
        p4 = self.stage4(p3)
        p5 = self.stage5(p4)
        u4 = self.up4(torch.cat((self.up(p5), p4), 1))
        u3 = self.up3(torch.cat((self.up(u4), p3), 1))
        d4 = self.merge4(torch.cat((self.down4(u3), u4), 1))
        d5 = self.merge5(torch.cat((self.down5(d4), p5), 1))
        flat = [head(y).flatten(2) for head, y in zip(self.heads, (u3, d4, d5))]
        boxes, scores = torch.cat(flat, 2).split((4, self.heads[0].out_channels - 4), 1)
        return torch.exp(torch.clamp(boxes, -4, 4)), torch.sigmoid(scores)


def yolo(case="narrow"):
    widths, depth, classes, side = ((8, 12, 16), 1, 3, 64) if case == "narrow" else ((64, 128, 256), 2, 80, 640)
    return Network(Yolo(widths, depth, classes), image(side), ["boxes", "scores"])
