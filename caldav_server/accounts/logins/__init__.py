"""Logins: each says who sends a request, or what to answer instead; one module per scheme."""
