"""The bare names of keys, which tools put words before and between."""

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
