"""Named streams of random numbers: a stage's draws do not shift when another stage draws more."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np
from numpy.random import Generator


@dataclass(slots=True)
class Streams:
    """Generators by name, all of one seed; the same name gives the same generator, which goes on where it was."""

    seed: int
    _open: dict[str, Generator] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Generator:
        if name not in self._open:
            self._open[name] = np.random.default_rng([self.seed, zlib.crc32(name.encode())])
        return self._open[name]


def uuids(rng: Generator, n: int) -> list[UUID]:
    """`n` random (version 4) UUIDs."""
    raw = rng.bytes(16 * n)
    return [UUID(bytes=raw[16 * i : 16 * i + 16], version=4) for i in range(n)]


def around(rng: Generator, median: float, sigma: float, least: float = 0.0) -> float:
    """One log-normal draw with the given median, at least `least`."""
    return max(least, float(median * np.exp(sigma * rng.standard_normal())))
