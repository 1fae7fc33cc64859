"""The guarantees of every service: nothing is lost, nothing has its effect twice, and each key keeps its order."""
