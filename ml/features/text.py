"""A small text space: TF-IDF with latent semantic analysis, kept as plain arrays so that no pickle is ever needed."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

DIMENSIONS = 32
WORD = r"(?u)[\w.#+]*[\w#+]"  # keeps c#, c++, node.js, .net


def _vectorizer(vocabulary: dict[str, int] | None = None) -> TfidfVectorizer:
    return TfidfVectorizer(
        lowercase=True, token_pattern=WORD, sublinear_tf=True, max_features=20_000, stop_words="english", vocabulary=vocabulary
    )


@dataclass(frozen=True, slots=True)
class TextSpace:
    """Maps texts to unit vectors of DIMENSIONS numbers (a text without known words to zero)."""

    vectorizer: TfidfVectorizer
    components: NDArray[np.float64]  # dimensions × vocabulary

    @classmethod
    def fit(cls, texts: list[str], *, seed: int) -> TextSpace:
        """Learn vocabulary and directions. Raises ValueError when there is no usable text at all."""
        vectorizer = _vectorizer()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Your stop_words may be inconsistent")
            matrix = vectorizer.fit_transform(texts)
        dimensions = min(DIMENSIONS, min(matrix.shape) - 1)
        if dimensions < 1:
            raise ValueError("at least two different texts are needed")
        svd = TruncatedSVD(n_components=dimensions, random_state=seed, n_iter=5).fit(matrix)
        components = np.zeros((DIMENSIONS, matrix.shape[1]))
        components[:dimensions] = svd.components_
        return cls(vectorizer, components)

    def vectors(self, texts: list[str]) -> NDArray[np.float64]:
        """Unit vectors, shape (texts, DIMENSIONS)."""
        if not texts:
            return np.zeros((0, DIMENSIONS))
        raw = np.asarray(self.vectorizer.transform(texts) @ self.components.T)
        norm = np.linalg.norm(raw, axis=1, keepdims=True)
        out: NDArray[np.float64] = np.divide(raw, norm, out=np.zeros_like(raw), where=norm > 1e-12)
        return out

    def save(self, folder: Path) -> None:
        """Write text_vocabulary.json, text_idf.npy and text_components.npy."""
        vocabulary = {w: int(i) for w, i in self.vectorizer.vocabulary_.items()}
        (folder / "text_vocabulary.json").write_text(json.dumps(vocabulary, sort_keys=True))
        np.save(folder / "text_idf.npy", self.vectorizer.idf_, allow_pickle=False)
        np.save(folder / "text_components.npy", self.components, allow_pickle=False)

    @classmethod
    def load(cls, folder: Path) -> TextSpace:
        """Inverse of `save`."""
        vocabulary = json.loads((folder / "text_vocabulary.json").read_text())
        vectorizer = _vectorizer(vocabulary)
        vectorizer.idf_ = np.load(folder / "text_idf.npy", allow_pickle=False)
        return cls(vectorizer, np.load(folder / "text_components.npy", allow_pickle=False))
