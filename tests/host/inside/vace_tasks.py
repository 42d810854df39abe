"""VACE task: every task of the engine from ComfyUI's own types, and what comes out at the other end."""

from __future__ import annotations

from fractions import Fraction

import torch
from bad_input import refused
from comfy_api.latest import InputImpl, Types
from nodes_alone import EchoVae
from tiny import SIZE, Vae, apply, backbone, call, difference, frames, module, sample

import nodes

FRAMES = 9
MASK = torch.zeros(1, *SIZE)
MASK[:, 8:24, 8:24] = 1
IMAGE = frames(1, seed=7)
GIVEN = {
    "control": {},
    "inpaint": {"mask": MASK},
    "outpaint": {"up": 0.0, "down": 0.0, "left": 0.5, "right": 0.5},
    "extend": {"first": IMAGE, "last": frames(2, seed=8)},
    "keep": {"keep": "0,8", "random": 0, "random_seed": 0},
    "reference": {},
    "swap": {"boxes": "8,8,16,16"},
    "animate": {},
    "move": {"first": IMAGE, "boxes": "0,0,16,16; 16,8,16,16"},
    "expand": {"first": IMAGE, "up": 0.0, "down": 0.0, "left": 0.0, "right": 0.5},
}
NEED_REFERENCES = ("reference", "swap", "animate")


def options():
    schema = nodes.NODE_CLASS_MAPPINGS["ReelpatchTask"].GET_SCHEMA()
    (task,) = [one for one in schema.inputs if one.id == "task"]
    return {option.key: {one.id: one for one in option.inputs} for option in task.options}


def task(name, *, references=0, size=SIZE, length=FRAMES, sample="first", fps=8.0, **given):
    """The outputs of the node; a clip is given where the task takes one."""
    chosen = {"task": name, **GIVEN[name], **given}
    if "clip" in options()[name]:
        chosen.setdefault("clip", frames() * 0.4)
    stills = frames(references, (20, 30), seed=9)
    batch = call("ReelpatchReferences", images={"image_0": stills})[0] if references else None
    return call(
        "ReelpatchTask", task=chosen, width=size[1], height=size[0], frames=length, sample=sample, fps=fps,
        references=batch,
    )  # fmt: skip


def video(num_frames=FRAMES, fps=Fraction(10)):
    sound = {
        "waveform": torch.arange(int(8000 * num_frames / fps)).reshape(1, 1, -1) / 1e5,
        "sample_rate": 8000,
    }
    images = frames(num_frames)
    return images, InputImpl.VideoFromComponents(
        Types.VideoComponents(images=images, audio=sound, frame_rate=fps)
    )


def check_every_task_of_the_engine_is_offered_with_words_for_all_it_takes():
    engine = __import__("reelpatch.edits.vace.tasks", fromlist=["TASKS"]).TASKS
    assert set(options()) == set(engine)
    assert any(one.get_io_type() == "STRING" for one in next(iter(options().values())).values()), (
        "see the node"
    )
    for name, inputs in options().items():
        assert all(one.tooltip for one in inputs.values()), name
        asked = {one for group in engine[name].needs for one in group} | set(engine[name].takes)
        shown = {
            {"up": "sides", "down": "sides", "left": "sides", "right": "sides"}.get(one, one)
            for one in inputs
        }
        shown -= {"random", "random_seed"}
        assert shown | {"references"} == asked | {"references"}, (name, shown, asked)
        assert ("references" in {one for group in engine[name].needs for one in group}) == (
            name in NEED_REFERENCES
        )


def check_every_task_goes_through_apply_edit_and_the_sampler():
    found = {}
    model, patch = backbone(), module()
    for name in options():
        count = 2 if name in NEED_REFERENCES else 0
        clip, mask, references, shown, width, height, length, fps = task(name, references=count)
        assert tuple(mask.shape) == (length, height, width) == tuple(shown.shape[:3]), name
        assert (length, fps, len(references)) == (FRAMES, 8.0, count), name
        edited, latent = apply(model, patch, clip=clip, mask=mask, references=references)
        assert latent["samples"].shape[2] == 3 + count, name
        found[name] = [width, height, round(float((mask > 0.5).float().mean()), 3)]
    made = sample(edited, latent=latent["samples"])
    assert bool(made.isfinite().all())
    return found


def check_the_model_sees_gray_where_it_is_to_make_something_up():
    clip, mask, _, shown, *_ = task("inpaint")
    assert bool((shown[mask > 0.5] == 0.5).all())
    assert torch.equal(shown[mask < 0.5], (frames() * 0.4)[mask < 0.5])
    assert torch.equal(mask, MASK.expand(FRAMES, -1, -1))
    assert torch.equal(clip.made_up, mask)
    _, _, _, shown, *_ = task("extend")
    assert torch.equal(shown[:1], IMAGE)
    assert bool((shown[1:7] == 0.5).all())
    assert torch.equal(shown[7:], frames(2, seed=8))


