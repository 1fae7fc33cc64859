"""Made-up people of the borough, as a CSV file or as requests over HTTP: the same each time, and of no real person."""

from __future__ import annotations

import csv
import io
from random import Random
from typing import Any

from bdcan_simulator.postcodes import MadeUpPostcodes

_COLUMNS = ("reference", "name", "phone", "postcode", "adults", "children", "needs")
_NEEDS = ("food-parcel", "prescription", "shopping", "befriending-call", "errand")


def csv_file(count: int, label: str) -> bytes:
    """A list of `count` people; references begin with `label`."""
    written = io.StringIO(newline="")
    writer = csv.DictWriter(written, _COLUMNS)
    writer.writeheader()
    random, homes = Random(7), MadeUpPostcodes()  # the same people each time
    for number in range(count):
        writer.writerow(
            {
                "reference": f"{label}-{number}",
                "name": f"Resident {number}",
                "phone": f"07700 900{number % 1000:03}",
                "postcode": homes.inside(random),
                "adults": random.randint(1, 3),
                "children": random.randint(0, 3),
                "needs": ";".join(random.sample(_NEEDS, 2)),
            }
        )
    return written.getvalue().encode()


def form(number: int, label: str, **more: Any) -> dict[str, Any]:
    """A request for help as `POST /v1/referrals` takes it."""
    random = Random(number)  # the same person each time
    return {
        "channel": "phone",
        "reference": f"{label}-{number}",
        "person": {
            "name": f"Resident {number}",
            "phone": f"07700 900{number % 1000:03}",
            "postcode": MadeUpPostcodes().inside(random),
        },
        "household": {"adults": random.randint(1, 3), "children": random.randint(0, 3), "infants": 0},
        "needs": random.sample(_NEEDS, 2),
        **more,
    }
