"""The wheel holds everything: it is built, installed elsewhere, and used from another folder."""

import json
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment into which the wheel was installed; dependencies come from the one running."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    tracked = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("not in a git checkout, so it is unknown which files belong to the project")
    for name in filter(lambda name: (ROOT / name).is_file(), tracked.stdout.splitlines()):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    new_game = source / "games" / "newcomer"
    new_game.mkdir()
    example = (ROOT / "CONTRIBUTING.md").read_text().split("```python\n", 1)[1].split("```", 1)[0]
    (new_game / "game.py").write_text(example)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(folder), str(source)]
    subprocess.run(build, check=True, capture_output=True)
    [wheel] = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    [site] = (folder / "venv" / "lib").glob("python*/site-packages")
    # The dependencies of the running environment, after the wheel's own folder and without an editable install of us.
    paths = [path for path in sys.path if path.endswith("site-packages")]
    (site / "dependencies.pth").write_text("\n".join(path for path in paths) + "\n")
    return python


def run(python: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(python), *arguments], capture_output=True, text=True, cwd=cwd, check=False)


def test_games_are_listed_from_another_folder(installed: Path, tmp_path: Path) -> None:
    done = run(installed, "-m", "playpen_eval", "list", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    games = {row["game"]: row for row in json.loads(done.stdout)["games"]}
    assert {"taboo", "wordle", "wordle_withclue", "wordle_withcritic", "higher_lower"} <= games.keys()
    assert games["taboo"]["splits"] == {"train": 150, "validation": 48, "test": 75}


def test_it_is_the_wheel_and_not_the_checkout(installed: Path, tmp_path: Path) -> None:
    code = "import playpen_eval, sys; print(playpen_eval.__file__, *playpen_eval.__path__)"
    done = run(installed, "-c", code, cwd=tmp_path)
    assert str(ROOT) not in done.stdout, done.stdout
    assert str(installed.parent.parent) in done.stdout


def test_games_play_and_tasks_are_found(installed: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "run")
    done = run(installed, "-m", "playpen_eval", "run", "--all", "--model", "scripted", "-o", out, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = run(installed, "-m", "playpen_eval", "tasks-dir", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (Path(done.stdout.strip()) / "playpen_higher_lower.yaml").is_file()


def test_data_for_training_are_made(installed: Path, tmp_path: Path) -> None:
    command = ["data", "make", "--play", "taboo", "--limit", "2", "-o", "taboo.jsonl"]
    done = run(installed, "-m", "playpen_eval", *command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "taboo.jsonl").read_text().count("\n") == 4


def test_published_results_are_there(installed: Path, tmp_path: Path) -> None:
    code = "from playpen_eval.report.against import load_results; print(len(load_results('playpen-paper')))"
    done = run(installed, "-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20


def test_inspect_finds_the_entry_point(installed: Path, tmp_path: Path) -> None:
    command = ["eval", "playpen/wordle", "--model", "playpen-scripted/best", "--limit", "2", "--log-dir", "logs"]
    done = run(installed, "-m", "inspect_ai", *command, "--display", "plain", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "clemscore" in done.stdout
