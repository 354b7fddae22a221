// Uses a bit of each layer through public headers only: errors and tensors, an op, a model, and the C ABI.
#include <forge_rt/forge_rt.h>
#include <cstdio>
#include <forge_rt/forge_rt.hpp>

int main(int argc, char** argv) {
  using namespace forge_rt;
  int failures = 0;
  const auto expect_that = [&](bool good, const char* what) {
    if (!good) ++failures, std::fprintf(stderr, "consumer: %s\n", what);
  };
  RasterMesh mesh;
  mesh.triangles = Tensor::from(std::vector<std::int32_t>{0, 1, 2}, {1, 3});
  const Tensor corners = Tensor::from(std::vector<float>{-8, -8, 2, 2, 8, -8, 2, 2, 0, 8, 2, 2}, {1, 3, 4});
  const RasterOutput out = rasterize(corners, mesh, {.size = {4, 4}});
  expect_that(out.face.data<std::int32_t>()[5] == 0 && out.depth.data<float>()[5] == 2.f, "rasterize");
  try {
    rasterize({}, mesh, {});
    expect_that(false, "an error was expected");
  } catch (const Error& error) {  // the type crosses the library's border
    expect_that(error.code() == ErrorCode::invalid_argument, "error code");
  }
  expect_that(frt_abi_version() == FRT_ABI_VERSION, "C ABI");
  if (argc > 1) {
    const auto head = ForgeHead::load(argv[1]);
    expect_that(head->mesh({head->neutral()}).landmarks.size(1) == 68, "ForgeHead");
    const Bundle bundle = Bundle::open(argv[1]);
    expect_that(bundle.family() == "head", "Bundle");
  }
  std::printf("consumer: %s, forge_rt %s\n", failures == 0 ? "ok" : "FAILED", FORGE_RT_VERSION_STRING);
  return failures == 0 ? 0 : 1;
}
