"""One HTML file that upscales photos in the browser: models, LiteRT.js, its own script, and their builder."""
