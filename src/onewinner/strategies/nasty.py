"""Nasty text: keys, namespaces and plugins that stores are known to fold into one another.

Each group holds texts that must stay distinct, whatever a store makes of them.
"""

from __future__ import annotations

from typing import Final

DISTINCT_KEYS: Final[tuple[tuple[str, ...], ...]] = (
    ("a", "ab", "abc", "a b", "a  b"),  # prefixes of each other, inner white space
    ("a:b", "a", "b", "a:b:c", "a::b"),  # the usual separators of joined keys
    ("a/b", "a\\b", "a|b", "a.b", "a,b", "a;b", "a-b", "a_b", "../a", "a/../b", ".", ".."),
    ("k%", "k_", "kx", "k%%", "k__", "k*", "k?", "k[a]", "k{a}"),  # SQL LIKE and glob wildcards
    ("Key", "key", "KEY", "kEY"),  # case
    ("straße", "STRASSE", "strasse", "ſtraße"),  # case folding changes the length
    ("é", "e\u0301", "e"),  # one sign in two Unicode forms
    ("\u212b", "\u00c5", "A\u030a"),  # Angstrom sign, composed, decomposed
    ("ﬁ", "fi"),  # a ligature and its compatibility form
    ("k\u200bk", "kk", "k\ufeffk"),  # zero-width characters; at the ends some trim them
    ("1", "01", "1.0", "1e0", "true", "null", "None", "0"),  # what a loose type would fold
    ("'", "''", '"', "`", "k'--", "k';", "\\'"),  # quotes
    ("%00", "\\0", "\\x00", "&#0;", "%25"),  # escapes that must not be decoded
    ("\U0001f600", "\U0001f601", "\U0001f602"),  # beyond the basic plane
    ("c\x1fc", "c\x1f\x1fc", "c\x7fc", "cc"),  # control characters; the same
    ("__proto__", "constructor", "toString"),  # what an object used as a map already has
    ("a\tb", "a\nb", "a\rb", "a\r\nb"),  # white space inside, which is not another white space
    ("a/", "a//b", "./a", "a."),  # what file systems and addresses make one of
    ("plumless", "buckeroo"),  # of one CRC-32
    ("Aa", "BB", "Ab", "BA"),  # in pairs of one hash of Java, and of one of Bernstein
    ("costarring", "liquid", "creamwove", "quists"),  # in pairs of one FNV-1a, and of one FNV-1
)
"""Groups of keys; within a group (and over all of them) each key is a row of its own."""

KEYS_WITH_NUL: Final = ("a\0b", "a\0c", "a\0")
PLUGINS_WITH_NUL: Final = KEYS_WITH_NUL
"""Ids of plugins that a store may refuse, but never fold into another (INPUT-10)."""

KEYS_WITH_SURROGATES: Final = ("\ud800", "\ud801", "x\udfff", "x\ud800")
UNKEEPABLE_KEYS: Final = (*KEYS_WITH_NUL, *KEYS_WITH_SURROGATES)
"""Keys that a store may refuse, but never fold into another (INPUT-10)."""

TRIMMED_PAIRS: Final = ((" k", "k"), ("k ", "k"), ("\tk\n", "k"), ("  k  ", " k"), ("\rk\r\n", "k"))
"""Keys that become equal by trimming (INPUT-5)."""

TRIPLES: Final[tuple[tuple[str, str, str], ...]] = (
    ("p", "n", "k"),
    ("p:n", "n", "k"),
    ("p", "n", "n:k"),
    ("p:n", "k", "k"),
    ("p", "nn", "k"),
    ("pn", "n", "k"),
    ("p", "n.k", "k"),
    ("p.n", "k", "k"),
    ("p", "n-k", "k"),
    ("p", "n_k", "k"),
    ("p", "nxk", "k"),
    ("p", "N", "k"),
    ("P", "n", "k"),
    ("p%", "n", "k"),
    ("p_", "n", "k"),
    ("p/n", "n", "k"),
    ("p", "n", "n/k"),
    ("p|n", "n", "k"),
    ("p", "n", "n|k"),
    ("p\x1fn", "n", "k"),
    ("p", "n", "n\x1fk"),
    ("p/", "n", "k"),
    ("x/../p", "n", "k"),
    ("__proto__", "n", "k"),
    ("p", "constructor", "k"),
)
"""(plugin, namespace, key) that a store which joins or folds them would take for one another."""

NAMESPACES_REFUSED: Final = (
    "",
    " ",
    ".hidden",
    "-a",
    "_a",
    "a b",
    "a/b",
    "../a",
    "a:b",
    "a\nb",
    "ä",
    "a%",
)
NAMESPACES_ACCEPTED: Final = ("a", "0", "A.b_c-9", "Z9", "a..b", "a--")

VALUES: Final[tuple[object, ...]] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    1.5,
    -0.25,
    0.1,
    3.141592653589793,
    1e-7,
    1e300,
    2**53 - 1,
    "",
    "text",
    "null",
    "0",
    'quote " back \\ slash',
    "two\r\nlines\tand a tab",
    "line\u2028separator\u2029 and \u0001 control",
    "\U0001f600 é e\u0301",
    [],
    {},
    [[], {}, [None]],
    [1, "1", True, None, 1.5],
    {"": "", "a": {"b": [1, 2, {"c": None}]}, "__proto__": 1, "toJSON": "x"},
    {"b": 1, "a": 2},
)
"""JSON values of every kind; each must come back equal as JSON (READ-7)."""
