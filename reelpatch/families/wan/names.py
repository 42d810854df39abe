"""How the layers of Wan's models are called in each naming, one table per model.

A row pairs the native path (as the Wan authors' files spell it) with the other one; `#` stands for a block
number. A path is a layer or a bare parameter; a key is a path, or a layer's path and its `.weight`, `.bias`
or `.gamma`. Source: the state dicts of Wan2.1 and ali-vilab/VACE, diffusers 0.42 and transformers 5.
"""

from reelpatch.families.naming import both_ways

# diffusers counts norms in the order they run, so the affine one before cross-attention (native norm3) is its
# norm2; norms without parameters have no key in either naming.
_BLOCK = (
    ("modulation", "scale_shift_table"),
    ("norm3", "norm2"),
    ("ffn.0", "ffn.net.0.proj"),
    ("ffn.2", "ffn.net.2"),
    *(
        (f"{attention}.{layer}", f"{other}.{other_layer}")
        for attention, other in (("self_attn", "attn1"), ("cross_attn", "attn2"))
        for layer, other_layer in (
            ("q", "to_q"),
            ("k", "to_k"),
            ("v", "to_v"),
            ("o", "to_out.0"),
            ("norm_q", "norm_q"),
            ("norm_k", "norm_k"),
        )
    ),
)


_IMAGE_ATTENTION = (
    ("cross_attn.k_img", "attn2.add_k_proj"),
    ("cross_attn.v_img", "attn2.add_v_proj"),
    ("cross_attn.norm_k_img", "attn2.norm_added_k"),
)


_TRANSFORMER = (
    ("patch_embedding", "patch_embedding"),
    ("time_embedding.0", "condition_embedder.time_embedder.linear_1"),
    ("time_embedding.2", "condition_embedder.time_embedder.linear_2"),
    ("time_projection.1", "condition_embedder.time_proj"),
    ("text_embedding.0", "condition_embedder.text_embedder.linear_1"),
    ("text_embedding.2", "condition_embedder.text_embedder.linear_2"),
    ("img_emb.proj.0", "condition_embedder.image_embedder.norm1"),
    ("img_emb.proj.1", "condition_embedder.image_embedder.ff.net.0.proj"),
    ("img_emb.proj.3", "condition_embedder.image_embedder.ff.net.2"),
    ("img_emb.proj.4", "condition_embedder.image_embedder.norm2"),
    ("img_emb.emb_pos", "condition_embedder.image_embedder.pos_embed"),
    *(
        (f"{stack}.#.{native}", f"{stack}.#.{other}")
        for stack in ("blocks", "vace_blocks")
        for native, other in (*_BLOCK, *_IMAGE_ATTENTION)
    ),
    ("head.modulation", "scale_shift_table"),
    ("head.head", "proj_out"),
    ("vace_patch_embedding", "vace_patch_embedding"),
    ("vace_blocks.#.before_proj", "vace_blocks.#.proj_in"),
    ("vace_blocks.#.after_proj", "vace_blocks.#.proj_out"),
)


_RESIDUAL = (
    ("residual.0", "norm1"),
    ("residual.2", "conv1"),
    ("residual.3", "norm2"),
    ("residual.6", "conv2"),
    ("shortcut", "conv_shortcut"),
)


_RESAMPLE = (("resample.1", "resample.1"), ("time_conv", "time_conv"))


_VAE_ENDS = (
    ("conv1", "conv_in"),
    ("head.0", "norm_out"),
    ("head.2", "conv_out"),
    *((f"middle.0.{native}", f"mid_block.resnets.0.{other}") for native, other in _RESIDUAL),
    *((f"middle.1.{layer}", f"mid_block.attentions.0.{layer}") for layer in ("norm", "to_qkv", "proj")),
    *((f"middle.2.{native}", f"mid_block.resnets.1.{other}") for native, other in _RESIDUAL),
)


# The native decoder is one flat list of 15: per level three residual blocks, then (but for the last) an upsampler.
_LEVELS = range(4)


_VAE_SHARED = (
    ("conv1", "quant_conv"),
    ("conv2", "post_quant_conv"),
    *(
        (f"{half}.{native}", f"{half}.{other}")
        for half in ("encoder", "decoder")
        for native, other in _VAE_ENDS
    ),
)


_VAE21 = (
    *_VAE_SHARED,
    *(
        (f"encoder.downsamples.#.{native}", f"encoder.down_blocks.#.{other}")
        for native, other in (*_RESIDUAL, *_RESAMPLE)
    ),
    *(
        (f"decoder.upsamples.{4 * level + i}.{native}", f"decoder.up_blocks.{level}.resnets.{i}.{other}")
        for level in _LEVELS
        for i in range(3)
        for native, other in _RESIDUAL
    ),
    *(
        (f"decoder.upsamples.{4 * level + 3}.{native}", f"decoder.up_blocks.{level}.upsamplers.0.{other}")
        for level in _LEVELS[:-1]
        for native, other in _RESAMPLE
    ),
)


# Wan2.2's 48-channel VAE nests its blocks by level in both halves; two blocks a level down, three up. In diffusers'
# naming its decoder shares names with the flat one of Wan2.1, so the two tables can't be one.
_VAE22 = (
    *_VAE_SHARED,
    *(
        (f"{half}.{stack}.{level}.{stack}.{i}.{native}", f"{half}.{blocks}.{level}.resnets.{i}.{other}")
        for half, stack, blocks, num_blocks in (
            ("encoder", "downsamples", "down_blocks", 2),
            ("decoder", "upsamples", "up_blocks", 3),
        )
        for level in _LEVELS
        for i in range(num_blocks)
        for native, other in _RESIDUAL
    ),
    *(
        (f"{half}.{stack}.{level}.{stack}.{last}.{native}", f"{half}.{blocks}.{level}.{resampler}.{other}")
        for half, stack, blocks, last, resampler in (
            ("encoder", "downsamples", "down_blocks", 2, "downsampler"),
            ("decoder", "upsamples", "up_blocks", 3, "upsampler"),
        )
        for level in _LEVELS[:-1]
        for native, other in _RESAMPLE
    ),
)


_ATTENTION = "encoder.block.#.layer.0"


_FEED_FORWARD = "encoder.block.#.layer.1"


_UMT5 = (
    ("token_embedding", "shared"),
    ("norm", "encoder.final_layer_norm"),
    ("blocks.#.norm1", f"{_ATTENTION}.layer_norm"),
    *((f"blocks.#.attn.{layer}", f"{_ATTENTION}.SelfAttention.{layer}") for layer in "qkvo"),
    ("blocks.#.pos_embedding.embedding", f"{_ATTENTION}.SelfAttention.relative_attention_bias"),
    ("blocks.#.norm2", f"{_FEED_FORWARD}.layer_norm"),
    ("blocks.#.ffn.gate.0", f"{_FEED_FORWARD}.DenseReluDense.wi_0"),
    ("blocks.#.ffn.fc1", f"{_FEED_FORWARD}.DenseReluDense.wi_1"),
    ("blocks.#.ffn.fc2", f"{_FEED_FORWARD}.DenseReluDense.wo"),
)


native_to_diffusers, diffusers_to_native = both_ways(_TRANSFORMER)


vae_native_to_diffusers, vae_diffusers_to_native = both_ways(_VAE21)


vae22_native_to_diffusers, vae22_diffusers_to_native = both_ways(_VAE22)


umt5_wan_to_hf, umt5_hf_to_wan = both_ways(_UMT5)
