"""From photo to photo: image files, tiles, folders."""
