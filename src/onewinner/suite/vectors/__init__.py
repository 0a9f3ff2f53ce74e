"""Test vectors: frozen sequential cases in JSON, by which a store in any language is checked.

`specs/vectors/` holds them, `specs/vectors.md` says how they are read. This room reads them, plays
them on a target, and tells the first step that it answers otherwise.
"""
