"""One JupyterLab and one Chromium for this folder's tests; they end with the folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.lab import Lab, launch_chromium
from tests.harness.lab_server import LabServer


# Playwright keeps a loop running on this thread for as long as it lives: other folders' tests must not meet it
@pytest.fixture(scope="package")
def _lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    playwright, browser = launch_chromium()
    try:
        with LabServer(tmp_path_factory.mktemp("lab")) as server:
            yield Lab(server, browser)
    finally:
        browser.close()
        playwright.stop()


@pytest.fixture
def lab(request: pytest.FixtureRequest, _lab: Lab) -> Iterator[Lab]:
    """JupyterLab in Chromium; one page is handed on to the next test, but none that a failed test leaves."""
    failed = request.session.testsfailed
    yield _lab
    _lab.close_pages(keep=request.session.testsfailed == failed)
