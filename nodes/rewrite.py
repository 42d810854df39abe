"""Rewrite instruction: what a person said, as the method's models like it, by any CLIP of ComfyUI's that can write text."""

from importlib import import_module
from typing import Any

import torch.nn.functional as F
from comfy_api.latest import io
from torch import Tensor

from reelpatch.edits.instruction import check_instruction
from reelpatch.errors import BadInput
from reelpatch.recipes import RECIPES
from reelpatch.recipes.rewriting import LONGER_PX, MOST_TOKENS, Chat, aim_of, chat_for, plainly, shown_frames
from reelpatch.recipes.rewritten import rewritten

from .incoming_clip import FORMS, frames_of
from .node_message import say


class RewriteInstruction(io.ComfyNode):
    """The text goes on as STRING, so that it can be shown, changed and connected to any prompt."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchRewriteInstruction",
            display_name="Rewrite instruction",
            category="reelpatch",
            description=(
                "Has a language model say the instruction as the method's models like it: ChronoEdit reads 80 to 100 words, VACE a "
                "description of the finished clip, Ditto one short order. Without a language model, the method's plain form."
            ),
            search_aliases=[
                "prompt enhancer",
                "enhance prompt",
                "rewrite prompt",
                "llm",
                "qwen",
                "expand prompt",
            ],
            inputs=[
                io.Combo.Input(
                    "recipe",
                    options=[name for name, one in RECIPES.items() if one.aim],
                    tooltip="The method that reads the text.",
                ),
                io.String.Input(
                    "instruction", multiline=True, default="", tooltip="What is to change, in any words."
                ),
                io.Boolean.Input(
                    "or_keep",
                    default=False,
                    tooltip="Where the language model gives no usable answer, go on with the instruction as it is, instead of stopping.",
                ),
                io.Clip.Input(
                    "language_model",
                    display_name="language model",
                    optional=True,
                    tooltip="From Load CLIP: one that writes text, such as qwen3vl_4b_fp8_scaled of type ideogram4, which sees the clip too.",
                ),
                io.MultiType.Input(
                    "look_at",
                    FORMS,
                    optional=True,
                    tooltip="The clip or the picture that is edited, for a language model that sees: 4 frames of it.",
                ),
            ],
            outputs=[io.String.Output(display_name="instruction", tooltip="For the prompt of the method.")],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(
        cls, recipe: str, instruction: str, or_keep: bool, language_model: Any = None, look_at: Any = None
    ) -> io.NodeOutput:
        check_instruction(instruction)
        record = RECIPES[recipe]
        aim = aim_of(record)
        if language_model is None:
            text = plainly(aim, instruction)
            say(cls, text)
            return io.NodeOutput(text)
        frames = None if look_at is None else _few(frames_of(look_at).frames)
        shown = 0 if frames is None else len(frames)
        chat = chat_for(aim, instruction, num_pictures=shown, is_clip=record.picture is None)
        try:
            text = rewritten(_answered(language_model, chat, frames), aim)
        except BadInput as error:
            if not or_keep:
                raise
            say(cls, f"The instruction is used as it is: {error}")
            return io.NodeOutput(instruction)
        say(cls, text)
        return io.NodeOutput(text)


def _few(frames: Tensor) -> Tensor:
    """A few frames spread evenly over a clip, [n, h, w, 3], small enough to be looked at."""
    picked = frames[shown_frames(len(frames)), ..., :3]
    longer = max(picked.shape[1:3])
    if longer <= LONGER_PX:
        return picked
    height, width = (max(1, round(side * LONGER_PX / longer)) for side in picked.shape[1:3])
    return F.interpolate(picked.movedim(-1, 1), size=(height, width), mode="area").movedim(1, -1)


def _answered(clip: Any, chat: Chat, frames: Tensor | None) -> str:
    """What ComfyUI's own Generate Text makes of a chat, word by word the most likely.

    Raises: `BadInput` for a CLIP that cannot write.
    """
    _check_writes(clip)
    core = import_module("nodes").NODE_CLASS_MAPPINGS.get("TextGenerate")
    if core is None:
        raise BadInput(
            "this ComfyUI has no node Generate Text, by which language models write: update ComfyUI, or leave the language model out."
        )
    takes_rules = any(one.id == "system_prompt" for one in core.define_schema().inputs)
    if takes_rules:
        given: dict[str, Any] = {"prompt": chat.user, "system_prompt": chat.system}
    else:
        given = {"prompt": chat.as_qwen if _reads_turns(clip) else chat.as_one}
    made = core.execute(
        clip=clip, max_length=MOST_TOKENS, sampling_mode={"sampling_mode": "off"}, image=frames, **given
    )
    return str(made.args[0])


def _check_writes(clip: Any) -> None:
    model = clip.cond_stage_model
    inner = getattr(getattr(model, getattr(model, "clip", ""), None), "transformer", None)
    name = type(inner).__name__
    if not hasattr(inner, "generate"):
        raise BadInput(
            f"the language model is a text encoder that cannot write ({name}): load one that does, such as qwen3vl_4b_fp8_scaled "
            "with Load CLIP, type ideogram4."
        )
    if name.startswith("Qwen25") and not hasattr(inner, "lm_head"):
        raise BadInput(
            "the language model is Qwen2.5-VL, which ComfyUI loads without the layer that chooses words, so that it writes "
            "nonsense: load Qwen3-VL in its place."
        )


def _reads_turns(clip: Any) -> bool:
    """Whether a text that begins with a turn of its own is taken as it is, as ComfyUI's tokenizer of Qwen3-VL does."""
    return any(kind.__name__ == "Qwen3VLTokenizer" for kind in type(clip.tokenizer).__mro__)
