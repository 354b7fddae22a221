// Draws one annotated face: draw_face FORGEHEAD_FOLDER [OUTPUT.ppm]
#include <forge_rt/forge_rt.hpp>
#include <fstream>
#include <iostream>

int main(int argc, char** argv) try {
  const forge_rt::ImageSize size{256, 256};
  const auto head = forge_rt::ForgeHead::load(argc > 1 ? argv[1] : "forgehead.forge");
  forge_rt::FaceParameters face = head->sample(/*seed*/ 7, /*index*/ 0);
  face.light.key_yaw_deg = -40;
  const forge_rt::FaceImages images = head->render({face}, {forge_rt::orbit_camera({.yaw_deg = 20}, size)}, {.size = size});
  std::ofstream(argc > 2 ? argv[2] : "face.ppm", std::ios::binary)
      << "P6\n256 256\n255\n"
      << std::string_view(static_cast<const char*>(images.rgb.raw()), images.rgb.bytes());
  const float* chin = images.landmarks_px.data<float>() + 2 * 8;
  std::cout << images.segmentation.str() << ", chin at pixel (" << chin[0] << ", " << chin[1] << ")\n";
} catch (const forge_rt::Error& error) {
  std::cerr << forge_rt::error_code_name(error.code()) << ": " << error.what() << '\n';
  return 1;
}
