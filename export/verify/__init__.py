"""Proof that an exported graph computes what the module computes (docs/guides/export.md)."""

from .compare import compare, record
from .tensorrt import tensorrt_11

__all__ = ["compare", "record", "tensorrt_11"]
