from torch import nn

class WanModel(nn.Module):
    dim: int
    in_dim: int
    model_type: str
    blocks: nn.ModuleList

class VaceWanModel(WanModel): ...
