"""Files in: headers, pixels, the catalogue of a folder and the stacks made of it."""
