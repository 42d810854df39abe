"""Edit video by two captions as one node: what the video shows, and what it is to show, with nothing trained for it."""

from __future__ import annotations

from reelpatch.recipes import Recipe
from workflows.edit_subgraphs import BEFORE, BLUE, GOLD, GREEN, RED, VIOLET, length, part_from, part_of_video
from workflows.graph import Stage
from workflows.material_nodes import CLIP, load_video
from workflows.pair_subgraph import SOURCE, TARGET, Captions, finish_pair, pair_texts, paired_generation
from workflows.recipe_nodes import NAME, Sampled, finish, load_models, recipe_node, result_name, sampling
from workflows.subgraph import BLUEPRINT, Subgraph, boundary
from workflows.task_graphs import Prepared

BY_CAPTIONS = "Edit video by two captions"
DESCRIPTION = (
    "Edits a part of a video by two captions, what it shows and what it is to show, with any Wan text-to-video model (prompt-to-prompt by "
    "InsEdit's Mutual Context Attention; nothing was trained for it): from a first frame on, so many frames, at so many frames per "
    "second. A mask keeps every other pixel."
)
HOW = (
    "Describe the video as it is in **source**, and in **target** the same but for what is to change, and say in **change** what that is: "
    "*colour*, *insertion*, *removal*, *background*, *motion*, or *local* for all else. Nothing was trained for it: it keeps less and does "
    "less than methods that were, such as *VideoCoF* and *Ditto*. A mask keeps every other pixel."
)
OF_THE_CLIP = Captions(
    "A red circle and a green square drift over a gray background.",
    "A blue circle and a green square drift over a gray background.",
    "colour",
)


def caption_subgraph(recipe: Recipe, captions: Captions, *, owner: str = BLUEPRINT) -> Subgraph:
    """A part of the clip at the length and rate of the base; its own latents with noise are the first row at every step."""
    given = boundary(
        *(("video", "VIDEO"), ("mask", "MASK")),
        *((SOURCE, "STRING"), (TARGET, "STRING"), ("change", "COMBO"), ("recipe", "COMBO")),
        *(("first_frame", "INT"), ("frames", "INT"), ("fps", "FLOAT"), ("seed", "INT")),
    )
    models = load_models(recipe, given["recipe"], names_files=owner != BLUEPRINT)
    settings = recipe_node(recipe, given["recipe"], **length(given))
    clip = part_of_video(recipe, given, settings, 0)
    words = pair_texts(captions, given, models, settings)
    pair = paired_generation(recipe, captions.change, given, models, settings, words, clip)
    negative, low_noise = words[-1]["CONDITIONING"], models["low-noise model"]
    shown = Sampled(pair["MODEL"], pair["LATENT"], pair["positive"], negative, settings["SAMPLER"], low_noise)
    run = sampling(shown, settings, given["seed"])
    both = finish_pair(run[-1]["output"], models["VAE"])
    result = finish(both["target latent"], models["VAE"], clip["clip"], given["mask"])
    called = result_name(given["video"], given[TARGET], captions.target)
    return Subgraph(
        BY_CAPTIONS,
        DESCRIPTION,
        given,
        {
            **{SOURCE: captions.source, TARGET: captions.target, "change": captions.change},
            **{"recipe": recipe.name, **part_from(0), "seed": 1},
        },
        {"VIDEO": result["video"], NAME: called[NAME], BEFORE: clip["clip"]},
        [
            Stage("1 Recipe", BLUE, [models, settings]),
            Stage("2 Captions", GOLD, words),
            Stage("3 Clip and edit", GREEN, [clip, pair]),
            Stage("4 Sampling", VIOLET, run),
            Stage("5 Result", RED, [both, called, result]),
        ],
        owner=owner,
        search=("prompt-to-prompt", "insedit", "two captions", "training-free", "edit video"),
    )


def prepare_by_captions(recipe: Recipe, owner: str, *, captions: Captions) -> Prepared:
    """A template: a video, and the subgraph that edits it."""
    video = load_video("Video", CLIP)
    node = caption_subgraph(recipe, captions, owner=owner).node({"video": video["VIDEO"]})
    return Prepared([video], node, asked=[(video, "file")])
