"""Artefacts: what a failure rests on, kept in `.onewinner/ID/` without being asked for.

From an artefact a failure is judged again (the same verdict each time), driven again (how often it
fails), and explained.
"""

from onewinner.artefacts.artefact import FOLDER, Artefact, ArtefactError
from onewinner.artefacts.keeping import kept, kept_result

__all__ = ("FOLDER", "Artefact", "ArtefactError", "kept", "kept_result")
