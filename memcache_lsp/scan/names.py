"""What a file's name alone says: binaries, lock files, generated and minified files, likely secrets.

Owns the tables of names; touches no file and must not import anything of this package but `languages`. A reason starts with its
category and a colon, so that a summary can count by category.
"""

from __future__ import annotations

import re

from memcache_lsp.languages import is_packed

VCS_FOLDERS = frozenset({".git", ".hg", ".svn", ".jj", ".bzr", "CVS", "_darcs"})

_BINARY_SUFFIXES = frozenset(
    """
    png jpg jpeg jpe gif bmp ico icns webp avif heic heif tif tiff psd xcf ai eps raw cr2 nef
    mp3 mp4 m4a m4v mov avi mkv webm wav flac ogg oga ogv opus aac wma wmv flv mid
    zip gz tgz bz2 tbz xz txz zst lz lz4 lzma 7z rar tar jar war ear whl egg apk aab ipa deb rpm dmg iso img cab crx xpi
    exe dll so dylib a lib o obj ko class pyc pyo pyd elc beam wasm node bin out pdb ilk exp nupkg snupkg
    doc xls xlsx ppt pptx odt ods odp rtfd pages numbers mobi djvu
    ttf otf woff woff2 eot pfb
    sqlite sqlite3 db db3 mdb accdb rdb parquet feather arrow orc avro npy npz pkl pickle joblib h5 hdf5 mat rds rdata
    pt pth ckpt onnx tflite safetensors gguf ggml caffemodel
    glb fbx blend 3ds max swf fla unitypackage uasset
    pcap pcapng snk
    """.split(),
)
_LOCK_FILES = frozenset(
    """
    package-lock.json npm-shrinkwrap.json yarn.lock pnpm-lock.yaml bun.lock bun.lockb deno.lock .package-lock.json
    cargo.lock poetry.lock pipfile.lock pdm.lock uv.lock pixi.lock pylock.toml conda-lock.yml conda-lock.yaml
    go.sum go.work.sum gemfile.lock gems.locked berksfile.lock composer.lock symfony.lock mix.lock rebar.lock
    pubspec.lock podfile.lock package.resolved cartfile.resolved packages.lock.json paket.lock project.assets.json
    flake.lock stack.yaml.lock cabal.project.freeze gradle.lockfile buildscript-gradle.lockfile .terraform.lock.hcl
    chart.lock module.bazel.lock maven_install.json shard.lock spago.lock elm-stuff.lock npm-shrinkwrap.yaml
    """.split(),
)
_MINIFIED = re.compile(r"[.-]min\.(?:js|mjs|cjs|css|html|svg|json)\Z")
_GENERATED = re.compile(
    r"""(?:
      \.(?:js|mjs|cjs|ts|jsx|tsx|css|scss|less|dart)\.map
    | \.pb(?:\.gw|\.validate|\.micro|_grpc)?\.(?:go|cc|h|rb|swift|dart)
    | _pb2(?:_grpc)?\.pyi?
    | _(?:pb|grpc_pb)(?:_service)?\.(?:js|d\.ts|rb|php)
    | \.(?:g|freezed|gr|mocks)\.dart
    | \.(?:designer|g|g\.i|generated)\.(?:cs|vb)
    | (?:^|/)zz_generated[^/]*\.go
    | \.snap
    )\Z""",
    re.VERBOSE,
)
_UNFINISHED_SUFFIXES = frozenset(
    "part partial crdownload opdownload download filepart aria2".split()
)  # of browsers and others
_EDITED = re.compile(r"#.+#|\.#.+|.+~")  # of Emacs, and of whatever keeps backups as it does
_SECRET_SUFFIXES = frozenset(
    "env pem key p8 p12 pfx ppk kdb kdbx jks keystore tfstate tfvars ovpn mobileprovision".split(),
)
_SECRET = re.compile(
    r"""(?:
      \.env(?:rc|[.-].*)?
    | .*\.tfstate\.backup
    | id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?(?:[._-](?!pub$).*)?
    | [._]netrc | \.pgpass | \.my\.cnf | \.htpasswd | \.pypirc | \.dockercfg | \.git-credentials | \.vault[_-]pass(?:word)?(?:\.txt)?
    | \.?credentials(?:\.(?:json|ya?ml|toml|ini|cfg|csv|txt|xml|properties|db))?
    | \.?secrets?\.(?:json|ya?ml|toml|ini|cfg|txt|xml|properties)
    | (?:service[_-]?account|client_secret)[^/]*\.json
    )\Z""",
    re.VERBOSE,
)
_NO_SECRET = re.compile(r"(?:example|sample|template|tmpl|dist|defaults?|schema|stub|pub)\Z")


def reason_by_name(path: str) -> str:
    """Say why a file of this name is not indexed, or return an empty string."""
    name = path.rpartition("/")[2].lower()
    stem, dot, suffix = name.rpartition(".")
    if dot and stem and suffix in _BINARY_SUFFIXES and not (suffix == "gz" and is_packed(path)):
        return f"binary: files that end in .{suffix} hold no text"
    if dot and stem and suffix in _UNFINISHED_SUFFIXES:
        return "unfinished: it is being downloaded, and gets another name when it is whole"
    if ((dot and suffix in _SECRET_SUFFIXES) or _SECRET.match(name)) and not _NO_SECRET.search(name):
        return "secret: by its name it holds passwords or keys"
    if name in _LOCK_FILES or (name.startswith("pylock.") and name.endswith(".toml")):
        return "lock file: written by a package manager"
    if _EDITED.fullmatch(name):
        return "copy: an editor keeps it of what is or was being edited"
    if _MINIFIED.search(name):
        return "minified: by its name it was made by a program from other files"
    if _GENERATED.search(name):
        return "generated: by its name it was made by a program from other files"
    return ""
