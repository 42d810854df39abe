"""What may stand between a video and its edit: a style from a list, a mask by a word, several edits at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from workflows.graph import Node, Output, Stage
from workflows.result_nodes import save_image
from workflows.subgraph import BLUEPRINT, Subgraph, boundary

SAM3 = "sam3.1_multiplex_fp16.safetensors"
SAM3_URL = f"https://huggingface.co/Comfy-Org/sam3.1/resolve/main/checkpoints/{SAM3}"
MASK_BY_WORD = "Mask by a word"
HOW_WITH_STYLE = (
    "Choose a **style**: the instruction is then as Ditto's authors worded it, with brackets escaped for ComfyUI. For words of your "
    "own disconnect it, and type them."
)
HOW_BY_WORD = (
    f"**{MASK_BY_WORD}** finds what you name in every frame (SAM3, which ComfyUI runs; its file "
    f"[{SAM3}]({SAM3_URL}) belongs in checkpoints and has a licence of its own). Several things are parted by commas. Outside the "
    "mask every pixel of the video stays; *grow* widens it. Where nothing is found, the edit says that the mask is 0 everywhere: "
    "name it by another word, or lower *detection_threshold* inside the subgraph."
)
HOW_SEVERAL = (
    "Write one instruction on each line, and seeds as 1-4 or 1, 2, 7: every combination is made, with the models loaded once, and "
    "stands on one sheet. Each result is kept by itself too, in the folder reelpatch of the output. More clips are connected to "
    "**video_1** and so on; for clips of several hundred frames use `reelpatch batch`."
)
_GREEN = "#3f7a4f"
_FIRST_ID = 201  # beside the subgraph of the edit


class Added(NamedTuple):
    """Nodes, what they give to the inputs of the edit, and the widgets that an app asks for."""

    nodes: Sequence[Node]
    links: dict[str, Output]
    asked: Sequence[tuple[Node, str]]


class Beside(Protocol):
    """Nodes between a video and its edit."""

    @property
    def title(self) -> str:
        """Of their column."""
        ...

    def nodes(self, video: Output) -> Added:
        """The nodes, for the video of Load Video."""
        ...


@dataclass(frozen=True)
class Style:
    """An instruction chosen from Ditto's published ones."""

    wording: str
    title: str = "Style"

    def nodes(self, video: Output) -> Added:  # noqa: ARG002 -- a style is chosen without it
        style = Node(
            "ReelpatchDittoStyle",
            "Style of Ditto",
            [("instruction", "STRING")],
            widgets={"style": self.wording},
            widget_types={"style": "COMBO"},
        )
        return Added([style], {"instruction": style["instruction"]}, [(style, "style")])


@dataclass(frozen=True)
class MaskByWord:
    """A mask of what a word names, in every frame."""

    words: str
    title: str = "Where"

    def nodes(self, video: Output) -> Added:
        mask = mask_by_word(self.words, owner="by word").node({"video": video}, width=300)
        return Added([mask], {"mask": mask["MASK"]}, [(mask, "what it is")])


@dataclass(frozen=True)
class Several:
    """Every combination of instructions and seeds."""

    instructions: Sequence[str]
    seeds: str
    title: str = "Several"

    def nodes(self, video: Output) -> Added:
        several = Node(
            "ReelpatchSeveral",
            "Several edits",
            [("video", "VIDEO"), ("instruction", "STRING"), ("seed", "INT"), ("label", "STRING")],
            sockets={"videos.video_0": "VIDEO", "videos.video_1": "VIDEO"},
            links={"videos.video_0": video},
            widgets={"instructions": "\n".join(self.instructions), "seeds": self.seeds},
            width=360,
            height=260,
        )
        links = {name: several[name] for name in ("video", "instruction", "seed")}
        return Added([several], links, [(several, "instructions"), (several, "seeds")])


