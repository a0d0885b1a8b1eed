"""Grafana's units. See https://github.com/grafana/grafana/blob/main/packages/grafana-data/src/valueFormats/categories.ts"""

from __future__ import annotations

_SAME = {
    "": "", "none": "none", "short": "none", "string": "none", "locale": "none", "sci": "none",
    "percent": "percent", "percentunit": "ratio", "bool": "none", "bool_yes_no": "none", "bool_on_off": "none",
    "bytes": "bytes", "decbytes": "bytes", "Bps": "bytes/s", "binBps": "bytes/s", "decBps": "bytes/s",
    "bits": "bit", "decbits": "bit", "bps": "bit/s", "binbps": "bit/s", "decbps": "bit/s", "pps": "packets/s",
    "s": "seconds", "dtdurations": "seconds", "clocks": "seconds", "ms": "ms", "dtdurationms": "ms", "clockms": "ms",
    "µs": "µs", "us": "µs", "ns": "ns", "m": "min", "h": "h", "d": "d",
    "ops": "/s", "reqps": "/s", "rps": "/s", "wps": "/s", "iops": "/s", "cps": "/s", "eps": "/s", "recps": "/s",
    "mps": "/s", "opm": "/min", "rpm": "/min", "wpm": "/min", "cpm": "/min",
    "hertz": "Hz", "rothz": "Hz", "celsius": "°C", "fahrenheit": "°F", "kelvin": "K", "volt": "V", "amp": "A",
    "watt": "W", "kwatt": "kW", "joule": "J", "watth": "Wh", "kwatth": "kWh", "humidity": "%H", "rotrpm": "rpm",
    "lengthm": "m", "currencyUSD": "$", "currencyEUR": "€",
}  # fmt: skip
# The values are multiples of these: Grafana scales them, we say what they are multiples of.
_MULTIPLES = {
    "kbytes": "KiB", "mbytes": "MiB", "gbytes": "GiB", "tbytes": "TiB", "deckbytes": "kB", "decmbytes": "MB",
    "decgbytes": "GB", "KBs": "kB/s", "MBs": "MB/s", "GBs": "GB/s", "KiBs": "KiB/s", "MiBs": "MiB/s", "GiBs": "GiB/s",
    "Kbits": "kbit/s", "Mbits": "Mbit/s", "Gbits": "Gbit/s",
}  # fmt: skip


def unit_of(name: str) -> tuple[str, bool]:
    """Return our unit, and whether it is known; an unknown one is a word that follows the number."""
    if name in _SAME:
        return _SAME[name], True
    if name in _MULTIPLES:
        return _MULTIPLES[name], True
    return name.removeprefix("suffix:").removeprefix("si:")[:24], name.startswith("suffix:")
