"""Images with known truth: fundus photographs and chest films, and the canvas and textures that both use."""