def several_results(made: Output, several: Node) -> list[Node]:
    """All results on one sheet, which is saved."""
    sheet = Node(
        "ReelpatchContactSheet",
        "Contact sheet",
        [("IMAGE", "IMAGE")],
        sockets={
            **dict.fromkeys(("results", "sources"), "VIDEO,IMAGE,REELPATCH_CLIP"),
            "labels": "STRING",
        },
        links={"results": made, "sources": several["video"], "labels": several["label"]},
        widgets={"columns": 4},
        order=["results", "labels", "sources", "columns"],
        width=300,
    )
    return [sheet, save_image(sheet["IMAGE"], "reelpatch sheet", height=460)]


def mask_by_word(words: str, *, owner: str = BLUEPRINT) -> Subgraph:
    """Core's own SAM3 follows what is named through the video."""
    given = boundary(("video", "VIDEO"), ("what it is", "STRING"), ("grow", "INT"))
    found = _found(given, words)
    masks, grown, look = _shown(given, found[-1])
    return Subgraph(
        MASK_BY_WORD,
        "Finds what you name in every frame of a video, by SAM3, for the mask of an edit; it is grown by some pixels, and shown.",
        given,
        {"what it is": words, "grow": 4},
        {"MASK": grown["MASK"]},
        [
            Stage("1 Find", "#3f789e", found[:-1]),
            Stage("2 Follow", _GREEN, [found[-1], masks]),
            Stage("3 Mask", _GREEN, [grown, look]),
        ],
        owner=owner,
        first_id=101 if owner == BLUEPRINT else _FIRST_ID,
        search=("sam3", "segment", "mask", "track", "object"),
    )


def _found(given: Node, words: str) -> list[Node]:
    """The model, the frames, what is looked for, and, last, what follows it."""
    load = Node(
        "CheckpointLoaderSimple",
        "SAM3",
        [("MODEL", "MODEL"), ("CLIP", "CLIP"), ("VAE", "VAE")],
        widgets={"ckpt_name": SAM3},
        models=[{"name": SAM3, "url": SAM3_URL, "directory": "checkpoints"}],
        width=400,
    )
    images = Node(
        "GetVideoComponents",
        "Frames",
        [
            *(("images", "IMAGE"), ("audio", "AUDIO"), ("fps", "FLOAT"), ("bit_depth", "INT")),
            ("color_space", "COMBO"),
        ],
        sockets={"video": "VIDEO"},
        links={"video": given["video"]},
    )
    text = Node(
        "CLIPTextEncode",
        "What it is",
        [("CONDITIONING", "CONDITIONING")],
        sockets={"clip": "CLIP"},
        links={"clip": load["CLIP"], "text": given["what it is"]},
        widgets={"text": words},
        widget_types={"text": "STRING"},
        height=160,
    )
    track = Node(
        "SAM3_VideoTrack",
        "Follow it",
        [("track_data", "SAM3_TRACK_DATA")],
        sockets={
            **{"images": "IMAGE", "model": "MODEL", "initial_mask": "MASK"},
            "conditioning": "CONDITIONING",
        },
        links={"images": images["images"], "model": load["MODEL"], "conditioning": text["CONDITIONING"]},
        widgets={"detection_threshold": 0.5, "max_objects": 4, "detect_interval": 1},
    )
    return [load, images, text, track]


def _shown(given: Node, track: Node) -> list[Node]:
    """Its mask, that grown by some pixels, and the picture of it."""
    masks = Node(
        "SAM3_TrackToMask",
        "Its mask",
        [("masks", "MASK")],
        sockets={"track_data": "SAM3_TRACK_DATA"},
        links={"track_data": track["track_data"]},
        widgets={"object_indices": ""},
    )
    grown = Node(
        "GrowMask",
        "Grown",
        [("MASK", "MASK")],
        sockets={"mask": "MASK"},
        links={"mask": masks["masks"], "expand": given["grow"]},
        widgets={"expand": 4, "tapered_corners": True},
        widget_types={"expand": "INT"},
    )
    look = Node(
        "MaskPreview",
        "What is edited",
        [("mask", "MASK")],
        sockets={"mask": "MASK"},
        links={"mask": grown["MASK"]},
        height=280,
    )
    return [masks, grown, look]
