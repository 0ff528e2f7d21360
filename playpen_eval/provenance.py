"""What has to be known to trust or repeat a number."""

from __future__ import annotations

import contextlib
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from playpen_eval import __version__

_PACKAGES = ("inspect-ai", "lm-eval", "torch", "transformers", "trl", "vllm")


def provenance() -> dict[str, str]:
    """Versions of this package, Python and the packages that touch a result; the git commit in a checkout."""
    found = {"playpen-eval": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    root = Path(__file__).resolve().parent.parent
    if (root / ".git").exists():
        git = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40"]
        # Without git, or before the first commit, there is nothing to record.
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            found["commit"] = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    return found
