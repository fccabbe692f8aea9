"""A motion planner: several inputs of different kinds, one vector out."""

import torch
from torch import nn

from networks.network import Network, normal


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


def planner(case="narrow"):
    channels, side, hidden = ((4, 8, 12), 40, 64) if case == "narrow" else ((32, 64, 128), 200, 512)
    vectors = {"ego_state": 6, "goal": 3, "route": 20, "limits": 4}
    pixels = (side // 2 ** len(channels)) ** 2
    inputs = {"costmap": lambda batch, seed: torch.relu(normal((batch, 1, side, side), seed))}
    for name, length in vectors.items():
        inputs[name] = lambda batch, seed, length=length: normal((batch, length), seed)
    return Network(Planner(channels, pixels, hidden, vectors.values()), inputs, ["trajectory"])
