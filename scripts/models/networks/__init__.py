"""The networks whose exports the lab is tested on, written from their published structure.

Each is a plain torch.nn.Module with seeded weights and BatchNorm statistics settled on seeded data, so that activations
stay in a realistic range however deep the network is. Module attributes carry the names that exported nodes get, and
with them the lab's stages: `blocks.1.3`, `neck.deblocks.2.0`, `heads.0.reg.3`, `layer2.0.conv1`.
"""

from networks import images, inertial, lidar, planner
from networks.network import Network, seed_weights, settle

# name -> function of a case: `narrow` (a few channels, small inputs) or as deployed
NETWORKS = {
    "second": lidar.second,
    "second_fpn": lidar.second_fpn,
    "centerpoint": lidar.centerpoint,
    "centerpoint_points": lidar.centerpoint_from_points,
    "planner": planner.planner,
    "resnet18": images.resnet18,
    "resnet50": images.resnet50,
    "mobilenet_v2": images.mobilenet_v2,
    "efficientnet_b0": images.efficientnet_b0,
    "convnext": images.localization_net,
    "convnext_large": images.localization_net_large,
    "yolo": images.yolo,
    "codenet": inertial.codenet,
    "codenet_state": inertial.codenet_with_state,
    "heimdall": inertial.heimdall,
    "heimdall_pro": inertial.heimdall_pro,
}
SECOND_CASES = lidar.SECOND_CASES
FULL_CASE = {name: "A" if name in ("second", "second_fpn", "centerpoint", "centerpoint_points") else "full"
             for name in NETWORKS}


def make(name, case="narrow", seed=1) -> Network:
    """The network, seeded and settled, in evaluation mode."""
    network = NETWORKS[name](case)
    seed_weights(network.module, seed)
    return settle(network, seed + 1000)
