"""The certificate: the vectors of browser engines compared with CPython's."""
