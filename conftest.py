"""``pytest --benchmark`` runs the latency checks in benchmarks/, a plain ``pytest`` the tests alone."""

from pathlib import Path

import pytest

from edge_runtime.model import installed

_BENCHMARKS = Path(__file__).parent / "benchmarks"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--benchmark", action="store_true", help="run the latency checks in benchmarks/, not the tests")


def pytest_configure(config: pytest.Config) -> None:
    named = config.args_source is pytest.Config.ArgsSource.ARGS
    if config.getoption("--benchmark") and not named:
        config.args[:] = [str(_BENCHMARKS)]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--benchmark"):
        return
    for item in items:
        if item.path.is_relative_to(_BENCHMARKS):
            item.add_marker(pytest.mark.skip(reason="a latency check; run it with --benchmark"))


@pytest.fixture(scope="session")
def default_bundle() -> Path:
    """The model bundle that comes with the program."""
    return installed.path()


@pytest.fixture(scope="session", params=installed.names())
def installed_bundle(request: pytest.FixtureRequest) -> Path:
    """Each of the bundles that come with the program."""
    return installed.path(request.param)
