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
            looks_at, others = (
                (str(self.most_references), "leave the others out")
                if self.most_references
                else ("none", "leave them out, or use reco-ref")
            )
            raise BadInput(
                f"{count} references were given, but this method looks at {looks_at}: {others}.",
                setting="reference",
            )
