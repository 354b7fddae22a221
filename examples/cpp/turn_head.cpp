// A generated head from five sides, one made and the rest only looked at: levels of a generator from C++.
//   turn_head MODEL.forge HEAD.forge turned.ppm [SEED]      MODEL: a generator driven by ForgeHead, e.g. …/assets/next3d-mini.forge
#include <forge_rt/forge_rt.hpp>

#include <cstdlib>
#include <fstream>
#include <iostream>

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: turn_head MODEL.forge HEAD.forge OUT.ppm [SEED]\n";
    return 2;
  }
  try {
    const auto generator = forge_rt::Generator::load(argv[1]);
    const auto head = forge_rt::ForgeHead::load(argv[2]);
    const auto& info = generator->info();
    const std::uint64_t seed = argc > 4 ? std::strtoull(argv[4], nullptr, 10) : 0;

    // who: a code; how the head is posed: its mesh
    forge_rt::Tensor z = forge_rt::Tensor::empty({1, info.z_dim}, forge_rt::DType::f32);
    forge_rt::Random random(seed, 0, "example.z");
    for (int i = 0; i < info.z_dim; ++i) z.mutable_data<float>()[i] = static_cast<float>(random.normal());
    forge_rt::FaceParameters face = head->neutral();
    head->set_expression(face, "smile", 0.8f);
    const forge_rt::HeadMesh mesh = head->mesh({face});
    const auto identity = generator->identity(z);
    const auto posed = generator->expression(identity, mesh.vertices, mesh.landmarks);

    // from where: five cameras of one head
    constexpr int kViews = 5;
    forge_rt::Tensor cameras = forge_rt::Tensor::empty({kViews, 25}, forge_rt::DType::f32);
    for (int v = 0; v < kViews; ++v) {
      const auto camera = forge_rt::orbit_camera({.yaw_deg = 20.0 * (v - kViews / 2)}, {info.image_size, info.image_size});
      const auto label = forge_rt::label25(camera, info.world);
      for (int k = 0; k < 25; ++k) cameras.mutable_data<float>()[25 * v + k] = static_cast<float>(label[static_cast<std::size_t>(k)]);
    }
    const auto view = generator->view(posed, cameras);
    const forge_rt::Tensor rgb = forge_rt::to_rgb8(view.image);  // [5, R, R, 3]

    std::ofstream out(argv[3], std::ios::binary);
    const int side = info.image_size;
    out << "P6\n" << kViews * side << ' ' << side << "\n255\n";
    for (int row = 0; row < side; ++row)
      for (int v = 0; v < kViews; ++v)
        out.write(reinterpret_cast<const char*>(rgb.data<std::uint8_t>() + (v * side + row) * side * 3), side * 3);
    if (!out.flush()) {
      std::cerr << "turn_head: cannot write " << argv[3] << '\n';
      return 1;
    }
    std::cout << argv[3] << ": " << kViews << " views of " << side << " x " << side << " by " << generator->provider_reason() << '\n';
  } catch (const forge_rt::Error& error) {
    std::cerr << "turn_head: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
