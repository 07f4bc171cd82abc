"""What lies where in the folder of a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["RunFolder"]


@dataclass(frozen=True)
class RunFolder:
    """RUN/ of ``locoexport train -o RUN/``."""

    path: Path

    @property
    def last(self) -> Path:
        """The newest checkpoint, from which a run goes on."""
        return self.path / "last.ckpt"

    @property
    def best(self) -> Path:
        """The checkpoint of the best validation."""
        return self.path / "best.ckpt"

    @property
    def checkpoints(self) -> Path:
        """The best few, each named after its step."""
        return self.path / "checkpoints"

    @property
    def logs(self) -> Path:
        """Figures as CSV, a folder for each start; ``training.figures`` reads them as one."""
        return self.path / "logs"

    @property
    def tensorboard(self) -> Path:
        """The same figures as TensorBoard keeps them, where it is installed."""
        return self.path / "tensorboard"

    @property
    def plot(self) -> Path:
        """Loss and scores over the steps, as a picture."""
        return self.path / "loss.png"

    @property
    def overlays(self) -> Path:
        """Pictures of what was validated."""
        return self.path / "overlays"

    @property
    def lessons(self) -> Path:
        """What a teacher said of clips."""
        return self.path / "lessons"

    @property
    def request(self) -> Path:
        """What was asked for, so that only the same run goes on here."""
        return self.path / "run.json"

    @property
    def results(self) -> tuple[Path, ...]:
        """All that a run writes but for ``request``; lessons are kept, since they cost hours."""
        return (
            self.last,
            self.best,
            self.checkpoints,
            self.logs,
            self.tensorboard,
            self.plot,
            self.overlays,
        )
