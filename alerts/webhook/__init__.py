"""A webhook of one's own: `sign` proves who sent it, `client` posts it."""
