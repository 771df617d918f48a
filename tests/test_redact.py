"""Redaction: what is replaced, what stays, and that nothing moves. Secrets are put together, so that none lies here."""

import base64
import random
import re
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memcache_lsp.redact import redact

RANDOM = random.Random(7)


def letters(count, alphabet=string.ascii_letters + string.digits):
    return "".join(RANDOM.choice(alphabet) for _ in range(count))


def key_block(line_end="\n"):
    lines = [base64.b64encode(RANDOM.randbytes(48)).decode() for _ in range(6)]
    lines.append("abcd=")
    kind = "RSA PRIVATE " + "KEY"
    return f"-----BEGIN {kind}-----", lines, f"-----END {kind}-----", line_end


UPPER = string.ascii_uppercase + string.digits
HEX = "0123456789abcdef"
TOKENS = {
    "aws": "AK" + "IA" + letters(16, UPPER),
    "github": "gh" + "p_" + letters(36),
    "github fine": "github_" + "pat_" + letters(82),
    "gitlab": "gl" + "pat-" + letters(20),
    "slack": "xo" + "xb-" + letters(12, string.digits) + "-" + letters(24),
    "stripe": "sk_" + "live_" + letters(24),
    "google": "AI" + "za" + letters(35),
    "npm": "np" + "m_" + letters(36),
    "pypi": "py" + "pi-AgEIcHlwaS5vcmc" + letters(60),
    "openai": "s" + "k-" + letters(48),
    "openai project": "s" + "k-proj-" + letters(64),
    "anthropic": "s" + "k-ant-api03-" + letters(80),
    "huggingface": "h" + "f_" + letters(34),
    "jwt": ".".join("ey" + "J" + letters(30) for _ in range(2)) + "." + letters(40),
}


@pytest.mark.parametrize("kind", TOKENS)
@pytest.mark.parametrize("frame", ["{}", 'use("{}")', "x = '{}'  # y", "- {}\n- next", "https://host/?q={}&r=1"])
def test_tokens_are_replaced_wherever_they_stand(kind, frame):
    text = frame.format(TOKENS[kind])
    redacted = redact(text)
    assert redacted.text == frame.format("*" * len(TOKENS[kind]))
    assert redacted.count == 1


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_private_keys_lose_their_lines_and_keep_their_line_ends(line_end):
    begin, lines, end, _ = key_block()
    text = line_end.join(["before", begin, *lines, end, "after", ""])
    assert redact(text).text == line_end.join(["before", begin, *("*" * len(line) for line in lines), end, "after", ""])


def test_a_private_key_in_a_string_or_cut_off():
    begin, lines, end, _ = key_block()
    text = 'KEY = "' + "\\n".join([begin, *lines[:-1], end]) + '"\n'
    stars = ["*" * len(line) for line in lines[:-1]]
    assert redact(text).text == 'KEY = "' + "\\n".join([begin, *stars, end]) + '"\n'
    cut = "\n".join([begin, *lines[:3]])
    assert redact(cut).text == "\n".join([begin, *("*" * len(line) for line in lines[:3])])


VALUE = "q7" + "Vt!x2Lm9"
LONG = "Zk8r" + "T2mQ9xLw4Pn7Vb3J"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('password = "{}"', VALUE),
        ("PASSWORD='{}'", VALUE),
        ('"db_password": "{}",', VALUE),
        ("  api_key: '{}'", LONG),
        ('const apiKey = "{}";', LONG),
        ('self.client_secret: str = "{}"', LONG),
        ("AWS_SECRET_ACCESS_KEY={}\n", LONG),
        ("secret: {}\n", LONG),
        ('config["token"] = "{}"', LONG),
        ("'auth_token' => '{}',", LONG),
        ("token := `{}`", LONG),
        ("postgresql://user:{}@db.internal:5432/name", VALUE.replace("!", "")),
        ("Authorization: Bearer {}", LONG),
        ('headers = {{"Authorization": "Bearer {}"}}', LONG),
        ("https://hooks.slack.com/services/{}", "T0/" + LONG),
        ("AccountKey={};", LONG * 4 + "=="),
    ],
)
def test_values_that_are_given_to_names(text, value):
    assert redact(text.format(value)).text == text.format("*" * len(value))


SHORT = "s3cr" + "3tPW"
LOUD = "Sup3r" + "S3cret!"
BASIC = base64.b64encode(b"robot:" + SHORT.encode()).decode()


