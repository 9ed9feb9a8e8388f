"""LiteRT's GPU engine: what it would take, and really run, in single and half precision."""
