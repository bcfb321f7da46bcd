"""The network of a score of components from its configuration: dense layers without space, convolutions for fields."""

import torch

from gfdt_tutorial.scores.component_field_network import ComponentFieldNetwork
from gfdt_tutorial.scores.component_network import ComponentConfig, ComponentNetwork

AnyComponentNetwork = ComponentNetwork | ComponentFieldNetwork


def build(config: ComponentConfig, seed: int = 0) -> AnyComponentNetwork:
    """An untrained network; the global random state is left alone."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)  # torch's layers take no generator
        return ComponentFieldNetwork(config) if config.get("shape") else ComponentNetwork(config)
