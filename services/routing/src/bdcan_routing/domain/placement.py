"""From where a home lies to who looks after it: the verdict on a referral, with the reason for people."""

from __future__ import annotations

from msgspec import Struct

from bdcan_contracts.models import AssignmentMethod, Ward
from bdcan_contracts.typed import GivenPostcode
from bdcan_contracts.vocabulary import TriageReason
from bdcan_routing.domain.gazetteer import InWard, Lookup, OutOfArea, Thresholds, Unplaceable, locate
from bdcan_routing.domain.hubs import Coverage, Hub
from bdcan_routing.domain.wards import ward_name


class ToHub(Struct, frozen=True, tag_field="kind", tag="to-hub"):
    """This hub looks after it. `confidence` is the ward's, 0 to 1."""

    hub_id: str
    ward: Ward | None
    method: AssignmentMethod
    confidence: float
    confirm_at_call: bool
    explanation: str


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

    def place(self, postcode: GivenPostcode) -> Verdict:
        """The verdict for a home with this postcode."""
        match locate(postcode, self.lookup, self.thresholds):
            case InWard() as found:
                return self._to_hub(found)
            case Unplaceable(reason, wards):
                return Hold(reason, self.coverage.candidates(wards))
            case OutOfArea() as outside:
                return outside

    def _to_hub(self, found: InWard) -> Verdict:
        pair = self.coverage.for_ward(found.ward.gss)
        own, taker = pair or (None, None)
        if own is None or taker is None:
            return Hold(TriageReason.NO_HUB_FOR_WARD, self.coverage.candidates((found.ward.gss,)))
        explanation = f"{found.because} {_who(found.ward, own, taker)}"
        method = found.method if taker is own else AssignmentMethod.HUB_PAUSED
        return ToHub(
            taker.hub_id, found.ward, method, found.confidence, found.confirm_at_call, explanation[:300]
        )


def _who(ward: Ward, own: Hub, taker: Hub) -> str:
    if taker is own:
        return f"{own.name} covers it."
    return f"{own.name} covers {ward_name(ward.gss)} but is paused; {taker.name} steps in."