@pytest.mark.parametrize(
    ("language", "text", "value"),
    [
        ("ini", "DB_PASSWORD={}", LOUD),
        ("ini", "[db]\npassword = {}\nuser = x\n", LOUD),
        ("ini", "password={} ; of the robot", SHORT),
        ("ini", "spring.datasource.password={}\r\n", SHORT),
        ("ini", "//registry.host.org/:_auth={}\n", BASIC),
        ("ini", "//registry.host.org/:_authToken={}\n", SHORT),
        ("yaml", "  POSTGRES_PASSWORD: {}\n", SHORT),
        ("yaml", "  - POSTGRES_PASSWORD={}\n", SHORT),
        ("yaml", "password: {}", "Tr0ub4" + "dor&3"),
        ("yaml", "{{password: {}, user: x}}", SHORT),
        ("yaml", "password: '{}'\n", SHORT[:7]),
        ("yaml", "password: {}  # of the robot\n", SHORT),
        ("dockerfile", "ENV DB_PASSWORD={} DB_USER=x\n", LOUD),
        ("bash", "export TOKEN={}\n", SHORT),
        ("bash", "mysql --password={} -u x", SHORT),
        ("text", "DB_PASSWORD={}\n", LOUD),
        ("markdown", "    $ docker run -e POSTGRES_PASSWORD={} postgres", SHORT),
        ("", "DB_PASSWORD={}", LOUD),
        ("php", 'define("DB_PASSWORD", "{}");', LOUD),
        ("php", "define( 'DB_PASSWORD', '{}' );", LOUD),
        ("java", 'config.setPassword("{}");', LOUD),
        ("java", '.password("{}")', LOUD),
        ("java", 'source.setDbPassword( "{}" );', LOUD),
        ("java", 'map.put("password", "{}");', LOUD),
        ("xml", "<password>{}</password>", LOUD),
        ("xml", "<db:admin-password>{}</db:admin-password>", LOUD),
        ("csharp", 'var c = "Server=db;User Id=sa;Password={};Timeout=3";', LOUD),
        ("json", '"Default": "Server=db;User Id=sa; Pwd={}"', LOUD),
        ("json", '"auths": {{"host": {{"auth": "{}"}}}}', BASIC),
        ("json", '"auth": "{}"', LONG),
    ],
)
def test_short_values_where_values_are_literal(language, text, value):
    assert redact(text.format(value), language).text == text.format("*" * len(value))


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("python", "login(password=secret1b, token=conf2x)"),
        ("python", "password = row2value"),
        ("python", "def f(password: Str2Bytes): ..."),
        ("python", 'get_token("client-x2y3")'),
        ("python", 'is_password("client-x2y3")'),
        ("python", 'fields = ("token", name1, "user2")'),
        ("python", 'NAMES = ["tokens", "symbol2label"]'),
        ("python", "PASSWORD_HASHERS = ["),
        ("python", 'names = {"password", "user"}'),
        ("javascript", ";password=form.field2;"),
        ("yaml", "password: str"),
        ("yaml", "password: string  # required"),
        ("yaml", "password: ${DB_PASSWORD_1}"),
        ("yaml", "password: {{ vault_password_2 }}"),
        ("yaml", "password: !vault |"),
        ("yaml", "token: ${{ secrets.TOKEN_2 }}"),
        ("yaml", "image: host/token-service:1.2-alpine3"),
        ("yaml", "token_ttl: 86400s\nmax_tokens: 4096\n"),
        ("yaml", "secretName: tls-2024-cert"),
        ("yaml", "password: changeme1!"),
        ("yaml", "# password: the user's password, at least 8 characters"),
        ("ini", "password = %(DB_PASSWORD)s"),
        ("ini", "password = <password1>"),
        ("ini", "password_encryption = scram-sha-256"),
        ("ini", "password_file = /run/secrets/db2x"),
        ("bash", "TOKEN=$GITHUB_TOKEN2"),
        ("bash", "TOKEN=$(cat token1.txt)"),
        ("bash", 'if [ "$password" = "" ]; then'),
        ("make", "TOKEN := $(shell cat x1y2z3)"),
        ("markdown", "password: the user's password"),
        ("markdown", "token: base64-encoded, see RFC7617"),
        ("text", "password: hunter2x!"),
        ("xml", "<password>${db.password2}</password>"),
        ("xml", "<tokenizer>word2vec-x1</tokenizer>"),
        ("html", "<th>token</th><td>abc1def</td>"),
        ("csharp", '$"Server={host};Password={password1};"'),
        ("csharp", '"Server=db;Password=<your-password1>;"'),
        ("json", '"auth": "required"'),
        ("json", '"auth": "oauth2-authorization-code"'),
    ],
)
def test_code_and_prose_that_only_speak_of_short_secrets_stay(language, text):
    assert redact(text, language).text == text


