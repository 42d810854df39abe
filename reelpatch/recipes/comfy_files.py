"""The files of recipes in the forms that ComfyUI's own loaders take."""

from dataclasses import replace

from reelpatch.families.kinds import Kind
from reelpatch.recipes.record import Recipe, WeightFile

_SUFFIX = ".safetensors"
# With the tokenizer in the file, which core's loader needs; the smaller one first.
_TEXT_ENCODERS = {"umt5_xxl_fp8_e4m3fn_scaled.safetensors": 6.735906897, "umt5_xxl_fp16.safetensors": 11.4}
_REPACKAGED = (
    "https://huggingface.co/Comfy-Org/Wan_2.1_ComfyUI_repackaged/resolve/main/split_files/text_encoders"
)


def comfy_files(recipe: Recipe) -> tuple[WeightFile, ...]:
    """The recipe's files, each with the names that ComfyUI loads alone; the first is the one to get."""
    return tuple(comfy_file(file) for file in recipe.files)


def comfy_file(file: WeightFile) -> WeightFile:
    """A file with the names that ComfyUI loads alone; a pickle stands for what is made of it, its `url` stays."""
    if file.kinds == (Kind.UMT5,) and file.url:
        first, *others = _TEXT_ENCODERS
        return replace(
            file,
            names=(first, *others),
            url=f"{_REPACKAGED}/{first}",
            size_gb=_TEXT_ENCODERS[first],
            revision="",
            sha256="",
            other_sizes_gb={name: _TEXT_ENCODERS[name] for name in others},
        )
    names = tuple(name for name in file.names if name.endswith(_SUFFIX))
    if names[0] == file.names[0]:
        return replace(file, names=names)
    return replace(file, names=names, size_gb=file.other_sizes_gb.get(names[0]))
