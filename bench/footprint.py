"""Report what the base install takes on disk, by part: in a virtual environment of its own, made and deleted here.

python bench/footprint.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

LIMIT_MB = 400


def size_mb(path: Path) -> float:
    """Return what a file or folder takes on disk."""
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    return sum(p.stat().st_blocks * 512 for p in files) / 1e6


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        subprocess.run([sys.executable, "-m", "venv", name], check=True)
        pip = [Path(name) / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check"]
        before = size_mb(Path(name))
        subprocess.run([*pip, "install", str(Path(__file__).resolve().parent.parent)], check=True)
        total = size_mb(Path(name)) - before
        packages = next((Path(name) / "lib").glob("python*/site-packages"))
        parts = sorted(((size_mb(p), p.name) for p in packages.iterdir()), reverse=True)
    print("| part | MB |\n|---|---|")
    for part_mb, part in parts:
        if part_mb >= 2 and part not in {"pip", "setuptools"}:
            print(f"| {part} | {part_mb:.0f} |")
    print(f"| **all** | **{total:.0f}** |")
    return 0 if total < LIMIT_MB else 1


if __name__ == "__main__":
    sys.exit(main())
