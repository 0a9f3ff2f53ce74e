"""What `onewinner init` writes: an adapter to begin with, and a file for a CI service.

The texts are data, in `templates/`; `files` says which of them go where, and puts them there.
"""
