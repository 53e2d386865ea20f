"""Random stories, told to the running service and to a model of a few lines, which must always agree."""
