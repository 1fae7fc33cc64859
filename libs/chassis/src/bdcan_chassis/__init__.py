"""The guarantees that every service stands on: nothing lost, nothing twice, in order."""
