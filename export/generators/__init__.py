"""Generators of Next3D and EG3D as bundles: stage graphs in the form that runs fastest, with proof (docs/design/next3d.md)."""

from .bundle import About, HeadReference, World, write_generator_bundle

__all__ = ["About", "HeadReference", "World", "write_generator_bundle"]
