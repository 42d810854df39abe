"""The shipped templates: for each a recipe, with what it leaves open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from reelpatch.recipes import RECIPES, Recipe
from workflows.beside_nodes import (
    HOW_BY_WORD,
    HOW_SEVERAL,
    HOW_WITH_STYLE,
    Beside,
    MaskByWord,
    Several,
    Style,
)
from workflows.caption_subgraph import HOW as HOW_BY_CAPTIONS
from workflows.caption_subgraph import OF_THE_CLIP, prepare_by_captions
from workflows.channel_subgraph import HOW as HOW_BY_CHANNELS
from workflows.channel_subgraph import prepare_by_channels
from workflows.context_subgraph import HOW as HOW_IN_CONTEXT
from workflows.context_subgraph import (
    HOW_ON_CANVAS,
    HOW_WITH_ADAPTER,
    HOW_WITH_DEMO_ADAPTER,
    IN_CONTEXT,
    prepare_demo_adapter,
    prepare_in_context,
    prepare_with_adapter,
)
from workflows.material_nodes import CLIP, FIRST_EDITED, LONG_CLIP
from workflows.pair_subgraph import HOW as HOW_IN_PAIRS
from workflows.pair_subgraph import PAIRS, prepare_pair
from workflows.picture_subgraph import HOW, prepare_picture
from workflows.recipe_nodes import Files
from workflows.reference_subgraph import HOW as HOW_OF_REFERENCES
from workflows.reference_subgraph import OF_TWO_SHAPES, prepare_references
from workflows.task_graphs import TASK_GRAPHS, Prepared
from workflows.track_nodes import FROM_A_MOMENT_ON, HOW_WITH_TRACK, MOVING_BOX, WIPE

DITTO_REPOSITORY = "https://huggingface.co/QingyanBai/Ditto_models/resolve/main"
HOW_TO_ENHANCE = (
    "Nothing is edited: the video is noised a little and denoised again, which steadies and sharpens it. **last_steps** "
    "says how strongly, 0 is the recipe's; the text is empty, or says what the video shows."
)
HOW_TO_FOLLOW = (
    "Edit frame 0 of the video as a picture, with *ChronoEdit - edit a picture* or any other editor, look at it, and load it "
    "beside the video: it stays frame 0, and the frames behind it are edited to go on from it. The instruction says the same "
    "as the picture shows. The picture has the video's shape; of another size it is scaled."
)
PICTURES = (
    ("ChronoEdit - edit a picture (8 steps)", "ChronoEdit: edit a picture in 8 steps", "chronoedit-8step"),
    (
        "ChronoEdit - edit a picture by reasoning (50 steps)",
        "ChronoEdit: imagine the way to the edit for 10 of 50 steps",
        "chronoedit-reasoning",
    ),
    ("Demo - edit a picture on any machine", "Demo: edit a picture on any machine", "demo-picture"),
)
TRACKS = (
    (
        "Demo - recolour from a moment on",
        "Demo: recolour one thing from a moment on, faded in",
        "make the red circle blue",
        FROM_A_MOMENT_ON,
    ),
    (
        "Demo - remove inside a moving box",
        "Demo: remove one thing inside a box that follows it",
        "remove the green square",
        MOVING_BOX,
    ),
    (
        "Demo - a restyle that wipes across",
        "Demo: a restyle that wipes across the picture",
        "make it sepia",
        WIPE,
    ),
)


@dataclass(frozen=True)
class Workflow:
    """One template: a recipe, with what it leaves open.

    `own` are files in place of the recipe's. `first_frame` makes it the published preset: from that frame on, with the
    recipe's number of frames and its rate; without, every frame is worked on. `prepare` lays out a task, and `how` says how to
    use it; without, a clip is edited by instruction, or enhanced where the recipe enhances. `edited_frame` is a picture of frame 0
    that the clip is to follow, and `track` says where and when it is edited; `beside` are more nodes between clip and edit. One `by_captions` edits a clip by what it shows and what it is to show. One that `is_app` is also shipped as an app: a page
    to fill in, without the graph.
    """

    name: str
    title: str
    recipe: str
    instruction: str
    own: Files = field(default_factory=dict[str, tuple[str, str]], hash=False)
    first_frame: int | None = None
    prepare: Callable[[Recipe, str], Prepared] | None = None
    how: str = ""
    clip: str = CLIP
    edited_frame: str = ""
    track: str = ""
    beside: Beside | None = None
    by_captions: bool = False
    is_app: bool = False

    @property
    def is_long(self) -> bool:
        """Whether it comes with a clip of more than one window."""
        return self.clip == LONG_CLIP

    @property
    def is_in_context(self) -> bool:
        """Whether it edits a clip beside its source."""
        record = RECIPES[self.recipe]
        return record.sees_clip and (record.segments is not None or record.canvas is not None)

    @property
    def is_of_a_part(self) -> bool:
        """Whether a part of the clip is edited with all of its source in sight: in context, by channels, or by captions."""
        return self.is_in_context or RECIPES[self.recipe].channels is not None or self.by_captions

    @property
    def is_part(self) -> bool:
        """Whether the result is a part of the clip, from a first frame on."""
        return self.is_of_a_part or self.first_frame is not None

    @property
    def is_pair(self) -> bool:
        """Whether it makes two clips of nothing but words."""
        return RECIPES[self.recipe].sharing is not None and not self.by_captions

    @property
    def is_picture(self) -> bool:
        """Whether it edits a single picture."""
        return RECIPES[self.recipe].picture is not None


WORKFLOWS = (
    Workflow(
        "Demo - edit on any machine",
        "Demo: edit on any machine",
        "demo",
        "make the red circle blue",
        is_app=True,
    ),
    Workflow(
        "Demo - several instructions and seeds",
        "Demo: several instructions and seeds in one run, on one sheet",
        "demo",
        "make the red circle blue",
        beside=Several(("make the red circle blue", "remove the green square", "make it sepia"), "1-2"),
        how=HOW_SEVERAL,
    ),
    Workflow(
        "Ditto - restyle a video (4 steps)",
        "Ditto global: restyle a video in 4 steps",
        "ditto-global",
        "Make it a Pixel Art video.",
        is_app=True,
    ),
    Workflow(
        "Ditto - style only (4 steps)",
        "Ditto style: restyle a video in 4 steps",
        "ditto-style",
        "Make it watercolor drawing style.",
        beside=Style("Make it watercolor drawing style."),
        how=HOW_WITH_STYLE,
    ),
    Workflow(
        "Ditto - to the real domain (4 steps)",
        "Ditto sim2real: a rendered video becomes real, in 4 steps",
        "ditto-sim2real",
        "Turn it into the real domain.",
    ),
    Workflow(
        "Ditto - local edit (4 steps)",
        "Ditto local: change one thing in a video, in 4 steps",
        "ditto-local",
        "Add a red hat to the man.",
        is_app=True,
    ),
    Workflow(
        "Ditto - local edit where a word says (4 steps)",
        "Ditto local: change what a word names, and keep every other pixel, in 4 steps",
        "ditto-local",
        "Add a red hat to the man.",
        beside=MaskByWord("man"),
        how=HOW_BY_WORD,
    ),
    Workflow(
        "Ditto - as LoRA on a VACE module (4 steps)",
        "Ditto as LoRA on a VACE module, in 4 steps",
        "ditto-local",
        "Make it a Claymation.",
        own={
            "second_lora": ("ditto_global.safetensors", f"{DITTO_REPOSITORY}/models/ditto_global.safetensors")
        },
    ),
    Workflow(
        "Ditto - quality (50 steps)",
        "Ditto global: the quality path in 50 steps",
        "ditto-quality",
        "Make it a Japanese anime style, cel shading video.",
    ),
    Workflow(
        "Ditto - restyle as published (first frame 1, 73 frames, 24 fps)",
        "Ditto global, as published: first frame 1, 73 frames, 24 fps",
        "ditto-global",
        "Make it a Pixel Art video.",
        first_frame=1,
    ),
    Workflow(
        "Ditto - enhance a video",
        "Ditto's enhancer: steadier and sharper, by the last 4 of 40 steps of Wan2.2",
        "enhance",
        "",
        how=HOW_TO_ENHANCE,
        is_app=True,
    ),
    Workflow(
        "Demo - enhance on any machine",
        "Demo: enhance on any machine",
        "demo-enhance",
        "",
        how=HOW_TO_ENHANCE,
    ),
    Workflow(
        "Demo - edit a long video on any machine",
        "Demo: edit a video of any length on any machine",
        "demo",
        "make it sepia",
        clip=LONG_CLIP,
    ),
    Workflow(
        "Ditto - edit a long video (4 steps)",
        "Ditto global: restyle a video of any length, in 4 steps",
        "ditto-global",
        "Make it a Pixel Art video.",
        clip=LONG_CLIP,
    ),
    Workflow(
        "Ditto - enhance a long video",
        "Ditto's enhancer for a video of any length",
        "enhance",
        "",
        how=HOW_TO_ENHANCE,
        clip=LONG_CLIP,
    ),
    Workflow(
        "Demo - enhance a long video on any machine",
        "Demo: enhance a video of any length on any machine",
        "demo-enhance",
        "",
        how=HOW_TO_ENHANCE,
        clip=LONG_CLIP,
    ),
    Workflow(
        "Demo - follow an edited picture",
        "Demo: a video follows its first frame, edited as a picture, on any machine",
        "demo",
        "make the red circle blue",
        how=HOW_TO_FOLLOW,
        edited_frame=FIRST_EDITED,
    ),
    Workflow(
        "VDOT - follow an edited picture (4 steps)",
        "VDOT: a video follows its first frame, edited as a picture, in 4 steps",
        "vdot",
        "a blue circle and a green square drift over a gray background",
        how=HOW_TO_FOLLOW,
        edited_frame=FIRST_EDITED,
    ),
    *(
        Workflow(
            *(name, title, "demo", instruction),
            how=HOW_WITH_TRACK,
            track=track,
            is_app=True,
        )
        for name, title, instruction, track in TRACKS
    ),
    *(
        Workflow(
            *(name, title, recipe, RECIPES[recipe].examples[0]),
            prepare=partial(prepare_in_context, instruction=RECIPES[recipe].examples[0]),
            how=HOW_IN_CONTEXT if RECIPES[recipe].canvas is None else HOW_ON_CANVAS,
            is_app=number == 0,
        )
        for number, (name, title, recipe) in enumerate(IN_CONTEXT)
    ),
    Workflow(
        "Demo - edit in context on any machine",
        "Demo: edit in context, from a moment on, with the background of a picture",
        "demo-in-context",
        RECIPES["demo-in-context"].examples[-1],
        prepare=partial(prepare_demo_adapter, instruction=RECIPES["demo-in-context"].examples[-1]),
        how=HOW_WITH_DEMO_ADAPTER,
    ),
    Workflow(
        "EasyV2V - edit a video with your own adapter (50 steps)",
        "EasyV2V's layout: edit a video by instruction, mask and reference, with an edit adapter of your own",
        "easyv2v",
        RECIPES["easyv2v"].examples[0],
        prepare=partial(prepare_with_adapter, instruction=RECIPES["easyv2v"].examples[0]),
        how=HOW_WITH_ADAPTER,
    ),
    Workflow(
        "Bernini-R - references to a video (40 steps)",
        "Bernini-R: a video of what reference pictures show, in 40 steps",
        "bernini-r-1.3b-r2v",
        OF_TWO_SHAPES,
        prepare=partial(prepare_references, instruction=OF_TWO_SHAPES),
        how=HOW_OF_REFERENCES,
    ),
    Workflow(
        "Capybara - edit a video (50 steps)",
        "Capybara: edit a video by instruction on HunyuanVideo-1.5, in 50 steps",
        "capybara",
        RECIPES["capybara"].examples[0],
        prepare=partial(prepare_by_channels, instruction=RECIPES["capybara"].examples[0]),
        how=HOW_BY_CHANNELS,
    ),
    *(
        Workflow(
            *(name, title, recipe, captions.target),
            prepare=partial(prepare_pair, captions=captions),
            how=HOW_IN_PAIRS,
            is_app=True,
        )
        for name, title, recipe, captions in PAIRS
    ),
    Workflow(
        "Wan - edit a video by two captions (50 steps)",
        "Wan2.1 1.3B: edit a video by two captions, with nothing trained for it, in 50 steps",
        "shared-attention-1.3b",
        OF_THE_CLIP.target,
        prepare=partial(prepare_by_captions, captions=OF_THE_CLIP),
        how=HOW_BY_CAPTIONS,
        by_captions=True,
    ),
    *(
        Workflow(
            *(name, title, recipe, RECIPES[recipe].examples[number]),
            prepare=partial(prepare_picture, instruction=RECIPES[recipe].examples[number]),
            how="" if recipe.startswith("demo") else HOW,  # the demo's note says what it knows
            is_app=number == 0,
        )
        for number, (name, title, recipe) in enumerate(PICTURES)
    ),
    *(
        Workflow(
            *(one.name, one.title, "vdot", one.prompt),
            prepare=one.prepare,
            how=one.how,
            is_app=one.name.startswith("VDOT - inpaint"),
        )
        for one in TASK_GRAPHS
    ),
)
