"""Settings of routing, read once from the environment (prefix BDCAN_)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import Field

from bdcan_chassis.settings import ServiceSettings
from bdcan_routing.domain.assignment import TriageTimes
from bdcan_routing.domain.demand import Sensitivity
from bdcan_routing.domain.gazetteer import Thresholds


class Settings(ServiceSettings):
    """What routing needs to know beside what every service does."""

    hubs_file: Path | None = Field(
        default=None,
        description="TOML file of the hubs, read while none is configured (None: the shipped nine)",
    )
    confirm_below: float = Field(
        default=0.9, ge=0, le=1, description="a ward less certain than this is confirmed at the call"
    )
    outside_above: float = Field(
        default=0.9,
        gt=0,
        le=1,
        description="an unknown postcode so likely outside the borough goes to triage",
    )
    triage_urgent: timedelta = Field(
        default=timedelta(minutes=30),
        gt=timedelta(0),
        description="a person places an urgent referral within",
    )
    triage_usual: timedelta = Field(
        default=timedelta(hours=4),
        gt=timedelta(0),
        description="a person places any other referral within so much working time",
    )

    data_dir: Path = Field(
        default=Path(".local/pulse"), description="the pulse's own directory, one a process"
    )
    pulse_window: timedelta = Field(
        default=timedelta(minutes=30),
        ge=timedelta(minutes=1),
        le=timedelta(days=7),
        description="the pulse counts requests in windows of so much domain time",
    )
    pulse_factor: float = Field(default=3.0, gt=1, description="a surge is so many times the usual")
    pulse_at_least: int = Field(default=20, ge=1, description="fewer requests in a window are never a surge")

    pulse_replicas: int = Field(
        default=1, ge=1, le=9, description="copies of the pulse's changelogs on Kafka"
    )

    @property
    def thresholds(self) -> Thresholds:
        """When the gazetteer's answer is good enough."""
        return Thresholds(self.confirm_below, self.outside_above)

    @property
    def triage_times(self) -> TriageTimes:
        """How long a referral may wait for a person."""
        return TriageTimes(self.triage_urgent, self.triage_usual, self.calendar)

    @property
    def sensitivity(self) -> Sensitivity:
        """When the pulse calls it a surge."""
        return Sensitivity(self.pulse_factor, self.pulse_at_least)
