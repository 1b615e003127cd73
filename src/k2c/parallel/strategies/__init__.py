"""How several workers train one model: a strategy each, read from top to bottom."""
