"""The structure that docs/architecture.md promises: imports, sizes, docstrings, clocks, names in the docs."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LONGEST_FILE_LINES = 400

MODULES = sorted(path for package in ("server", "mixer", "recording") for path in (ROOT / package).rglob("*.py"))
PRODUCT_FILES = MODULES + sorted(
    path
    for folder in ("bench", "docker", "examples", "scripts")
    for path in (ROOT / folder).rglob("*.*")
    if path.is_file()
)
MADE_BY_USERS = {"docker/.env"}
PAGES = sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md"))


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_import_contracts_hold() -> None:
    lint_imports = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run(
        [lint_imports, "--no-cache", "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_no_product_file_is_longer_than_a_reader_can_hold() -> None:
    suffixes = {".py", ".sh", ".yml"}
    lines = {relative(path): path.read_text().count("\n") for path in PRODUCT_FILES if path.suffix in suffixes}
    assert {name: n for name, n in lines.items() if n > LONGEST_FILE_LINES} == {}


def test_every_module_says_what_it_decides() -> None:
    # An empty __init__.py only marks a package.
    modules = [path for path in MODULES if path.name != "__init__.py" or path.read_text().strip()]
    assert [relative(path) for path in modules if not ast.get_docstring(ast.parse(path.read_text()))] == []


def test_only_the_clocks_import_time() -> None:
    importers = {relative(path) for path in MODULES if "time" in imported_modules(path)}
    assert importers <= {"server/clock.py", "mixer/clock.py", "recording/clock.py"}


def imported_modules(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return names


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_links_within_the_project_lead_somewhere(page: Path) -> None:
    text = without_code(page.read_text())
    targets = re.findall(r"!?\[[^\]]*\]\(([^)\s]+)\)", text)
    broken = [target for target in targets if "://" not in target and not link_exists(page, target)]
    assert broken == []


def without_code(markdown: str) -> str:
    without_blocks = re.sub(r"^```.*?^```", "", markdown, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "", without_blocks)


def link_exists(page: Path, target: str) -> bool:
    name, _, anchor = target.partition("#")
    linked = page.parent / name if name else page
    if not linked.exists():
        return False
    return not anchor or anchor in {anchor_of(line) for line in linked.read_text().splitlines() if line.startswith("#")}


def anchor_of(heading: str) -> str:
    words = re.sub(r"[^\w\- ]", "", heading.lstrip("#").strip().lower())
    return words.replace(" ", "-")


@pytest.mark.parametrize("page", [*PAGES, ROOT / "docs" / "architecture.svg"], ids=relative)
def test_files_that_the_docs_name_exist(page: Path) -> None:
    named = set(
        re.findall(
            r"(?<![\w./-])(?:server|mixer|tests|bench|docker|docs|examples|scripts)/[\w./*-]*\w",
            page.read_text(),
        )
    )
    assert [name for name in sorted(named - MADE_BY_USERS) if not any(ROOT.glob(name))] == []


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "adr"
    listed = re.findall(r"^\* \[(\d{4}: [^\]]+)\]\(([^)]+)\)$", (folder / "README.md").read_text(), re.MULTILINE)
    titles = [(path.read_text().splitlines()[0].removeprefix("# "), path.name) for path in sorted(folder.glob("0*.md"))]
    assert listed == titles


def test_lock_pins_everything_asked_for_and_names_no_place() -> None:
    lines = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.!+]+", line)] == []
    locked = dict(line.split("==") for line in lines)
    pinned = {canonicalize_name(name): version for name, version in locked.items()}

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    for requirement in map(Requirement, asked):
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), requirement
