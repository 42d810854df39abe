"""A kind of edit of somebody else's: it adds a constant to the tokens after block 1."""
