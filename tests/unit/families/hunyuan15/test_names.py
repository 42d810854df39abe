"""Every key of HunyuanVideo-1.5's files has a name of diffusers', and all of diffusers' have one."""

import pytest
from diffusers import AutoencoderKLHunyuanVideo15, HunyuanVideo15Transformer3DModel

from reelpatch.families.hunyuan15.names import DIFFUSERS, FUSED, NATIVE, TABLES
from tests.unit.weights.fixtures import models
from tests.unit.weights.fixtures.models import Shapes
from tests.unit.weights.fixtures.record import meta_shapes

_TRANSFORMER = models.hunyuan_video_1_5()
_WITH_MEAN_FLOW = _TRANSFORMER | models.hunyuan_mean_flow()


def unfused(shapes: Shapes) -> Shapes:
    """Each matrix that stands for three as those."""
    made: Shapes = {}
    for key, shape in shapes.items():
        layer, parts = next(((one, parts) for one, parts in FUSED.items() if f".{one}." in key), ("", ()))
        made |= (
            {key.replace(layer, part): (shape[0] // 3, *shape[1:]) for part in parts}
            if parts
            else {key: shape}
        )
    return made


@pytest.mark.parametrize(
    ("shapes", "model"),
    [
        (_TRANSFORMER, meta_shapes(HunyuanVideo15Transformer3DModel)),
        (models.fused(_TRANSFORMER), meta_shapes(HunyuanVideo15Transformer3DModel)),
        (models.fused(_WITH_MEAN_FLOW), meta_shapes(HunyuanVideo15Transformer3DModel, use_meanflow=True)),
        (models.hunyuan_vae(), meta_shapes(AutoencoderKLHunyuanVideo15)),
    ],
    ids=["original", "ComfyUI", "mean flow", "VAE"],
)
def test_names_and_shapes_are_diffusers(shapes: Shapes, model: Shapes) -> None:
    (table,) = (table for table in TABLES if table.fits(shapes))
    assert table.naming == NATIVE
    assert unfused({table.native(key): shape for key, shape in shapes.items()}) == model


@pytest.mark.parametrize("model", [HunyuanVideo15Transformer3DModel, AutoencoderKLHunyuanVideo15])
def test_diffusers_names_are_known_and_stay(model: type) -> None:
    shapes = meta_shapes(model)
    (table,) = (table for table in TABLES if table.fits(shapes))
    assert table.naming == DIFFUSERS
    assert [table.native(key) for key in shapes] == list(shapes)
