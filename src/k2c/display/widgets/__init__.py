"""Widgets of the lectures, a module each: to type, draw, choose and slide; a still picture where no front end runs."""
