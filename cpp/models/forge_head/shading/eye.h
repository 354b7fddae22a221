// Eyeballs, teeth, tongue, the inside of the mouth.
#pragma once

#include "skin.h"

namespace forge_rt::shade {

FORGE_HD Surface plain_surface(const Fragment& f, Vec3 albedo, float gloss, float sharpness) {
  return {albedo, grey(0.1f), grey(1.f), f.normal, f.aux[2], gloss, sharpness};
}

/// What the wet eye mirrors: the key light as a window with a cross of bars, and the room.
FORGE_HD Vec3 eye_mirror(const Look& look, const Light& light, const Fragment& f, Vec3 normal, float open) {
  const Vec3 r = normal * (2.f * dot(normal, f.to_eye)) - f.to_eye;
  const float fresnel = 0.03f + 0.97f * pow5(1.f - larger(dot(normal, f.to_eye), 0.f));
  // A pixel covers this much of the mirrored world.
  const float edge = 0.035f + 2.5f * f.pixel_m / 0.008f;
  const float half = 0.085f + 0.15f * light.softness;
  const float u = fabsf(dot(r, light.key_right)), v = fabsf(dot(r, light.key_up));
  float window = smoothstep(half + edge, half - edge, u) * smoothstep(1.25f * half + edge, 1.25f * half - edge, v);
  if ((look.seed & 3u) == 1u)
    window *= 1.f - 0.7f * larger(smoothstep(0.035f + edge, 0.012f, u), smoothstep(0.035f + edge, 0.012f, v));  // bars
  if (dot(r, light.key) < 0.f) window = 0.f;
  const float strength = mix(1.5f, 0.55f, light.softness) * saturate(f.shadow * 1.5f);
  Vec3 color = light.key_color * (window * strength * (0.55f + 15.f * (fresnel - 0.03f)));
  // A second, weaker window opposite the key.
  const Vec3 other = normalized(Vec3{-light.key.x - 0.25f, 0.30f, 0.75f});
  const float at = dot(r, other);
  color = color + irradiance(light, other) * (0.20f * smoothstep(0.955f - edge, 0.975f, at));
  // Bright above, dark below.
  color = color + irradiance(light, r) * (1.5f * fresnel * smoothstep(-0.35f, 0.5f, r.y));
  return color * open;
}

FORGE_HD Vec3 lit_eye(const Look& look, const Part& part, const Fragment& f, const Light& light) {
  const Eye& eye = look.eye[f.label == kLeftEye ? 0 : 1];
  const float unit = look.eye_last_angle / look.iris_angle;
  const float px = (f.aux[0] - part.chart[0]) / part.chart[2] * unit, py = (f.aux[1] - part.chart[1]) / part.chart[3] * unit;
  const float t = sqrtf(px * px + py * py) + 1e-5f;  // 1 at the limbus
  const float pixel = f.pixel_m / 0.0059f;           // in iris radii
  const auto to_local = [&](Vec3 v) { return Vec3{dot(v, eye.right), dot(v, eye.up), dot(v, eye.axis)}; };
  const Vec3 view = to_local(f.to_eye), key = to_local(light.key);

  // The wet surface: the cornea is rounder than the ball.
  const float angle = t * look.iris_angle;
  const float tilt = mix(0.62f * t, sinf(smaller(angle, 1.5f)), smoothstep(0.80f, 1.12f, t));
  const float nx = px / t * tilt, ny = py / t * tilt, nz = sqrtf(larger(1.f - nx * nx - ny * ny, 0.01f));
  const Vec3 wet = eye.right * nx + eye.up * ny + eye.axis * nz;

  // The lids shade what is below them, lashes included.
  const NearLid lid = near_lid(eye, f.position);
  const float under = larger(-lid.gap_up, 0.f), over = larger(lid.gap_low, 0.f);
  const float band = hill(square(under / 0.0030f)), crease = hill(square(over / 0.0012f));
  const float corner = smoothstep(0.22f, 0.02f, lid.s) + smoothstep(0.80f, 0.97f, lid.s);
  const float open = (1.f - 0.66f * band) * (1.f - 0.28f * crease) * (1.f - 0.40f * saturate(corner));
  const float openness = open * mix(1.f, f.sky, 0.7f);

  // Sclera: grey, pink towards the corners, yellowish with age, veins from the corners.
  Vec3 white = mix(Vec3{0.39f, 0.36f, 0.34f}, Vec3{0.35f, 0.305f, 0.255f}, saturate(0.4f * look.age + 0.35f * look.melanin));
  const float outward = smoothstep(1.2f, 3.2f, t);
  white = mix(white, Vec3{0.50f, 0.30f, 0.26f}, 0.65f * smoothstep(0.84f, 0.98f, lid.s) + (0.12f + 0.30f * look.bloodshot) * outward);
  if (f.pixel_m < 0.0005f && t > 1.05f) {
    const float n = value_noise(Vec3{px * 2.1f, py * 5.2f, 0.7f}, look.seed + 12u);
    const float m = value_noise(Vec3{px * 4.5f, py * 9.5f, 2.7f}, look.seed + 13u);
    const float veins = larger(1.f - smoothstep(0.f, 0.05f, fabsf(n - 0.5f)), 0.7f * (1.f - smoothstep(0.f, 0.06f, fabsf(m - 0.45f))));
    white = white * mix(grey(1.f), Vec3{0.92f, 0.58f, 0.54f}, veins * smoothstep(1.15f, 2.6f, t) * (0.25f + 0.75f * look.bloodshot));
  }
  Surface ball = plain_surface(f, white, 0.f, 1.f);
  ball.normal = ball.normal + (wet - ball.normal) * 0.5f;
  ball.wrap = {0.42f, 0.32f, 0.28f};
  ball.occlusion = open;
  ball.bend = {0.85f, 1.1f, 1.15f};
  const Vec3 sclera = diffuse(ball, f, light, openness, irradiance(light, ball.normal));
  Vec3 color = sclera;

  if (t < 1.15f) {
    // Seen through the cornea, the iris lies deeper and shifts against it.
    const float depth = 0.40f * larger(1.f - t * t, 0.f) / larger(view.z, 0.4f);
    const float ix = px - view.x * depth, iy = py - view.y * depth;
    const float it = sqrtf(ix * ix + iy * iy) + 1e-5f, cx = ix / it, cy = iy / it;
    const float near = saturate(1.6f - 9.f * pixel);
    const float fibre = near > 0.f ? mix(0.5f, value_noise(Vec3{cx * 8.5f, cy * 8.5f, it * 1.7f}, look.seed + 14u), near) : 0.5f;
    const float broad = value_noise(Vec3{cx * 2.6f, cy * 2.6f, it * 2.2f}, look.seed + 15u);
    const float collar = 0.5f * look.pupil + 0.30f + 0.10f * (broad - 0.5f) + 0.05f * (fibre - 0.5f);
    Vec3 iris = look.iris_color * ((0.35f + 0.95f * fibre) * (0.75f + 0.5f * broad));
    const float inner = smoothstep(collar + 0.06f, collar - 0.06f, it);
    iris = mix(iris, iris * Vec3{1.25f, 0.92f, 0.62f} + Vec3{0.012f, 0.006f, 0.f}, 0.75f * inner);
    iris = iris * (1.f + 0.45f * hill(square((it - collar) / 0.06f)));                   // the collarette's ridge
    iris = iris * mix(1.f, 0.22f, smoothstep(0.74f, 1.0f, it));                          // limbal ring
    const float soft = 0.035f + pixel;
    iris = iris * mix(0.55f, 1.f, smoothstep(look.pupil, look.pupil + 0.10f, it));       // ruff
    iris = mix(grey(0.0035f), iris, smoothstep(look.pupil - 0.6f * soft, look.pupil + 0.6f * soft, it));
    // Light that the cornea bends gathers on the far side.
    const float gathered = larger(-(ix * key.x + iy * key.y), 0.f) * larger(key.z + 0.3f, 0.f);
    const Vec3 light_in = light.key_color * (f.shadow * (0.75f * larger(key.z, 0.f) + 0.9f * gathered)) * (1.f - 0.5f * band) +
                          irradiance(light, eye.axis) * (1.1f * openness);
    color = mix(iris * light_in, sclera, smoothstep(0.93f - 0.5f * pixel, 1.09f + 0.5f * pixel, t));
  }
  // Tears along the lower lid.
  const float tears = hill(square((over - 0.0003f) / 0.0004f));
  color = color +
          (light.key_color * (0.22f * f.shadow * saturate(2.f * dot(f.normal, light.key))) + irradiance(light, {0.f, 0.7f, 0.7f}) * 0.10f) *
              (tears * saturate(0.0006f / f.pixel_m));
  return color + eye_mirror(look, light, f, wet, (1.f - 0.8f * band) * (1.f - 0.5f * saturate(corner)) * f.sky);
}

/// How much light gets this far into the mouth; z of the template, behind the lips.
FORGE_HD float mouth_light(const Look& look, const Fragment& f) {
  const float depth = larger(0.575f - 10.f * f.rest.z, 0.f);
  return 0.10f + 0.60f * square(saturate(1.f - depth / (0.42f + 0.25f * look.jaw_open)));
}

FORGE_HD Surface mouth_surface(const Look& look, const Fragment& f) {
  const float open = mouth_light(look, f);
  Surface s = plain_surface(f, Vec3{0.34f, 0.085f, 0.075f} * (0.45f + 0.55f * open), 0.35f * open, 26.f);
  s.occlusion = open;
  s.bend = {0.9f, 1.3f, 1.3f};
  return s;
}
FORGE_HD Surface tongue_surface(const Look& look, const Fragment& f) {
  const Vec3 q = f.rest * 10.f;
  Vec3 slope;
  const float bumps = value_noise(q * 62.f, look.seed + 16u, slope);
  const float groove = hill(square(q.x / 0.022f));
  Surface s = plain_surface(f, Vec3{0.50f, 0.185f, 0.170f} * (0.85f + 0.25f * bumps) * (1.f - 0.3f * groove), 0.8f, 40.f);
  s.normal = normalized(f.normal - slope * (0.10f * saturate(2.f - 40.f * f.pixel_m * 62.f)));
  s.occlusion = 0.9f * mouth_light(look, f);
  s.wrap = {0.3f, 0.15f, 0.1f};
  s.bend = {0.9f, 1.25f, 1.3f};
  return s;
}
FORGE_HD Surface tooth_surface(const Look& look, const Part& part, const Fragment& f) {
  const float along = (f.aux[0] - part.chart[0]) / part.chart[2], up = (f.aux[1] - part.chart[1]) / part.chart[3];  // -1 .. 1; edge to gum
  const float tooth = along * (1.25f * 6.6f / 3.14159265f);  // the crowns of the mesh (export/forgehead/parts.py)
  const float cell = floorf(tooth), within = tooth - cell;  // 0..1 across one crown
  const float random = lattice(static_cast<std::int32_t>(cell), 7, 3, look.seed + 17u);
  Vec3 enamel = mix(Vec3{0.70f, 0.67f, 0.60f}, Vec3{0.56f, 0.45f, 0.28f}, look.teeth_shade) * (0.93f + 0.10f * random);
  enamel = enamel * mix(Vec3{0.82f, 0.86f, 0.90f}, grey(1.f), smoothstep(-1.0f, -0.45f, up));  // clear at the edge
  enamel = enamel * mix(grey(1.f), Vec3{0.92f, 0.84f, 0.70f}, 0.7f * smoothstep(-0.2f, 0.45f, up));  // yellower at the neck
  const float side = 2.f * within - 1.f;
  const float gap = hill(square((1.f - fabsf(side)) / 0.13f));
  enamel = enamel * (1.f - 0.62f * gap);
  const float gum = smoothstep(-0.05f, 0.05f, up - 0.58f + 0.20f * side * side);
  Surface s = plain_surface(f, mix(enamel, Vec3{0.46f, 0.17f, 0.155f}, gum), mix(0.9f, 0.5f, gum), mix(60.f, 25.f, gum));
  s.normal = normalized(f.normal + Vec3{0.30f * side * side * side, 0.f, 0.f});
  s.wrap = {0.25f, 0.20f, 0.16f};
  s.bend = {0.85f, 1.1f, 1.2f};
  s.occlusion = 0.72f * (1.f - 0.80f * smoothstep(0.20f, 0.85f, fabsf(along))) * (1.f - 0.3f * gum);
  return s;
}

}  // namespace forge_rt::shade
