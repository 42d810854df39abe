"""Rewrite instruction on ComfyUI's own Qwen3-VL, narrow and of random numbers: its words mean nothing, its way is the real one."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import comfy.sd
import torch
from bad_input import refused
from comfy.text_encoders import llama, qwen3vl
from tiny import call, frames

import nodes
from reelpatch.recipes import recipe
from reelpatch.recipes.rewriting import aim_of, plainly

NODE = "ReelpatchRewriteInstruction"
SAID = "put a hat on the cat"
NARROW = {
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 1,
    "num_key_value_heads": 1,
}


@dataclasses.dataclass
class _Narrow(llama.Qwen3VL_4BConfig):
    pass


def language_model():
    """A CLIP as Load CLIP makes it of qwen3vl_4b, but narrow."""
    wide, seen = qwen3vl.QWEN3VL_CONFIGS["qwen3vl_4b"], qwen3vl.QWEN3VL_VISION["qwen3vl_4b"]
    common = qwen3vl.QWEN3VL_VISION_COMMON
    qwen3vl.QWEN3VL_CONFIGS["qwen3vl_4b"] = lambda **given: _Narrow(**{**given, **NARROW})
    qwen3vl.QWEN3VL_VISION["qwen3vl_4b"] = {
        "hidden_size": 64,
        "intermediate_size": 64,
        "depth": 2,
        "deepstack_visual_indexes": [0],
    }
    qwen3vl.QWEN3VL_VISION_COMMON = {**common, "num_heads": 2}
    try:
        target = SimpleNamespace(
            params={}, clip=qwen3vl.te(model_type="qwen3vl_4b"), tokenizer=qwen3vl.tokenizer("qwen3vl_4b")
        )
        clip = comfy.sd.CLIP(target, model_options={"dtype": torch.float32})
    finally:
        qwen3vl.QWEN3VL_CONFIGS["qwen3vl_4b"], qwen3vl.QWEN3VL_VISION["qwen3vl_4b"] = wide, seen
        qwen3vl.QWEN3VL_VISION_COMMON = common
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in clip.cond_stage_model.named_parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 2 * parameter.shape[-1] ** -0.5)
            else:
                parameter.fill_(float(name.endswith("weight")))
    return clip


class Spy:
    """Stands before ComfyUI's Generate Text: what it was asked, and an answer that can be read."""

    def __init__(self, answer=None):
        self.asked, self._answer = [], answer

    def __enter__(self):
        self._core = nodes.NODE_CLASS_MAPPINGS["TextGenerate"]
        spy, core = self, self._core

        class Core(core):
            @classmethod
            def execute(cls, **given):
                spy.asked.append(given)
                made = core.execute(**{**given, "max_length": 8})
                spy.made = made.args[0]
                return made if spy._answer is None else SimpleNamespace(args=(spy._answer,))

        nodes.NODE_CLASS_MAPPINGS["TextGenerate"] = Core
        return self

    def __exit__(self, *_):
        nodes.NODE_CLASS_MAPPINGS["TextGenerate"] = self._core


def rewrite(**given):
    return call(NODE, **{"recipe": "chronoedit", "instruction": SAID, "or_keep": False, **given})[0]


def check_without_a_language_model_it_is_the_plain_form():
    assert rewrite() == plainly(aim_of(recipe("chronoedit")), SAID)


def check_core_s_qwen_reads_the_rules_and_sees_the_pictures():
    clip = language_model()
    with Spy("The user wants to see a hat.") as spy:
        assert rewrite(language_model=clip, look_at=frames(9, (32, 48))) == "The user wants to see a hat."
    (asked,) = spy.asked
    assert asked["prompt"].startswith("<|im_start|>system\nYou rewrite what a person asks")
    assert asked["prompt"].count("<|image_pad|>") == 4
    assert asked["image"].shape == (4, 32, 48, 3)
    tokens = clip.tokenize(asked["prompt"], image=asked["image"])["qwen3vl_4b"][0]
    assert sum(isinstance(token[0], dict) for token in tokens) == 4
    with Spy("x y") as other:
        rewrite(language_model=clip, look_at=1 - frames(9, (32, 48)))
    assert other.made != spy.made


def check_large_pictures_are_shown_smaller():
    with Spy("x") as spy:
        rewrite(language_model=language_model(), look_at=torch.rand(1, 64, 2048, 3))
    assert spy.asked[0]["image"].shape == (1, 32, 1024, 3)


def check_rules_go_by_their_own_input_where_core_has_one():
    core = nodes.NODE_CLASS_MAPPINGS["TextGenerate"]

    class Newer(core):
        @classmethod
        def define_schema(cls):
            schema = core.define_schema()
            schema.inputs.append(SimpleNamespace(id="system_prompt"))
            return schema

        @classmethod
        def execute(cls, **given):
            asked.append(given)
            return SimpleNamespace(args=("A hat.",))

    asked = []
    nodes.NODE_CLASS_MAPPINGS["TextGenerate"] = Newer
    try:
        assert rewrite(language_model=language_model()) == "A hat."
    finally:
        nodes.NODE_CLASS_MAPPINGS["TextGenerate"] = core
    assert asked[0]["prompt"] == f"What the person asks: {SAID}"
    assert asked[0]["system_prompt"].startswith("You rewrite")


def check_no_answer_stops_or_keeps_the_instruction():
    clip = language_model()
    with Spy(""):
        assert "answered with nothing" in refused(lambda: rewrite(language_model=clip))
        assert rewrite(language_model=clip, or_keep=True) == SAID


def check_what_cannot_write_is_refused():
    encoder = SimpleNamespace(clip="t5", t5=SimpleNamespace(transformer=torch.nn.Linear(1, 1)))
    said = refused(lambda: rewrite(language_model=SimpleNamespace(cond_stage_model=encoder)))
    assert "is a text encoder that cannot write (Linear)" in said
    unfinished = object.__new__(llama.Qwen25_7BVLI)
    torch.nn.Module.__init__(unfinished)
    model = SimpleNamespace(clip="qwen", qwen=SimpleNamespace(transformer=unfinished))
    said = refused(lambda: rewrite(language_model=SimpleNamespace(cond_stage_model=model)))
    assert "Qwen2.5-VL, which ComfyUI loads without the layer that chooses words" in said
    assert "the instruction is empty" in refused(lambda: rewrite(instruction=" "))
