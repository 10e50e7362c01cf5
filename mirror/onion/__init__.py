"""The site as an onion service: no name to block, no address to find, no certificate to get.

The service's key is made here, so that its address can be announced and signed before Tor has
run. Tor itself is a program of the operator's: told by a torrc, or over its control port.
"""
