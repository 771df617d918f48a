"""Webhooks: check that a carrier's report is genuine, then write it into the parcel's history.

The only module that reads the keys. A report is parsed after its signature has been checked, never before.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path

from courier.tracking import Tracker, TrackingError, normalize

TOLERANCE_S = 300  # older signatures may be replays
MAX_BODY_BYTES = 16 * 1024


class NotGenuine(Exception):
    """A report that is answered with 401 and not looked at any further."""


class Malformed(Exception):
    """A genuine report that cannot be read, answered with 400."""


def load_keys(folder: Path) -> list[bytes]:
    """Read the current key, and the previous one while a rotation is under way."""
    files = [folder / "current", folder / "previous"]
    keys = [file.read_bytes().strip() for file in files if file.is_file()]
    if not keys or not all(keys):
        raise FileNotFoundError(f"there is no webhook key in {folder}; make one with scripts/rotate-keys.sh")
    return keys


def sign(key: bytes, body: bytes, at_s: int) -> str:
    """Make the value of the `Courier-Signature` header for a body sent at a time."""
    return f"t={at_s},v1={_digest(key, body, at_s)}"


def check_signature(header: str, body: bytes, *, keys: list[bytes], now_s: float) -> None:
    """Raise NotGenuine unless the header holds an HMAC-SHA256 of `time.body` by one of our keys, made just now.

    Digests are compared in constant time, so that the time an answer takes tells nothing about the right one.
    """
    fields = dict(part.partition("=")[::2] for part in header.split(","))
    try:
        at_s = int(fields["t"])
        claimed = bytes.fromhex(fields["v1"])
    except (KeyError, ValueError):
        raise NotGenuine("the signature header cannot be read") from None
    if abs(now_s - at_s) > TOLERANCE_S:
        raise NotGenuine("the signature is too old, or from the future")
    if not any(hmac.compare_digest(bytes.fromhex(_digest(key, body, at_s)), claimed) for key in keys):
        raise NotGenuine("the signature does not fit the body")


def receive(header: str, body: bytes, *, keys: list[bytes], tracker: Tracker, now_s: float) -> str:
    """Handle one report and return the number of the parcel that it is about."""
    if len(body) > MAX_BODY_BYTES:
        raise Malformed(f"a report has at most {MAX_BODY_BYTES} bytes")
    check_signature(header, body, keys=keys, now_s=now_s)
    try:
        report = json.loads(body)
        number, status, place = report["number"], report["status"], report.get("place", "")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Malformed("a report is a JSON object with number and status") from None
    if not all(isinstance(value, str) for value in (number, status, place)):
        raise Malformed("number, status and place are texts")
    try:
        number = normalize(number)
        tracker.record(number, status, place=place)
    except TrackingError as error:
        raise Malformed(str(error)) from error
    return number


def _digest(key: bytes, body: bytes, at_s: int) -> str:
    return hmac.new(key, b"%d." % at_s + body, hashlib.sha256).hexdigest()
