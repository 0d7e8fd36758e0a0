"""Notebooks run from top to bottom on the published marts of the sample house, and find what they say they find."""

from __future__ import annotations

import ast
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import REPO, sample_house_env

NOTEBOOKS = sorted((REPO / "notebooks").glob("*.ipynb"))


def execute(path: Path, house: Path, monkeypatch: pytest.MonkeyPatch) -> nbformat.NotebookNode:
    for name, value in sample_house_env(house).items():
        monkeypatch.setenv(name, value)
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}).execute()
    return notebook


def results(notebook: nbformat.NotebookNode) -> list[str]:
    """The plain text of each code cell's result, in order."""
    outputs = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs if o.output_type == "execute_result"]
    return [o["data"]["text/plain"] for o in outputs if "text/plain" in o["data"]]


def test_the_tour_reaches_its_finding(sample_house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = results(execute(REPO / "notebooks" / "01_tour.ipynb", sample_house, monkeypatch))
    assert found[0].startswith("'publication ")
    finding = ast.literal_eval(found[-1])
    assert finding["impressions"] > 20_000
    assert 0.5 <= finding["exponent_k"] <= 3.0
    assert finding["first_over_eighth_to_tenth"] > 2.0


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_notebooks_are_committed_without_outputs_and_with_kernel_independent_metadata(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
