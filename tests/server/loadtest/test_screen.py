import io

from rich.console import Console

from server.loadtest.load import Load
from server.loadtest.screen import Screen, print_verdict
from server.loadtest.verdict import Check


def drawn(screen: Screen) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(screen.table())
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_table_follows_the_test() -> None:
    screen = Screen(Console(file=io.StringIO()), Load("opus", 20, 3, conferences=2), 30)
    with screen:
        screen.joined(7)
        assert "joining" in drawn(screen) and "7 of 20" in drawn(screen)
        screen.settling()
        screen.progress(100, 2000, 1990)
        row = drawn(screen)
        assert all(words in row for words in ("measuring", "2 of 30", "99.50 %", "6"))
        screen.hanging_up()
        assert "hanging up" in drawn(screen)


def test_a_terminal_sees_it_and_a_pipe_does_not() -> None:
    for terminal in (True, False):
        file = io.StringIO()
        with Screen(Console(file=file, force_terminal=terminal, width=120), Load("pcmu", 2, 1), 5) as screen:
            screen.joined(2)
        assert ("2 of 2" in file.getvalue()) is terminal


def test_the_verdict_names_what_failed() -> None:
    file = io.StringIO()
    checks = [Check("joins", True, "fine [really]"), Check("delivered", False, "90 %")]
    print_verdict(Console(file=file, width=120), checks, passed=False)
    assert "✓ joins      fine [really]\n✗ delivered  90 %\nFailed.\n" in file.getvalue()
