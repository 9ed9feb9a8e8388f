"""What the HTML pages of this project share: how one is made, its style, and the slider between two pictures."""
