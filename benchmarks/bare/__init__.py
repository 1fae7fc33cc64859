"""The pipeline by hand: three small processes on the same topics' shape and the same tables, with none of the promises."""
