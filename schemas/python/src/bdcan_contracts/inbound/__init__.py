"""What upstream systems send, read as leniently as no meaning is lost. Pure: a record in, a request or problems out.

    reading = read(record, sender, CATALOGUE)      # envelope, body, and all that can be wrong with them
    examined = examine_submission(reading.body, sender, today)

Intake answers every record with what is found here. `bdcan contracts check` says the same offline.
"""

from bdcan_contracts.inbound.problems import CODES, metric_code
from bdcan_contracts.inbound.reading import MAX_BYTES, Reading, read
from bdcan_contracts.inbound.request import examine_submission

__all__ = ["CODES", "MAX_BYTES", "Reading", "examine_submission", "metric_code", "read"]
