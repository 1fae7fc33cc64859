"""From where a home lies to who looks after it: the verdict on a referral, with the reason for people."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from bdcan_contracts.models import AssignmentMethod, Ward
from bdcan_contracts.typed import GivenPostcode
from bdcan_contracts.vocabulary import TriageReason
from bdcan_routing.domain.gazetteer import InWard, Lookup, OutOfArea, Thresholds, Unplaceable, locate
from bdcan_routing.domain.hubs import Coverage, Hub
from bdcan_routing.domain.load import Load
from bdcan_routing.domain.wards import ward_name


class ToHub(Struct, frozen=True, tag_field="kind", tag="to-hub"):
    """This hub looks after it. `confidence` is the ward's, 0 to 1. `because`: why it is not the ward's own hub, as a code."""

    hub_id: str
    ward: Ward | None
    method: AssignmentMethod
    confidence: float
    confirm_at_call: bool
    explanation: str
    because: str | None = None


HUB_FULL = "hub-full"
"""The ward's own hub is full today, and a neighbour takes it."""
ALL_FULL = "all-full"
"""The ward's own hub is full today, and so are its neighbours: it keeps the referral, and nobody waits for a hub."""


class Hold(Struct, frozen=True, tag_field="kind", tag="hold"):
    """A person must decide; `candidates` are hubs, the likeliest first."""

    reason: str
    candidates: tuple[str, ...]


Verdict = ToHub | OutOfArea | Hold


class Placer(Struct, frozen=True):
    """Places referrals by what is known at one moment."""

    lookup: Lookup
    coverage: Coverage
    thresholds: Thresholds
    load: Load = Load()

    def place(self, postcode: GivenPostcode, wanted: Mapping[str, int] | None = None) -> Verdict:
        """The verdict for a home with this postcode. `wanted`: what a hub must have room for today, by kind."""
        match locate(postcode, self.lookup, self.thresholds):
            case InWard() as found:
                return self._to_hub(found, wanted or {})
            case Unplaceable(reason, wards):
                return Hold(reason, self.coverage.candidates(wards))
            case OutOfArea() as outside:
                return outside

    def after(self, hub_id: str, wanted: Mapping[str, int]) -> Placer:
        """Knows that the hub got this, too."""
        return replace(self, load=self.load.with_more(hub_id, wanted)) if wanted else self

    def _to_hub(self, found: InWard, wanted: Mapping[str, int]) -> Verdict:
        pair = self.coverage.for_ward(found.ward.gss)
        own, taker = pair or (None, None)
        if own is None or taker is None:
            return Hold(TriageReason.NO_HUB_FOR_WARD, self.coverage.candidates((found.ward.gss,)))
        explanation = f"{found.because} {_who(found.ward, own, taker)}"
        method = found.method if taker is own else AssignmentMethod.HUB_PAUSED
        because = None
        if kind := self.load.full_kind(taker, wanted):
            room = [one for one in self.coverage.beside(taker) if not self.load.full_kind(one, wanted)]
            because = HUB_FULL if room else ALL_FULL
            explanation = f"{found.because} {_who(found.ward, own, taker)} {_full(kind, room)}"
            taker = room[0] if room else taker
        return ToHub(
            taker.hub_id,
            found.ward,
            method,
            found.confidence,
            found.confirm_at_call,
            explanation[:300],
            because,
        )


def _full(kind: str, room: list[Hub]) -> str:
    if not room:
        return f"It is full today ({kind}), and so are its neighbours: it keeps the referral."
    return f"It is full today ({kind}); its neighbour {room[0].name} steps in."


def _who(ward: Ward, own: Hub, taker: Hub) -> str:
    if taker is own:
        return f"{own.name} covers it."
    return f"{own.name} covers {ward_name(ward.gss)} but is paused; {taker.name} steps in."
