"""Utilities around Ray."""
