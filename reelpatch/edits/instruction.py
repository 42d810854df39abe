"""What an instruction has to be, in every host."""

from reelpatch.errors import BadInput


def check_instruction(instruction: str) -> None:
    """Raises: `BadInput` for an instruction without a word in it."""
    if not instruction.strip():
        raise BadInput("the instruction is empty: say what is to change, such as 'make the red circle blue'.")
