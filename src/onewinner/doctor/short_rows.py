"""Why a clause has fewer than two mutants that its family alone catches: a sentence for each.

A sentence stands here for each clause whose rule other families lean on: a case of theirs makes the
calls that this clause is about, so it goes wrong too. It is shown only where the row is short.
"""

from __future__ import annotations

from typing import Final

EXPLAINED: Final[dict[str, str]] = {
    "CLAIM-1": "Most cases begin with claims that must be won, so whatever breaks that is met "
    "in other families too.",
    "CLAIM-2": "Cases of other families claim live keys to see that they are held: a wrong "
    "answer is met there too.",
    "CLAIM-3": "Cases of other families look at rows after a refused claim: one that it changed "
    "is met there too.",
    "REG-1": "Rows are written by register in the cases of most families, so one that is not "
    "stored is missed there too.",
    "REG-2": "Cases of READ, EVICT and CAP renew rows by register to see order and room, so times "
    "that it leaves as they were are met there too.",
    "REG-3": "What one handle has written is looked at by another in the cases of most families.",
    "READ-1": "Cases of other families look rows up, so a wrong answer is met there too.",
    "READ-2": "Cases of CLAIM and REG store null too, for it is a value like any other.",
    "READ-3": "Cases of other families look at rows more than once, so a look that changes one is "
    "met there too.",
    "READ-4": "Cases of other families list their rows after a step, so a wrong listing is met "
    "there too.",
    "DEL-1": "Cases of other families free keys by delete, so a wrong answer is met there too.",
    "DEL-2": "Cases of CLAIM, TTL and INPUT consume rows too.",
    "DEL-5": "Cases of CLAIM and ISO clear namespaces too, and claim what must then be free.",
    "TTL-3": "Rows without TTL are what the cases of most families are made of.",
    "TTL-4": "Cases of CLAIM, REG, READ, DEL and ISO look at what is left of expired rows.",
    "TTL-5": "Cases of CLAIM, EVICT and CAP claim keys whose rows have expired.",
    "EVICT-1": "Cases of READ, ISO and CAP overfill namespaces, so who goes is met there too.",
    "EVICT-5": "Cases of CAP and ISO have expired rows in full namespaces.",
    "ISO-3": "Whose rows an eviction takes is seen by the cases of EVICT and CAP, which overfill "
    "one namespace beside another.",
    "ISO-4": "What counts towards a limit is what the cases of EVICT and CAP are about.",
    "ERR-4": "What a refusal leaves behind is met by the next call of every case that has a "
    "refusal in it.",
}
