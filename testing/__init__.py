"""What the tests share: real servers, the application and the DAV face in process, texts and rows to test with.

Rules of this package: production code never imports it and the wheel does not contain it. It imports no test and
nothing of ``conformance_tests``, so that every test may use it.
"""
