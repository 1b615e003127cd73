"""Everything that people look at, a module for each kind of image: `from k2c.display import metrics, text`."""
