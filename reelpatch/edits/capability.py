"""What a host can let an edit do."""

from enum import Enum


class Capability(Enum):
    """One thing that an edit may need; the value ends the sentence "this host cannot ..."."""

    ADD_AFTER_BLOCK = "add to the token stream after a block"
    BRING_TOKENS = "carry token segments that an edit brings along"
    REPLACE_KEYS_VALUES = "let an edit replace the keys and values of self-attention"
    CONDITION_BY_CHANNELS = "show the transformer channels of an edit beside the latents"
