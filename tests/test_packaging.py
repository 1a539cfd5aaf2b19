"""The wheel as shipped: each extra, in a fresh environment, runs its own service and needs no other's libraries."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.support.processes import ROOT

SERVICES = ("ingress", "screener", "delivery")
LIBRARIES = {
    "ingress": {"argon2", "aiosmtplib", "dns", "jwt", "publicsuffixlist"},
    "screener": {"pybase64"},
    "delivery": {"aiosmtplib", "dns", "publicsuffixlist"},
    "all": {"aiosmtpd", "argon2", "pybase64", "aiosmtplib", "dns", "jwt", "publicsuffixlist"},
}
"""What an extra has of what not all have; `all` has everything."""


def run(*command: str, cwd: Path, **env: str) -> str:
    """Run a command without this checkout on its path; return its standard output."""
    plain = {key: value for key, value in os.environ.items() if key != "PYTHONPATH" and not key.startswith("SLUICE_")}
    done = subprocess.run(command, cwd=cwd, env={**plain, **env}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel once."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder), cwd=ROOT)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def pip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an environment's pip that installs into others: ours need not have one."""
    folder = tmp_path_factory.mktemp("pip")
    venv.create(folder, with_pip=True)
    return folder / "bin" / "python"


@pytest.fixture(scope="session", params=list(LIBRARIES))
def installed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, wheel: Path, pip: Path
) -> tuple[str, Path]:
    """Return an extra's name, and the folder of a fresh environment with exactly its locked libraries."""
    extra = str(request.param)
    folder = tmp_path_factory.mktemp(f"environment-{extra}")
    venv.create(folder, with_pip=False)
    install = [
        str(pip),
        "-m",
        "pip",
        "--python",
        str(folder / "bin" / "python"),
        "--disable-pip-version-check",
        "install",
    ]
    lock = str(ROOT / "requirements" / f"{extra}.lock")
    run(*install, "--quiet", "--require-hashes", "-r", lock, cwd=folder)
    run(*install, "--quiet", "--no-deps", str(wheel), cwd=folder)
    run(str(pip), "-m", "pip", "--python", str(folder / "bin" / "python"), "check", cwd=folder)
    return extra, folder / "bin"


def test_the_wheel_holds_the_two_packages_and_nothing_else(wheel: Path) -> None:
    """No test, no configuration, no file of a developer's machine is shipped."""
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {"services", "shared", "mailsluice-0.1.0.dist-info"}
    assert {Path(name).suffix for name in names if "dist-info" not in name} == {".py"}


def test_an_extra_has_its_own_libraries_only(installed: tuple[str, Path]) -> None:
    extra, bin_folder = installed
    program = f"import importlib.util as u; print(*(n for n in {sorted(LIBRARIES['all'])!r} if u.find_spec(n)))"
    found = set(run(str(bin_folder / "python"), "-c", program, cwd=bin_folder).split())
    assert found == LIBRARIES[extra]


def test_an_extra_runs_its_service(installed: tuple[str, Path]) -> None:
    """Every module of the service imports, the broker's adapter as well; `all` imports everything there is."""
    extra, bin_folder = installed
    packages = ["services", "shared"] if extra == "all" else [f"services.{extra}", "shared.broker", "shared.smtp"]
    program = (
        "import importlib, pkgutil\n"
        f"for name in {packages!r}:\n"
        "    package = importlib.import_module(name)\n"
        "    for module in pkgutil.walk_packages(package.__path__, name + '.'):\n"
        "        module.name.endswith('__main__') or importlib.import_module(module.name)\n"
    )
    if extra == "screener":
        program = program.replace(", 'shared.smtp'", "")
    run(str(bin_folder / "python"), "-c", program, cwd=bin_folder)


def test_an_extra_has_the_command_line(installed: tuple[str, Path]) -> None:
    """`sluice` starts anywhere, and says which extra a stage needs that is not installed."""
    extra, bin_folder = installed
    assert run(str(bin_folder / "sluice"), "--version", cwd=bin_folder) == "sluice 0.1.0\n"
    for service in SERVICES:
        if LIBRARIES[service] <= LIBRARIES[extra]:
            continue  # it runs: ingress asks DNS and next hops, and so has all that delivery needs
        command = [str(bin_folder / "sluice"), service]
        done = subprocess.run(command, cwd=bin_folder, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 1
        assert done.stderr.endswith(f'install the extra with: pip install "mailsluice[{service}]"\n')
