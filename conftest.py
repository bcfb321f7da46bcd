"""At the root, so that it holds for the lessons as well as for tests/."""

import os

import pytest

os.environ.setdefault("GFDT_QUIET", "1")  # no progress bars; the lessons' kernels inherit it
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before any import of torch: see gfdt_tutorial/__init__.py


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """With GFDT_REQUIRE_BROWSER=1, a browser test that skips itself has failed: a browser was promised."""
    report = yield
    required = os.environ.get("GFDT_REQUIRE_BROWSER") == "1" and item.get_closest_marker("browser")
    if required and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, while GFDT_REQUIRE_BROWSER=1 forbids it: {report.longrepr[-1]}"
    return report
