"""`parameter_server`: servers hold the model, workers push gradients and pull weights."""
