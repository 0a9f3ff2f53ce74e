"""The stdio protocol, from the kit's side: a store behind a command, in any language.

`specs/protocol.md` is what an adapter's author reads. Here `messages` are its words, `process` runs
one copy of the command, `link` sends calls and takes answers, `copies` says which copy serves whom,
and `backend` is what the rest of the kit sees: a `Backend` like any other.
"""
