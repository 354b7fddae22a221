"""Every tolerance of the geometry and reader tests, with its reason."""

#: The same float32 operations in the same order, except that a compiler or a library may fuse a multiplication with an
#: addition: a few units in the last place of the largest term.
FEW_ULPS = 4 * 2.0**-23

# ---- rasterize ----

#: strict_float vertices are float32 values of order 1; barycentrics are quotients of differences of their products.
BARYCENTRIC_STRICT = 2e-5
#: watertight vertices are snapped to 1/256 pixel: each edge moves by at most sqrt(2)/512 pixel, which is the largest
#: change of a barycentric times the triangle's smallest height in pixels. Three edges, hence the factor.
SNAP_PX = 3 * 2**0.5 / 512
#: Depth against the same barycentrics' blend of w: both are float32 sums of three terms of one sign.
DEPTH_RELATIVE = 1e-5
#: Faces cut by the near plane. Their depth is interpolated as 1/w over a polygon that reaches to the guard band (16
#: half images away): the error in 1/depth is some ulps of the largest 1/w there (about 7/m), not of the pixel's own.
CLIPPED_INVERSE_DEPTH_PER_M = 7 * 64 * 2.0**-24
#: Barycentrics of such faces come from homogeneous coordinates of the whole triangle; relative to the point's distance.
CLIPPED_POSITION_RELATIVE = 2e-4
#: Two surfaces nearer to each other than this (relative) may be ordered either way by different roundings.
DEPTH_TIE_RELATIVE = 1e-4

# ---- sample_texture ----

#: float32 coordinates: u · size is exact to 2^-23 of the size (<= 64 texels here), times the texture's contrast of 1.
TEXTURE_BILINEAR = 2e-5
#: Nearest lookups nearer than this to a border between texels may fall on either side.
TEXEL_BORDER = 1e-4

# ---- volume_render ----

#: float32 sums over some 100 samples; coordinates are rounded before they are multiplied by the plane's size, and random planes
#: change fully from texel to texel. The bar of published pictures.
RENDER = 2e-5
#: Depth is divided by the weight sum, and noise below this sum.
RENDER_DEPTH = 1e-4
RENDER_SOLID = 1e-3

# ---- heads ----

#: Vertices of a head of 0.2 m in float32 (1e-8 m per rounding), about 100 terms, against float64.
LBS_M = 2e-6
#: Entries of float32 rotation matrices and products of a chain of up to nine.
ROTATION = 3e-6
#: Unit normals: sums of float32 cross products of similar size.
NORMAL = 2e-6

# ---- image ops ----

#: float32 sums of up to 36 filter taps of order 1 against float64.
IMAGE_OPS = 1e-5
#: Resize weights come from float32 positions: an ulp of a side below 128 pixels, on each axis, times values of up to 4.
RESIZE = 4 * 2 * 2.0**-17
#: Texture values and alphas of the golden views, as their README states.
GOLDEN_TEXTURE = 1e-4
