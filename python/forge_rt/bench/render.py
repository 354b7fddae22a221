"""`forge-rt bench render`: the tri-plane volume renderer against PyTorch on the same planes, cameras and random numbers.

Problem: 64 x 64 rays (then 128 x 128) of 48 coarse and 48 fine samples, planes 3 x 32 x 256 x 256, decoder 32 → 64 → 1 + 32. The density is
the shell of an ellipsoid, so that rays miss, graze and cross. Parity first: every path against PyTorch.

* PyTorch eager: the published operations one by one, grid_sample on planes stored channel by channel (spec/next3d §8-9).
* PyTorch, channels last: the same, but planes are [H, W, C], taps are gathered as rows, and the two layers are one addmm each on
  contiguous rows. It is what one would write who knows the layout.

Both get the same number of threads as we do. "Skip" rows leave out colours below a weight (volume_render.h) and read float16 planes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import forge_rt as fr
from forge_rt.bench.harness import Contestant, Run, engine_settings
from forge_rt.bench.machine import usable_cores

SIZE, CHANNELS, HIDDEN, COLOURS = 256, 32, 64, 32
COARSE, FINE = 48, 48
FORM_CHANNELS = 8  #: that hold the quadratic form
FAR = 0.9  #: largest share of one plane
START, END = 2.25, 3.3
RESOLUTIONS = (64, 128)
SEED = 4711

VS_EAGER, VS_CHANNELS_LAST, VS_EAGER_SKIP = 10.0, 8.0, 13.0
MAX_ERROR, MAX_ERROR_SKIP = 1e-5, 3e-4
SKIP_WEIGHT = 1e-6  #: bound of a feature: 2.002 · 96 · 1e-6 = 1.9e-4
SOLID = 1e-3  #: weight sum below which depth is noise


@dataclass(frozen=True)
class Scene:
    planes: np.ndarray  #: [1, 96, 256, 256] float32
    weights: tuple[np.ndarray, ...]  #: W0, b0, W1, b1 as in a checkpoint
    camera: np.ndarray  #: [1, 25]


def scene() -> Scene:
    """Each plane holds its share of a quadratic form, q = (x/a)² + (y/b)² + (z/c)², in some channels, smooth waves in the others.

    Three hidden values turn q into a bump at q = 1, from which the density comes. The others see the waves and make colours.
    Shares are cut off where the shell ends and are 0 there, as beyond the planes; they lie in several channels, as a network would have them.
    """
    rng = np.random.default_rng(SEED)
    axis = (np.arange(SIZE) + 0.5) / SIZE - 0.5
    planes = np.empty((3, CHANNELS, SIZE, SIZE), np.float32)
    radii = {"x": 0.16, "y": 0.2, "z": 0.18}
    gains = np.linspace(0.6, 1.4, FORM_CHANNELS)
    for plane, (first, second) in enumerate(
        (("x", "y"), ("x", "z"), ("z", "y"))
    ):  # columns, rows; each axis lies on two planes
        columns, rows = 0.5 * (axis / radii[first]) ** 2, 0.5 * (axis / radii[second]) ** 2
        share = np.minimum(columns[None, :] + rows[:, None] - FAR, 0)
        planes[plane, :FORM_CHANNELS] = gains[:, None, None] * share
        waves = rng.uniform(1, 6, (CHANNELS - FORM_CHANNELS, 2))
        phases = rng.uniform(0, 2 * np.pi, (CHANNELS - FORM_CHANNELS, 2))
        columns = np.sin(2 * np.pi * waves[:, :1] * axis + phases[:, :1])
        rows = np.sin(2 * np.pi * waves[:, 1:] * axis + phases[:, 1:])
        planes[plane, FORM_CHANNELS:] = columns[:, None, :] * rows[:, :, None]
    w0, b0 = rng.standard_normal((HIDDEN, CHANNELS)), 0.5 * rng.standard_normal(HIDDEN)
    w1, b1 = 1.5 * rng.standard_normal((1 + COLOURS, HIDDEN)), 0.3 * rng.standard_normal(1 + COLOURS)
    # softplus(s (q - 1 + w)) - 2 softplus(s (q - 1)) + softplus(s (q - 1 - w)): a bump of height near s w - 1.4
    steep, width, height = 4.0, 1.0, 20.0
    w0[:, :FORM_CHANNELS], w0[:3], w1[0] = 0, 0, 0
    for h, (shift, part) in enumerate(((width, 1), (0, -2), (-width, 1))):
        w0[h, :FORM_CHANNELS] = 3 * steep * CHANNELS**0.5 / (FORM_CHANNELS * gains)
        b0[h] = steep * (3 * FAR - 1 + shift)
        w1[0, h] = part * HIDDEN**0.5 * height / (steep * width - 1.4)
    w1[1:, :3] = 0
    b1[0] = -12
    camera = np.zeros((1, 25), np.float32)
    yaw = 0.3
    s, c = np.sin(yaw), np.cos(yaw)
    camera[0, :16] = np.array([[c, 0, -s, 2.7 * s], [0, -1, 0, 0], [-s, 0, -c, 2.7 * c], [0, 0, 0, 1]]).ravel()
    camera[0, 16:] = 4.2647, 0, 0.5, 0, 4.2647, 0.5, 0, 0, 1
    return Scene(
        planes.reshape(1, 3 * CHANNELS, SIZE, SIZE), tuple(a.astype(np.float32) for a in (w0, b0, w1, b1)), camera
    )


class Torch:
    """The published renderer. Planes [1, 96, H, W]; `channels_last`: as [3, H * W, C] rows."""

    def __init__(
        self, s: Scene, resolution: int, u_coarse: np.ndarray, u_fine: np.ndarray, channels_last: bool
    ) -> None:
        import torch

        self.torch, self.channels_last, self.resolution = torch, channels_last, resolution
        planes = torch.from_numpy(s.planes).reshape(3, CHANNELS, SIZE, SIZE)
        self.planes = planes.permute(0, 2, 3, 1).reshape(3, -1, CHANNELS).contiguous() if channels_last else planes
        w0, b0, w1, b1 = (torch.from_numpy(a) for a in s.weights)
        self.w0, self.b0, self.w1, self.b1 = (
            (w0 / CHANNELS**0.5).T.contiguous(),
            b0,
            (w1 / HIDDEN**0.5).T.contiguous(),
            b1,
        )
        self.camera = torch.from_numpy(s.camera)[0]
        self.u_coarse, self.u_fine = torch.from_numpy(u_coarse)[0, ..., None], torch.from_numpy(u_fine)[0]
        axes = torch.tensor(
            [[[1, 0, 0], [0, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 0, 1], [0, 1, 0]], [[0, 0, 1], [0, 1, 0], [1, 0, 0]]],
            dtype=torch.float32,
        )
        self.axes = torch.linalg.inv(axes)

    def rays(self) -> tuple[Any, Any]:
        torch, n = self.torch, self.resolution
        k = self.camera[16:].reshape(3, 3)
        centre = torch.arange(n, dtype=torch.float32) * (1 / n) + 0.5 / n
        y, x = (a.reshape(-1) for a in torch.meshgrid(centre, centre, indexing="ij"))
        x = (x - k[0, 2] + k[1, 2] * k[0, 1] / k[1, 1] - k[0, 1] * y / k[1, 1]) / k[0, 0]
        y = (y - k[1, 2]) / k[1, 1]
        one = torch.ones_like(x)
        matrix = self.camera[:16].reshape(4, 4)
        world = (matrix @ torch.stack([x, y, one, one]))[:3].T
        origin = matrix[:3, 3]
        return origin, torch.nn.functional.normalize(world - origin, dim=1)

    def features(self, points: Any) -> Any:
        """[N, 3] → [N, C]: mean over the planes."""
        torch = self.torch
        projected = torch.bmm((2 * points).expand(3, -1, -1), self.axes)[..., :2]
        if not self.channels_last:
            sampled = torch.nn.functional.grid_sample(
                self.planes, projected[:, None], mode="bilinear", padding_mode="zeros", align_corners=False
            )
            return sampled[:, :, 0].permute(0, 2, 1).mean(0)
        at = ((projected + 1) * SIZE - 1) / 2
        low = at.floor()
        fraction = at - low
        low = low.long()
        out: Any = None
        for plane in range(3):
            for dx in (0, 1):
                for dy in (0, 1):
                    x, y = low[plane, :, 0] + dx, low[plane, :, 1] + dy
                    fx, fy = fraction[plane, :, 0], fraction[plane, :, 1]
                    inside = (x >= 0) & (x < SIZE) & (y >= 0) & (y < SIZE)
                    weight = (fx if dx else 1 - fx) * (fy if dy else 1 - fy) * inside
                    index = y.clamp(0, SIZE - 1) * SIZE + x.clamp(0, SIZE - 1)
                    term = self.planes[plane].index_select(0, index).mul_(weight[:, None])
                    out = term if out is None else out.add_(term)
        return out.div_(3)

    def decode(self, origin: Any, direction: Any, t: Any) -> tuple[Any, Any]:
        torch = self.torch
        points = (origin + t * direction[:, None]).reshape(-1, 3)
        x = torch.nn.functional.softplus(torch.addmm(self.b0, self.features(points), self.w0))
        x = torch.addmm(self.b1, x, self.w1)
        rays, samples = t.shape[:2]
        return torch.sigmoid(x[:, 1:]).mul(1.002).sub(0.001).reshape(rays, samples, -1), x[:, :1].reshape(
            rays, samples, 1
        )

    def march(self, colour: Any, density: Any, t: Any) -> tuple[Any, Any, Any]:
        torch = self.torch
        delta = t[:, 1:] - t[:, :-1]
        colour, middle = (colour[:, :-1] + colour[:, 1:]) / 2, (t[:, :-1] + t[:, 1:]) / 2
        density = torch.nn.functional.softplus((density[:, :-1] + density[:, 1:]) / 2 - 1)
        alpha = 1 - torch.exp(-density * delta)
        shifted = torch.cat([torch.ones_like(alpha[:, :1]), 1 - alpha + 1e-10], 1)
        weights = alpha * torch.cumprod(shifted, 1)[:, :-1]
        total = weights.sum(1)
        depth = ((weights * middle).sum(1) / total).nan_to_num(float("inf")).clamp(t.min(), t.max())
        return (weights * colour).sum(1) * 2 - 1, depth, weights

    def fine_depths(self, t: Any, weights: Any) -> Any:
        torch = self.torch
        w = weights[..., 0]
        w = torch.nn.functional.max_pool1d(w[:, None], 2, 1, padding=1)
        w = torch.nn.functional.avg_pool1d(w, 2, 1).squeeze(1) + 0.01
        bins = 0.5 * (t[:, :-1, 0] + t[:, 1:, 0])
        w = w[:, 1:-1] + 1e-5
        cdf = torch.cumsum(w / w.sum(1, keepdim=True), 1)
        cdf = torch.cat([torch.zeros_like(cdf[:, :1]), cdf], 1)
        above = torch.searchsorted(cdf, self.u_fine, right=True)
        low, high = (above - 1).clamp_min(0), above.clamp_max(w.shape[1])
        base, top = cdf.gather(1, low), cdf.gather(1, high)
        span = torch.where(top - base < 1e-5, 1.0, top - base)
        start, end = bins.gather(1, low), bins.gather(1, high)
        return (start + (self.u_fine - base) / span * (end - start))[..., None]

    def __call__(self) -> tuple[Any, Any, Any]:
        """features [R, colours], depth [R, 1], weight sum [R, 1]"""
        torch = self.torch
        with torch.inference_mode():
            origin, direction = self.rays()
            step = (END - START) / (COARSE - 1)
            t = torch.linspace(START, END, COARSE)[:, None] + self.u_coarse * step
            colour, density = self.decode(origin, direction, t)
            _, _, weights = self.march(colour, density, t)
            fine = self.fine_depths(t, weights)
            fine_colour, fine_density = self.decode(origin, direction, fine)
            t, order = torch.sort(torch.cat([t, fine], 1), dim=1)
            density = torch.cat([density, fine_density], 1).gather(1, order)
            colour = torch.cat([colour, fine_colour], 1).gather(1, order.expand(-1, -1, COLOURS))
            features, depth, weights = self.march(colour, density, t)
            return features, depth, weights.sum(1)


def _errors(out: Any, want: tuple[np.ndarray, ...]) -> tuple[float, float]:
    """Largest error of features and weight sums; of depth where there is something."""
    features, depth, weights = (
        np.asarray(a)[0].reshape(len(a[0]), -1).T for a in map(np.asarray, (out.features, out.depth, out.weight_sum))
    )
    solid = want[2] > SOLID
    return (
        float(max(np.abs(features - want[0]).max(), np.abs(weights - want[2]).max())),
        float(np.abs(depth - want[1])[solid].max()),
    )


def run(run: Run) -> None:
    try:
        import torch
    except ImportError:
        run.skip("render_vs_torch", ">=", VS_EAGER, "PyTorch is not installed")
        return
    s = scene()
    decoder = fr.TriPlaneDecoder(*s.weights)
    full, half = fr.planes_from_nchw(s.planes), fr.planes_from_nchw(s.planes, "float16")
    threads = min(usable_cores(), 8)
    torch.set_num_threads(threads)
    run.problem = {
        "planes": [3, CHANNELS, SIZE, SIZE],
        "decoder": [CHANNELS, HIDDEN, 1 + COLOURS],
        "samples": [COARSE, FINE],
        "density": "shell of an ellipsoid",
        "skip_weight": SKIP_WEIGHT,
        "mac_per_sample": HIDDEN * (CHANNELS + 1 + COLOURS) + 12 * CHANNELS,
        "torch": torch.__version__,
        "torch_isa": torch.backends.cpu.get_cpu_capability(),
    }
    cases = []
    for resolution in RESOLUTIONS:
        rng = np.random.default_rng(SEED + resolution)
        u_coarse = rng.random((1, resolution**2, COARSE), np.float32)
        u_fine = rng.random((1, resolution**2, FINE), np.float32)
        eager = Torch(s, resolution, u_coarse, u_fine, channels_last=False)
        last = Torch(s, resolution, u_coarse, u_fine, channels_last=True)
        memory = fr.volume_render(full, decoder, s.camera, resolution=resolution)

        def render(
            planes: Any, out: Any = None, *, u: Any = (u_coarse, u_fine), side: int = resolution, **options: Any
        ) -> Any:
            return fr.volume_render(
                planes,
                decoder,
                s.camera,
                resolution=side,
                u_coarse=u[0],
                u_fine=u[1],
                ray_range=(START, END),
                out=out,
                **options,
            )

        want = tuple(a.numpy() for a in eager())
        run.problem[f"mean_opacity_{resolution}"] = round(float(want[2].mean()), 4)
        others = tuple(a.numpy() for a in last())
        run.parity(
            f"render_{resolution}_torch_forms",
            float(np.abs(others[0] - want[0]).max()),
            MAX_ERROR,
            "PyTorch's two forms",
        )
        paths = (
            {"scalar": "baseline", "avx2": "avx2", "avx512": "avx512"}
            if resolution == RESOLUTIONS[0]
            else {"best": None}
        )
        for name, isa in paths.items():
            try:
                with engine_settings(isa=isa):
                    features, depth = _errors(render(full), want)
            except fr.UnsupportedError:
                continue
            run.parity(
                f"render_{resolution}_{name}_error",
                features,
                MAX_ERROR,
                "features and weight sums against eager PyTorch",
            )
            run.parity(
                f"render_{resolution}_{name}_depth_error",
                depth,
                10 * MAX_ERROR,
                f"world units, where the weight sum > {SOLID}",
            )
        features, _ = _errors(render(half, skip_weight=SKIP_WEIGHT), want)
        run.parity(
            f"render_{resolution}_skip_error",
            features,
            MAX_ERROR_SKIP,
            "float16 planes and skip, features against eager PyTorch",
        )
        cases.append((resolution, render, eager, last, memory))
    opacity = run.problem[f"mean_opacity_{RESOLUTIONS[0]}"]
    run.check("render_mean_opacity_least", opacity, ">=", 0.2, "share of light stopped", kind="parity")
    run.check("render_mean_opacity_most", opacity, "<=", 0.3, "share of light stopped", kind="parity")
    run.require_parity()

    for resolution, render, eager, last, memory in cases:
        ours = Contestant(
            f"forge_rt_{resolution}", f"{resolution} x {resolution}, float32 planes, no skip",
            partial(render, full, memory), unit="image", threads=threads,
        )  # fmt: skip
        skip = Contestant(
            f"forge_rt_skip_{resolution}", "float16 planes, colours below the threshold skipped",
            partial(render, half, memory, skip_weight=SKIP_WEIGHT), unit="image", threads=threads,
        )  # fmt: skip
        peers = [
            Contestant(
                f"torch_eager_{resolution}", "grid_sample, NCHW", eager, unit="image", threads=threads, calls_per_turn=1
            ),
            Contestant(
                f"torch_last_{resolution}",
                "rows gathered channels-last",
                last,
                unit="image",
                threads=threads,
                calls_per_turn=1,
            ),
        ]
        with engine_settings(threads=threads):
            timings = run.compare(ours, skip, *peers, rounds=7 if resolution <= 64 else 5, warm_up=1)
        suffix = "" if resolution == RESOLUTIONS[0] else f"_{resolution}"
        run.check(f"render_vs_torch{suffix}", timings.ratio(peers[0].name, ours.name), ">=", VS_EAGER)
        run.check(
            f"render_vs_torch_channels_last{suffix}", timings.ratio(peers[1].name, ours.name), ">=", VS_CHANNELS_LAST
        )
        run.check(f"render_skip_vs_torch{suffix}", timings.ratio(peers[0].name, skip.name), ">=", VS_EAGER_SKIP)
