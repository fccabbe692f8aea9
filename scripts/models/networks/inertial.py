"""Networks on sequences and sets: an inertial odometer with GRUs, and magnetic-map matchers with attention."""

import torch
from torch import nn

from networks.network import Network, integers, normal


class CodeNet(nn.Module):
    """Two strided 1-D convolutions with BatchNorm and GELU, two GRUs, four decoders."""

    def __init__(self, features, channels, hidden, decoders):
        super().__init__()
        layers = []
        for width in channels:
            layers += [nn.Conv1d(features, width, 7, 3, 3), nn.BatchNorm1d(width), nn.GELU()]
            features = width
        self.encoder = nn.Sequential(*layers)
        self.gru1 = nn.GRU(features, hidden[0], batch_first=True)
        self.gru2 = nn.GRU(hidden[0], hidden[1], batch_first=True)
        self.heads = nn.ModuleDict(
            {name: nn.Sequential(nn.Linear(hidden[1], hidden[0]), nn.GELU(), nn.Linear(hidden[0], width))
             for name, width in decoders.items()}
        )

    def forward(self, imu, state1=None, state2=None):
        x = self.encoder(imu.transpose(1, 2)).transpose(1, 2)
        x, last1 = self.gru1(x, state1)
        x, last2 = self.gru2(x, state2)
        corrections = [head(x) for head in self.heads.values()]
        spread = torch.exp(0.5 * torch.tanh(corrections[-1]))
        results = (*corrections[:-1], spread)
        return results if state1 is None else (*results, last1, last2)


DECODERS = {"gyro_correction": 3, "acceleration_correction": 3, "gyro_bias": 3, "spread": 6}


def codenet_of(case, window):
    channels, hidden = ((8, 12), (12, 16)) if case == "narrow" else ((32, 64), (128, 256))
    module = CodeNet(6, channels, hidden, DECODERS)
    inputs = {"imu": lambda batch, seed: normal((batch, window, 6), seed)}
    return module, inputs, hidden


def codenet(case="narrow"):
    """The initial state is absent."""
    module, inputs, _ = codenet_of(case, 50 if case == "narrow" else 1009)
    return Network(module, inputs, list(DECODERS), {"imu": {0: "batch", 1: "seq"}})


def codenet_with_state(case="narrow"):
    """The initial states are inputs, the last ones outputs."""
    module, inputs, hidden = codenet_of(case, 50 if case == "narrow" else 1009)
    for index, width in enumerate(hidden):
        inputs[f"state{index + 1}"] = lambda batch, seed, width=width: 0.3 * normal((1, batch, width), seed)
    extents = {"imu": {0: "batch", 1: "seq"}, "state1": {1: "batch"}, "state2": {1: "batch"}}
    return Network(module, inputs, [*DECODERS, "last_state1", "last_state2"], extents)


class Squeeze1d(nn.Module):
    def __init__(self, channels, squeezed):
        super().__init__()
        self.reduce = nn.Linear(channels, squeezed)
        self.expand = nn.Linear(squeezed, channels)

    def forward(self, x):
        weights = torch.sigmoid(self.expand(torch.relu(self.reduce(x.mean(-1)))))
        return x * weights.unsqueeze(-1)


