"""The instruction that leads from one caption to another: what a language model is asked, and a plain form without one."""

from __future__ import annotations

from reelpatch.recipes.rewriting import Aim, Chat

PAIR_AIM = Aim(
    form=(
        "You are given two captions of the same clip, before and after an edit. Write the one order, in the imperative, that a "
        "person would give for that edit. Name what is changed, what it becomes, and nothing that stays."
    ),
    words=(3, 25),
    example=(
        "Before: a red car drives along the coast. After: a blue car drives along the coast.",
        "Make the car blue.",
    ),
)


def chat_for_pair(before: str, after: str) -> Chat:
    """What a language model is asked."""
    fewest, most = PAIR_AIM.words
    asked, answer = PAIR_AIM.example
    system = (
        f"{PAIR_AIM.form} Write {fewest} to {most} words in English, in one paragraph. Answer with the order alone.\n"
        f"Example: '{asked}' becomes: {answer}"
    )
    return Chat(system, f"Before: {before.strip()}. After: {after.strip()}.", 0)


def plain_instruction(before: str, after: str) -> str:
    """The edit in words that need no understanding of the captions."""
    return f"Change '{before.strip()}' to '{after.strip()}'."
