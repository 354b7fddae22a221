"""The first ten lines: draw one annotated face, change it, look at it from elsewhere.

python first_face.py [FOLDER]      writes face.png, labels.png, smile.png
"""

import sys
from pathlib import Path

import cv2
import forge_rt as fr
import numpy as np

out = Path(sys.argv[1] if len(sys.argv) > 1 else "out/first_face")
out.mkdir(parents=True, exist_ok=True)

head = fr.ForgeHead()
batch = head.generate(seed=7, index=0, camera="frontal", size=256)
rgb, labels = np.asarray(batch.rgb)[0], np.asarray(batch.segmentation)[0]

colors = np.zeros((256, 3), np.uint8)
for label in head.labels:
    colors[label.id] = label.color
cv2.imwrite(str(out / "face.png"), rgb[..., ::-1])  # OpenCV writes blue, green, red
cv2.imwrite(str(out / "labels.png"), colors[labels][..., ::-1])

# The same person with another expression, seen from the subject's left.
smiling = head.face(batch.faces[0], expression={"smile": 1.0})
view = head.render(smiling, fr.camera.orbit(yaw_deg=30, size=256))
cv2.imwrite(str(out / "smile.png"), np.asarray(view.rgb)[0, ..., ::-1])

for name, pixel in (("nose tip", 30), ("chin", 8)):
    x, y = np.asarray(view.landmarks)[0, pixel]
    print(f"{name}: pixel ({x:.1f}, {y:.1f}), visible: {np.asarray(view.visibility)[0, pixel] == 2}")
print(f"depth of the face: {np.asarray(view.depth_m)[0, 128, 128]:.3f} m; images in {out}")
