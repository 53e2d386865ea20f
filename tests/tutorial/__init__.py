"""Pages of the tutorial, played to the letter: the commands that a page shows are run, and say what the page shows."""
