"""The gate over many stores at once: what each keeps, what it breaks, and what is known of that."""
