"""The rules of welfare calls, tasks and volunteers: pure, told the time, no I/O."""
