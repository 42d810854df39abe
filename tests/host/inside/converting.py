"""Convert weights in ComfyUI: a pickle becomes what both loaders take; a cancel leaves nothing; refusals are one sentence."""

from __future__ import annotations

import os

import comfy.model_management
import folder_paths
import torch
from bad_input import refused
from comfy.model_management import InterruptProcessingException
from tiny import FOLDER, NUM_HINTS, NUM_LAYERS, call, files, register, weights

import nodes
from reelpatch.weights import convert as converting
from reelpatch.weights.header import Kind, identify

# The sizes of the tiny model; published ones alone are converted.
converting.PUBLISHED["tiny"] = (128, 96, 16, 16, 4096, 256, 96, NUM_LAYERS, NUM_HINTS)
NAMES = ("tiny_vdot_base_bf16.safetensors", "tiny_vdot_module_bf16.safetensors")


class Shell:
    """What a pickle must not be able to do."""

    def __reduce__(self):
        return os.system, ("touch /tmp/reelpatch_must_not_exist",)


def pickled(name: str, content: object) -> str:
    files()
    torch.save(content, FOLDER / name)
    register()
    folder_paths.filename_list_cache.clear()
    return name


def fsdp(state: dict[str, torch.Tensor]) -> dict[str, dict[str, torch.Tensor]]:
    """As VDOT's training code saves it."""
    return {"generator": {f"model._fsdp_wrapped_module.{key}": tensor for key, tensor in state.items()}}


def left(stem: str) -> list[str]:
    """Files of that stem, hidden ones too, beside the pickle."""
    return sorted(path.name for path in FOLDER.iterdir() if stem in path.name and path.suffix != ".pt")


def check_a_pickle_becomes_what_both_loaders_take():
    source = pickled("tiny_vdot.pt", fsdp(weights()))
    offered = nodes.NODE_CLASS_MAPPINGS["ReelpatchConvertWeights"].GET_SCHEMA().inputs[0].options
    assert offered == ["vdot_14b.pt"] or source in offered, offered  # as they were when ComfyUI started
    (report,) = call("ReelpatchConvertWeights", file=source, precision="bf16")
    assert report.startswith(f"{NAMES[0]} and {NAMES[1]} are in models/diffusion_models now"), report
    assert left("tiny_vdot") == list(NAMES)
    folder_paths.filename_list_cache.clear()
    model = call("ReelpatchLoadBackbone", file=NAMES[0], storage="from file", compute="auto")[0]
    assert model.model.diffusion_model.dim == 128
    assert identify(FOLDER / NAMES[1]).kind is Kind.EDIT_MODULE
    before = [(FOLDER / name).stat().st_mtime_ns for name in NAMES]
    (again,) = call("ReelpatchConvertWeights", file=source, precision="bf16")
    assert "are there already" in again
    assert [(FOLDER / name).stat().st_mtime_ns for name in NAMES] == before
    return report


def check_a_cancel_leaves_nothing():
    source = pickled("tiny_cancelled.pt", fsdp(weights()))
    comfy.model_management.interrupt_current_processing(True)
    try:
        call("ReelpatchConvertWeights", file=source, precision="fp8")
    except InterruptProcessingException:
        pass
    else:
        raise AssertionError("it went on")
    finally:
        comfy.model_management.interrupt_current_processing(False)
    assert left("tiny_cancelled") == []


def check_what_cannot_be_converted_is_one_sentence_without_the_server_s_folders():
    given = {
        "tiny_evil.pt": ({"weights": Shell()}, "code or objects besides weights"),
        "tiny_part.pt": (fsdp(dict(list(weights().items())[:-1])), "it lacks"),
    }
    said = []
    for name, (content, words) in given.items():
        source = pickled(name, content)
        message = refused(
            lambda source=source: call("ReelpatchConvertWeights", file=source, precision="bf16"),
            f"models/diffusion_models/{source}",
            words,
        )
        assert str(FOLDER) not in message
        assert left(source.removesuffix(".pt")) == []
        said.append(message)
    assert not os.path.exists("/tmp/reelpatch_must_not_exist")  # noqa: PTH110 -- named by the pickle's own command
    missing = nodes.NODE_CLASS_MAPPINGS["ReelpatchConvertWeights"].validate_inputs(file="vdot_14b.pt")
    assert "download it from https://huggingface.co/yutongwang1012/VDOT" in missing
    return said
