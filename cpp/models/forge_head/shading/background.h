// What is behind the head. x, y in 0..1 of the image, y down.
#pragma once

#include "noise.h"
#include "surface.h"

namespace forge_rt::shade {

/// Random number `k` of this background, 0..1.
FORGE_HD float draw(const Background& b, std::int32_t k) { return lattice(k, 5, 11, b.seed + 20u); }

/// Share of a box that covers (x, y), with edges `soft` wide.
FORGE_HD float box(float x, float y, float left, float top, float right, float bottom, float soft) {
  return smoothstep(left - soft, left + soft, x) * smoothstep(right + soft, right - soft, x) * smoothstep(top - soft, top + soft, y) *
         smoothstep(bottom + soft, bottom - soft, y);
}

/// Studio paper: a pool of light.
FORGE_HD Vec3 studio(const Background& b, float x, float y) {
  const float cx = 0.2f + 0.6f * draw(b, 1), cy = 0.2f + 0.5f * draw(b, 2), spread = 0.45f + 0.5f * draw(b, 3);
  const float pool = hill((square(x - cx) + square(y - cy)) / square(spread));
  const float cloth = value_noise(x * 4.f, y * 4.f, b.seed + 21u) - 0.5f;
  return mix(b.color_2, b.color, pool) * (1.f + 0.10f * cloth);
}

FORGE_HD Vec3 blobs(const Background& b, float x, float y) {
  const float n = value_noise(x * 2.3f + 9.f * draw(b, 1), y * 2.3f, b.seed + 22u), m = value_noise(x * 5.1f, y * 5.1f, b.seed + 23u);
  const float soft = 0.15f + 0.30f * b.blur;
  const Vec3 third = mix(b.color, b.color_2, 0.5f) * Vec3{0.6f + 0.8f * draw(b, 2), 0.6f + 0.8f * draw(b, 3), 0.6f + 0.8f * draw(b, 4)};
  return mix(mix(b.color, b.color_2, smoothstep(0.5f - soft, 0.5f + soft, n)), third, 0.7f * smoothstep(0.55f - soft, 0.55f + soft, m)) *
         (1.1f - 0.3f * y);
}

/// Discs of light out of focus.
FORGE_HD Vec3 bokeh(const Background& b, float x, float y) {
  Vec3 color = mix(b.color_2 * 0.5f, b.color * 0.6f, smoothstep(1.f, 0.f, y) * value_noise(x * 2.f, y * 2.f, b.seed + 24u));
  for (int layer = 0; layer < 2; ++layer) {
    const float scale = layer == 0 ? 4.5f : 8.f, px = x * scale + 3.f * draw(b, layer), py = y * scale + 2.f * draw(b, 2 + layer);
    const float fx = floorf(px), fy = floorf(py);
    for (int k = 0; k < 4; ++k) {  // discs reach into the next cell at most
      const std::int32_t cx = static_cast<std::int32_t>(fx) + (px - fx > 0.5f ? k & 1 : (k & 1) - 1),
                         cy = static_cast<std::int32_t>(fy) + (py - fy > 0.5f ? k >> 1 : (k >> 1) - 1);
      const std::uint32_t h = cell_hash(cx, cy, layer, b.seed + 25u);
      if ((h & 255u) > 130u) continue;
      const std::uint32_t g = scramble(h * 0x85ebca6bu);
      const float dx = px - static_cast<float>(cx) - 0.25f - 0.5f * static_cast<float>(g & 255u) / 255.f,
                  dy = py - static_cast<float>(cy) - 0.25f - 0.5f * static_cast<float>((g >> 8) & 255u) / 255.f;
      const float radius = 0.20f + 0.22f * b.blur + 0.06f * static_cast<float>((g >> 16) & 255u) / 255.f,
                  d = sqrtf(dx * dx + dy * dy) / radius;
      const float disc = smoothstep(1.f, 0.90f, d) * (0.75f + 0.25f * smoothstep(0.6f, 0.95f, d));
      const float warm = static_cast<float>((g >> 24) & 255u) / 255.f;
      color = color + mix(b.color, Vec3{1.f, 0.72f, 0.42f}, warm) * (disc * (0.12f + 0.55f * static_cast<float>((h >> 8) & 255u) / 255.f));
    }
  }
  return color;
}

/// Wall, window, shelf, a picture.
FORGE_HD Vec3 room(const Background& b, float x, float y) {
  const float soft = 0.004f + 0.055f * b.blur;
  const float edge = 0.15f + 0.7f * draw(b, 1);                    // a corner of the room
  const float turn = smoothstep(edge - soft, edge + soft, x);
  const float light = 1.15f - 0.5f * fabsf(x - (draw(b, 2) < 0.5f ? 0.05f : 0.95f));
  Vec3 color = b.color * mix(1.f, 0.66f, turn) * light * (1.05f - 0.25f * y);
  const float floor_at = 0.86f + 0.3f * draw(b, 3);
  color = mix(color, b.color_2 * 0.6f, smoothstep(floor_at - soft, floor_at + soft, y));
  if (draw(b, 4) < 0.6f) {  // window
    const float left = draw(b, 5) < 0.5f ? -0.1f + 0.2f * draw(b, 6) : 0.62f + 0.2f * draw(b, 6), wide = 0.22f + 0.14f * draw(b, 7),
                top = 0.04f + 0.15f * draw(b, 8);
    const float frame = box(x, y, left - 0.02f, top - 0.02f, left + wide + 0.02f, top + 0.52f, soft);
    const float pane = box(x, y, left, top, left + wide, top + 0.5f, soft) *
                       (1.f - 0.85f * smoothstep(0.008f + soft, 0.f, fabsf(x - left - 0.5f * wide))) *
                       (1.f - 0.85f * smoothstep(0.008f + soft, 0.f, fabsf(y - top - 0.22f)));
    const Vec3 outside = mix(Vec3{0.75f, 0.90f, 1.05f}, Vec3{0.35f, 0.45f, 0.30f}, smoothstep(top + 0.25f, top + 0.5f, y));
    color = mix(mix(color, grey(0.55f), 0.8f * frame), outside * (0.8f + 0.7f * draw(b, 9)), pane);
  }
  if (draw(b, 10) < 0.65f) {  // shelf with books
    const float left = draw(b, 5) < 0.5f ? 0.60f : -0.05f, right = left + 0.34f + 0.2f * draw(b, 11), rows = 0.17f + 0.06f * draw(b, 12);
    const float r = y / rows, row = floorf(r), at = (x - left) / (0.018f + 0.010f * draw(b, 13)), book = floorf(at);
    const std::uint32_t h = cell_hash(static_cast<std::int32_t>(book), static_cast<std::int32_t>(row), 1, b.seed + 26u);
    const float tall = 0.45f + 0.4f * static_cast<float>(h & 255u) / 255.f, in = r - row;
    const Vec3 cover =
        mix(mix(b.color_2, b.color, static_cast<float>((h >> 8) & 255u) / 255.f),
            Vec3{0.45f * static_cast<float>((h >> 16) & 255u) / 255.f, 0.16f, 0.30f * static_cast<float>((h >> 24) & 255u) / 255.f}, 0.45f);
    const float bs = soft / rows, side = 0.5f - fabsf(at - book - 0.5f);
    Vec3 shelf = mix(b.color_2 * 0.35f, cover * (0.5f + 0.5f * saturate(side * 6.f)),
                     smoothstep(0.94f + 0.3f * bs, 0.94f - 0.3f * bs, in) * smoothstep(1.f - tall - bs, 1.f - tall + bs, in));
    shelf = mix(shelf, mix(b.color_2, b.color, 0.4f) * 0.35f, saturate(1.3f * b.blur - 0.1f));
    const float board = smoothstep(0.05f + bs, 0.02f, fabsf(in - 0.98f));
    color = mix(color, mix(shelf, b.color_2 * 0.8f, board), box(x, y, left, -0.2f, right, 0.2f + rows * 4.f, soft));
  }
  if (draw(b, 14) < 0.5f) {  // picture or door
    const float left = 0.1f + 0.7f * draw(b, 15), top = 0.12f + 0.2f * draw(b, 16), high = draw(b, 17) < 0.5f ? 0.22f : 1.2f;
    color = mix(color, b.color_2 * 0.9f, 0.85f * box(x, y, left, top, left + 0.18f + 0.1f * draw(b, 18), top + high, soft));
    if (high < 1.f)
      color = mix(color, mix(b.color, Vec3{0.7f, 0.65f, 0.5f}, 0.5f),
                  0.8f * box(x, y, left + 0.02f, top + 0.02f, left + 0.16f + 0.1f * draw(b, 18), top + high - 0.02f, soft));
  }
  return color * (0.94f + 0.12f * value_noise(x * 3.f, y * 3.f, b.seed + 27u));
}

/// Sky, two rows of houses, the ground.
FORGE_HD Vec3 street(const Background& b, float x, float y) {
  const float soft = 0.005f + 0.05f * b.blur;
  const float horizon = 0.62f + 0.25f * draw(b, 1);
  const Vec3 blue = mix(Vec3{0.30f, 0.48f, 0.85f}, Vec3{0.75f, 0.78f, 0.82f}, draw(b, 2));
  Vec3 color =
      mix(blue, Vec3{0.95f, 0.93f, 0.90f}, smoothstep(0.f, horizon, y)) * (0.85f + 0.3f * value_noise(x * 3.f, y * 6.f, b.seed + 28u));
  for (int row = 0; row < 2; ++row) {
    const float wide = row == 0 ? 0.21f : 0.34f, at = (x + draw(b, 3 + row)) / wide, house = floorf(at);
    const auto roof = [&](float k) {
      return horizon - (row == 0 ? 0.16f : 0.24f) -
             (row == 0 ? 0.30f : 0.60f) * lattice(static_cast<std::int32_t>(k), row, 2, b.seed + 29u);
    };
    const float in = at - house, next = smoothstep(1.f - soft / wide, 1.f + soft / wide, in + 0.5f * soft / wide);
    const float top = mix(roof(house), roof(house + 1.f), next);
    const float shade = 0.35f + 0.65f * lattice(static_cast<std::int32_t>(house), row, 3, b.seed + 29u);
    Vec3 wall = mix(mix(b.color, b.color_2, lattice(static_cast<std::int32_t>(house), row, 4, b.seed + 29u)), grey(0.4f), 0.25f) * shade;
    const float size = row == 0 ? 0.035f : 0.055f, ws = soft / size;
    const float u = x / size, v = (y - top) / (1.4f * size), du = fabsf(u - floorf(u) - 0.5f), dv = fabsf(v - floorf(v) - 0.5f);
    wall = wall * (1.f - 0.55f * smoothstep(0.28f + ws, 0.28f - ws, du) * smoothstep(0.30f + ws, 0.30f - ws, dv) *
                             larger(1.f - 1.2f * b.blur, 0.f));
    if (row == 0) wall = mix(wall, grey(0.7f), 0.35f);  // haze
    color = mix(color, wall,
                smoothstep(top - soft, top + soft, y) *
                    (row == 0 || lattice(static_cast<std::int32_t>(house), row, 5, b.seed + 29u) < 0.65f ? 1.f : 0.f));
  }
  const Vec3 ground = mix(grey(0.28f), b.color_2, 0.3f) * (0.8f + 0.4f * value_noise(x * 5.f, y * 25.f, b.seed + 30u));
  return mix(color, ground, smoothstep(horizon - soft, horizon + soft, y));
}

FORGE_HD Vec3 foliage(const Background& b, float x, float y) {
  const float focus = 1.f - 0.65f * b.blur, soft = 0.10f + 0.30f * b.blur;
  const float mass = value_noise(x * 3.f, y * 3.f, b.seed + 31u);
  const float leaves = value_noise(x * 13.f * focus + mass, y * 13.f * focus, b.seed + 32u),
              fine = value_noise(x * 37.f * focus, y * 37.f * focus, b.seed + 33u);
  const Vec3 green = mix(Vec3{0.07f, 0.16f, 0.035f}, b.color, 0.30f), dark = mix(Vec3{0.012f, 0.030f, 0.010f}, b.color_2 * 0.15f, 0.3f);
  const float lit = saturate(0.55f * leaves + 0.55f * mass + 0.5f * (1.f - b.blur) * (fine - 0.5f) - 0.1f);
  Vec3 color = mix(dark, green * (0.8f + 0.9f * draw(b, 1)), smoothstep(0.15f, 0.95f, lit)) + green * (0.5f * square(leaves) * mass);
  const float sky = smoothstep(0.66f, 0.70f + soft, 0.6f * leaves + 0.35f * fine + 0.25f * (0.5f - y));
  return mix(color, Vec3{0.70f, 0.82f, 0.75f}, 0.6f * sky);
}

FORGE_HD Vec3 stripes(const Background& b, float x, float y) {
  const float turn = 3.14159f * floorf(4.f * draw(b, 1)) / 4.f, count = 5.f + 16.f * square(draw(b, 2));
  const float u = (x * cosf(turn) + y * sinf(turn)) * count,
              v = (y * cosf(turn) - x * sinf(turn)) * count * (draw(b, 5) < 0.5f ? 0.5f : 1.f);
  const float soft = 0.02f + count * 0.030f * b.blur;
  const float light = 0.85f + 0.3f * value_noise(x * 2.f, y * 2.f, b.seed + 34u);
  if (draw(b, 3) < 0.45f) {  // stripes
    const float at = fabsf(u - floorf(u) - 0.5f);
    return mix(b.color, b.color_2, smoothstep(0.25f - soft, 0.25f + soft, at)) * light;
  }
  // Tiles or bricks with joints.
  const float row = floorf(v), w = u + (draw(b, 4) < 0.5f ? 0.5f * row : 0.f), du = 0.5f - fabsf(w - floorf(w) - 0.5f),
              dv = 0.5f - fabsf(v - row - 0.5f);
  const float joint = 1.f - smoothstep(0.03f - soft, 0.05f + soft, smaller(du, dv));
  const float tone = 0.85f + 0.3f * larger(1.f - 1.2f * b.blur, 0.f) *
                                 (lattice(static_cast<std::int32_t>(floorf(w)), static_cast<std::int32_t>(row), 6, b.seed) - 0.3f);
  return mix(b.color * tone, b.color_2, 0.8f * joint * larger(1.f - 0.8f * b.blur, 0.1f)) * light;
}

FORGE_HD Vec3 fabric(const Background& b, float x, float y) {
  const float fold = value_noise(x * 4.f + 0.6f * y, y * 0.9f, b.seed + 35u), n = value_noise(x * 9.f + 1.4f * y, y * 1.6f, b.seed + 36u);
  const float sharp = 1.f - b.blur;
  const float weave = sharp * (value_noise(x * 170.f, y * 60.f, b.seed + 37u) + value_noise(x * 60.f, y * 170.f, b.seed + 38u) - 1.f);
  return mix(b.color, b.color_2, 0.25f + 0.5f * (n - 0.5f)) * (0.62f + 0.75f * fold + 0.25f * (n - 0.5f) + 0.22f * weave);
}

FORGE_HD Vec3 background_at(const Background& b, float x, float y) {
  switch (b.kind) {
    case 0: return b.color * (1.04f - 0.08f * y);
    case 1: return studio(b, x, y);
    case 2: return blobs(b, x, y);
    case 3: return bokeh(b, x, y);
    case 4: return room(b, x, y);
    case 5: return street(b, x, y);
    case 6: return foliage(b, x, y);
    case 7: return stripes(b, x, y);
    default: return fabric(b, x, y);
  }
}

}  // namespace forge_rt::shade
