"""EG3D and Next3D: every stage can be called alone, and three levels are worth keeping (spec/next3d §1, §7, §20).

identity = model.identity(z, c_cond)             # styles, neural texture, static planes
planes = model.expression(identity, views)       # a head's pose and expression
view = model.view(planes, identity.ws, c)        # a camera
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as nnf

from .config import EG3DConfig, Next3DConfig
from .filters import crop_matrix, inside_box, paste_matrix
from .mapping import MappingNetwork
from .rays import camera_rays
from .renderer import Uniforms, evaluate, render_rays
from .style_unet import StyleUNet
from .super_resolution import SuperResolution
from .synthesis import Backbone, SynthesisNetwork, num_ws
from .tri_plane import Decoder


class RenderedView(NamedTuple):
    image: torch.Tensor | None  #: [N, 3, R, R], nominally -1..1, not clamped; None without super-resolution
    image_raw: torch.Tensor  #: [N, 3, r, r]
    features: torch.Tensor  #: [N, F, r, r]; the first three are image_raw
    depth: torch.Tensor  #: [N, 1, r, r], distance along the unit ray
    weight: torch.Tensor  #: [N, 1, r, r], opacity; depth means something where it is above 1e-3


@dataclass
class Identity:
    """What depends on (z, c_cond) alone."""

    ws: torch.Tensor  #: [N, num_ws, w_dim]
    static_planes: torch.Tensor  #: [N, 3, C, H, W]
    texture: torch.Tensor | None = None  #: [N, T, h, w]; Next3D only

    def repeat(self, times: int) -> Identity:
        """Each member `times` times in a row."""
        parts = (self.ws, self.static_planes, self.texture)
        return Identity(*(None if p is None else p.repeat_interleave(times, 0) for p in parts))  # type: ignore[arg-type]


@dataclass
class Views:
    """A head, rasterized in texture coordinates (spec §6): uv [N, H, W, 2] in -1..1, alpha [N, 1, H, W] after mouth filling.

    The sides and the top are read by `blend_planes="all"` alone.
    """

    front_uv: torch.Tensor
    front_alpha: torch.Tensor
    mouth_box: torch.Tensor  #: [N, 4]: row0, row1, column0, column1
    yaw90_uv: torch.Tensor | None = None
    yawm90_uv: torch.Tensor | None = None
    side_alpha: torch.Tensor | None = None
    top_uv: torch.Tensor | None = None
    top_alpha: torch.Tensor | None = None


class EG3D(nn.Module):
    """`dead_weights` makes also what published files store and nothing reads."""

    config: EG3DConfig

    def __init__(self, config: EG3DConfig | None = None, *, dead_weights: bool = False) -> None:
        super().__init__()
        self.config = config = config or self._default_config()
        config.validate()
        self.dead_weights = dead_weights
        self.num_static_ws = num_ws(config.plane_resolution)
        self.backbone = Backbone(
            SynthesisNetwork(
                config.w_dim,
                config.plane_resolution,
                3 * config.plane_channels,
                channel_base=config.channel_base,
                channel_max=config.channel_max,
                conv_clamp=config.conv_clamp,
            ),
            self._mapping_network(self._total_ws()),
        )
        self.superresolution = SuperResolution(
            config.superresolution,
            config.feature_channels,
            config.w_dim,
            image_channels=config.image_channels,
            conv_clamp=config.sr_conv_clamp,
            channels=config.sr_channels,
            antialias=config.rendering.sr_antialias,
        )
        self.decoder = Decoder(
            config.plane_channels,
            config.feature_channels,
            hidden=config.decoder_hidden,
            multiplier=config.rendering.decoder_lr_mul,
        )
        self.register_buffer("plane_axes", torch.tensor(config.plane_axes, dtype=torch.float32), persistent=False)

    @staticmethod
    def _default_config() -> EG3DConfig:
        return EG3DConfig()

    def _total_ws(self) -> int:
        return self.num_static_ws

    def _mapping_network(self, count: int) -> MappingNetwork:
        config = self.config
        return MappingNetwork(
            config.z_dim,
            config.c_dim,
            config.w_dim,
            count,
            num_layers=config.mapping_layers,
            embed_features=config.embed_features,
            layer_features=config.layer_features,
        )

    # ---- stages ----

    def mapping(
        self, z: torch.Tensor, c_cond: torch.Tensor, *, psi: float = 1.0, cutoff: int | None = None
    ) -> torch.Tensor:
        """z [N, z_dim], c_cond [N, 25] → ws. The usual cutoff of 14 truncates the planes' styles and not the texture's."""
        rendering = self.config.rendering
        c = torch.zeros_like(c_cond) if rendering.c_gen_conditioning_zero else c_cond
        assert self.backbone.mapping is not None
        return self.backbone.mapping(z, c[:, : self.config.c_dim] * rendering.c_scale, psi, cutoff)

    def static_ws(self, ws: torch.Tensor) -> torch.Tensor:
        return ws[:, : self.num_static_ws]

    def static_planes(self, ws: torch.Tensor, noise_mode: str = "const") -> torch.Tensor:
        """→ [N, 3, C, H, W]"""
        planes = self.backbone.synthesis(self.static_ws(ws), noise_mode)
        return planes.unflatten(1, (3, self.config.plane_channels))

    def render(
        self,
        planes: torch.Tensor,
        c: torch.Tensor,
        *,
        resolution: int | None = None,
        uniforms: Uniforms | None = None,
    ) -> RenderedView:
        """Volume rendering alone: everything but the image. `uniforms=None` is the deterministic rendering."""
        size = resolution or self.config.neural_rendering_resolution
        origins, directions = camera_rays(c, size)
        rendering = self.config.rendering
        uniforms = uniforms or Uniforms.deterministic(c.shape[0], size**2, rendering)
        out = render_rays(
            planes, self.decoder, origins, directions, uniforms.to(planes.device), rendering, self.plane_axes
        )
        features, depth, weight = (x.transpose(1, 2).unflatten(2, (size, size)) for x in out)
        return RenderedView(None, features[:, : self.config.image_channels], features, depth, weight)

    def super_resolve(self, features: torch.Tensor, ws: torch.Tensor) -> torch.Tensor:
        """Rendered features [N, F, r, r] → image."""
        return self.superresolution(
            features[:, : self.config.image_channels],
            features,
            self.static_ws(ws),
            self.config.rendering.superresolution_noise_mode,
        )

    def query(self, planes: torch.Tensor, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Colours and raw densities at points [N, M, 3] of the world, for meshes."""
        return evaluate(planes, points, self.decoder, self.config.rendering, self.plane_axes)

    # ---- levels ----

    def identity(
        self,
        z: torch.Tensor,
        c_cond: torch.Tensor,
        *,
        psi: float = 1.0,
        cutoff: int | None = None,
        noise_mode: str = "const",
    ) -> Identity:
        ws = self.mapping(z, c_cond, psi=psi, cutoff=cutoff)
        return Identity(ws, self.static_planes(ws, noise_mode))

    def view(
        self,
        planes: torch.Tensor,
        ws: torch.Tensor,
        c: torch.Tensor,
        *,
        resolution: int | None = None,
        uniforms: Uniforms | None = None,
    ) -> RenderedView:
        out = self.render(planes, c, resolution=resolution, uniforms=uniforms)
        return out._replace(image=self.super_resolve(out.features, ws))

    def forward(
        self,
        z: torch.Tensor,
        c_cond: torch.Tensor,
        c: torch.Tensor,
        *,
        psi: float = 1.0,
        cutoff: int | None = None,
        noise_mode: str = "const",
        resolution: int | None = None,
        uniforms: Uniforms | None = None,
    ) -> RenderedView:
        identity = self.identity(z, c_cond, psi=psi, cutoff=cutoff, noise_mode=noise_mode)
        return self.view(identity.static_planes, identity.ws, c, resolution=resolution, uniforms=uniforms)


