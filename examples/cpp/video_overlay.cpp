// Faces of a video or camera, painted over it.
//
// As a filter of raw frames, with nothing but forge_rt:
//   ffmpeg -i in.mp4 -f rawvideo -pix_fmt rgb24 - | video_overlay faces-mini.forge --size 1280x720 --fps 30 |
//     ffmpeg -f rawvideo -pix_fmt rgb24 -s 1280x720 -r 30 -i - out.mp4
// Built with OpenCV, from a camera or file to a window:
//   video_overlay faces-mini.forge --camera 0
//   video_overlay faces-mini.forge --video in.mp4
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <forge_rt/forge_rt.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>
#if defined(_WIN32)
#include <fcntl.h>
#include <io.h>
#endif
#if defined(WITH_OPENCV)
#include <opencv2/core.hpp>
#include <opencv2/highgui.hpp>
#include <opencv2/videoio.hpp>
#endif

namespace {

struct Arguments {
  std::string bundle, video;
  int camera = -1, width = 0, height = 0;
  double fps = 30;
  float opacity = 0.45f;
};

/// Colours of the label table over the picture, and a dot for each landmark. `bgr`: the order of its channels.
class Painter {
 public:
  Painter(const forge_rt::FaceAnalyzer& analyzer, float opacity, bool bgr) : opacity_(opacity), bgr_(bgr) {
    for (const forge_rt::LabelInfo& label : analyzer.labels()) colors_.push_back({label.color[0], label.color[1], label.color[2]});
    if (bgr_)
      for (auto& color : colors_) std::swap(color[0], color[2]);
  }

  void paint(const forge_rt::Faces& faces, std::uint8_t* pixels) const {
    for (std::size_t i = 0; i < faces.mask.size(); ++i) {
      if (faces.mask[i] == 0) continue;
      const auto& color = colors_[faces.mask[i]];
      for (int c = 0; c < 3; ++c) pixels[3 * i + c] += static_cast<std::uint8_t>(std::lround(opacity_ * (color[c] - pixels[3 * i + c])));
    }
    for (const forge_rt::Face& face : faces.faces)
      for (const auto& [x, y] : face.landmarks) dot(faces, x, y, pixels);
  }

 private:
  static void dot(const forge_rt::Faces& faces, float x, float y, std::uint8_t* pixels) {
    const int column = static_cast<int>(std::floor(x)), row = static_cast<int>(std::floor(y));
    if (column < 1 || row < 1 || column > faces.width - 2 || row > faces.height - 2) return;
    for (int v = row - 1; v <= row + 1; ++v) std::fill_n(pixels + 3 * (static_cast<std::size_t>(v) * faces.width + column - 1), 9, 255);
  }

  float opacity_;
  bool bgr_;
  std::vector<std::array<std::uint8_t, 3>> colors_;
};

Arguments parse(int argc, char** argv) {
  Arguments out;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i], value = i + 1 < argc ? argv[i + 1] : "";
    if (name == "--size" && std::sscanf(value.c_str(), "%dx%d", &out.width, &out.height) == 2) {
      ++i;
    } else if (name == "--fps" && (out.fps = std::atof(value.c_str())) > 0) {
      ++i;
    } else if (name == "--camera" && !value.empty()) {
      out.camera = std::atoi(value.c_str()), ++i;
    } else if (name == "--video" && !value.empty()) {
      out.video = value, ++i;
    } else if (name.rfind("--", 0) != 0 && out.bundle.empty()) {
      out.bundle = name;
    } else {
      throw forge_rt::Error(forge_rt::ErrorCode::invalid_argument, "cannot read '" + name + " " + value + "'");
    }
  }
  if (out.bundle.empty())
    throw forge_rt::Error(forge_rt::ErrorCode::invalid_argument,
                          "usage: video_overlay BUNDLE --size WIDTHxHEIGHT [--fps N] | --camera N | --video FILE");
  return out;
}

/// Raw frames from the standard input to the standard output.
long filter(const Arguments& arguments, const std::shared_ptr<const forge_rt::FaceAnalyzer>& analyzer) {
  if (arguments.width < 1 || arguments.height < 1)
    throw forge_rt::Error(forge_rt::ErrorCode::invalid_argument, "raw frames need --size WIDTHxHEIGHT");
#if defined(_WIN32)
  _setmode(_fileno(stdin), _O_BINARY);
  _setmode(_fileno(stdout), _O_BINARY);
#endif
  const Painter painter(*analyzer, arguments.opacity, false);
  const auto tracker = forge_rt::FaceTracker::make(analyzer);
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(arguments.width) * static_cast<std::size_t>(arguments.height) * 3);
  forge_rt::ImageView frame;
  frame.data = pixels.data();
  frame.width = arguments.width;
  frame.height = arguments.height;
  forge_rt::Faces faces;
  long count = 0;
  double ms = 0;
  for (; std::fread(pixels.data(), 1, pixels.size(), stdin) == pixels.size(); ++count) {
    tracker->update(frame, static_cast<double>(count) / arguments.fps, faces);
    ms += faces.ms.total;
    painter.paint(faces, pixels.data());
    if (std::fwrite(pixels.data(), 1, pixels.size(), stdout) != pixels.size()) break;  // the reader has left
  }
  std::fprintf(stderr, "%ld frames, %.1f ms each\n", count, count > 0 ? ms / static_cast<double>(count) : 0.);
  return count;
}

#if defined(WITH_OPENCV)
long show(const Arguments& arguments, const std::shared_ptr<const forge_rt::FaceAnalyzer>& analyzer) {
  cv::VideoCapture source;
  if (arguments.video.empty() ? !source.open(arguments.camera) : !source.open(arguments.video))
    throw forge_rt::Error(forge_rt::ErrorCode::not_found, "the camera or video does not open");
  const Painter painter(*analyzer, arguments.opacity, true);
  const auto tracker = forge_rt::FaceTracker::make(analyzer);
  forge_rt::Faces faces;
  cv::Mat picture;
  long count = 0;
  for (; source.read(picture) && cv::waitKey(1) != 27; ++count) {  // 27: Escape
    if (!picture.isContinuous()) picture = picture.clone();
    forge_rt::ImageView frame;
    frame.data = picture.data;
    frame.width = picture.cols;
    frame.height = picture.rows;
    frame.format = forge_rt::PixelFormat::bgr;
    tracker->update(frame, static_cast<double>(cv::getTickCount()) / cv::getTickFrequency(), faces);
    painter.paint(faces, picture.data);
    cv::imshow("forge_rt", picture);
  }
  return count;
}
#endif

}  // namespace

int main(int argc, char** argv) try {
  const Arguments arguments = parse(argc, argv);
  const auto analyzer = forge_rt::FaceAnalyzer::load(arguments.bundle);
  std::fprintf(stderr, "%s on %s\n", analyzer->precision().c_str(), analyzer->provider_reason().c_str());
  if (arguments.camera < 0 && arguments.video.empty()) return filter(arguments, analyzer) > 0 ? 0 : 1;
#if defined(WITH_OPENCV)
  return show(arguments, analyzer) > 0 ? 0 : 1;
#else
  std::fprintf(stderr, "cameras and video files need a build with OpenCV; here, pipe raw frames through (--size)\n");
  return 2;
#endif
} catch (const forge_rt::Error& error) {
  std::fprintf(stderr, "%s: %s\n", forge_rt::error_code_name(error.code()), error.what());
  return 1;
} catch (const std::exception& error) {  // no memory, or a camera's driver
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
