"""Plain SQL files, applied in the order of their names, never edited after."""
