"""Widgets of the lectures, a module each: to type, draw, choose and slide; a still image where no front end runs."""
