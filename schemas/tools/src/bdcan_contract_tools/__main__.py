"""`python -m bdcan_contract_tools generate | check | compat | release | retire`."""

import sys

from bdcan_contract_tools.cli import main

sys.exit(main())
