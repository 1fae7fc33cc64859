"""Does a test notice? Each mutant breaks one guarantee of the chassis on purpose; every one must be caught."""
