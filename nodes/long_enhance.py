"""Enhance long clip: a video of any length made steadier and sharper, with the memory of one window."""

from dataclasses import dataclass
from typing import Any

from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io
from torch import Tensor

from reelpatch.families.wan.family import WAN
from reelpatch.progress import OnProgress
from reelpatch.sampling.noise import FrameNoise, draw_noise
from reelpatch.windows.enhance_window import EnhanceWindow

from .enhance import enhancer_run
from .guider import ScheduledGuider
from .host_vae import check_vae
from .long_inputs import long_enhance_inputs
from .long_run import Told, run_long, windows_of
from .sampling import FlowSampler
from .video_file import file_of
from .widgets import Fit, asked_size, chosen_fit
from .window_sample import OnStep, sample_window


class EnhanceLongClip(io.ComfyNode):
    """The same graph goes on where it was stopped."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchEnhanceLongClip",
            display_name="Enhance long clip",
            category="reelpatch",
            description=(
                "Steadies and sharpens a video of any length in windows that overlap, as Enhance does a short clip. "
                "Finished windows are kept in the output folder: after a cancel, the same graph goes on from there."
            ),
            search_aliases=[
                "enhance",
                "enhance video",
                "long video",
                "windows",
                "denoise",
                "flicker",
                "ditto",
                "refine",
            ],
            inputs=long_enhance_inputs(),
            outputs=[io.Video.Output(tooltip="The finished video, a file in the output folder.")],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.extra_pnginfo],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls,
        model: ModelPatcher,
        vae: Any,
        positive: Any,
        video: Any,
        recipe: str,
        last_steps: int,
        window_frames: int,
        overlap: int,
        fit: Fit,
        width: int,
        height: int,
        filename_prefix: str,
        seed: int,
        negative: Any = None,
        accept_damage: bool = False,
        lossless: bool = False,
    ) -> io.NodeOutput:
        check_vae(vae)
        guider, sampler, sigmas = enhancer_run(model, positive, negative, recipe, last_steps)
        clip = windows_of(file_of(video, "video"), window_frames, overlap, accept_damage)

        def work(told: Told) -> EnhanceWindow:
            enhancer = WindowEnhancer(guider, vae, sampler, sigmas, told.on_step)
            return EnhanceWindow(enhancer, seed, asked_size(width, height), chosen_fit(fit), WAN.lattice)

        settled = cls, clip, filename_prefix, None, len(sigmas) - 1
        return run_long(*settled, work=work, lossless=lossless)


@dataclass(frozen=True, eq=False)
class WindowEnhancer:
    """Enhances one window after another. As `reelpatch.windows.enhance_window.LatentEnhancer`."""

    guider: ScheduledGuider
    vae: Any
    sampler: FlowSampler
    sigmas: Tensor
    on_step: OnStep

    def denoised(self, frames: Tensor, *, seed: int | FrameNoise, on_progress: OnProgress) -> Tensor:
        """The enhanced latents [16, T, h, w], in the VAE's own numbers."""
        on_progress("encoding the clip", 0, 1)
        latents = self.vae.encode(frames)
        channels, count, rows, columns = latents.shape[-4:]
        noise = draw_noise((channels, count, rows, columns), seed)[None]
        samples = sample_window(self.guider, noise, latents, self.sampler, self.sigmas, seed, self.on_step)
        return samples[0].float().cpu()

    def decoded(self, latents: Tensor, on_progress: OnProgress) -> Tensor:
        """The frames [F, H, W, 3] of latents, in [0, 1]."""
        on_progress("decoding", 0, 1)
        return self.vae.decode(latents[None])[0].float().cpu().clamp(0, 1)
