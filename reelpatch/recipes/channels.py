"""The published method that edits by channels: the source's latents beside those of the clip that is made."""

from reelpatch.edits.channels.layout import ChannelLayout
from reelpatch.recipes.buckets import CAPYBARA_BUCKETS
from reelpatch.recipes.hunyuan_files import BYT5_GLYPH, CAPYBARA, HUNYUAN_VAE, QWEN_7B, SIGLIP
from reelpatch.recipes.record import Recipe
from reelpatch.sampling.guidance import Guidance

CHANNELS = (
    Recipe(
        name="capybara",
        title="Capybara on HunyuanVideo-1.5: edits by instruction, one pass for each of 50 steps",
        kind="channels",
        family="hunyuan-1.5",
        channels=ChannelLayout(mask="everywhere", looks="ends"),
        files=(CAPYBARA, HUNYUAN_VAE, QWEN_7B, BYT5_GLYPH, SIGLIP),
        schedule="euler",
        solver="euler",
        steps=50,
        shift=5.0,
        guidance=Guidance(1.0),
        width=848,
        height=480,
        frames=81,
        fps=24,
        buckets=CAPYBARA_BUCKETS,
        licence=CAPYBARA.licence,
        source="https://github.com/xgen-universe/Capybara, run as its inference.py does",
        examples=(
            "Change the time to night.",
            "Replace the dog with a fox.",
            "Make it a watercolor painting.",
        ),
        notes=(
            "A mask does not go into the model; what it keeps is pasted back. Longer instructions do better: rewriting them is what "
            "its authors recommend. Text in double quotes is read letter by letter."
        ),
        aim="order",
    ),
)
INSEDIT_LAYOUT = ChannelLayout(mask="edited", looks="first", text_sees=True)
"""That of InsEdit, whose weights are not published: the mask says where to edit, SigLIP sees one frame, and the language model sees
the source. It is recorded for weights that may appear; no recipe has it. Source: the paper's section on its model."""
