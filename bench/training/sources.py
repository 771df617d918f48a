"""The archives that the training data comes from: sources.json, and how an entry is fetched, checked or added.

    python -m bench.training.sources --cache DIR debian:NAME … deb:NAME … npm:NAME … pypi:NAME …

adds the newest version of each package to sources.json, with its archive's sha256 and the licences that the package
itself states; one that `bench/exclude.py` knows, by its own name or one in its home pages' addresses, is refused.
Registries are asked through their own clients as they are set up on the machine: apt-get, npm and pip. `debian` is a
source package, `deb` a binary one, which for many languages holds the sources too. From PyPI come wheels, for pip runs
an sdist's build only to download it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.exclude import excluded

LIST = Path(__file__).with_name("sources.json")
_TAR = re.compile(r"\.tar\.(?:gz|xz|bz2)$|\.tgz$")


class Unusable(Exception):
    """A package that cannot or must not be used, and why."""


@dataclass(frozen=True, slots=True)
class Source:
    """An archive of one package."""

    registry: str  # debian, deb, npm or pypi
    name: str
    version: str
    file: str
    sha256: str
    licence: str

    @property
    def key(self) -> str:
        return f"{self.registry}:{self.name}"


def read_list() -> list[Source]:
    """Read sources.json."""
    return [Source(**entry) for entry in json.loads(LIST.read_text("utf-8"))] if LIST.exists() else []


def write_list(sources: list[Source]) -> None:
    """Write sources.json, sorted, an entry a line."""
    lines = [json.dumps(asdict(source), ensure_ascii=False) for source in sorted(sources, key=lambda s: s.key)]
    LIST.write_text("[\n " + ",\n ".join(lines) + "\n]\n", "utf-8")


def fetch(source: Source, cache: Path) -> Path:
    """Return a source's archive, downloaded where it is missing, its hash checked."""
    if excluded(source.name):
        raise Unusable(f"{source.key} may not be used")
    path = cache / source.registry / source.file
    if not path.exists():
        path = download(source.registry, source.name, source.version, cache)
    if path.name != source.file or sha256(path) != source.sha256:
        raise Unusable(f"{source.key} {source.version}: {path.name} is not the file that sources.json names")
    return path


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def download(registry: str, name: str, version: str, cache: Path) -> Path:
    """Download a package's archive into `cache` by its registry's client; the newest where no version is given."""
    folder = cache / registry
    folder.mkdir(parents=True, exist_ok=True)
    return {"debian": _debian, "deb": _deb, "npm": _npm, "pypi": _pypi}[registry](name, version, folder)


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    if done.returncode:
        raise Unusable(f"{' '.join(command[:2])}: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout


def _npm(name: str, version: str, folder: Path) -> Path:
    out = _run(["npm", "pack", "--json", "--silent", f"{name}@{version or 'latest'}"], folder)
    return folder / str(json.loads(out)[0]["filename"])


def _pypi(name: str, version: str, folder: Path) -> Path:
    target = folder / f"{name}-{version or 'latest'}"
    platforms = [f"--platform={tag}" for tag in ("manylinux_2_17_x86_64", "manylinux2014_x86_64", "any")]
    what = f"{name}=={version}" if version else name
    base = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    _run([*base, "--python-version=3.11", *platforms, f"--dest={target}", what], folder)
    wheel = next(target.glob("*.whl"))
    wheel = wheel.rename(folder / wheel.name)
    target.rmdir()
    return wheel


def _deb(name: str, version: str, folder: Path) -> Path:
    _run(["apt-get", "-oAPT::Sandbox::User=root", "download", f"{name}={version}" if version else name], folder)
    escaped = version.replace(":", "%3a")
    return max(folder.glob(f"{name}_{escaped}*.deb"), key=lambda path: path.stat().st_mtime)


def _debian(name: str, version: str, folder: Path) -> Path:
    # A security update changes Debian's revision, which is after the last dash, and leaves upstream's archive alone.
    upstream = version.partition(":")[2] or version
    _run(["apt-get", *_apt_options(folder), "source", "--download-only", "--only-source", name], folder)
    wanted = f"{name}_{upstream.rpartition('-')[0] or upstream}" if version else f"{name}_"
    found = [
        path
        for path in sorted(folder.glob(f"{name}_*"), key=lambda path: path.stat().st_mtime)
        if path.name.startswith(wanted) and _TAR.search(path.name) and ".debian.tar" not in path.name
    ]
    main = [path for path in found if re.search(r"\.orig\.tar\.\w+$", path.name)] or found
    if not main:
        raise Unusable(f"{name} {version} is no longer carried")
    return main[-1]


def prepare(cache: Path) -> None:
    """Let apt read source packages from where it has its binary ones, with lists of its own in `cache`."""
    folder = cache / "debian"
    entries = folder / "apt.list"
    if entries.exists():
        return
    (folder / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    form = "deb-src $(REPO_URI) $(CODENAME) $(COMPONENT)"
    # No security suite: an update there takes its predecessor away.
    known = _run(["apt-get", "indextargets", "--format", form, "Created-By: Packages", "Label: Debian"], folder)
    entries.write_text("".join(f"{line}\n" for line in sorted(set(known.splitlines()))))
    _run(["apt-get", *_apt_options(folder), "update"], folder)


def _apt_options(folder: Path) -> list[str]:
    return [
        "-oAPT::Sandbox::User=root", f"-oDir::Etc::sourcelist={folder / 'apt.list'}", "-oDir::Etc::sourceparts=-",
        f"-oDir::State::lists={folder / 'lists'}", "-oDir::Cache::pkgcache=", "-oDir::Cache::srcpkgcache=",
    ]  # fmt: skip


def lock(registry: str, name: str, cache: Path) -> Source:
    """Download the newest version of a package and return what sources.json says of it."""
    if excluded(name):
        raise Unusable(f"{name} may not be used")
    path = download(registry, name, "", cache)
    about = {"debian": _about_debian, "deb": _about_deb, "npm": _about_npm, "pypi": _about_pypi}
    version, licence, home = about[registry](name, path)
    if excluded(re.sub(r"\w+://[^/\s]*", "", home)):
        raise Unusable(f"{name} may not be used, for its home is {home}")
    if not licence:
        raise Unusable(f"{name} states no licence")
    return Source(registry, name, version, path.name, sha256(path), licence)


def _about_npm(name: str, path: Path) -> tuple[str, str, str]:
    with tarfile.open(path) as archive:
        member = min(
            (m for m in archive if m.name.count("/") == 1 and m.name.endswith("/package.json")), key=lambda m: m.name
        )
        file = archive.extractfile(member)
        facts = json.load(file) if file else {}
    repository = facts.get("repository") or ""
    url = repository.get("url", "") if isinstance(repository, dict) else repository
    licence = facts.get("license") or facts.get("licenses") or ""
    names = [entry["type"] if isinstance(entry, dict) else entry for entry in _as_list(licence)]
    return facts["version"], " OR ".join(names), f"{url} {name}"


def _as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _about_pypi(_name: str, path: Path) -> tuple[str, str, str]:
    with zipfile.ZipFile(path) as wheel:
        inner = next(n for n in wheel.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", n))
        text = wheel.read(inner).decode("utf-8", "replace").partition("\n\n")[0]
    fields = re.findall(r"^([\w-]+): (.*)$", text, re.MULTILINE)
    first = dict(reversed(fields))
    classifiers = [value.split(" :: ")[-1] for key, value in fields if value.startswith("License :: ")]
    stated = first.get("License-Expression") or " OR ".join(classifiers) or first.get("License", "")
    homes = [value for key, value in fields if key in {"Home-page", "Project-URL"}]
    return first["Version"], stated[:80], " ".join(homes)


def _about_debian(name: str, path: Path) -> tuple[str, str, str]:
    upstream = re.sub(r"(?:\.orig)?\.tar\.\w+$", "", path.name).partition("_")[2]
    descriptions = path.parent.glob(f"{name}_{upstream}*.dsc")
    description = max(descriptions, key=lambda file: file.stat().st_mtime).read_text("utf-8")
    fields = dict(re.findall(r"^(\w[\w-]*): (.*)$", description, re.MULTILINE))
    packaging = sorted(path.parent.glob(f"{name}_{upstream}*.debian.tar.*")) or [path]
    return fields["Version"], _debian_licences(packaging[-1]), fields.get("Homepage", "")


def _about_deb(name: str, path: Path) -> tuple[str, str, str]:
    fields = dict(
        re.findall(r"^(\w[\w-]*): (.*)$", _run(["dpkg-deb", "--field", str(path)], path.parent), re.MULTILINE)
    )
    return fields["Version"], _debian_licences(path), f"{fields.get('Source', name)} {fields.get('Homepage', '')}"


def _debian_licences(path: Path) -> str:
    """Return the licences that Debian's copyright file gives to upstream's files, in its order."""
    for name, data in members(path, re.compile(r"(?:^|/)debian/copyright$|usr/share/doc/[^/]+/copyright$")):
        text = data.decode("utf-8", "replace")
        stanzas = [s for s in re.split(r"\n\s*\n", text) if s.startswith("Files:") and "Files: debian/" not in s]
        whole = [m[1].strip() for s in stanzas if (m := re.search(r"^License:(.*)$", s, re.MULTILINE)) and m[1].strip()]
        if whole:
            return "; ".join(dict.fromkeys(whole[:4]))
        common = sorted(set(re.findall(r"common-licenses/([\w.-]*\w)", text)))
        known = [k for k in ("MIT", "BSD", "Apache", "public domain") if k.lower() in text.lower()]
        del name
        return "; ".join((common or known)[:4])
    return ""


def members(path: Path, wanted: re.Pattern[str]) -> Iterator[tuple[str, bytes]]:
    """Read the files of an archive whose names match, in the archive's order."""
    if zipfile.is_zipfile(path) and path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            for info in wheel.infolist():
                if wanted.search(info.filename):
                    yield info.filename, wheel.read(info)
        return
    if path.suffix == ".deb":
        command = ["dpkg-deb", "--fsys-tarfile", path]
        # it complains where the rest is not read
        with (
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process,
            tarfile.open(fileobj=process.stdout, mode="r|") as archive,
        ):
            yield from _of_tar(archive, wanted)
        return
    with tarfile.open(path) as archive:
        yield from _of_tar(archive, wanted)


def _of_tar(archive: tarfile.TarFile, wanted: re.Pattern[str]) -> Iterator[tuple[str, bytes]]:
    for member in archive:
        if member.isfile() and wanted.search(member.name) and (file := archive.extractfile(member)):
            yield member.name, file.read()


def main() -> None:
    """Add packages to sources.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True, help="folder that keeps what was downloaded")
    parser.add_argument("packages", nargs="+")
    args = parser.parse_args()
    known = {source.key: source for source in read_list()}
    wanted = [key for key in dict.fromkeys(args.packages) if key not in known]
    prepare(args.cache.resolve())
    with ThreadPoolExecutor(4) as threads:  # they wait for the registries
        jobs = {threads.submit(lock, *key.split(":", 1), args.cache.resolve()): key for key in wanted}
        for job in as_completed(jobs):
            try:
                known[jobs[job]] = job.result()
            except (Unusable, KeyError, StopIteration, ValueError, OSError, tarfile.TarError) as error:
                print(f"{jobs[job]}: {type(error).__name__}: {error}", file=sys.stderr)
                continue
            write_list(list(known.values()))


if __name__ == "__main__":
    main()
