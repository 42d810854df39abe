from torch import Tensor

class Wan21:
    def process_in(self, latent: Tensor) -> Tensor: ...
