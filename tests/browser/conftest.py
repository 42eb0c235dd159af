"""One JupyterLab and one Chromium for this folder's tests, started for each file that asks for them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.lab import Lab, LabServer, launch_chromium


# Playwright keeps a loop running on this thread for as long as it lives: other folders' tests must not meet it
@pytest.fixture(scope="module")
def _lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    playwright, browser = launch_chromium()
    try:
        with LabServer(tmp_path_factory.mktemp("lab")) as server:
            yield Lab(server, browser)
    finally:
        browser.close()
        playwright.stop()


@pytest.fixture
def lab(_lab: Lab) -> Iterator[Lab]:
    """JupyterLab in Chromium; the pages of one test are closed before the next."""
    yield _lab
    _lab.close_pages()
