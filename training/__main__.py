"""Train the demo family from nothing: `python -m training FOLDER`.

Every stage goes on where it was stopped; FOLDER keeps its checkpoints and may be deleted afterwards.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from training import distil, editor, export, latents, vae

NUM_SCENES = 9216


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("folder", type=Path, help="where checkpoints go (about 400 MB)")
    parser.add_argument("--models", type=Path, help="where the finished files go (default: FOLDER/models)")
    parser.add_argument("--start", type=Path, metavar="MODELS", help="go on from these finished files")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    folder, models = arguments.folder, arguments.models or arguments.folder / "models"
    trained_vae = vae.train(folder, arguments.start)
    shards, statistics = latents.encode_scenes(trained_vae, folder, num_scenes=NUM_SCENES)
    vae.sharpen(folder, trained_vae)
    export.export_vae(trained_vae, statistics, models / "vae" / "reelpatch_demo_vae.safetensors")
    family = editor.train(folder, shards, arguments.start)
    export.export_family(family, models)
    lora = distil.train(folder, family, shards)
    export.export_lora(lora, models / "loras" / "reelpatch_demo_4step_lora.safetensors")


if __name__ == "__main__":
    main()
