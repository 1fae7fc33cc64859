"""Where postcodes lie, by the release in use, and of which referrals somebody may ask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bdcan_chassis.database import Connection
from bdcan_chassis.table import Statement
from bdcan_contracts.typed import GivenPostcode, Postcode
from bdcan_routing.domain.positions import Point, postcodes_of_sector
from bdcan_routing.store.assignments import ASSIGNMENT

# Referrals that a hub has now.
OF_HUB = ASSIGNMENT.query(
    """
    SELECT {columns} FROM assignment
    WHERE referral_id = ANY (:referral_ids) AND state = 'assigned' AND hub_id = :hub_id
    """
)

# Easting and northing of some postcodes, in the release in use.
POINTS = Statement(
    """
    SELECT u.postcode, u.easting, u.northing FROM gazetteer_release AS r JOIN gazetteer_unit AS u USING (release_id)
    WHERE r.active AND u.postcode = ANY (:postcodes) AND u.easting IS NOT NULL AND u.northing IS NOT NULL
    """
)


async def points(connection: Connection, postcodes: Sequence[GivenPostcode]) -> dict[str, Point]:
    """What the release in use knows of these postcodes; where it lacks one, the others of its sector, too."""
    whole = [postcode for postcode in postcodes if isinstance(postcode, Postcode)]
    found = await _points(connection, map(str, whole))
    missing = {
        one for postcode in whole if str(postcode) not in found for one in postcodes_of_sector(postcode)
    }
    return found | await _points(connection, missing) if missing else found


async def _points(connection: Connection, postcodes: Iterable[str]) -> dict[str, Point]:
    rows = await POINTS.records(connection, postcodes=sorted(postcodes))
    return {postcode: (easting, northing) for postcode, easting, northing in rows}
