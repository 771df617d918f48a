"""Decide how much of its time the indexing leaves to others: on battery, and where the machine is busy.

Imports nothing of this package.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_POWER = Path("/sys/class/power_supply")
_ON_BATTERY = 0.5
_UNDER_LOAD = 0.5
_LONGEST_REST_S = 2.0
_OWN_LOAD = 1.0  # what the indexing itself adds to the load average


def pace(on_battery: bool, load: float, cores: int) -> float:  # noqa: FBT001 - three plain facts
    """Return the share of the time to sleep between batches, from 0 (none of it) to below 1.

    Up to half of it grows with the load of others per core; on battery half of what is left is slept as well.
    """
    others = min(1.0, max(0.0, load - _OWN_LOAD) / max(1, cores))
    awake = (1 - _UNDER_LOAD * others) * (1 - _ON_BATTERY * on_battery)
    return 1 - awake


def present_pace() -> float:
    """Return the pace for the machine as it is now."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return pace(on_battery(), load, os.cpu_count() or 1)


def rest_s(spent_s: float, share: float) -> float:
    """Return how long to sleep after so much work, for `share` of the time to be slept."""
    share = min(0.95, share)
    return min(_LONGEST_REST_S, spent_s * share / (1 - share))


def on_battery(power: Path = _POWER) -> bool:
    """Tell whether a battery of this machine is being drained; where nobody can tell, it is not."""
    with suppress(OSError):
        return any(_is_drained(supply) for supply in power.iterdir())
    return False


def _is_drained(supply: Path) -> bool:
    """Tell it of one supply; a mouse or a phone has a battery too, of the scope `Device`."""
    return (
        _word(supply / "type") == "Battery"
        and _word(supply / "scope") != "Device"
        and _word(supply / "status") == "Discharging"
    )


def _word(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
