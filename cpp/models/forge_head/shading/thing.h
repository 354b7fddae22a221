// Clothes, glasses, hats, objects.
#pragma once

#include "finish.h"
#include "kinds.h"
#include "light.h"
#include "noise.h"

namespace forge_rt::shade {

FORGE_HD Finish finish_of(const Part& part) { return static_cast<Finish>(part.pattern >> 2); }

/// How much of a detail of this size is left at the fragment's pixel size.
FORGE_HD float resolved(float size_m, const Fragment& f) { return 1.f - smoothstep(0.25f, 0.6f, f.pixel_m / size_m); }

/// `normal` bent by the slope of a height field.
FORGE_HD Vec3 bumped(Vec3 normal, Vec3 slope) { return normalized(normal - (slope - normal * dot(slope, normal))); }

/// Slope of soft folds: ridges along a wandering phase, strong in some places and absent in others. q in decimetres.
FORGE_HD Vec3 fold_slope(Vec3 q, float amount, std::uint32_t seed) {
  const float side = q.x / (fabsf(q.x) + 0.35f);
  const float wander = value_noise(q * 0.9f, seed), strength = value_noise(q * 1.3f + Vec3{7.f, 3.f, 1.f}, seed + 1u);
  const Vec3 first{side * 4.6f, 2.6f, 1.2f}, second{side * -2.4f, 6.2f, 0.8f};
  const float a = cosf(dot(first, q) + 9.f * wander), b = cosf(dot(second, q) - 8.f * wander + 1.f);
  const float far_down = smoothstep(-1.5f, -2.8f, q.y);  // collars lie flat
  return (first * (a * a * a * strength) + second * (b * b * b * (1.f - strength))) * (0.10f * amount * (0.2f + 0.8f * far_down));
}

struct Weave {
  float shade;    // of the threads
  Vec3 slope;
};

/// Knitted V stitches; `column`, `row` count stitches.
FORGE_HD Weave stitches(float column, float row, Vec3 along_columns, Vec3 along_rows) {
  const float c = column - floorf(column) - 0.5f;
  const float r = row + 0.9f * fabsf(c);
  const float v = r - floorf(r) - 0.5f;
  const float plump = (1.f - 4.f * v * v) * (0.35f + 0.65f * smoothstep(0.02f, 0.16f, fabsf(c)) * smoothstep(0.5f, 0.36f, fabsf(c)));
  return {0.72f + 0.42f * plump, (along_columns * (c > 0.f ? 1.f : -1.f) * (fabsf(c) - 0.25f) * 2.f + along_rows * v) * 0.9f};
}

FORGE_HD Weave cloth_weave(Finish finish, float u, float v, const Fragment& f) {
  Weave w{1.f, {0.f, 0.f, 0.f}};
  const Vec3 down{0.f, -1.f, 0.f}, right{1.f, 0.f, 0.f};
  if (finish == Finish::knit) {
    const float pitch = 0.0042f;
    w = stitches(f.rest.x / pitch, v / (0.8f * pitch), right, down);
    const float left = resolved(pitch, f);
    w.shade = mix(0.92f, w.shade, left);
    w.slope = w.slope * (0.5f * left);
  } else if (finish == Finish::rib && v < 0.05f) {
    const float phase = u * 620.f;
    const Vec3 around = normalized(Vec3{-f.rest.z - 0.075f, 0.f, f.rest.x});
    const float left = resolved(0.004f, f);
    w.shade = mix(0.92f, 0.88f + 0.16f * cosf(phase), left);
    w.slope = around * (0.5f * sinf(phase) * left);
  } else if (finish == Finish::jersey || finish == Finish::fleece) {
    if (v < 0.0205f) {  // the ribbed band of the collar
      w.shade = mix(0.97f, 0.95f + 0.07f * cosf(u * 900.f), resolved(0.003f, f));
    } else {
      w.shade = 1.f - 0.35f * smoothstep(0.0225f, 0.0205f, v);  // its seam
      const float stitch = smoothstep(0.0008f, 0.0003f, fabsf(v - 0.027f)) * (0.5f + 0.5f * sinf(u * 2600.f));
      w.shade *= 1.f - 0.25f * stitch * resolved(0.002f, f);
    }
  } else if (finish == Finish::poplin) {
    w.shade = 1.f - 0.22f * smoothstep(0.0012f, 0.0004f, fabsf(v - 0.006f)) * resolved(0.003f, f);  // stitched edges
  }
  return w;
}

/// 0..1: share of the second colour.
FORGE_HD float cloth_print(const Look& look, Finish finish, int pattern, const Fragment& f) {
  const Vec3 q = f.rest * 10.f;
  const float pick = lattice(3, 1, 4, look.seed);
  if (finish == Finish::silk) {  // ties
    const float diagonal = 0.5f + 0.5f * sinf((q.x + q.y) * (pattern == 0 ? 9.f : 18.f));
    return pattern == 3 ? 0.f : smoothstep(0.55f, 0.65f, diagonal);
  }
  const float frequency = 9.f + 26.f * pick;
  if (pattern == 1) {
    if (finish == Finish::wool) return 0.35f * smoothstep(0.985f, 0.998f, cosf(q.x * 22.f));  // pin stripes
    if (finish == Finish::poplin) return smoothstep(-0.2f, 0.2f, sinf(q.x * 2.2f * frequency));
    return smoothstep(-0.12f, 0.12f, sinf(q.y * frequency) + 0.9f * pick - 0.2f);
  }
  if (pattern == 2) {
    const float x = smoothstep(-0.1f, 0.1f, sinf(q.x * frequency)), y = smoothstep(-0.1f, 0.1f, sinf(q.y * frequency));
    return 0.45f * x + 0.45f * y;
  }
  if (pattern == 3)
    return smoothstep(0.42f, 0.58f, 0.65f * value_noise(q * 4.f, look.seed + 11u) + 0.35f * value_noise(q * 11.f, look.seed + 12u));
  return 0.f;
}

FORGE_HD Surface cloth_surface(const Look& look, const Part& part, const Fragment& f) {
  const Finish finish = finish_of(part);
  const Vec3 q = f.rest * 10.f;
  const Weave weave = cloth_weave(finish, f.aux[0], f.aux[1], f);
  const bool soft = finish == Finish::wool || finish == Finish::fleece || finish == Finish::knit || finish == Finish::rib;
  const float amount = finish == Finish::wool                            ? 0.45f
                       : finish == Finish::knit || finish == Finish::rib ? 0.5f
                       : finish == Finish::silk                          ? 0.15f
                                                                         : 1.f;
  Surface s;
  s.normal = bumped(f.normal, fold_slope(q, amount, look.seed + 21u) + weave.slope);
  Vec3 color = mix(part.color, part.color_2, cloth_print(look, finish, part.pattern & 3, f));
  const float fine = value_noise(q * (soft ? 55.f : 80.f), look.seed + 7u) - 0.5f, worn = value_noise(q * 2.3f, look.seed + 8u) - 0.5f;
  color = color * (weave.shade * (1.f + (soft ? 0.30f : 0.12f) * fine * resolved(0.0025f, f) + 0.08f * worn));
  // Fibres catch light at the rim.
  const float rim = 1.f - fmaxf(dot(s.normal, f.to_eye), 0.f);
  s.albedo = color * (1.f + (soft ? 0.55f : 0.2f) * rim * rim);
  s.wrap = grey(soft ? 0.25f : 0.12f);
  s.bend = grey(1.f);
  s.occlusion = f.aux[2];
  s.gloss = finish == Finish::silk ? 1.2f : finish == Finish::poplin ? 0.25f : 0.08f;
  s.sharpness = finish == Finish::silk ? 22.f : 8.f;
  return s;
}

FORGE_HD Surface hat_surface(const Part& part, const Fragment& f) {
  const Finish finish = finish_of(part);
  const Vec3 q = f.rest * 10.f;
  const float u = f.aux[0], v = f.aux[1];
  Surface s{part.color, grey(0.18f), grey(1.f), f.normal, f.aux[2], 0.08f, 8.f};
  const Vec3 around = normalized(Vec3{-f.rest.z - 0.04f, 0.f, f.rest.x});
  if (finish == Finish::knit) {
    const float left = resolved(0.005f, f);
    const Weave w = stitches(u * 110.f, v / 0.0042f, around, Vec3{0.f, -1.f, 0.f});
    const float rib = cosf(u * 6.2831853f * 55.f);
    s.albedo = s.albedo * mix(0.92f, w.shade * (0.93f + 0.10f * rib), left);
    s.normal = bumped(f.normal, (w.slope * 0.5f - around * (0.35f * sinf(u * 6.2831853f * 55.f))) * left);
  } else if (finish == Finish::twill) {
    const float weave = value_noise({(q.x + q.y) * 45.f, (q.y - q.x) * 12.f, q.z * 30.f}, 5u) - 0.5f;
    s.albedo = s.albedo * (1.f + 0.22f * weave * resolved(0.003f, f));
    if (u >= 0.f) {  // panels: seams run to the button
      const float panel = u * 6.f + 0.5f;
      const float off = fabsf(panel - floorf(panel) - 0.5f) * 0.1f;  // metres, about
      s.albedo = s.albedo * (1.f - 0.35f * smoothstep(0.0016f, 0.0006f, off));
      s.albedo = s.albedo * (1.f - 0.12f * smoothstep(0.0008f, 0.0003f, fabsf(off - 0.004f)));
    } else {  // the brim is stitched
      const float row = v / 0.008f;
      s.albedo = s.albedo * (1.f - 0.16f * smoothstep(0.10f, 0.04f, fabsf(row - floorf(row) - 0.5f)));
    }
    s.normal = bumped(f.normal, fold_slope(q * 1.6f + Vec3{0.f, -6.f, 0.f}, 0.25f, 77u));
  } else if (finish == Finish::straw) {
    const float a = sinf(v * 2200.f), b = sinf(u * 6.2831853f * 130.f + (a > 0.f ? 1.57f : -1.57f));
    s.albedo = s.albedo * mix(0.85f, 0.78f + 0.22f * a * b + 0.1f * a, resolved(0.003f, f));
  } else if (finish == Finish::wound) {  // u counts the turns of the cloth
    const float turn = u - floorf(u);
    s.albedo = s.albedo * (0.55f + 0.45f * smoothstep(0.f, 0.22f, turn)) * (1.f + 0.10f * (value_noise(q * 60.f, 6u) - 0.5f));
    s.normal = bumped(f.normal, Vec3{0.f, 1.f, 0.f} * (1.1f * (turn - 0.6f)));
    s.normal = bumped(s.normal, fold_slope(q * 2.6f + Vec3{0.f, -8.f, 0.f}, 0.5f, 31u));
  } else if (finish == Finish::gloss) {
    s.gloss = 1.6f;
    s.sharpness = 140.f;
    s.wrap = grey(0.03f);
  } else if (finish == Finish::silk || finish == Finish::jersey) {  // scarves and turbans
    s.normal = bumped(f.normal, fold_slope(q * 1.6f + Vec3{0.f, -8.f, 0.f}, 0.4f, 31u));
    s.albedo = s.albedo * (1.f + 0.10f * (value_noise(q * 60.f, 6u) - 0.5f));
    if (finish == Finish::silk) s.gloss = 0.7f, s.sharpness = 16.f;
  } else {  // felt
    s.albedo = s.albedo * (0.92f + 0.16f * value_noise(q * 45.f, 9u));
    s.wrap = grey(0.25f);
  }
  const float rim = 1.f - fmaxf(dot(s.normal, f.to_eye), 0.f);
  s.albedo = s.albedo * (1.f + 0.25f * rim * rim);
  return s;
}

/// Everything that is neither skin, cloth nor hair.
FORGE_HD Surface solid_surface(const Part& part, const Fragment& f) {
  if (part.material == static_cast<std::uint8_t>(Material::hat)) return hat_surface(part, f);
  const Finish finish = finish_of(part);
  Surface s{part.color, grey(0.05f), grey(1.f), f.normal, f.aux[2], part.gloss, mix(200.f, 8.f, part.roughness)};
  const Vec3 q = f.rest * 10.f;
  if (finish == Finish::metal || part.material == static_cast<std::uint8_t>(Material::metal)) {
    // A mirror shows a bright sky, a dark horizon and a lit ground.
    const Vec3 mirrored = f.normal * (2.f * dot(f.normal, f.to_eye)) - f.to_eye;
    const float room = 0.30f + 0.9f * smoothstep(0.05f, 0.6f, mirrored.y) + 0.35f * smoothstep(-0.1f, -0.7f, mirrored.y);
    const float thin = smoothstep(0.0003f, 0.0009f, f.pixel_m);  // wires of a pixel's width show all of it at once
    s.albedo = s.albedo * mix(room, 0.7f, thin);
    s.gloss = mix(fmaxf(part.gloss, 5.f), 1.f, thin);
    s.sharpness = mix(90.f, 10.f, thin);
  } else if (finish == Finish::hand) {
    const float coarse = value_noise(q * 9.f, 41u), fine = value_noise(q * 60.f, 42u);
    const float nail = f.aux[0], crease = f.aux[1];
    s.albedo = s.albedo * (0.93f + 0.10f * coarse + 0.06f * fine);
    s.albedo = s.albedo * mix(grey(1.f), Vec3{0.82f, 0.66f, 0.62f}, saturate(crease));           // knuckles, palm lines
    s.albedo = mix(s.albedo, s.albedo * Vec3{1.12f, 0.98f, 0.98f} + grey(0.04f), saturate(nail));
    s.wrap = {0.26f, 0.15f, 0.11f};
    s.bend = {0.9f, 1.15f, 1.25f};
    s.gloss = mix(0.3f, 1.3f, saturate(nail));
    s.sharpness = mix(16.f, 60.f, saturate(nail));
  } else if (finish == Finish::paper) {  // lines of print
    const float line = f.aux[1] / 0.0065f, word = value_noise(f.aux[0] * 160.f, floorf(line), 3u);
    const float ink = smoothstep(0.22f, 0.16f, fabsf(line - floorf(line) - 0.5f)) * smoothstep(0.28f, 0.34f, word);
    s.albedo = s.albedo * (1.f - 0.75f * ink * smoothstep(0.f, 0.001f, f.aux[0]));
    s.gloss = 0.1f;
    s.sharpness = 8.f;
    s.wrap = grey(0.2f);
  } else if (finish == Finish::jersey) {  // medical masks: three pleats
    const float row = (f.aux[1] - 0.030f) / 0.016f, off = (row - floorf(row)) * 0.016f;
    const float pleat = row > -0.5f && row < 3.f ? smoothstep(0.004f, 0.f, off) : 0.f;
    s.albedo = s.albedo * (1.f - 0.30f * pleat + 0.06f * (value_noise(q * 50.f, 8u) - 0.5f));
    s.gloss = 0.08f;
    s.sharpness = 8.f;
    s.wrap = grey(0.25f);
  }
  return s;
}

}  // namespace forge_rt::shade
