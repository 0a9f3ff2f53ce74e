"""OpenClaw, the store that the contract was read from: its releases as targets, `openclaw@VERSION`.

The store is part of the npm package `openclaw`, and runs in Node.js. `install` takes from that
package the few files that the store needs, `npm` and `engines` get them, `release` finds them, and
`adapter.mjs` answers the stdio protocol, so the rest of the kit sees a command like any other.
"""