@pytest.mark.parametrize(
    "text",
    [
        "password = get_password()",
        "def login(token: str, password: str = None) -> Secret:",
        'password = "changeme"',
        'password = "<your-password>"',
        'api_key = "xxxxxxxxxxxxxxxx"',
        'token = os.environ["GITHUB_TOKEN_2"]',
        'password: "${DB_PASSWORD_1}"',
        "password = '{{ vault_password_2 }}'",
        'token = f"{prefix}-{number1}"',
        'TOKEN_TYPE = "access_token2"',
        'token_url = "https://auth.host.org/oauth2/v1/token"',
        'secret_file = "/run/secrets/db2"',
        'tokenizer_sha256 = "43ac7de55959f971500ab3949e777a37"',
        "PublicKeyToken=b77a5c561934e089, Culture=neutral",
        'raise ValueError("Invalid password: must have 8 characters")',
        'secret = "correct-horse-battery"',
        "token = tokens[index + 1].value2",
        "password=hashlib.sha256(data1).hexdigest()",
        "git clone https://github.com/user/repo.git",
        "postgres://user:password@localhost/db",
        "mongodb://$USER:$PASS@host/",
        "http://localhost:8080/@scope",
        "Bearer authentication is described in the documentation",
        'if "-----BEGIN PRIVATE KEY-----" in text:\n    found = True\n',
        "a PRIVATE KEY is spoken of, and none begins",
        "sk-learn and sk-image are packages; task-force; npm_config_registry",
        "the commit 9fceb02d0ae598e95dc970b74767f19372d61af8 broke it",
        "id = 'b77a5c56-1934-4e08-9abc-0123456789ab'",
    ],
)
def test_code_that_only_speaks_of_secrets_stays(text):
    assert redact(text) == type(redact(""))(text, 0)


PARTS = st.sampled_from(
    [
        *TOKENS.values(),
        *(
            "password",
            "token",
            "SECRET",
            "api_key",
            "=",
            ":",
            " = ",
            '"',
            "'",
            "\n",
            "\r\n",
            "\r",
            "://",
            "@",
            "user:",
            "eyJ",
            ".",
            "-",
            "*",
            "****",
        ),
        *(
            "-----BEGIN RSA PRIVATE " + "KEY-----",
            "-----END",
            "a" * 40,
            VALUE,
            LONG,
            "Bearer ",
            "Authorization: ",
            "\u0130",
            "\u2028",
            "é",
            "x" * 8,
            SHORT,
            BASIC,
            "auth",
            "<password>",
            "</",
            ";",
            "(",
            ",",
        ),
    ]
)
TEXTS = st.one_of(st.text(), st.lists(st.one_of(PARTS, st.text(max_size=3)), max_size=14).map("".join))


@settings(max_examples=400, deadline=None, derandomize=True)
@given(TEXTS, st.sampled_from(["", "python", "yaml", "ini", "markdown"]))
def test_nothing_moves_and_a_second_time_changes_nothing(text, language):
    once = redact(text, language)
    assert len(once.text) == len(text)
    for before, after in zip(text, once.text, strict=True):
        assert after in (before, "*")
    assert re.findall("[\r\n]", once.text) == re.findall("[\r\n]", text)
    assert redact(once.text, language) == type(once)(once.text, 0)
    assert (once.count == 0) == (once.text == text)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("language", ["python", "yaml", "text"])
@pytest.mark.parametrize(
    "text",
    ["eyJ" * 100_000, "eyJaaaaaaaaa." * 30_000, "sk-" * 100_000, "token=" * 50_000, "password: " + "a " * 150_000, "://a:" * 60_000,
     "token" + "_" * 300_000, 'secret="' + "a1" * 150_000, "-----BEGIN PRIVATE " + "KEY-----\n" * 1, "Bearer  " * 40_000, "AIza" * 75_000,
     ("-----BEGIN PRIVATE " + "KEY-----\n") * 9_000, "<token" * 50_000, "</" + "<a" * 150_000, "</" + "<password>a" * 30_000,
     ";password=" * 30_000, "auth=" * 60_000, "password(" * 40_000, "TOKEN=" + "a1$" * 100_000, "PWD=a1" * 50_000],
)  # fmt: skip
def test_hostile_text_takes_no_time(text, language):
    assert len(redact(text, language).text) == len(text)
