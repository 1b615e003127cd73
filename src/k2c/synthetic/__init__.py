"""Images drawn with known truth: fundus photographs and chest films, and the textures that they share."""
