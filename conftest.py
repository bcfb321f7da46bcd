"""At the root, so that it holds for the lessons as well as for tests/."""

import os

import pytest

os.environ.setdefault("GFDT_QUIET", "1")  # no progress bars; the lessons' kernels inherit it
# Before any import of torch; kernels and other subprocesses inherit both. Tests run on all cores (make test), each on one of them, and
# rounding must not depend on how many there are.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # see gfdt_tutorial/__init__.py

LESSON = "test_a_lesson_keeps_its_promises"
# Files that take longest come first, so that no core is left alone with one of them at the end.
LONGEST = ("test_browser", "test_analyse", "test_training", "test_command_line", "test_sampling", "test_double_well", "test_portability")


def pytest_collection_modifyitems(items):
    def rank(item):
        name = item.path.stem
        return LONGEST.index(name) if name in LONGEST else len(LONGEST)

    items.sort(key=lambda item: (LESSON not in item.name, rank(item)))  # stable: otherwise as they stand


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """The tests of a file share its fixtures and cached ensembles, so one process runs them all; lessons share nothing."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return nodeid if LESSON in nodeid else nodeid.split("::")[0]

    if config.getoption("dist") == "load":  # `pytest -n auto`, with no word about how
        config.option.loadscopereorder = False  # the order is that of pytest_collection_modifyitems
        return ByFile(config, log)
    return None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """With GFDT_REQUIRE_BROWSER=1, a browser test that skips itself has failed: a browser was promised."""
    report = yield
    required = os.environ.get("GFDT_REQUIRE_BROWSER") == "1" and item.get_closest_marker("browser")
    if required and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, while GFDT_REQUIRE_BROWSER=1 forbids it: {report.longrepr[-1]}"
    return report
