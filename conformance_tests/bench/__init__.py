"""Speed, measured: twelve operations against our server, a bare HTTP floor and, where installed, other servers.

``python -m conformance_tests.bench`` runs it (``make bench``); ``docs/performance.md`` holds figures and method.

What is measured is the CPU of the server (user and system time of its whole process tree, the database's included),
because wall-clock time says more about the neighbours of a shared machine than about a server. Every answer is
checked after the clock has stopped, against what the generator of the data knows. Rules of this package: it speaks to
servers over HTTP only, and nothing here imports the code of the server under test, but for starting a database.
"""
