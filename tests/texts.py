"""Texts that the tests embed; those of a certificate."""

from twinvec.certify.texts import ODD, parity_texts, prose

__all__ = ["ODD", "parity_texts", "prose"]