class MbConv1d(nn.Module):
    """An inverted residual on a sequence, with squeeze and excitation and HardSwish."""

    def __init__(self, channels, expansion, kernel):
        super().__init__()
        wide = channels * expansion
        self.expand = nn.Sequential(nn.Conv1d(channels, wide, 1, bias=False), nn.BatchNorm1d(wide), nn.Hardswish())
        self.depthwise = nn.Sequential(
            nn.Conv1d(wide, wide, kernel, 1, kernel // 2, groups=wide, bias=False), nn.BatchNorm1d(wide), nn.Hardswish()
        )
        self.squeeze = Squeeze1d(wide, max(1, wide // 4))
        self.project = nn.Sequential(nn.Conv1d(wide, channels, 1, bias=False), nn.BatchNorm1d(channels))

    def forward(self, x):
        return x + self.project(self.squeeze(self.depthwise(self.expand(x))))


class LinearAttention(nn.Module):
    """Attention whose cost is linear in the length: positive features of queries and keys (as Performer)."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.out = nn.Linear(width, width)

    def forward(self, x, mask):
        batch, length, width = x.shape
        split = lambda y: y.reshape(batch, length, self.heads, width // self.heads).transpose(1, 2)
        features = lambda y: torch.exp(y - y.amax(-1, keepdim=True)) + 1e-4
        q, k, v = features(split(self.query(x))), features(split(self.key(x))), split(self.value(x))
        k = torch.where(mask[:, None, :, None], k, torch.zeros_like(k))
        context = k.transpose(-1, -2) @ v
        scale = torch.reciprocal((q * k.sum(-2, keepdim=True)).sum(-1, keepdim=True) + 1e-6)
        return self.out(((q @ context) * scale).transpose(1, 2).reshape(batch, length, width))


class SoftmaxAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x, mask):
        batch, length, width = x.shape
        q, k, v = self.qkv(x).reshape(batch, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        scores = q @ k.transpose(-1, -2) / (width // self.heads) ** 0.5
        scores = scores.masked_fill(~mask[:, None, None, :], -1e4)
        return self.out((torch.softmax(scores, -1) @ v).transpose(1, 2).reshape(batch, length, width))


class Heimdall(nn.Module):
    """Matches a recorded sequence to a set of places: MBConv on the sequence, embedded kinds, geometry, attention over
    the valid places, a masked mean of the set, and a pose."""

    def __init__(self, channels, width, kinds, depth, attention):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv1d(4, channels, 5, 2, 2, bias=False), nn.BatchNorm1d(channels), nn.Hardswish())
        self.blocks = nn.Sequential(*(MbConv1d(channels, 2, 5) for _ in range(depth)))
        self.kind = nn.Embedding(kinds, width)
        self.geometry = nn.Sequential(nn.Linear(6, width), nn.LayerNorm(width), nn.LeakyReLU(0.1), nn.Linear(width, width))
        self.places = nn.Linear(3, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = attention(width, 4)
        self.dense = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.out = nn.Sequential(nn.Linear(channels + 2 * width, width), nn.ELU(), nn.Linear(width, 7))

    def forward(self, sequence, places, kinds, valid, pose):
        seen = self.blocks(self.stem(sequence)).mean(-1)
        x = self.places(places) + self.kind(kinds)
        x = x + self.attention(self.norm1(x), valid)
        x = x + self.dense(self.norm2(x))
        weights = valid.to(x.dtype).unsqueeze(-1)
        pooled = (x * weights).sum(1) / torch.clamp(weights.sum(1), min=1.0)
        angles = torch.cat((torch.sin(pose), torch.cos(pose)), -1)
        y = self.out(torch.cat((seen, pooled, self.geometry(angles)), -1))
        position, rotation = y[:, :3], y[:, 3:]
        return position, rotation / rotation.norm(dim=-1, keepdim=True)


def heimdall_of(case, attention):
    channels, width, length, places, depth = (8, 16, 40, 9, 1) if case == "narrow" else (64, 128, 400, 256, 4)
    kinds = 11
    inputs = {
        "sequence": lambda batch, seed: normal((batch, 4, length), seed),
        "places": lambda batch, seed: normal((batch, places, 3), seed),
        "kinds": lambda batch, seed: integers((batch, places), kinds, seed),
        "valid": lambda batch, seed: integers((batch, places), 4, seed) > 0,
        "pose": lambda batch, seed: normal((batch, 3), seed),
    }
    extents = {name: {0: "batch"} for name in inputs}
    for name in ("places", "kinds", "valid"):
        extents[name][1] = "set"
    return Network(Heimdall(channels, width, kinds, depth, attention), inputs, ["position", "rotation"], extents)


def heimdall(case="narrow"):
    return heimdall_of(case, SoftmaxAttention)


def heimdall_pro(case="narrow"):
    return heimdall_of(case, LinearAttention)
