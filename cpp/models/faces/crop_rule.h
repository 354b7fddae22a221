// Where the network's crop lies: the bundle's rule for five points or for a box.
#pragma once

#include <array>
#include <span>

#include "forge_rt/ops/image_view.h"
#include "models/faces/contract.h"

namespace forge_rt::faces {

using FivePoints = std::array<std::array<float, 2>, 5>;

constexpr float kLargestBox = 1e6f;  // pixels; a network that says more has gone astray

/// Frame pixels → crop pixels. Throws invalid_argument for points or boxes that are not finite or have no extent, and unsupported for
/// points where the bundle crops by boxes.
Affine crop_of_points(const CropContract& rule, ImageSize crop, const FivePoints& points);
Affine crop_of_box(const CropContract& rule, ImageSize crop, const Box& box);

/// Whether the points make a crop under this rule.
bool usable_points(const CropContract& rule, const FivePoints& points);

/// Of 68 landmarks (iBUG order).
FivePoints five_points_of(std::span<const std::array<float, 2>> landmarks);
Box bounding_box(std::span<const std::array<float, 2>> points);

/// The frame's part that a crop covers, as the box around its four corners.
Box box_around_crop(const Affine& to_frame, ImageSize crop);

}  // namespace forge_rt::faces
