"""Faces of a camera or video, painted over it.

python webcam.py                                    # the first camera, in a window; Escape ends
python webcam.py --video in.mp4 --out out.mp4       # a file to a file; no display is needed
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time

import cv2
import forge_rt
import numpy as np


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--camera", type=int, default=0, metavar="N")
    source.add_argument("--video", metavar="FILE")
    parser.add_argument("--out", metavar="FILE", help="write a video instead of showing a window")
    parser.add_argument("--model", default="faces-mini", help="an installed bundle or a path")
    parser.add_argument("--frames", type=int, help="stop after so many")
    arguments = parser.parse_args()

    video = cv2.VideoCapture(arguments.camera if arguments.video is None else arguments.video)
    if not video.isOpened():
        print(f"cannot open {arguments.video or f'camera {arguments.camera}'}", file=sys.stderr)
        return 1
    rate = video.get(cv2.CAP_PROP_FPS) or 30.0
    tracker = forge_rt.FaceTracker(forge_rt.FaceAnalyzer(arguments.model))
    film: cv2.VideoWriter | None = None
    milliseconds = []

    for count in itertools.islice(itertools.count(), arguments.frames):
        good, frame = video.read()  # BGR
        if not good:
            break
        # a file has its own clock, a camera ours
        faces = tracker.update(frame, count / rate if arguments.video else time.monotonic(), format="bgr")
        milliseconds.append(faces.ms["total"])
        picture = np.ascontiguousarray(faces.overlay(frame, format="bgr")[..., ::-1])
        if arguments.out:
            if film is None:
                film = cv2.VideoWriter(
                    arguments.out, cv2.VideoWriter_fourcc(*"mp4v"), rate, (frame.shape[1], frame.shape[0])
                )
            film.write(picture)
        else:
            cv2.imshow("forge_rt", picture)
            if cv2.waitKey(1) == 27:
                break

    if film is not None:
        film.release()
    if not milliseconds:
        print("the video has no frames", file=sys.stderr)
        return 1
    print(f"{len(milliseconds)} frames, {np.median(milliseconds):.1f} ms each")
    return 0


if __name__ == "__main__":
    sys.exit(main())
