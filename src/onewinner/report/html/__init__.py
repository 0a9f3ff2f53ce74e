"""The HTML reports: pages of one file, which load nothing and can be read without a script."""

from onewinner.report.html.history import dumps_history
from onewinner.report.html.kept import dumps_violation
from onewinner.report.html.run import dumps

__all__ = ("dumps", "dumps_history", "dumps_violation")
