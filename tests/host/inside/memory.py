"""What an edit holds while a MODEL runs, and after."""

from __future__ import annotations

import gc
import weakref

import torch
from tiny import NUM_HINTS, apply, backbone, clip, frames, module, sample


def check_one_hint_is_alive_at_a_time():
    patch = module()
    hints: list[weakref.ref] = []
    most: list[int] = []

    def note(_layer, _inputs, hint):
        most.append(1 + sum(ref() is not None for ref in hints))
        hints.append(weakref.ref(hint))

    handles = [block.after_proj.register_forward_hook(note) for block in patch.model.vace_blocks]
    model, latent = apply(backbone(), patch)
    sample(model, latent=latent["samples"])
    for handle in handles:
        handle.remove()
    assert len(hints) >= 4 * NUM_HINTS
    assert max(most) == 1, most
    return {"hints": len(hints), "alive_at_once": max(most)}


def check_no_tensor_stays_after_twenty_runs():
    """Each run with a clip of its own, as a queue has them."""
    base, patch = backbone(), module()
    held: list[int] = []
    gc.collect()
    gc.freeze()  # what ComfyUI itself is made of, which would be gone through twenty times
    for seed in range(20):
        model, latent = apply(base, patch, clip=clip(frames(seed=seed)))
        sample(model, latent=latent["samples"])
        assert _bytes_of_tensors() > 0  # of this run, so those of others would be seen
        del model, latent
        gc.collect()
        held.append(_bytes_of_tensors())
    gc.unfreeze()
    assert held[-1] <= held[1], held
    return {"after_2": held[1], "after_20": held[-1]}


def _bytes_of_tensors() -> int:
    """What tensors hold that were made since the freeze."""
    # By type alone: asking objects what they are wakes some that warn.
    tensors = [one for one in gc.get_objects() if issubclass(type(one), torch.Tensor)]
    return sum({one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in tensors}.values())
