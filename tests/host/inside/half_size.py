"""The first steps at half the size in a real ComfyUI: equal to headless, and what cannot begin so is refused."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import folder_paths
import torch
from edited_frames import DEMO_MODELS, refusal
from long_clips import LENGTH, LongVae, edited, film, graph
from tiny import SIGMAS, call
from toys import pack

from reelpatch.clips.frames import plan_fit
from reelpatch.edits.registry import start_work
from reelpatch.families.wan.family import WAN
from reelpatch.sampling.step_range import StepRange

FILE = Path(folder_paths.base_path) / "half_size_reference.pt"
INSTRUCTION, SEED, STEPS, GUIDANCE = "make it sepia", 3, 2, 1.2


@cache
def made(steps: int) -> tuple[torch.Tensor, list[int], list[int]]:
    """The frames [F, H, W, 3], the tokens of each forward, and the steps that were told."""
    for place in DEMO_MODELS.iterdir():  # before random ones of the same names
        folder_paths.add_model_folder_path(place.name, str(place), is_default=True)
    model, module, vae, text = call("ReelpatchLoadModels", recipe="demo")[:4]
    settings = call("ReelpatchRecipe", recipe="demo", steps=0, shift=0.0, cfg=GUIDANCE, guidance_steps=1)
    sampler, sigmas, guidance, negative, strength = settings[:5]
    texts = (call("CLIPTextEncode", clip=text, text=one)[0] for one in (INSTRUCTION, negative))
    clip = torch.load(FILE)["clip"]
    told: list[int] = []
    tokens: list[int] = []
    block = model.model.diffusion_model.blocks[0]
    handle = block.register_forward_pre_hook(lambda _block, given: tokens.append(given[0].shape[1]))
    render = pack("window_render").WindowRender(
        *(model, module, vae, *texts, guidance, sampler, sigmas, [], strength, StepRange(), False),
        *(start_work("vace"), lambda step, _preview: told.append(step), steps),
    )
    plan = plan_fit(*clip.shape[:3], lattice=WAN.lattice, method="pad")
    frames = render(clip, mask=None, seed=SEED, plan=plan, on_progress=lambda *_: None)
    handle.remove()
    return frames, tokens, told


def check_it_equals_headless():
    """Float32 in both; they differ by the order in which sums are made."""
    expected = torch.load(FILE)
    off = [
        float((made(steps)[0] - expected[name]).abs().max()) for steps, name in ((0, "full"), (STEPS, "half"))
    ]
    assert max(off) <= 1e-4, off
    assert float((expected["half"] - expected["full"]).abs().max()) > 0.01
    return off


def check_the_first_steps_see_a_quarter_of_the_tokens():
    _, full, _ = made(0)
    _, half, told = made(STEPS)
    assert len(set(full)) == 1
    assert half == [full[0] // 4] * STEPS + full[: len(half) - STEPS]
    assert told == [1, 2, 3, 4]


def check_the_node_begins_so_where_it_is_asked():
    video = film("halved", LENGTH)
    plain, half, again = (
        edited(video, graph=graph(number), half_size_steps=steps)
        for number, steps in ((100, 0), (101, 1), (102, 1))
    )
    assert half.read_bytes() == again.read_bytes() != plain.read_bytes()


def check_what_cannot_begin_so_is_refused():
    video, vae, run = film("not_halved", LENGTH), LongVae(), len(SIGMAS) - 1
    for steps, sigmas, words in (
        (run, SIGMAS, f"the first {run} steps were asked for at half the size, but the run has {run}"),
        (1, SIGMAS[:-1], "the sigmas end at"),
    ):
        said = refusal(video, half_size_steps=steps, sigmas=sigmas, vae=vae, graph=graph(103))
        assert words in said, said
        assert "half_size_steps" in said, said
    assert not vae.decoded
