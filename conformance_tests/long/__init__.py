"""Runs too long for every day: the same checks as in ``make test``, over many more cases."""