def check_finish_clip_keeps_what_is_kept_and_never_shows_gray():
    clip, mask, _, shown, *_ = task("inpaint")
    samples = {"samples": torch.zeros(1, 16, 3, 4, 6)}
    white = torch.ones_like(shown)
    _, made = call("ReelpatchFinishClip", samples=samples, vae=EchoVae(white), clip=clip)
    assert torch.equal(made[mask < 0.5], shown[mask < 0.5])
    assert bool((made[mask > 0.5] == 1).all())
    soft = torch.nn.functional.avg_pool2d(mask[:, None], 5, 1, 2)[:, 0]
    _, made = call("ReelpatchFinishClip", samples=samples, vae=EchoVae(white), clip=clip, mask=soft)
    assert bool((made[mask > 0.5] == 1).all())
    edge = (soft > 0) & (mask < 0.5)
    assert bool((made[edge] > shown[edge]).all())
    assert torch.equal(made[soft == 0], shown[soft == 0])


def check_references_stand_in_front_and_are_taken_off():
    """From none to four: so many latent frames more, in the order given, and none of them in the clip."""
    model, patch = backbone(), module()
    for count in range(5):
        clip, mask, references, shown, *_ = task("inpaint", references=count)
        edited, latent = apply(model, patch, clip=clip, mask=mask, references=references)
        assert latent["samples"].shape[2] == 3 + count
        (edit,) = [edit for one in edited.get_wrappers("diffusion_model", "reelpatch") for edit in one.edits]
        context = edit.contexts[0].context
        for number, image in enumerate(frames(count, (20, 30), seed=9) if count else []):
            letterbox = __import__("reelpatch.clips.references", fromlist=["letterbox"]).letterbox
            expected = Vae().encode(letterbox(image, *SIZE)[None])
            normalised = (
                __import__("comfy.latent_formats", fromlist=["Wan21"]).Wan21().process_in(expected)[0]
            )
            assert difference(context[:16, number : number + 1].cpu(), normalised) < 1e-5, (count, number)
            assert not bool(context[16:, number].any())
        _, made = call("ReelpatchFinishClip", samples=latent, vae=EchoVae(shown), clip=clip)
        assert torch.equal(made, shown)


def check_a_video_keeps_rate_and_sound():
    images, given = video()
    clip, _, _, shown, *_, fps = task("control", clip=given, length=5)
    assert fps == 10
    assert torch.equal(shown, images[:5])
    assert clip.sound["waveform"].shape[-1] == 4000
    clip, _, _, shown, *_, fps = task("control", clip=given, length=5, sample="uniform")
    assert abs(fps - 10 * 5 / 9) < 1e-6, "as long as before"
    assert torch.equal(shown[-1], images[-1])
    assert clip.sound is None
    *_, fps = task("reference", references=1, fps=0.0)
    assert fps == 16


def check_a_batch_with_alpha_loses_it():
    shown = task("extend", first=torch.rand(1, *SIZE, 4))[3]
    assert shown.shape[-1] == 3


def check_frames_are_drawn_by_the_seed():
    kept = [task("keep", keep="0", random=3, random_seed=seed)[1][:, 0, 0].tolist() for seed in (1, 1, 2)]
    assert kept[0] == kept[1] != kept[2]
    assert all(3 <= row.count(0.0) <= 4 for row in kept)


def check_what_is_wrong_is_told_in_one_sentence():
    half = MASK[:, :16]
    return [
        refused(lambda: task("inpaint", mask=None), "'inpaint' needs a mask", "or a box"),
        refused(lambda: task("swap"), "'swap' needs a reference"),
        refused(lambda: task("extend", first=None, last=None), "needs a first frame"),
        refused(lambda: task("inpaint", mask=half), "the mask is 48x16", "48x32"),
        refused(lambda: task("inpaint", boxes="1,2,3"), "'1,2,3' in boxes is no box", "40,20,64,64"),
        refused(lambda: task("inpaint", boxes="40,20,64,64"), "does not lie in the picture"),
        refused(lambda: task("move", boxes="0,0,8,8"), "1 boxes were given"),
        refused(lambda: task("outpaint", left=0.0, right=0.0), "no side of the picture grows"),
        refused(lambda: task("keep", keep="x"), "'x' in keep"),
        refused(lambda: task("keep", keep="99"), "no frame 99"),
        refused(lambda: task("keep", random=9), "9 frames were to be kept at random"),
        refused(lambda: task("control", length=8), "8 frames", "use 9"),
        refused(lambda: task("control", size=(32, 40)), "40x32", "multiple of 16"),
        refused(lambda: task("control", clip=frames() * 2), "values outside 0..1"),
        refused(lambda: task("control", clip=frames() * torch.nan), "NaN"),
        refused(lambda: task("expand", first=frames(3)), "3 frames", "single image"),
    ]
