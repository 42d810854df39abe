from torch import Tensor, nn

def sinusoidal_embedding_1d(dim: int, position: Tensor) -> Tensor: ...

class WanModel(nn.Module):
    dim: int
    in_dim: int
    model_type: str
    blocks: nn.ModuleList

class VaceWanModel(WanModel): ...
