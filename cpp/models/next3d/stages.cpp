#include "models/next3d/stages.h"

#include <algorithm>

#include "forge_rt/core/thread_pool.h"
#include "models/bundle_graphs.h"

namespace forge_rt::next3d {
namespace {

/// Larger graphs keep all threads busy with one sample: there, several samples at once would only cost memory, for a second copy of the
/// weights and for each sample's activations. Weights times pixels is about the work of a convolutional network.
constexpr std::size_t kSmallGraph = std::size_t{32} << 20;
constexpr double kSmallWork = 5e11;  // bytes · pixels; next3d-mini's stages are below, the published ones above

Device device_of(const Session& session, const SessionOptions& options) { return session.provider() == "cuda" ? options.device : Device{}; }

const GraphPort* find_port(const std::vector<GraphPort>& ports, const std::string& name) {
  for (const GraphPort& port : ports)
    if (port.name == name) return &port;
  return nullptr;
}

/// A free axis of the graph fits everything, as does one that the contract leaves free.
bool fits(const GraphPort& port, const Shape& sample) {
  if (port.shape.size() != sample.size() + 1 || (port.shape[0] != 1 && port.shape[0] >= 0)) return false;
  for (std::size_t i = 0; i < sample.size(); ++i)
    if (port.shape[i + 1] >= 0 && sample[i] >= 0 && port.shape[i + 1] != sample[i]) return false;
  return port.dtype == DType::f32;
}

std::string expected(const Stage::Port& port) {
  std::string out = port.name + ": float32 [1 or free";
  for (const std::int64_t length : port.shape) out += length < 0 ? ", ?" : concat(", ", length);
  return out + "]";
}

SessionOptions named(SessionOptions options, const std::string& name) {
  options.name = name;
  return options;
}

Stage make(const Bundle& bundle, const StageFiles& files, const SessionOptions& options, const char* stage,
           const std::vector<Stage::Port>& inputs, const Stage::Port& output) {
  return Stage(bundle, files.at(stage), inputs, output, options);
}

}  // namespace

// ---- Stage ----

Stage::Stage(const Bundle& bundle, const std::string& file, const std::vector<Port>& inputs, const Port& output,
             const SessionOptions& options)
    : session_(Session::load(bundle.file(file), named(options, bundle.path() + "/" + file))), output_(output.name),
      device_(device_of(session_, options)) {
  const auto mismatch = [&](const GraphPort& port, const Port& wanted) {
    check(fits(port, wanted.shape), ErrorCode::corrupt_file, session_.name(), ": expected ", expected(wanted), ", got ", port.str());
  };
  for (const GraphPort& port : session_.inputs()) {
    const auto known = std::find_if(inputs.begin(), inputs.end(), [&](const Port& p) { return p.name == port.name; });
    std::string names;
    for (const Port& p : inputs) names += (names.empty() ? "" : ", ") + p.name;
    check(known != inputs.end(), ErrorCode::corrupt_file, session_.name(), " reads '", port.name, "'; this stage is given ", names);
    mismatch(port, *known);
    inputs_.push_back(port.name);
  }
  const GraphPort* port = find_port(session_.outputs(), output_);
  check(port != nullptr, ErrorCode::corrupt_file, session_.name(), " makes no '", output_, "'");
  mismatch(*port, output);
  const Shape& made = output.shape;
  const double pixels = made.size() == 3 ? static_cast<double>(made[1]) * static_cast<double>(made[2]) : 1;
  const std::size_t bytes = bundle.file(file).bytes();
  const bool small = bytes <= kSmallGraph && static_cast<double>(bytes) * pixels <= kSmallWork;
  const bool all_threads = options.intra_op_threads == 0 || options.intra_op_threads == num_threads();
  if (device_.is_cpu() && all_threads && num_threads() > 1 && small) {
    SessionOptions one = named(options, session_.name());
    one.intra_op_threads = 1;
    single_ = Session::load(bundle.file(file), one);
  }
}

std::int64_t Stage::axis(const std::string& input, int axis) const {
  const GraphPort* port = find_port(session_.inputs(), input);
  return port == nullptr ? -1 : port->shape.at(static_cast<std::size_t>(axis));
}

void Stage::run_row(const Session& session, std::span<const StageInput> inputs, Tensor output, std::int64_t row) const {
  Binding binding = session.binding();
  blame_bundle(session.name(), [&] {
    for (const StageInput& input : inputs)
      if (std::find(inputs_.begin(), inputs_.end(), input.name) != inputs_.end())
        binding.bind_input(input.name, input.rows.slice(row, row + 1));
    binding.bind_output(output_, output.slice(row, row + 1));
    binding.run({device_, nullptr});
  });
}

void Stage::run(std::initializer_list<StageInput> inputs, Tensor& output) const {
  const std::span<const StageInput> given(inputs.begin(), inputs.size());
  const std::int64_t count = output.size(0);
  if (single_ && count >= num_threads() && num_threads() > 1) {
    parallel_for(count, [&](std::int64_t row) { run_row(*single_, given, output, row); });
    return;
  }
  for (std::int64_t row = 0; row < count; ++row) run_row(session_, given, output, row);
}

// ---- Stages ----

Stages::Stages(const Bundle& bundle, const GeneratorContract& c, const StageFiles& files, const SessionOptions& options)
    : mapping(make(bundle, files, options, "mapping", {{"z", {c.info.z_dim}}, {"c", {25}}}, {"ws", {c.info.num_ws, c.info.w_dim}})),
      statics(make(bundle, files, options, "static", {{"ws", {c.info.num_static_ws, c.info.w_dim}}},
                   {"planes", {3 * c.info.plane_channels, c.info.plane_resolution, c.info.plane_resolution}})),
      super_resolution(
          make(bundle, files, options, "super_resolution",
               {{"features", {c.info.features, c.sr_larger_as_they_are ? -1 : c.sr_input, c.sr_larger_as_they_are ? -1 : c.sr_input}},
                {"ws", {c.info.w_dim}}},
               {"image", {3, c.sr_larger_as_they_are ? -1 : c.info.image_size, c.sr_larger_as_they_are ? -1 : c.info.image_size}})) {
  if (!c.next3d) return;
  const int side = c.info.plane_resolution, dynamic_ws = c.info.num_ws - c.info.num_static_ws;
  const Stage::Port styles{"ws", {c.info.num_static_ws, c.info.w_dim}};
  texture = make(bundle, files, options, "texture", {{"ws", {dynamic_ws, c.info.w_dim}}},
                 {"texture", {c.texture_channels, c.texture_resolution, c.texture_resolution}});
  mouth = make(bundle, files, options, "mouth", {{"crop", {c.texture_channels, c.mouth_in, c.mouth_in}}, styles},
               {"mouth", {c.texture_channels, c.mouth_out, c.mouth_out}});
  blend = make(bundle, files, options, "blend", {{"stitched", {c.texture_channels, side, side}}, styles},
               {"front", {c.info.plane_channels, side, side}});
}

}  // namespace forge_rt::next3d
