"""Notebooks run from top to bottom on the published marts of the sample house, and find what they say they find."""

from __future__ import annotations

import ast
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import REPO, sample_house_env

NOTEBOOKS = sorted((REPO / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def executed(sample_house: Path) -> nbformat.NotebookNode:
    """The tour after it ran from top to bottom; a failing assert of its own would have stopped it."""
    path = REPO / "notebooks" / "01_tour.ipynb"
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}})
    with pytest.MonkeyPatch.context() as patch:
        for name, value in sample_house_env(sample_house).items():
            patch.setenv(name, value)
        client.execute()
    return notebook


def results(notebook: nbformat.NotebookNode) -> list[str]:
    """The plain text of each code cell's result, in order."""
    outputs = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs if o.output_type == "execute_result"]
    return [o["data"]["text/plain"] for o in outputs if "text/plain" in o["data"]]


def test_the_tour_reaches_its_finding(executed: nbformat.NotebookNode) -> None:
    found = results(executed)
    assert found[0].startswith("'publication ")
    finding = ast.literal_eval(found[-1])
    assert finding["showings"] > 20_000
    assert finding["top_over_tenth"] > 3
    assert finding["k_raw"] - finding["k_fit"] > 0.2, "fit explains a part of the gap"
    assert abs(finding["k_fit"] - 1) <= max(2 * finding["error"], 0.15), "attention explains the rest"


def test_the_tour_draws_its_two_figures(executed: nbformat.NotebookNode) -> None:
    drawn = [o["data"]["application/vnd.plotly.v1+json"] for c in executed.cells if c.cell_type == "code" for o in c.outputs
             if "application/vnd.plotly.v1+json" in o.get("data", {})]  # fmt: skip
    lines, exponents = ({trace.get("name"): trace for trace in figure["data"]} for figure in drawn)
    assert set(lines) == {"bids per showing", "if attention alone decided"}
    assert exponents[None]["text"][-1] == f"{ast.literal_eval(results(executed)[-1])['k_fit']:.2f}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_notebooks_are_committed_without_outputs_and_with_kernel_independent_metadata(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
