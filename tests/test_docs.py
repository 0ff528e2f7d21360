"""What the documentation promises is run."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The example game of CONTRIBUTING.md, in a games folder of its own."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    code = re.search(r"<!-- example: a test runs this -->\n```python\n(.*?)```", text, re.DOTALL)
    assert code, "CONTRIBUTING.md lost its example"
    folder = tmp_path / "my_games" / "higher_lower"
    folder.mkdir(parents=True)
    (folder / "game.py").write_text(code[1])
    return folder.parent


def run(*command: str, games: Path, cwd: Path) -> str:
    environment = {**os.environ, "PLAYPEN_GAMES_DIR": str(games)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cwd, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_example_game_is_short(example: Path) -> None:
    lines = (example / "higher_lower" / "game.py").read_text().splitlines()
    assert len([line for line in lines if line.strip()]) <= 45


def test_the_example_game_passes_every_check(example: Path, tmp_path: Path) -> None:
    out = run(sys.executable, "-m", "playpen_eval", "check", "higher_lower", games=example, cwd=tmp_path)
    assert "14 checks, 0 failed" in out


def test_the_example_game_is_an_inspect_task(example: Path, tmp_path: Path) -> None:
    inspect = str(Path(sys.executable).parent / "inspect")
    model = ("--model", "playpen-scripted/best", "--display", "plain", "--log-dir", str(tmp_path / "logs"))
    out = run(inspect, "eval", "playpen/higher_lower", *model, games=example, cwd=tmp_path)
    assert re.search(r"played\s+100", out), out


def test_the_example_game_is_an_lm_eval_task(example: Path, tmp_path: Path) -> None:
    out = run(sys.executable, "-m", "playpen_eval", "tasks-dir", games=example, cwd=tmp_path)
    assert (Path(out.strip()) / "playpen_higher_lower.yaml").is_file()


def test_the_table_of_games_is_true() -> None:
    from playpen_eval.instances import SPLITS, load_instances
    from playpen_eval.registry import shipped_games

    text = (ROOT / "README.md").read_text()
    for name, game in shipped_games().items():
        loaded = [len(load_instances(game, split).instances) if game.sizes.get(split) else 0 for split in SPLITS]
        sizes = " / ".join(map(str, loaded))
        assert re.search(rf"\| \[{name}\]\(games/\w+/README.md\) \| {', '.join(game.roles)} \| {sizes} \|", text), name


def test_readme_links_exist() -> None:
    for document in ROOT.glob("**/*.md"):
        if any(part.startswith(".") or part == "out" for part in document.relative_to(ROOT).parts):
            continue
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def commands(document: str) -> list[list[str]]:
    """The words of all our commands in a document, without the program's name."""
    text = (ROOT / document).read_text()
    return [shlex.split(line) for line in re.findall(r"^    playpen-eval (.+?)(?:\s+#.*)?$", text, re.MULTILINE)]


def test_every_command_in_the_readme_parses(capsys: pytest.CaptureFixture[str]) -> None:
    from playpen_eval.cli import COMMANDS, _parser

    found = commands("README.md")
    assert len(found) >= 7
    for words in found:
        assert words[0] in COMMANDS, words
        _parser().parse_args(words)


@pytest.mark.parametrize("table", sorted(ROOT.glob("results/lmrl/*.md")), ids=lambda path: path.stem)
def test_the_tables_of_the_guide_to_lmrl_gym_are_the_results(table: Path) -> None:
    assert table.read_text() in (ROOT / "docs" / "lmrl.md").read_text()


def test_the_data_of_the_guide_to_lmrl_gym_can_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from playpen_eval.cli import main

    monkeypatch.chdir(tmp_path)
    found = [words for words in commands("docs/lmrl.md") if words[0] == "data"]
    assert len(found) >= 5
    for words in found:
        place = words.index("-n") + 1 if "-n" in words else None
        if place:
            words[place] = "6"
        assert main(words) == 0, words


@pytest.mark.parametrize(("after", "name"), [("sft", "SFT"), ("dpo", "DPO")])
def test_the_example_of_compare_is_true(shared: Path, after: str, name: str) -> None:
    from playpen_eval.compare import compare
    from playpen_eval.compare.tables import effects_grid

    text = (ROOT / "docs" / "compare.md").read_text()
    table = re.search(rf"<!-- base to {name}: a test compares this -->\n.*\n.*\n((?:\|.*\n)+)", text)
    assert table, "docs/compare.md lost its example"
    shown = [tuple(cell.strip() for cell in row.strip("|").split("|")) for row in table[1].splitlines()]
    folder = shared / "recordings"
    grid = effects_grid(compare(folder / "llama3-8b-base.tar.gz", folder / f"llama3-8b-{after}.tar.gz"))
    rows = {row[0]: (*row[:6], row[8]) for row in grid.rows if row}
    assert shown == [rows[row[0]] for row in shown]
