"""Reports: each module writes one result tree for one kind of reader."""
