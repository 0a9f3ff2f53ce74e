"""The launcher: becomes a server that dies with the kit and has no more rights than it needs.

It is run as a program, by its path, and imports the standard library only. Its words are the id of
the kit's process, the user to become (empty to stay who it is), and the server's command.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(kit: int, user: str, words: list[str]) -> None:
    """Give up rights, bind this process's life to the kit's, and become the server."""
    if user:
        entry = pwd.getpwnam(user)
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
    if sys.platform == "linux":  # after setuid, which would take it back
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != kit:
        os._exit(1)
    os.execv(words[0], words)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
