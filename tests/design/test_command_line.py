"""The command line is a promise: verbs and options are added, never renamed or dropped."""

import argparse

from reelpatch.headless.commands.main import build_parser

FINISH = {"--grow", "--feather", "--blend", "--match", "--match-frames", "--crop"}
MASK = {"--mask-channel", "--mask-threshold"}
WINDOWS = {"--window-frames", "--overlap"}
REWRITING = {
    *("--rewrite-url", "--rewrite-model", "--rewrite-timeout", "--rewrite-folder", "--rewrite-plainly"),
    "--rewrite-or-keep",
}
EDIT = {
    *("clip", "instruction", "--output", "--recipe", "--mask", "--when", "--reference", "--size", "--frames"),
    *(
        "--fit",
        "--fps",
        "--seed",
        "--steps",
        "--guidance",
        "--guidance-steps",
        "--strength",
        "--window",
        "--models",
        "--device",
    ),
    *("--dtype", "--json", "--lora", "--lora-merge", "--lossless", "--vram-limit", "--no-text-cache"),
    *(
        "--fp8-matmul",
        "--vae-dtype",
        "--accept-damage",
        "--skip-hints",
        "--edits",
        "--first-frame",
        "--via",
        "--at-frame",
    ),
    *(
        "--caption",
        "--change",
        "--grounding-film",
        "--half-size-steps",
        "--times-in-result",
        "--no-times-in-result",
        "--parallel",
    ),
    *MASK,
    *WINDOWS,
    *FINISH,
    *REWRITING,
}
PLAN = {
    *(
        "clip",
        "--recipe",
        "--size",
        "--frames",
        "--fit",
        "--references",
        "--edits",
        "--steps",
        "--guidance",
        "--guidance-steps",
        "--half-size-steps",
    ),
    *(
        "--reasoning-steps",
        "--window",
        "--vram",
        "--ram",
        "--card",
        "--cards",
        "--dtype",
        "--vae-dtype",
        "--offload",
        "--models",
        "--json",
    ),
}
TASK = (
    EDIT
    - {
        "--half-size-steps",
        "clip",
        "instruction",
        "--edits",
        "--when",
        "--fit",
        "--first-frame",
        "--via",
        "--at-frame",
        "--caption",
        "--change",
    }
    - {"--grounding-film", "--times-in-result", "--no-times-in-result"}
    - FINISH
    - WINDOWS
    - REWRITING
) | {
    *(
        "task",
        "prompt",
        "--clip",
        "--first",
        "--last",
        "--box",
        "--expand",
        "--keep",
        "--keep-random",
        "--sample",
        "--map",
    ),
    "--preview",
}
ENHANCE = {
    *("clip", "--out", "--output", "--recipe", "--caption", "--size", "--frames", "--fit", "--fps", "--seed"),
    *(
        "--steps",
        "--guidance",
        "--guidance-steps",
        "--lora",
        "--lora-merge",
        "--models",
        "--device",
        "--dtype",
        "--json",
    ),
    *("--vram-limit", "--no-text-cache", "--fp8-matmul", "--vae-dtype", "--lossless", "--accept-damage"),
    "--parallel",
    *WINDOWS,
}
PICTURE = {
    *(
        "image",
        "instruction",
        "--output",
        "--recipe",
        "--size",
        "--mask",
        "--seed",
        "--seeds",
        "--steps",
        "--guidance",
        "--guidance-steps",
    ),
    *(
        "--reasoning-steps",
        "--reasoning-film",
        "--lora",
        "--lora-merge",
        "--models",
        "--device",
        "--dtype",
        "--json",
    ),
    *("--vram-limit", "--no-text-cache", "--fp8-matmul", "--vae-dtype"),
    *MASK,
    *FINISH,
    *REWRITING,
}
PAIRS = {
    *(
        "file",
        "--out",
        "--recipe",
        "--size",
        "--frames",
        "--fps",
        "--jobs",
        "--seed",
        "--steps",
        "--guidance",
        "--guidance-steps",
        "--json",
    ),
    *(
        "--min-psnr",
        "--min-change",
        "--max-flicker",
        "--lora",
        "--lora-merge",
        "--models",
        "--device",
        "--dtype",
    ),
    *("--vram-limit", "--no-text-cache", "--fp8-matmul", "--vae-dtype"),
    *REWRITING,
}
SURFACE = {
    "pairs": PAIRS,
    "batch": {
        "jobs",
        "--defaults",
        "--dry-run",
        "--report",
        "--devices",
        "--comfyui",
        "--headers",
        "--ray",
        "--ray-workers",
        "--results",
        "--json",
    },
    "workflows": {"name", "--json"},
    "edit": EDIT,
    "picture": PICTURE,
    "enhance": ENHANCE,
    "plan": PLAN,
    "task": TASK,
    "convert": {"source", "--out", "--dtype", "--merged", "--any-size", "--vace-layers", "--json"},
    "measure": {"before", "after", "--mask", *MASK, "--joins", "--plot", "--json"},
    "compare": {"before", "after", "--out", "--mode", "--sheet", "--fps", "--json"},
    "demo": {"--out", "--evaluate", "--recipe", "--json"},
    "recipes": {"name", "--models", "--download", "--allow-http", "--json"},
    "inspect": {"files", "--json"},
    "rewrite": {"instruction", "--recipe", "--look-at", *REWRITING, "--json"},
}


def verbs() -> dict[str, argparse.ArgumentParser]:
    actions = build_parser()._actions
    return next(a.choices for a in actions if isinstance(a, argparse._SubParsersAction))


def test_the_surface_is_what_was_promised() -> None:
    found = {
        verb: {name for action in parser._actions for name in (action.option_strings or [action.dest])}
        - {"-h", "--help"}
        for verb, parser in verbs().items()
    }
    assert found == SURFACE


def test_every_option_is_explained() -> None:
    for verb, parser in verbs().items():
        for action in parser._actions:
            is_plain = action.dest in {"clip", "instruction"}
            assert action.help or is_plain, f"{verb} {action.dest}"
