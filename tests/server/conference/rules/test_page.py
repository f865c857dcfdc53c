"""The page of rules and the tests of rules name each other."""

import re
from pathlib import Path

PAGE = (Path(__file__).parents[4] / "docs" / "conference-rules.md").read_text()
RULE = re.compile(r"^\| (\d\.\d-\d+) \|", re.MULTILINE)
TEST = re.compile(r"^def test_(\d)_(\d)_(\d+)_", re.MULTILINE)


def test_every_rule_has_its_test_and_every_test_its_rule() -> None:
    rules = RULE.findall(PAGE)
    assert len(set(rules)) == len(rules) > 0
    tests = "\n".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert {f"{a}.{b}-{c}" for a, b, c in TEST.findall(tests)} == set(rules)
