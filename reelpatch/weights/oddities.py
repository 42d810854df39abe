"""What is unusual about a weight file, or differs from what its name promises."""

from collections.abc import Iterator, Mapping, Sequence

from reelpatch.families.kinds import Kind
from reelpatch.families.strangers import wan_task
from reelpatch.families.wan.sizes import BY_WIDTH
from reelpatch.weights import storage
from reelpatch.weights.header import KnownFile
from reelpatch.weights.known_files import promise
from reelpatch.weights.safetensors_header import shown

_NUM_NAMED = 3
_CONTEXT_CHANNELS = 96
_IMAGE_CHANNELS = 36  # 16 of noise, 4 of mask, 16 of the image
_TEXT_WIDTH = 4096
_RARE_DTYPES = frozenset({"F64", "I64", "U64", "C64", "I32", "U32", "BOOL", "F8_E8M0", "F4"})


def oddities(file: KnownFile) -> tuple[str, ...]:
    """One sentence without its full stop for each; none for a file as it was published."""
    return (
        *_other_than_named(file),
        *_of_keys(file),
        *_of_sizes(file),
        *_of_numbers(file),
        *(file.lora.faults if file.lora else ()),
        *(file.lora_within.faults if file.lora_within else ()),
    )


def _other_than_named(file: KnownFile) -> Iterator[str]:
    said = promise(file.path.name)
    if said is None:
        return
    if said.kind is not file.kind:
        yield f"its name is that of {said.kind.words}, but it is {file.words}"
    elif said.size and said.size != file.size:
        yield f"its name says {said.size}, but it is {file.words}"
    elif (
        said.dtype
        and said.dtype != (dtype := storage.main_dtype(file.tensors))
        and file.kind is not Kind.LORA
    ):
        yield f"its name says {storage.words_for(said.dtype)}, but it holds {storage.words_for(dtype) or 'nothing'}"
    if "_scaled" in file.path.name.lower() and not file.is_scaled:
        yield "its name says scaled, but it has no scales"


def _of_keys(file: KnownFile) -> Iterator[str]:
    if not file.tensors:
        yield "it holds no tensors"
    doubled = set(file.tensors) - set(file.keys.values())
    if doubled:
        yield f"{_some(sorted(doubled))} mean the same as other keys that differ in their prefix"
    fit = file.fit
    if fit is None:
        return
    if fit.missing:
        yield f"it lacks {_some(fit.missing)}, so it can't be used as it is"
    if fit.misshapen:
        yield f"{_some(fit.misshapen)} have shapes that do not go with the others"
    if fit.unknown and file.kind is not Kind.OTHER_BACKBONE:
        if any(name.startswith(("vae.", "text_encoders.", "first_stage_model.")) for name in fit.unknown):
            yield "it is a checkpoint that has VAE or text encoder within; it belongs into the models folder 'checkpoints'"
        else:
            yield f"it has {_some(fit.unknown)}, which {file.kind.words} has not"


def _of_sizes(file: KnownFile) -> Iterator[str]:
    if file.kind is Kind.OTHER_VAE and (latent := file.keys.get("conv2.weight")):
        shape = list(file.tensors[latent].shape)
        yield f"it has the keys of a Wan VAE, but {latent} is {shape}, where those have 16 or 48 channels"
    if not file.is_transformer or file.fit is None:
        return
    embedding = file.keys.get("patch_embedding.weight")
    if file.kind is Kind.IMAGE_BACKBONE and embedding:
        shape = file.tensors[embedding].shape
        if shape[1:2] != (_IMAGE_CHANNELS,):
            yield f"{embedding} is {list(shape)}, where image-to-video takes {_IMAGE_CHANNELS} channels"
    if size := BY_WIDTH.get(file.width):
        for stack, expected in (("blocks", size.num_blocks), ("vace_blocks", size.num_vace_blocks)):
            if (number := file.count(stack)) and number != expected:
                yield f"it has {number} {stack} where {size.name} models have {expected}"
    if file.kind is Kind.OTHER_BACKBONE and not wan_task(file.keys):
        yield f"no published model has the tensors of one for {file.variant}"
    yield from _of_widths(file.fit.sizes)


def _of_widths(sizes: Mapping[str, int]) -> Iterator[str]:
    if sizes.get("T", _TEXT_WIDTH) != _TEXT_WIDTH:
        yield f"it takes text of width {sizes['T']} where UMT5-XXL makes {_TEXT_WIDTH}"
    if sizes.get("Q", 0) % 2:
        yield f"its time embedding takes {sizes['Q']} numbers, which are not pairs of sine and cosine"
    channels = sizes.get("V", _CONTEXT_CHANNELS)
    if channels != _CONTEXT_CHANNELS:
        yield f"its context has {channels} channels where VACE has {_CONTEXT_CHANNELS}"


def _of_numbers(file: KnownFile) -> Iterator[str]:
    if method := storage.foreign_quantisation(file.tensors):
        yield f"it is quantised by {method}, which no loader here reads"
    yield from storage.scale_faults(file.tensors)
    rare = sorted(
        key for key, info in file.tensors.items() if info.dtype in _RARE_DTYPES and not storage.is_scale(key)
    )
    if rare and file.fit is not None:
        dtypes = sorted({file.tensors[key].dtype for key in rare})
        yield f"{_some(rare)} are {' and '.join(dtypes)}, which weights usually are not"


def _some(keys: Sequence[str]) -> str:
    more = len(keys) - _NUM_NAMED
    return ", ".join(map(shown, keys[:_NUM_NAMED])) + (f" and {more} more" if more > 0 else "")
