"""Settings: every value that a depot may change, read once at start from environment variables.

Imports no other module of this package, so that each of them may import this one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_RATE_PER_S = 4.0
DEFAULT_KEYS_DIR = Path("/etc/courier/keys")


class SettingsError(ValueError):
    """A variable whose value cannot be used; the message names the variable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a depot can set; the defaults suit a depot of up to 20,000 parcels a day."""

    database: str = "courier.sqlite3"
    keys_dir: Path = DEFAULT_KEYS_DIR
    max_attempts: int = 5
    first_delay_s: float = 120.0
    delay_factor: float = 3.0
    longest_delay_s: float = 2700.0
    rates_per_s: Mapping[str, float] = field(default_factory=dict)
    default_rate_per_s: float = DEFAULT_RATE_PER_S

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Read the `COURIER_…` variables; what is not set keeps its default."""
        return cls(
            database=environ.get("COURIER_DATABASE", "courier.sqlite3"),
            keys_dir=Path(environ.get("COURIER_KEYS_DIR", str(DEFAULT_KEYS_DIR))),
            max_attempts=int(_positive(environ, "COURIER_MAX_ATTEMPTS", 5)),
            first_delay_s=_positive(environ, "COURIER_FIRST_DELAY_S", 120.0),
            longest_delay_s=_positive(environ, "COURIER_LONGEST_DELAY_S", 2700.0),
            rates_per_s=parse_rates(environ.get("COURIER_RATE_LIMITS", "")),
        )

    def rate_for(self, carrier: str) -> float:
        """Return how many hand-overs a second `carrier` allows."""
        return self.rates_per_s.get(carrier, self.default_rate_per_s)


def parse_rates(text: str) -> dict[str, float]:
    """Read `COURIER_RATE_LIMITS`, such as `northpost=2,swift=7.5`: requests per second for each carrier."""
    rates: dict[str, float] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        carrier, separator, rate = entry.partition("=")
        if not separator:
            raise SettingsError(f"COURIER_RATE_LIMITS: write {entry!r} as carrier=requests_per_second")
        rates[carrier.strip()] = _positive({"COURIER_RATE_LIMITS": rate}, "COURIER_RATE_LIMITS", DEFAULT_RATE_PER_S)
    return rates


def _positive(environ: Mapping[str, str], name: str, default: float) -> float:
    text = environ.get(name, "")
    if not text.strip():
        return default
    try:
        value = float(text)
    except ValueError:
        raise SettingsError(f"{name} must be a number, not {text!r}") from None
    if not 0 < value < float("inf"):
        raise SettingsError(f"{name} must be above zero, not {text!r}")
    return value
