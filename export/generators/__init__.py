"""Generators of Next3D and EG3D as bundles: stage graphs in the form that runs fastest, with proof (docs/design/next3d.md)."""

from .bundle import About, World, write_generator_bundle
from .convert import Options, export_checkpoint
from .topology import HeadReference

__all__ = [
    "About",
    "HeadReference",
    "Options",
    "World",
    "export_checkpoint",
    "write_generator_bundle",
]
