"""What runs: the faces (DAV today) over one set of use-cases (``calendaring``)."""
