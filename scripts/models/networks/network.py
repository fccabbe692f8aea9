"""What a test network is: a module, its seeded inputs, weights that are seeded and settled on data."""

import dataclasses
import math

import torch
from torch import nn


def normal(shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def integers(shape, limit, seed):
    """int64 in [0, limit)."""
    return torch.randint(limit, shape, generator=torch.Generator().manual_seed(seed))


@dataclasses.dataclass
class Network:
    """A network with what is needed to export it."""

    module: nn.Module
    inputs: dict  # name -> function of (batch, seed) giving a tensor
    outputs: list  # names
    extents: dict = dataclasses.field(default_factory=dict)  # input -> {axis: name}: left open in the export

    def sample(self, seed, batch=1):
        return {name: make(batch, seed + 101 * index) for index, (name, make) in enumerate(self.inputs.items())}


CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d)
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
SCALED_NORMS = (*BATCH_NORMS, nn.LayerNorm, nn.GroupNorm)


def seed_weights(module, seed):
    """He-normal kernels, normalisations with scales around 1 and shifts around 0, all from one seed."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for part in module.modules():
            if isinstance(part, (*CONVOLUTIONS, nn.Linear)):
                weight = part.weight
                fan_in = weight[0].numel()
                if isinstance(part, nn.ConvTranspose2d):
                    fan_in = weight.shape[0] * weight[0, 0].numel() // (part.stride[0] * part.stride[1])
                weight.copy_(torch.randn(weight.shape, generator=generator) * math.sqrt(2 / fan_in))
                if part.bias is not None:
                    part.bias.copy_(torch.randn(part.bias.shape, generator=generator) * 0.1)
            elif isinstance(part, SCALED_NORMS):
                part.weight.copy_(1 + 0.2 * torch.randn(part.weight.shape, generator=generator))
                part.bias.copy_(0.2 * torch.randn(part.bias.shape, generator=generator))
            elif isinstance(part, nn.Embedding):
                part.weight.copy_(torch.randn(part.weight.shape, generator=generator))
            elif isinstance(part, nn.GRU):
                for name, weight in part.named_parameters():
                    scale = 0.1 if "bias" in name else 1 / math.sqrt(weight.shape[1])
                    weight.copy_(torch.randn(weight.shape, generator=generator) * scale)


def settle(network, seed, batches=2, batch=2):
    """Sets every BatchNorm's running statistics to those of seeded data flowing through the network."""
    norms = [part for part in network.module.modules() if isinstance(part, BATCH_NORMS)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over the batches
    network.module.train()
    with torch.no_grad():
        for index in range(batches):
            network.module(*network.sample(seed + index, batch).values())
    network.module.eval()
    return network
