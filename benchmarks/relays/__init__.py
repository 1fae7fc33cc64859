"""The contenders of the relay, each a program of its own."""
