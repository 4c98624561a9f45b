"""The face nobody calls: duties that run in the background of the first serving process."""
