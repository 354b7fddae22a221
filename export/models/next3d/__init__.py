"""Next3D and EG3D in PyTorch, with the published state-dict names: what the engine is exported from and compared with."""

from .checkpoint import make_model, read_config
from .config import EG3D_AXES, NEXT3D_AXES, EG3DConfig, Next3DConfig, StyleUNetConfig
from .generator import EG3D, Identity, Next3D, RenderedView, Views
from .renderer import Uniforms
from .weights import load_weights

__all__ = [
    "EG3D",
    "EG3D_AXES",
    "NEXT3D_AXES",
    "EG3DConfig",
    "Identity",
    "Next3D",
    "Next3DConfig",
    "RenderedView",
    "StyleUNetConfig",
    "Uniforms",
    "Views",
    "load_weights",
    "make_model",
    "read_config",
]
