"""Certificates: what a run found, so stated that somebody else can compute it again."""
