"""One table per model says how its layers are called in each naming; every name here is read from those tables.

A row pairs the native path (as the Wan authors' files spell it) with the other one; `#` stands for a block
number. A path is a layer or a bare parameter; a key is a path, or a layer's path and its `.weight`, `.bias`
or `.gamma`. Source: the state dicts of Wan2.1 and ali-vilab/VACE, diffusers 0.42 and transformers 5.
"""

_PREFIXES = ("diffusion_model.", "model.")
# FSDP and torch.compile put these between the names of nested modules; VDOT's weights are saved with the first.
_WRAPPERS = ("_fsdp_wrapped_module.", "_orig_mod.")


def strip_prefix(key: str) -> str:
    """The key without what ComfyUI, trainers and wrapping modules put before and between the names of a model.

    Source: ComfyUI's `unet_prefix_from_state_dict`; VDOT's own loader for the wrapped ones.
    """
    for wrapper in _WRAPPERS:
        key = key.replace(wrapper, "")
    while (bare := next((key.removeprefix(p) for p in _PREFIXES if key.startswith(p)), None)) is not None:
        key = bare
    return key
