"""The scan and its gate: what enters the index, and why the rest does not."""

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memcache_lsp.config import ProjectSettings, UserSettings
from memcache_lsp.documents import read_document
from memcache_lsp.errors import Stopped, UserError
from memcache_lsp.scan import Scanner, gitfiles, outermost, with_folders


@pytest.fixture(autouse=True)
def user_home(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("user")
    monkeypatch.setenv("HOME", str(folder))
    for name in ("XDG_CONFIG_HOME", "GIT_DIR", "GIT_CONFIG_GLOBAL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return folder


def git(folder, *arguments):
    identity = ["-c", "user.name=x", "-c", "user.email=x@localhost", "-c", "protocol.file.allow=always"]
    done = subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)
    return done.stdout


def git_files(folder):
    listed = git(folder, "ls-files", "-z", "-c", "-o", "--exclude-standard").split(b"\0")
    return sorted({name.decode() for name in listed if name and not name.endswith(b"/")})


def write(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def found(root, **arguments):
    scanner = Scanner(root, **arguments)
    result = scanner.scan()
    paths = [each.path for each in result.found]
    assert paths == sorted(paths)
    for path in paths:
        assert scanner.should_index(path) is None, path
    for each in result.skipped:
        each.path.encode()
        verdict = scanner.should_index(each.path)
        assert verdict, each
        if not (root / each.path).is_dir():
            assert verdict == each or "\\" in each.path
    return paths


def reasons(root, **arguments):
    return {each.path: each.reason for each in Scanner(root, **arguments).scan().skipped}


NAMES = st.sampled_from(["a", "b", "c", "d.x", "e.y", "build"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
LINES = st.sampled_from(
    [
        "a",
        "b/",
        "/c",
        "*.x",
        "!*.x",
        "build",
        "!build",
        "a/b",
        "/a/*",
        "!/a/b",
        "**/c",
        "c/**",
        "!a",
        "*",
        "!*/",
        "d*",
        "!d.x",
        "/*",
        "b/*.y",
    ]
)
IGNORES = st.dictionaries(
    st.sampled_from(["", "a/", "b/", "a/b/", "build/", "c/a/"]), st.lists(LINES, min_size=1, max_size=4), max_size=4
)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    paths=st.lists(PATHS, min_size=1, max_size=14),
    ignores=IGNORES,
    tracked=st.lists(PATHS, max_size=3),
    version=st.sampled_from("234"),
)
def test_it_finds_what_git_finds(tmp_path_factory, paths, ignores, tracked, version):
    root = tmp_path_factory.mktemp("tree")
    git(root, "init", "-q")
    for path in [*paths, *tracked]:
        target = root / path
        if not any(each.is_file() for each in (target, *target.parents)) and not target.is_dir():
            write(root, {path: "x"})
    there = [path for path in tracked if (root / path).is_file()]
    if there:
        git(root, "add", "-f", "--", *there)
        git(root, "update-index", "--index-version", version)
    for folder, lines in ignores.items():
        if (root / folder).is_dir():
            (root / folder / ".gitignore").write_text("\n".join(lines))
    assert found(root) == git_files(root)
    shutil.rmtree(root)


def test_what_the_user_and_the_repository_exclude(tmp_path, user_home):
    git(tmp_path, "init", "-q")
    write(tmp_path, {"a.py": "", "b.tmp": "", "c.bak": "", "sub/d.tmp": ""})
    (tmp_path / ".git/info/exclude").write_text("*.bak\n")
    write(user_home, {".config/git/ignore": "*.tmp\n"})
    assert found(tmp_path) == git_files(tmp_path) == ["a.py"]
    write(
        user_home,
        {".gitconfig": '[user]\n\texcludesfile = /x\n[core]\n\texcludesFile = "~/mine" ; a comment\n', "mine": "a.*\n"},
    )
    assert found(tmp_path) == git_files(tmp_path) == ["b.tmp", "sub/d.tmp"]


def test_a_linked_worktree_has_the_excludes_of_its_repository(tmp_path):
    main, linked = tmp_path / "main", tmp_path / "linked"
    git(tmp_path, "init", "-q", "main")
    write(main, {"a.py": ""})
    git(main, "add", "a.py")
    git(main, "commit", "-qm", "x")
    git(main, "worktree", "add", "-q", str(linked))
    (main / ".git/info/exclude").write_text("*.bak\n")
    write(linked, {"b.bak": "", ".gitignore": "a.py\n"})
    assert found(linked) == git_files(linked) == [".gitignore", "a.py"]


def test_what_a_project_links_to_from_its_git_folder_is_not_read(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    git(tmp_path, "init", "-q", "root")
    git(tmp_path, "init", "-q", "outside")
    write(root, {"a.py": "", "b.bak": "", ".gitignore": "b.bak\n"})
    write(outside, {"exclude": "*.py\n", "b.bak": ""})
    git(outside, "add", "-f", "b.bak")
    (root / ".git/index").symlink_to(outside / ".git/index")
    shutil.rmtree(root / ".git/info")
    (root / ".git/info").symlink_to(outside)
    assert found(root) == [".gitignore", "a.py"]
    (root / ".git/info").unlink()
    (root / ".git/info").mkdir()
    (root / ".git/info/exclude").symlink_to(outside / "exclude")
    assert found(root) == [".gitignore", "a.py"]
    (root / ".git/info/exclude").unlink()
    (root / ".git/commondir").write_text(str(outside))
    (outside / "info").mkdir()
    (outside / "info/exclude").write_text("*.py\n")
    assert found(root) == [".gitignore", "a.py"]


@pytest.mark.parametrize("kind", ["repository", "worktree", "own folder", "a NUL"])
def test_a_git_file_that_leads_to_somebody_elses_repository_is_not_followed(tmp_path, kind):
    root, other = tmp_path / "root", tmp_path / "other"
    git(tmp_path, "init", "-q", "other")
    write(other, {"a.py": ""})
    git(other, "add", ".")
    git(other, "commit", "-qm", "x")
    git(other, "worktree", "add", "-q", str(tmp_path / "linked"))
    write(root, {"a.py": "", "b.bak": "", ".gitignore": "a.py\n"})
    (other / ".git/info/exclude").write_text("*.bak\n")
    pointer = other / ".git"
    if kind == "worktree":
        pointer = other / ".git/worktrees/linked"
    elif kind == "own folder":  # leads back, but its commondir does not belong to it
        pointer = root / "fake/worktrees/x"
        fake = {"HEAD": "", "gitdir": f"{root}/.git\n", "commondir": f"{other}/.git\n"}
        write(root, {f"fake/worktrees/x/{name}": text for name, text in fake.items()})
        (root / ".ignore").write_text("fake/\n.ignore\n")
    (root / ".git").write_text(f"gitdir: {pointer}" + ("\0" if kind == "a NUL" else "") + "\n")
    assert found(root) == [".gitignore", "b.bak"]


def test_a_submodule_has_its_own_index_and_excludes(tmp_path):
    git(tmp_path, "init", "-q", "library")
    write(tmp_path / "library", {"a.log": "", "b.py": ""})
    git(tmp_path / "library", "add", ".")
    git(tmp_path / "library", "commit", "-qm", "x")
    git(tmp_path, "init", "-q", "top")
    git(tmp_path / "top", "submodule", "add", "-q", str(tmp_path / "library"), "sub")
    write(tmp_path / "top/sub", {".gitignore": "*.log\n", "c.log": "", "d.bak": ""})
    (tmp_path / "top/.git/modules/sub/info").mkdir(exist_ok=True)
    (tmp_path / "top/.git/modules/sub/info/exclude").write_text("*.bak\n")
    assert found(tmp_path / "top") == [".gitmodules", "sub/.gitignore", "sub/a.log", "sub/b.py"]


def test_patterns_of_files_outside_the_root_are_not_shown(tmp_path, user_home):
    main, linked = tmp_path / "main", tmp_path / "linked"
    git(tmp_path, "init", "-q", "main")
    write(main, {"deep/a.txt": "", ".gitignore": "*.up\n", "deep/x.up": "", "deep/x.here": ""})
    write(main, {"deep/.gitignore": "*.here\n"})
    git(main, "add", ".")
    git(main, "commit", "-qm", "x")
    git(main, "worktree", "add", "-q", str(linked))
    (main / ".git/info/exclude").write_text("*.own\n")
    write(user_home, {".config/git/ignore": "*.tmp\n"})
    write(linked, {"y.own": "", "y.tmp": "", "y.up": ""})
    assert reasons(linked) == {
        "y.own": "ignored: .git/info/exclude line 1",
        "y.tmp": "ignored: the global git ignore file line 1",
        "y.up": "ignored: .gitignore line 1, *.up",
        ".git": "version control: its own files are not the project's",
    }
    write(main, {"deep/x.own": ""})
    told = reasons(main / "deep")
    assert told["x.up"] == "ignored: .gitignore line 1"
    assert told["x.own"] == "ignored: .git/info/exclude line 1"
    assert told["x.here"] == "ignored: deep/.gitignore line 1, *.here"


def test_a_file_without_a_size_is_read_to_the_limit_only():
    assert os.stat("/proc/self/maps").st_size == 0
    assert gitfiles.read_small("/proc/self/maps", limit_bytes=100) is None
    assert gitfiles.read_small("/proc/self/comm", limit_bytes=100)


def test_repositories_inside_stand_for_themselves(tmp_path):
    git(tmp_path, "init", "-q")
    write(
        tmp_path,
        {".gitignore": "*.x\nhidden/\n", "inner/a.x": "", "inner/b.y": "", "inner/.gitignore": "*.y", "hidden/c": ""},
    )
    git(tmp_path / "inner", "init", "-q")
    git(tmp_path / "hidden", "init", "-q")
    assert found(tmp_path) == [".gitignore", "inner/.gitignore", "inner/a.x"]


def test_a_submodule_is_indexed_though_a_rule_would_ignore_it(tmp_path):
    top, library = tmp_path / "top", tmp_path / "library"
    for folder in (top, library):
        folder.mkdir()
        git(folder, "init", "-q")
    write(library, {"a.py": ""})
    git(library, "add", ".")
    git(library, "commit", "-qm", "x")
    git(top, "submodule", "add", "-q", str(library), "vendor/library")
    write(top, {".gitignore": "vendor/\n", "vendor/other": ""})
    assert found(top) == [".gitignore", ".gitmodules", "vendor/library/a.py"]


def test_a_root_below_the_top_obeys_what_lies_above(tmp_path):
    git(tmp_path, "init", "-q")
    write(
        tmp_path,
        {
            ".gitignore": "*.x\n/sub/deep/b\n/b\n",
            "sub/deep/a.x": "",
            "sub/deep/b": "",
            "sub/deep/c": "",
            "sub/.memcacheignore": "d\n",
            "sub/deep/d": "",
        },
    )
    assert found(tmp_path / "sub/deep") == ["c"]


def test_an_ignored_root_is_indexed_as_if_nothing_lay_above(tmp_path):
    git(tmp_path, "init", "-q")
    write(
        tmp_path,
        {
            ".gitignore": "out/\n*.x\n",
            "out/lib/a.x": "",
            "out/lib/b": "",
            "out/lib/.gitignore": "b\n",
            "out/lib/c/d": "",
        },
    )
    assert found(tmp_path / "out/lib") == [".gitignore", "a.x", "c/d"]


def test_ignore_files_of_our_own_go_before_those_of_git(tmp_path):
    write(
        tmp_path,
        {
            ".gitignore": "built/\n*.log\n",
            ".ignore": "docs/\n!a.log\n",
            ".memcacheignore": "!built/\n!docs/\nsecret.md\n",
            **dict.fromkeys(["built/x", "docs/y", "docs/secret.md", "a.log", "b.log"], ""),
        },
    )
    assert found(tmp_path) == [".gitignore", ".ignore", ".memcacheignore", "a.log", "built/x", "docs/y"]
    assert reasons(tmp_path)["docs/secret.md"] == "ignored: .memcacheignore line 3, secret.md"


def test_tracked_files_stay_out_when_our_own_rules_say_so(tmp_path):
    git(tmp_path, "init", "-q")
    write(tmp_path, {"a": "", "b": "", "old/c": "", "old/d": ""})
    git(tmp_path, "add", "a", "b", "old/c")
    write(tmp_path, {".gitignore": "a\nold/\n", ".ignore": "b\n"})
    assert found(tmp_path) == [".gitignore", ".ignore", "a", "old/c"]


def test_settings_of_the_project_confine_and_exclude(tmp_path):
    write(tmp_path, dict.fromkeys(["src/a.py", "src/b.txt", "docs/c.md", "docs/d.txt", "e.md", "src/gen/f.py"], ""))
    project = ProjectSettings(include=("src/", "*.md"), exclude=("src/gen/", "e.*"))
    assert found(tmp_path, project=project) == ["docs/c.md", "src/a.py", "src/b.txt"]
    told = reasons(tmp_path, project=project)
    assert told["docs/d.txt"] == "not included: no include of memcache.toml matches it"
    assert told["e.md"] == "ignored: memcache.toml, exclude line 2, e.*"


SAVED = "saved page: a browser keeps here what the page beside it is shown with"


@pytest.mark.parametrize(
    ("page", "folder", "is_of_page"),
    [
        ("A page.html", "A page_files", True),
        ("A page.htm", "A page_files", True),
        ("Seite.html", "Seite-Dateien", True),
        ("Été.html", "Été_fichiers", True),
        ("page.xhtml", "page.files", True),
        ("page.html", "page-data", False),  # what else begins like a page
        ("git.html", "git-doc", False),
        ("page.html", "other_files", False),
        ("page.md", "page_files", False),
        ("_files.html", "_files", False),
    ],
)
def test_what_belongs_to_a_saved_page_is_left_out(tmp_path, page, folder, is_of_page):
    files = [f"{folder}/menu.js", f"{folder}/frame.html", f"{folder}/deep/a.css"]
    write(tmp_path, dict.fromkeys([page, *files], ""))
    assert found(tmp_path) == ([page] if is_of_page else sorted([page, *files]))
    if is_of_page:
        assert reasons(tmp_path) == {folder: SAVED}
        assert {Scanner(tmp_path).should_index(file).reason for file in files} == {SAVED}


def test_a_saved_page_that_git_or_the_user_wants_is_whole(tmp_path):
    pages = ["a/a.html", "a/a_files/x.js", "b/b.html", "b/b_files/x.js", "b/b_files/y.js"]
    write(tmp_path, {**dict.fromkeys(pages, ""), ".memcacheignore": "!a_files/\n"})
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "b/b_files/x.js")
    assert found(tmp_path) == [".memcacheignore", *pages[:-1]]


def test_the_gate_sees_a_page_come_and_go(tmp_path):
    write(tmp_path, {"a_files/x.js": ""})
    scanner = Scanner(tmp_path)
    assert scanner.should_index("a_files/x.js") is None
    for change in ("comes", "goes"):
        page = tmp_path / "a.html"
        page.touch() if change == "comes" else page.unlink()
        refused = page.exists()
        assert (scanner.should_index("a_files/x.js") is not None) is refused
        assert list(with_folders(tmp_path, ["a.html", "c.html"])) == ["a.html", "a_files", "c.html"]
        assert [each.path for each in scanner.look(outermost(["a_files"])).found] == (
            [] if refused else ["a_files/x.js"]
        )


@pytest.mark.parametrize(
    ("name", "category"),
    [
        *(
            (name, "secret")
            for name in (
                ".env",
                ".env.local",
                "prod.env",
                "id_rsa",
                "server.pem",
                "my.key",
                ".key",
                ".netrc",
                "credentials.json",
                "x.tfvars",
                "secrets.yml",
            )
        ),
        *(
            (name, "lock file")
            for name in (
                "package-lock.json",
                "Cargo.lock",
                "go.sum",
                "uv.lock",
                "poetry.lock",
                "yarn.lock",
                "pylock.dev.toml",
            )
        ),
        *(
            (name, "generated")
            for name in (
                "api.pb.go",
                "api_pb2.py",
                "api_pb2_grpc.py",
                "app.js.map",
                "zz_generated.deepcopy.go",
                "user.g.dart",
            )
        ),
        *((name, "copy") for name in ("#server.py#", ".#server.py", "server.py~", "server.py.~2~")),
        *((name, "minified") for name in ("jquery.min.js", "site-min.css")),
        *((name, "binary") for name in ("a.PNG", "b.so", "c.tar.gz", "d.pyc", "e.sqlite3", "f.gguf")),
        *(
            (name, "")
            for name in (
                "c#.md",
                "#1.md",
                ".env.example",
                ".env.sample",
                ".env.template",
                "id_rsa.pub",
                "env.py",
                "secrets.py",
                "key.go",
                "credentials.py",
                "tokens.md",
                "map.js",
                "env",
                "key",
                "bin",
                "Makefile",
            )
        ),
    ],
)
def test_names_that_tell(tmp_path, name, category):
    write(tmp_path, {name: "x"})
    assert reasons(tmp_path).get(name, "").partition(":")[0] == category
    assert found(tmp_path) == ([] if category else [name])


def test_size_limits(tmp_path):
    write(tmp_path, {"small": "x" * 10, "large": "x" * 11, "huge": "x" * 5000})
    assert found(tmp_path, user=UserSettings(max_file_size_bytes=11)) == ["large", "small"]
    assert found(
        tmp_path, user=UserSettings(max_file_size_bytes=11), project=ProjectSettings(max_file_size_bytes=10)
    ) == ["small"]
    assert reasons(tmp_path, user=UserSettings(max_file_size_bytes=4096)) == {
        "huge": "too large: 5,000 bytes, the limit is 4,096"
    }


def test_a_hostile_tree_does_no_harm(tmp_path, monkeypatch):
    write(tmp_path, {"good.py": "", "locked/inside.py": "", "loop/a.py": ""})
    (tmp_path / "loop/again").symlink_to(tmp_path)
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "out.py").symlink_to("/etc/passwd")
    (tmp_path / "self").symlink_to("self")
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "loop/.gitignore")  # an ignore file that would be waited for
    (tmp_path / ".ignore").symlink_to("/dev/zero")
    monkeypatch.chdir(tmp_path)  # the path of a socket may not be long
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.py")).write_text("")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/dir\xfe")).mkdir()
    (tmp_path / "line\nbreak\x1b[31m.py").write_text("")
    real = os.scandir

    def refuse(path):
        if os.fsencode(path).rstrip(b"/").endswith(b"locked"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert found(tmp_path) == ["good.py", "loop/a.py"]
    told = reasons(tmp_path)
    link = "link: symbolic links are not followed"
    name = "name: it is not UTF-8 or has control characters"
    assert told == {
        ".ignore": link,
        "bad\\xff.py": name,
        "dangling": link,
        "dir\\xfe": name,
        "line\\nbreak\\x1b[31m.py": name,
        "locked": "unreadable: permission denied",
        "loop/.gitignore": "special file: a pipe is not opened",
        "loop/again": link,
        "out.py": link,
        "pipe": "special file: a pipe is not opened",
        "self": link,
        "socket": "special file: a socket is not opened",
    }


@pytest.fixture
def deep_root(tmp_path):
    """Return a folder that is removed by rm, for what pytest cleans up with goes no deeper than Python's stack."""
    root = tmp_path / "deep"
    root.mkdir()
    yield root
    subprocess.run(["rm", "-rf", str(root)], check=True)


def test_a_thousand_folders_deep(deep_root):
    deep = ""
    for _ in range(1000):
        deep += "d/"
        os.mkdir(f"{deep_root}/{deep}")
    with open(f"{deep_root}/{deep}end.py", "w") as stream:
        stream.write("x = 1\n")
    assert found(deep_root) == [f"{deep}end.py"]
    loaded = read_document(deep_root, Scanner(deep_root).scan().found[0])
    assert loaded.document.text == "x = 1\n"


def test_deeper_than_a_path_can_be(deep_root):
    write(deep_root, {"good.py": ""})
    handle = os.open(deep_root, os.O_RDONLY)
    for _ in range(30):
        os.mkdir("n" * 200, dir_fd=handle)
        below = os.open("n" * 200, os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = below
    os.close(handle)
    result = Scanner(deep_root).scan()
    assert [each.path for each in result.found] == ["good.py"]
    assert [each.reason for each in result.skipped] == ["unreadable: file name too long"]


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a/../b", "a//b", "./a", "a\0b", "\ud800"])
def test_the_gate_keeps_out_what_is_no_path_below_the_root(tmp_path, path):
    skipped = Scanner(tmp_path).should_index(path)
    assert skipped.reason == "outside: not a path below the root"
    skipped.path.encode()


def test_the_gate_sees_changes(tmp_path):
    git(tmp_path, "init", "-q")
    write(tmp_path, {"a/b/c.py": "", ".gitignore": ""})
    scanner = Scanner(tmp_path)
    assert scanner.should_index("a/b/c.py") is None
    (tmp_path / "a/.gitignore").write_text("b/\n")
    assert scanner.should_index("a/b/c.py").reason == "ignored: a/.gitignore line 1, b/"
    git(tmp_path, "add", "-f", "a/b/c.py")
    assert scanner.should_index("a/b/c.py") is None
    git(tmp_path, "rm", "-q", "--cached", "a/b/c.py")
    assert scanner.should_index("a/b/c.py") is not None
    (tmp_path / "a/.gitignore").unlink()
    assert scanner.should_index("a/b/c.py") is None
    (tmp_path / ".git/info/exclude").write_text("*.py\n")
    assert scanner.should_index("a/b/c.py").reason == "ignored: .git/info/exclude line 1, *.py"


def test_the_gate_and_what_is_not_there(tmp_path):
    write(tmp_path, {"a/x.py": "", ".gitignore": "*.log\n"})
    (tmp_path / "link").symlink_to("a")
    scanner = Scanner(tmp_path)
    assert scanner.should_index("a/new.py").reason == "missing: there is no such file"
    assert scanner.should_index("a/new.py", must_exist=False) is None
    assert scanner.should_index("a/new.log", must_exist=False).reason == "ignored: .gitignore line 1, *.log"
    assert scanner.should_index("a/.env", must_exist=False) is not None
    assert scanner.should_index("link/x.py").reason == "link: symbolic links are not followed"
    assert scanner.should_index("a/x.py/y").reason == "missing: there is no such file"
    assert scanner.should_index("a").reason == "folder: only files are indexed"


def test_stopping_and_progress(tmp_path):
    write(tmp_path, {f"d{n}/f": "" for n in range(5)})
    told = []
    Scanner(tmp_path).scan(on_progress=told.append)
    assert told[-1] == 5
    with pytest.raises(Stopped):
        Scanner(tmp_path).scan(cancelled=lambda: True)
    with pytest.raises(UserError, match=r"more than 3 files.*--root"):
        Scanner(tmp_path).scan(max_files=3)


def test_a_root_that_is_gone_is_no_empty_project(tmp_path):
    scanner = Scanner(tmp_path / "gone")
    with pytest.raises(UserError, match="cannot be read"):
        scanner.scan()


def test_a_broken_git_index_counts_as_none(tmp_path):
    git(tmp_path, "init", "-q")
    write(tmp_path, {"a": "", "b": ""})
    git(tmp_path, "add", "a")
    write(tmp_path, {".gitignore": "a\n"})
    index = tmp_path / ".git/index"
    whole = index.read_bytes()
    assert found(tmp_path) == [".gitignore", "a", "b"]
    for broken in (b"", whole[:40], b"DIRC" + whole[8:], whole[:8] + b"\xff" * 4 + whole[12:], os.urandom(200)):
        index.write_bytes(broken)
        assert found(tmp_path) == [".gitignore", "b"]


def test_no_program_is_run(tmp_path, monkeypatch):
    git(tmp_path, "init", "-q")
    write(tmp_path, {"a": ""})

    def refuse(*_arguments, **_options):
        pytest.fail("the scan started a program")

    for module, name in ((subprocess, "Popen"), (os, "system"), (os, "fork"), (os, "posix_spawn"), (os, "execve")):
        monkeypatch.setattr(module, name, refuse)
    assert found(tmp_path) == ["a"]
