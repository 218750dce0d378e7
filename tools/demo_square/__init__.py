"""Builds and checks the demo square: real open data, cut into 157 listings.

One module per provider family returns `Listing` values; `files` writes the
extracts, `check` proves the result. Nothing here reads the clock, the network
or a random source, so the same sources give the same bytes.
"""
