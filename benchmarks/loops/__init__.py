"""The contenders of the loop, each a program of its own."""