class Next3D(EG3D):
    config: Next3DConfig

    def __init__(self, config: Next3DConfig | None = None, *, dead_weights: bool = False) -> None:
        super().__init__(config, dead_weights=dead_weights)
        config = self.config
        sizes = {
            "channel_base": config.channel_base,
            "channel_max": config.channel_max,
            "conv_clamp": config.conv_clamp,
        }
        texture = SynthesisNetwork(config.w_dim, config.texture_resolution, config.texture_channels, **sizes)
        self.texture_backbone = Backbone(texture, self._dead_mapping(texture.num_ws))

        def style_unet(channels: int, part) -> Backbone:
            net = StyleUNet(
                config.w_dim,
                part.resolution,
                channels,
                in_size=part.in_size,
                final_size=part.final_size,
                condition_channels=config.texture_channels,
                dead_weights=dead_weights,
                **sizes,
            )
            return Backbone(net, self._dead_mapping(net.num_ws))

        self.mouth_backbone = style_unet(config.texture_channels, config.mouth)
        self.neural_blending = style_unet(config.plane_channels, config.blending)
        if config.topology is not None:
            faces, uvs = config.topology.faces, config.topology.uvs
            self.register_buffer("faces", torch.zeros(1, faces, 3, dtype=torch.int64))
            self.register_buffer("uvfaces", torch.zeros(1, faces, 3, dtype=torch.int64))
            self.register_buffer("uvcoords", torch.zeros(1, uvs, 3))
            if dead_weights:
                dense = torch.zeros(1, config.topology.dense_faces, 3, dtype=torch.int64)
                self.register_buffer("dense_faces", dense)
                self.register_buffer("raw_uvcoords", torch.zeros(1, uvs, 2))
                self.register_buffer("face_uvcoords", torch.zeros(1, faces, 3, 3))

    @staticmethod
    def _default_config() -> Next3DConfig:
        return Next3DConfig()

    def _total_ws(self) -> int:
        return self.num_static_ws + num_ws(self.config.texture_resolution)

    def _dead_mapping(self, count: int) -> MappingNetwork | None:
        return self._mapping_network(count) if self.dead_weights else None

    # ---- stages ----

    def texture(self, ws: torch.Tensor, noise_mode: str = "const") -> torch.Tensor:
        """The neural texture [N, T, h, w], from the second part of ws."""
        return self.texture_backbone.synthesis(ws[:, self.num_static_ws :], noise_mode)

    def sample_texture(self, texture: torch.Tensor, uv: torch.Tensor) -> torch.Tensor:
        """uv [N, H, W, 2] → [N, T, H, W]. Quirk: the background's uv is 0, the middle of the texture."""
        return nnf.grid_sample(texture, uv, mode="bilinear", padding_mode="zeros", align_corners=False)

    def mouth_crop(self, front: torch.Tensor, box: torch.Tensor) -> torch.Tensor:
        """front [N, T, H, W], box [N, 4] → [N, T, s, s], s the mouth network's input."""
        size = self.config.mouth.in_size
        rows = crop_matrix(box[:, 0], box[:, 1] - box[:, 0], front.shape[2], size)
        columns = crop_matrix(box[:, 2], box[:, 3] - box[:, 2], front.shape[3], size)
        return rows[:, None] @ front @ columns[:, None].transpose(2, 3)

    def mouth(self, crop: torch.Tensor, ws: torch.Tensor, noise_mode: str = "const") -> torch.Tensor:
        return self.mouth_backbone.synthesis(crop, ws, noise_mode)

    def stitch(self, front: torch.Tensor, mouth: torch.Tensor, box: torch.Tensor) -> torch.Tensor:
        """The mouth, resized, in place of its box."""
        height, width = front.shape[2:]
        rows = paste_matrix(box[:, 0], box[:, 1] - box[:, 0], mouth.shape[2], height)
        columns = paste_matrix(box[:, 2], box[:, 3] - box[:, 2], mouth.shape[3], width)
        pasted = rows[:, None] @ mouth @ columns[:, None].transpose(2, 3)
        box = box.to(torch.float32)[:, :, None]
        at_row, at_column = (torch.arange(n, dtype=torch.float32, device=front.device) for n in (height, width))
        in_rows = inside_box(box[:, 0], box[:, 1] - box[:, 0], at_row)
        in_columns = inside_box(box[:, 2], box[:, 3] - box[:, 2], at_column)
        return torch.where(in_rows[:, None, :, None] & in_columns[:, None, None, :], pasted, front)

    def blend(self, stitched: torch.Tensor, ws: torch.Tensor, noise_mode: str = "const") -> torch.Tensor:
        return self.neural_blending.synthesis(stitched, ws, noise_mode)

    def assemble(
        self,
        static: torch.Tensor,
        front: torch.Tensor,
        front_alpha: torch.Tensor,
        side: torch.Tensor | None = None,
        side_alpha: torch.Tensor | None = None,
        top: torch.Tensor | None = None,
        top_alpha: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Dynamic content over the static planes [N, 3, C, H, W]; planes without content stay as they are."""
        pairs = [(front, front_alpha), (side, side_alpha), (top, top_alpha)]
        planes = [
            plane if dynamic is None else dynamic * alpha + plane * (1 - alpha)
            for plane, (dynamic, alpha) in zip(static.unbind(1), pairs, strict=True)
        ]
        return torch.stack(planes, 1)

    # ---- levels ----

    def identity(
        self,
        z: torch.Tensor,
        c_cond: torch.Tensor,
        *,
        psi: float = 1.0,
        cutoff: int | None = None,
        noise_mode: str = "const",
    ) -> Identity:
        made = super().identity(z, c_cond, psi=psi, cutoff=cutoff, noise_mode=noise_mode)
        return replace(made, texture=self.texture(made.ws, noise_mode))

    def expression(self, identity: Identity, views: Views, *, noise_mode: str = "const") -> torch.Tensor:
        """Planes of an identity whose head looks as in `views`, [N, 3, C, H, W]."""
        texture, ws = identity.texture, identity.ws
        assert texture is not None
        front = self.sample_texture(texture, views.front_uv)
        mouth = self.mouth(self.mouth_crop(front, views.mouth_box), ws, noise_mode)
        blended = self.blend(self.stitch(front, mouth, views.mouth_box), ws, noise_mode)
        if self.config.blend_planes == "front":
            return self.assemble(identity.static_planes, blended, views.front_alpha)
        if any(x is None for x in (views.yaw90_uv, views.yawm90_uv, views.side_alpha, views.top_uv, views.top_alpha)):
            raise ValueError(
                "blend_planes=all needs the side and top views; rasterize_views(..., all_views=True) makes them"
            )
        # quirk: the two sides mirror each other and are added unflipped
        side = self.sample_texture(texture, views.yaw90_uv) + self.sample_texture(texture, views.yawm90_uv)
        top = self.sample_texture(texture, views.top_uv)
        return self.assemble(
            identity.static_planes, blended, views.front_alpha, side, views.side_alpha, top, views.top_alpha
        )

    def forward(  # type: ignore[override]
        self,
        z: torch.Tensor,
        c_cond: torch.Tensor,
        c: torch.Tensor,
        views: Views,
        *,
        psi: float = 1.0,
        cutoff: int | None = None,
        noise_mode: str = "const",
        resolution: int | None = None,
        uniforms: Uniforms | None = None,
    ) -> RenderedView:
        identity = self.identity(z, c_cond, psi=psi, cutoff=cutoff, noise_mode=noise_mode)
        planes = self.expression(identity, views, noise_mode=noise_mode)
        return self.view(planes, identity.ws, c, resolution=resolution, uniforms=uniforms)
