"""Compare methods by what they restore: the same photos, damage and noise for all of them."""
