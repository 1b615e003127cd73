"""What a training step costs: the model, its measured inputs, and published speed-ups."""
