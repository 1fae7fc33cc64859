"""Pure rules: escalations, their states, and by when each step must happen."""
