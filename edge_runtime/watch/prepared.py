"""A radiograph that has been opened and can be inferred."""

from dataclasses import dataclass

from edge_runtime.answer import Opened, screened_radiograph
from edge_runtime.gate import Screening
from edge_runtime.model.classifier import Classifier


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A radiograph that can be inferred.

    Attributes:
        unscreened: Its content, decoded and prepared, or refused. What is inferred of it may prove to be of no use.
        screening: What the gate finds of it; ``None`` where that does not matter.
        classifier: What it was prepared for.
    """

    unscreened: Opened
    screening: Screening | None
    classifier: Classifier

    @property
    def is_screened(self) -> bool:
        """Whether ``opened`` waits for nothing."""
        return self.screening is None or self.screening.is_ready()

    @property
    def opened(self) -> Opened:
        """Its content, screened, too; waits for that.

        Raises:
            Abandoned: The end was asked for meanwhile.
        """
        return screened_radiograph(self.unscreened, self.screening)
