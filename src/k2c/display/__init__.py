"""Everything that people look at, a module a kind of picture: `from k2c.display import metrics, text`."""
