"""The colours of every image of the course, for those who draw without Matplotlib."""

# Okabe and Ito (2008), "Color Universal Design": told apart under every common colour vision.
COLOURS = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "red": "#D55E00",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "yellow": "#F0E442",
    "grey": "#767676",
}
