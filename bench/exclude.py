"""Whether a package or repository may be used as training data.

    python -m bench.exclude NAME…

prints the names that may not. The list holds the benchmark's projects, those held back too, as hashes of their names
without separators. A name is compared whole, part by part, and in runs of neighbouring parts, so that a project is
caught under a distribution's name for it too, with a prefix, a version or `lib`. It errs on the side of leaving out.
"""

from __future__ import annotations

import hashlib
import re
import sys
from functools import cache
from typing import Final

HASHES: Final = frozenset(
    """
066a97448a8be817 072b95c0e709a44c 07b1435546187d6e 0c830130bd59e1e4 12850db609bb5bed 140d2f0edc3e0ca8
1756bc55dc264915 1a5e86a6d0e6fcdd 1d77fe3dbd3b2aaf 1f46a150d845aab7 241f9598a4352407 2703940d69b34b61
29f4f957ee1ea8ff 2bacbe23331fee70 2e0aeaddf3531bcd 2ebc9b37da80ba33 2fef62291a4b1b9d 30e65292505ec3aa
31153a0fd1751041 32398af6c018d3d1 3290fa9bbe264f4e 3b454d4a58a202cb 45cf8b555c180650 46680605a17cde71
47262e82d613f602 476172e84cfe6b23 47753e99eb39d0a9 484bf5f8ea80bfde 4d9c7f5b8e73dc40 5167077dd22bc030
52babad2ac62f326 5346408ad1ebd58e 582e9af780bb8896 587614896c3997b7 5aa0359cf44c8256 5ab7357fec9955f7
5fa9fadc77e5b52f 60572ca7ed3ca9e3 6455313a210c8480 6575d7d99d64d2de 65c8eb445306e9a5 668a6631bb439787
6709a764210b20fb 671e165142836d63 6b00b714a668a453 6c3bc94fbb81994d 715c6978ff12ccb5 858b61a7d9312c96
8d2b0de0f9a3d163 901a8e41ce25ed3f 9260746a56a817fd 93ab4eaf5a14b14e 9417d4ddb0c88abd 956d2f5ca57b2077
95c99396bf694e46 9b3177a4b34326c2 a026f7fa74d3e251 a507a8afc0075030 a6baa16f6a3c7bf1 a9165b8c4e571a7a
a9fa32243ea17903 abd8040315a57bac aee1cb37af1e7498 af58bd4a579bc12d b67bff2b4feb37bc b7e8316ad9dbdf71
b94dde971748922a bc11c9da0072c41c bc640d785721243d bd81be4604fae897 c24872a0ab1b9a1d c2bba2a164c23804
c469cdbbfb677e45 cb309f2d19364c26 ccbb9464de71abc3 cec916cdefa57dd0 d21c6c66d44048c5 d3ec7d82a45faa12
d507c442a02195a6 daa977ab931930bf de08a01a50866081 de525280fe537f49 e203257c3bc4f93a e2add143f83d3c56
e56c0f47193443fa e8729ea7cfeef9be ea0352f33180d5b2 ed353733c9e9da9d f1327a11effa9ee0 f9355a3e1c39b685
fb172d2723534e3c fd3aa0a32e1465b4 fff9d47db68a68b6
""".split()
)


@cache  # folders' names come again and again
def excluded(name: str) -> bool:
    """Tell whether any run of a name's parts is the name of a project of the benchmark."""
    parts = [part for part in re.split(r"[^a-z0-9]+", name.lower()) if part]
    bare = [part.rstrip("0123456789") for part in parts]
    forms = (parts, bare, [part.removeprefix("lib") for part in parts], [part.removeprefix("lib") for part in bare])
    runs = {"".join(form[i:j]) for form in forms for i in range(len(form)) for j in range(i + 1, len(form) + 1)}
    return any(_hash(run) in HASHES for run in runs if run)


def _hash(name: str) -> str:
    return hashlib.sha256(b"memcache-bench:" + name.encode()).hexdigest()[:16]


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        if excluded(argument):
            print(argument)
