"""Dispatch parcels to carriers: a queue, retries, rate limits, tracking and signed webhooks."""

__version__ = "2.4.0"
