"""Tools of the developers: they are not installed and nothing that runs imports them."""
