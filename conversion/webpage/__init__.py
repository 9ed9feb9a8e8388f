"""One HTML file that upscales photos in the browser: its models, LiteRT.js, its own script, and what puts them together."""
