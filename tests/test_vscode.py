"""The VS Code extension: its types and style, its package, and what a user sees of it in a real VS Code.

The tests of the extension itself are TypeScript (`editors/vscode/test`); here they get a home, a model and a project.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import needs
import pytest
from filelock import FileLock

ROOT = Path(__file__).parent.parent
EXTENSION = ROOT / "editors" / "vscode"
VSIX = EXTENSION / "dist" / "memcache-lsp.vsix"
VSCODE = ROOT / ".venv" / "vscode-web" / "node_modules" / "code-server" / "lib" / "vscode" / "out" / "server-main.js"
LARGEST_BYTES = 500_000


def need(what, found):
    """Skip where something is not there, and fail in CI; return it."""
    if not found:
        needs.missing(f"{what} is not there: run the tests by `make test`")
    return str(found)


def node(*arguments, **options):
    """Run node in the extension's folder; what it says is told where it fails."""
    command = [need("Node", shutil.which("node")), *map(str, arguments)]
    done = subprocess.run(command, cwd=EXTENSION, capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{done.stdout[-8000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture
def built():
    """Bring the package and the bundled tests in step with the sources, in one process at a time."""
    need("Node", shutil.which("node") and shutil.which("npm"))
    with FileLock(ROOT / ".venv" / "vscode.lock"):
        done = subprocess.run(["make", "--silent", "vscode"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_types_and_style(built):
    node("node_modules/typescript/bin/tsc", "-p", "src")
    node("node_modules/typescript/bin/tsc", "-p", "webview")
    node("node_modules/typescript/bin/tsc", "-p", "test")
    cache = ("--cache", "--cache-strategy", "content", "--cache-location", "dist/.eslintcache")
    node("node_modules/eslint/bin/eslint.js", "--max-warnings", "0", *cache, ".")


def test_what_needs_no_editor(built):
    node("dist/test/units.mjs")


def test_the_package_is_small_and_holds_no_more_than_it_needs(built):
    assert VSIX.stat().st_size < LARGEST_BYTES
    names = set(zipfile.ZipFile(VSIX).namelist())
    assert {"extension/dist/extension.js", "extension/dist/panel.js", "extension/dist/panel.css"} <= names
    assert {"extension/NOTICE.txt", "extension/LICENSE.txt", "extension/INSTALL.md"} <= names
    assert not [name for name in names if name.endswith((".ts", ".map", ".mjs")) or "node_modules" in name]


def test_the_package_names_what_is_bundled(built):
    notice = zipfile.ZipFile(VSIX).read("extension/NOTICE.txt").decode()
    for name in ("vscode-languageclient", "markdown-it", "highlight.js"):
        assert f"{name} " in notice


def test_versions_are_pinned_and_name_no_registry():
    packages = json.loads((EXTENSION / "package-lock.json").read_text())["packages"]
    assert len(packages) > 100
    assert not [name for name, package in packages.items() if "resolved" in package]
    wanted = json.loads((EXTENSION / "package.json").read_text())["devDependencies"]
    assert all(version[0].isdigit() for version in wanted.values()), wanted


def test_every_command_has_a_handler_and_every_handler_a_command():
    contributed = json.loads((EXTENSION / "package.json").read_text())["contributes"]
    named = {each["command"].removeprefix("memcache.") for each in contributed["commands"]}
    source = (EXTENSION / "src" / "commands.ts").read_text()
    handled = {name for name in named if f'"{name}": ' in source or f"\n    {name}: " in source}
    assert named == handled
    for menu in contributed["menus"].values():
        assert {each["command"].removeprefix("memcache.") for each in menu if "command" in each} <= named


def test_settings_are_described_with_their_defaults():
    settings = json.loads((EXTENSION / "package.json").read_text())["contributes"]["configuration"]["properties"]
    page = (EXTENSION / "README.md").read_text()
    rows = dict(re.findall(r"^\| `(memcache\.[\w.]+)` \|.*\| (.*)\|$", page, re.MULTILINE))
    shown = {True: "on", False: "off"}
    told = {name: shown.get(default := about["default"], str(default)) for name, about in settings.items()}
    assert {name: default.strip() for name, default in rows.items()} == told
    assert all(about.get("description") or about.get("markdownDescription") for about in settings.values())


def test_it_is_started_by_its_use_alone_and_runs_where_the_files_are():
    package = json.loads((EXTENSION / "package.json").read_text())
    assert package["activationEvents"] == []
    assert package["extensionKind"] == ["workspace"]
    trust = package["capabilities"]["untrustedWorkspaces"]
    assert trust["supported"] == "limited"
    assert trust["restrictedConfigurations"] == ["memcache.server.path"]


@pytest.mark.timeout(600)
def test_a_real_workbench(built, smollm2, short_home, example, tmp_path):
    """Ask, stream, stop, follow up, cite, search, lose the daemon, trust nobody, read by keyboard, in one window."""
    browser = need("Chromium", shutil.which("chromium"))
    need("VS Code's server", VSCODE.exists() and VSCODE)
    config = short_home / "config"
    config.mkdir(mode=0o700)
    # Little to read, for what takes the longest here is the model's reading.
    (config / "config.toml").write_text(f"model = {json.dumps(str(smollm2))}\ncontext_tokens = 512\n")
    index = [sys.executable, "-m", "memcache_lsp", "index", "--no-daemon", "--root", example]
    subprocess.run(index, check=True, capture_output=True)
    shutil.rmtree(short_home / "runtime", ignore_errors=True)
    images = Path(os.environ.get("MEMCACHE_SCREENSHOTS", tmp_path / "images"))
    images.mkdir(exist_ok=True)
    setup = {"vscode": VSCODE, "chromium": browser, "vsix": VSIX, "folder": tmp_path, "images": images}
    (tmp_path / "setup.json").write_text(json.dumps(setup, default=str))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    print(node("dist/test/all.mjs", tmp_path / "setup.json", env={**os.environ, "PATH": path}))
