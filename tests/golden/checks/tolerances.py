"""Every tolerance of the golden runner, with its reason. Values are those stated beside the vectors."""

#: Share of covered pixels whose face index may differ: a summation order that moves an edge across a pixel centre.
FACE_SHARE = 0.0005
#: Pixels nearer to an edge than this (squared NDC distance) may fall on either side.
BORDERLINE = 1e-9
BARYCENTRICS = 2e-5
#: Depth is a float32 blend of values near 10.
DEPTH = 2e-5
UV = 2e-5
#: float16 storage of the reference, relative to its magnitude.
FLOAT16 = 1e-3
ALPHA = 1e-4
TEXTURE = 1e-4
VERTICES = 2e-6
#: Filters and resizes: float32 sums of up to some hundred terms, relative to the largest value.
OPS = 1e-5
LBS = 2e-6
CAMERA = 2e-6
#: v clamped to 1e-5: ill-conditioned in the reference's float32.
CAMERA_POLE = 1e-4
#: Origins, directions and depths of rays: the last bits of float32 at distances of 3.
RAYS = 2e-6
#: Volume rendering: float32 sums of about 100 samples, coordinates times the size of a plane.
RENDER = 2e-5
#: Raw density has no activation that would damp it.
RENDER_DENSITY = 2e-5
#: Depth is a quotient by the weight sum; below this it is noise.
RENDER_DEPTH = 1e-4
RENDER_SOLID = 1e-3
EXACT = 0.0
#: Metrics in double precision.
METRICS = 1e-9
#: Values that are stored rounded: half a unit of their last digit.
ROUNDED_4 = 5.1e-5
ROUNDED_6 = 5.1e-7
#: Aligned vertices and camera space: the reference's float32 of magnitude 3.
WORLD = 1e-5
#: The published angle is read back from the label's float32 focal length.
FOV_DEG = 1e-4
LANDMARKS_PX = 1e-2
#: Label masks at other meshes than the rasterizer's own vectors: camera z near 2.7, of triangles that may be seen from their edge.
MASK_DEPTH = 1e-4
#: Barycentrics of triangles of at least so many pixels.
MASK_AREA_PX = 0.5
MASK_BARYCENTRICS = 1e-3
#: Colours, 0..1, where no barycentric is smaller than MASK_BORDER.
MASK_BORDER = 1e-3
MASK_COLOR = 2e-3
#: Truncation to 8 bit can fall on either side.
BYTE = 1
#: A whole network: float32 in other summation orders. Images of about 1, planes of up to 200; larger ones may differ by as much more.
E2E_WS = 1e-5
E2E_PLANES = 5e-4
E2E_PLANES_OF = 200.0
E2E_IMAGE = 2e-4
E2E_DEPTH = 5e-4
#: A float next to a whole number may fall on its other side.
E2E_BYTES = 1
