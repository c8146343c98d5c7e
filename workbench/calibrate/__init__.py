"""Masters: frames combined, with what went into them and what was left out."""
