// One head ready to be drawn: its own mesh, the meshes that ride on it and its strands as one list of triangles.
#pragma once

#include "model.h"
#include "shading/surface.h"

namespace forge_rt {

/// Layers are prefixes of the triangle list: [0, bare) is the head and its clothes, [0, opaque) adds hair, beard, frames and hats,
/// [0, unobstructed) lenses; the rest are free objects.
struct Assembly {
  std::vector<float> position;         // [N, 3] metres, head frame
  std::vector<float> normal;           // [N, 3]
  std::vector<float> rest;             // [N, 3] template position; strands: unit tangent from root to tip
  std::vector<float>
      aux;  // [N, 4] head: u, v, occlusion, scalp hair; meshes: u, v, 1, 0; strands: along 0..1, across -1..1, occlusion, random
  std::vector<std::int32_t> triangles;  // [T, 3]
  std::vector<std::uint8_t> part;  // [T] row of `parts`
  std::vector<std::uint8_t> label;  // [T] Label, kLabelFromUv: looked up
  std::vector<shade::Part> parts;
  std::int64_t bare = 0, opaque = 0, unobstructed = 0;  // triangles

  std::int64_t vertices() const { return static_cast<std::int64_t>(position.size() / 3); }
  std::int64_t count() const { return static_cast<std::int64_t>(triangles.size() / 3); }
  void clear();
  void reserve(std::size_t vertex_count, std::size_t triangle_count);
};

/// `vertices`, `normals` [V, 3]: the posed head of `face`. Reuses the memory of `out`.
void assemble(const ForgeHead::Impl& model, const FaceParameters& face, const float* vertices, const float* normals, Assembly& out);

/// Adds mesh `index`, bound to `vertices` or standing free at face.occluder. (parts.cpp)
void append_mesh(const ForgeHead::Impl& model, int index, const FaceParameters& face, const float* vertices, Assembly& out);

/// Grows the ribbons of group `index`. `press` are the hats worn. (strands.cpp)
void append_strands(const ForgeHead::Impl& model, int index, const FaceParameters& face, const float* vertices, const float* normals,
                    const std::uint8_t* hairline, const std::vector<const MeshPart*>& press, Assembly& out);

}  // namespace forge_rt
