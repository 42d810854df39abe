"""Runs inside ComfyUI: loads the demo files with core's own loaders and writes what they compute.

Arguments: models folder, safetensors file of inputs, safetensors file for the results.
"""

import sys
from pathlib import Path

models, inputs_path, results_path = map(Path, sys.argv[1:4])
sys.argv = ["host", "--cpu"]

import comfy.options  # noqa: E402 -- reads the command line before anything of comfy is imported

comfy.options.enable_args_parsing()
import comfy.sd  # noqa: E402
import comfy.utils  # noqa: E402
import torch  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402


@torch.inference_mode()
def main() -> None:
    inputs, results = load_file(inputs_path), {}
    for name in ("bf16", "fp8_e4m3fn"):
        path = models / "diffusion_models" / f"reelpatch_demo_t2v_{name}.safetensors"
        patcher = comfy.sd.load_diffusion_model(
            str(path), model_options={"dtype": torch.float32} if name == "bf16" else {}
        )
        model = patcher.model
        assert type(model).__name__ == "WAN21", type(model)
        comfy.model_management.load_models_gpu([patcher])
        velocity = model.diffusion_model(
            inputs["latents"],
            inputs["timestep"],
            context=inputs["text"].to(inputs["latents"]),
            transformer_options={},
        )
        results[name] = velocity.float().contiguous()
    state = comfy.utils.load_torch_file(str(models / "vae" / "reelpatch_demo_vae.safetensors"))
    vae = comfy.sd.VAE(sd=state)
    vae.throw_exception_if_invalid()
    results["encoded"] = vae.encode(inputs["frames"]).float().contiguous()
    results["decoded"] = vae.decode(results["encoded"]).float().contiguous()
    save_file(results, results_path)


main()
