"""Every naming, dtype and fp8 scaling of the same weights gives the same outputs, up to the dtype's rounding.

`python -m tests.parity.test_file_forms` prints the table of docs/files.md.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKLWan, WanVACETransformer3DModel
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor, nn
from transformers import UMT5Config, UMT5EncoderModel

from reelpatch.edits.contract import Moment
from reelpatch.edits.vace.edit import VaceContext, VaceEdit
from reelpatch.edits.vace.module import LAYERS_KEY
from reelpatch.edits.vace.work import VaceWork
from reelpatch.families.wan.names import diffusers_to_native, umt5_hf_to_wan, vae_diffusers_to_native
from reelpatch.headless.hosts.wan_host import predict_velocity
from reelpatch.headless.models.text_encoder import load_text_encoder
from reelpatch.headless.models.wan_transformer import load_backbone, load_module
from reelpatch.headless.models.wan_vae import load_vae
from tests.parity.file_forms import (
    FORMS,
    TEXT_NAMINGS,
    TRANSFORMER_NAMINGS,
    VAE_FORMS,
    VAE_NAMINGS,
    Form,
    State,
    prefixed,
)

SAME = 3e-6  # fp32 kernels round by the alignment of mapped memory
WORDS = ("<pad>", "</s>", "<unk>", "make", "it", "red")
Rename = Callable[[str], str]


def native(model: nn.Module, rename: Rename) -> State:
    """Weights under native names; noise on all, so that no key can be dropped unnoticed."""
    return {
        rename(key): tensor + 0.02 * torch.randn_like(tensor)
        for key, tensor in model.state_dict().items()
        if key != "encoder.embed_tokens.weight"
    }


class Family:
    """Tiny weights of one family, its outputs for one folder of files, all computed in fp32."""

    def __init__(self, folder: Path) -> None:
        torch.manual_seed(0)
        self.folder = folder
        transformer = WanVACETransformer3DModel(
            num_attention_heads=1,
            num_layers=2,
            ffn_dim=96,
            text_dim=24,
            freq_dim=32,
            vace_layers=[0],
            vace_in_channels=96,
        )
        merged = native(transformer, diffusers_to_native)
        self.module = {key: tensor for key, tensor in merged.items() if key.startswith("vace_")}
        self.backbone = {key: tensor for key, tensor in merged.items() if not key.startswith("vace_")}
        text = UMT5EncoderModel(
            UMT5Config(vocab_size=8, d_model=16, d_kv=8, d_ff=24, num_layers=2, num_heads=2)
        )
        self.text = native(text, umt5_hf_to_wan)
        self.vae = native(AutoencoderKLWan(base_dim=8), vae_diffusers_to_native)
        tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        self.tokenizer = {"tokenizer_json": tokenizer.to_str()}
        self.latents, self.context = torch.randn(1, 16, 2, 4, 6), torch.randn(96, 2, 4, 6)
        self.words, self.video = torch.randn(1, 8, 24), torch.rand(3, 5, 16, 24) * 2 - 1

    def velocity(self, backbone: Path, module: Path) -> Tensor:
        edit = VaceEdit(
            load_module(module, VaceWork(), dtype=torch.float32), [VaceContext(self.context, strength=1.0)]
        )
        with torch.no_grad():
            return predict_velocity(
                load_backbone(backbone, dtype=torch.float32),
                self.latents,
                self.words,
                moment=Moment(0.625, 0, 1, (True,)),
                edits=[edit],
            )

    def edited(self, form: Form, rename: Rename) -> Tensor:
        """A forward of backbone and module, both in this form."""
        return self.velocity(self.save_backbone(form, rename), self.save_module(form, rename))

    def save_backbone(self, form: Form, rename: Rename) -> Path:
        return form.save(self.backbone, self.folder / "t2v.safetensors", rename)

    def save_module(self, form: Form, rename: Rename) -> Path:
        return form.save(self.module, self.folder / "vace.safetensors", rename, {LAYERS_KEY: "0"})

    def hidden(self, form: Form, rename: Rename) -> Tensor:
        path = form.save(self.text, self.folder / "umt5.safetensors", rename, self.tokenizer)
        return load_text_encoder(path, dtype=torch.float32).encode("make it red")

    def frames(self, form: Form, rename: Rename) -> Tensor:
        """The clip there and back through the VAE."""
        vae = load_vae(form.save(self.vae, self.folder / "vae.safetensors", rename))
        return vae.decode(vae.encode(self.video))

    def with_weights(self, form: Form) -> "Family":
        """The same family with its weights rounded as `form` rounds them, to be saved in fp32."""
        other = object.__new__(Family)
        other.__dict__ |= self.__dict__
        for part in ("module", "backbone", "text", "vae"):
            setattr(other, part, form.rounded(getattr(self, part)))
        return other


PARTS: Mapping[str, tuple[Callable[..., Tensor], Mapping[str, Rename], Mapping[str, Form]]] = {
    "backbone and edit module": (Family.edited, TRANSFORMER_NAMINGS, FORMS),
    "text encoder": (Family.hidden, TEXT_NAMINGS, FORMS),
    "VAE": (Family.frames, VAE_NAMINGS, VAE_FORMS),
}


def error(found: Tensor, wanted: Tensor) -> float:
    """Relative RMS."""
    return float((found - wanted).norm() / wanted.norm())


def rows(family: Family) -> Iterator[tuple[str, str, str, float, float, float]]:
    """Part, form, naming, error against fp32 weights and its bar, and against the same rounded weights in fp32."""
    for part, (output, namings, forms) in PARTS.items():
        wanted = output(family, FORMS["fp32"], prefixed(""))
        for name, form in forms.items():
            rounded = output(family.with_weights(form), FORMS["fp32"], prefixed(""))
            for naming, rename in namings.items():
                found = output(family, form, rename)
                yield part, name, naming, error(found, wanted), form.bar, error(found, rounded)


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Family:
    return Family(tmp_path_factory.mktemp("forms"))


def test_every_naming_and_dtype_gives_the_same_outputs(family: Family) -> None:
    found = list(rows(family))
    assert len(found) == 6 * 5 + 6 * 2 + 3 * 3
    for part, form, naming, rounding, bar, loading in found:
        assert rounding <= bar, (part, form, naming, rounding)
        assert loading <= SAME, (part, form, naming, loading)


@pytest.mark.parametrize("module", FORMS)
@pytest.mark.parametrize("backbone", FORMS)
def test_backbone_and_module_may_be_of_different_forms(family: Family, backbone: str, module: str) -> None:
    found = family.velocity(
        family.save_backbone(FORMS[backbone], TRANSFORMER_NAMINGS["official"]),
        family.save_module(FORMS[module], TRANSFORMER_NAMINGS["core"]),
    )
    exact, narrow = family.with_weights(FORMS[backbone]), family.with_weights(FORMS[module])
    wanted = family.velocity(
        exact.save_backbone(FORMS["fp32"], prefixed("")), narrow.save_module(FORMS["fp32"], prefixed(""))
    )
    assert error(found, wanted) <= SAME


def test_a_dropped_scale_would_be_seen(family: Family) -> None:
    """The bars are not so wide that plain upcasting of scaled weights would pass."""

    def careless(state: State, rename: Rename) -> State:
        made = FORMS["fp8 scaled, newer"].make(state, rename)
        return {key: tensor for key, tensor in made.items() if not key.endswith(("_scale", "_quant"))}

    found = family.edited(Form(careless, 0), prefixed(""))
    wanted = family.edited(FORMS["fp32"], prefixed(""))
    assert error(found, wanted) > 5 * FORMS["fp8 scaled, newer"].bar


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        lines = ["| weights | file | naming | rounding | bar | loading |", "|---|---|---|---|---|---|"]
        lines += [
            f"| {part} | {form} | {naming} | {rounding:.1e} | {bar:.0e} | {loading:.1e} |"
            for part, form, naming, rounding, bar, loading in rows(Family(Path(place)))
        ]
        sys.stdout.write("\n".join(lines) + "\n")
