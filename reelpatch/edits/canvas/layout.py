"""How a pair canvas is laid out: names and numbers alone."""

from dataclasses import dataclass

from reelpatch.errors import BadInput


@dataclass(frozen=True)
class PairCanvas:
    """A method that works on a pair canvas, and looks at so many references at most."""

    most_references: int = 0

    def check_references(self, count: int) -> None:
        """Raises: `BadInput` for more references than the method takes."""
        if count > self.most_references:
            raise BadInput(
                f"{count} references were given, but this method looks at {self.most_references or 'none'}: leave the others out"
                + (", or use reco-ref." if self.most_references == 0 else "."),
                setting="reference",
            )
