#include "models/faces/networks.h"

#include <algorithm>
#include <set>

#include "forge_rt/core/thread_pool.h"

namespace forge_rt::faces {
namespace {

constexpr const char* kPurpose = "face networks";
constexpr int kPart = 2;  // rows of a thread: one takes 1.02 times as long, eight 1.07

Tensor zeros(const Shape& shape, Device device) { return Tensor::zeros(shape, DType::f32, device, kPurpose); }

Shape with_batch(int batch, const Shape& shape) {
  Shape out{batch};
  out.insert(out.end(), shape.begin(), shape.end());
  return out;
}

}  // namespace

Device device_of(const Session& session, const NetworkPlace& place) { return session.provider() == "cuda" ? place.device : Device{}; }

// ---- CropInput ----

CropInput::CropInput(Shape shape, Device device) : tensor_(zeros(shape, device)) {}

Tensor& CropInput::rows_of(const Tensor& whole, std::vector<Rows>& known, int first, int count) {
  for (Rows& rows : known)
    if (rows.first == first && rows.count == count) return rows.tensor;
  known.push_back({first, count, whole.slice(first, first + count)});
  return known.back().tensor;
}

const Tensor& CropInput::rows(int first, int count) const { return rows_of(tensor_, rows_, first, count); }

void CropInput::fill(const ImageView& frame, std::span<const Affine> to_frame, int first, const CropOptions& options) {
  const Stream stream{frame.device, nullptr};
  Tensor& rows = rows_of(tensor_, rows_, first, static_cast<int>(to_frame.size()));
  if (frame.device == tensor_.device()) {
    crop_image(frame, to_frame, options, rows, stream);
    return;
  }
  if (!staging_.defined() || staging_.device() != frame.device) {
    staging_ = zeros(tensor_.shape(), frame.device);
    staging_rows_.clear();
  }
  Tensor& staged = rows_of(staging_, staging_rows_, first, static_cast<int>(to_frame.size()));
  crop_image(frame, to_frame, options, staged, stream);
  const Device cuda = frame.device.is_cuda() ? frame.device : tensor_.device();
  copy_bytes(rows.mutable_raw(), rows.device(), staged.raw(), staged.device(), rows.bytes(), {cuda, nullptr});
}

// ---- FaceNetwork ----

FaceNetwork::FaceNetwork(const Bundle& bundle, const FacesContract& contract, const std::string& precision, Wanted wanted, int max_batch,
                         const NetworkPlace& place)
    : input_(contract.input.tensor), size_(contract.input.size), max_batch_(max_batch) {
  if (contract.parsing && wanted.parsing) {
    wanted_.push_back(contract.parsing->tensor);
    if (contract.parsing->probabilities) on_host_.push_back(contract.parsing->tensor);
  }
  if (contract.landmarks && wanted.landmarks) {
    wanted_.push_back(contract.landmarks->tensor);
    on_host_.push_back(contract.landmarks->tensor);
  }
  if (contract.depth && wanted.depth) {
    wanted_.push_back(contract.depth->tensor);
    if (contract.parsing && wanted.parsing && contract.parsing->probabilities)
      on_host_.push_back(contract.depth->tensor);  // painted through the class ids, so where they are
  }
  check_argument(!wanted_.empty(), "nothing is wanted of ", bundle.path(), "; take parsing, landmarks or depth, whichever it has");
  load_stages(bundle, contract, contract.variants.at(precision), place);
  device_ = device_of(stages_.front().session, place);
  try_once(bundle, contract);
}

// From the last stage to the first: a stage is kept when it makes something that is wanted or that a kept stage reads.
void FaceNetwork::load_stages(const Bundle& bundle, const FacesContract& contract, const std::vector<std::string>& files,
                              const NetworkPlace& place) {
  std::set<std::string> missing(wanted_.begin(), wanted_.end());
  for (std::size_t i = files.size(); i-- > 0;) {
    const SessionOptions options{
        .device = place.device, .provider = place.provider, .intra_op_threads = place.threads, .name = bundle.path() + "/" + files[i]};
    const Session session = Session::load(bundle.file(files[i]), options);
    Stage stage{session, {}, {}};
    for (const GraphPort& port : session.outputs()) {
      if (missing.erase(port.name) == 0) continue;
      check(port.dtype == DType::f32, ErrorCode::unsupported, session.name(), ": the output must be float32, got ", port.str());
      stage.outputs.push_back(port.name);
    }
    if (stage.outputs.empty()) continue;
    if (device_of(session, place).is_cpu() && (place.threads == 0 || place.threads == num_threads()) && num_threads() > 1) {
      SessionOptions one = options;
      one.intra_op_threads = 1;
      stage.single = Session::load(bundle.file(files[i]), one);
    }
    for (const GraphPort& port : session.inputs()) {
      check(port.dtype == DType::f32, ErrorCode::unsupported, session.name(), ": the input must be float32, got ", port.str());
      check(!port.shape.empty(), ErrorCode::corrupt_file, session.name(), ": the input has no batch axis: ", port.str());
      if (port.shape[0] >= 0) fixed_batch_ = static_cast<int>(port.shape[0]);
      if (port.name != contract.input.tensor) missing.insert(port.name);
    }
    check(fixed_batch_ >= 0 && fixed_batch_ <= 64, ErrorCode::unsupported, session.name(), " takes batches of ", fixed_batch_,
          ", at most 64 can be fed");
    stages_.insert(stages_.begin(), std::move(stage));
  }
  check(missing.empty(), ErrorCode::corrupt_file, bundle.path(), ": no graph makes the tensor '", missing.empty() ? "" : *missing.begin(),
        "' that bundle.json or another graph names");
  // A stage before its reader was found above; one behind it was consumed there and is missing here.
  std::set<std::string> made{contract.input.tensor};
  for (const Stage& stage : stages_) {
    for (const GraphPort& port : stage.session.inputs())
      check(made.count(port.name) != 0, ErrorCode::corrupt_file, stage.session.name(), " reads '", port.name,
            "', which no earlier graph makes");
    made.insert(stage.outputs.begin(), stage.outputs.end());
  }
}

void FaceNetwork::try_once(const Bundle& bundle, const FacesContract& contract) {
  const int batch = fixed_batch_ > 0 ? fixed_batch_ : std::min(2, max_batch_);
  NamedTensors values{{input_, zeros({batch, 3, size_.height, size_.width}, {})}};
  for (const Stage& stage : stages_) {
    NamedTensors inputs;
    for (const GraphPort& port : stage.session.inputs()) inputs[port.name] = values.at(port.name);
    const std::vector<Tensor> made = blame_bundle(stage.session.name(), [&] { return stage.session.run(inputs, stage.outputs); });
    for (std::size_t i = 0; i < made.size(); ++i) {
      const Shape& shape = made[i].shape();
      check(!shape.empty() && shape[0] == batch, ErrorCode::corrupt_file, stage.session.name(), ": output '", stage.outputs[i],
            "' of a batch of ", batch, " must have that many rows, got ", shape_str(shape));
      check(made[i].count() > 0, ErrorCode::corrupt_file, stage.session.name(), ": output '", stage.outputs[i],
            "' is empty: ", shape_str(shape));
      values[stage.outputs[i]] = made[i];
      shapes_[stage.outputs[i]] = Shape(shape.begin() + 1, shape.end());
    }
  }

  const auto expect_shape = [&](const std::string& field, const std::string& tensor, bool fits, const std::string& expected) {
    check(fits, ErrorCode::corrupt_file, bundle.path(), ": ", field, " '", tensor, "' must be ", expected, ", got ",
          shape_str(values.at(tensor).shape()));
  };
  if (contract.parsing && has(contract.parsing->tensor)) {
    const Shape& shape = shapes_.at(contract.parsing->tensor);
    const int labels = static_cast<int>(contract.labels.size());
    expect_shape("outputs.parsing", contract.parsing->tensor, shape.size() == 3 && shape[0] >= labels && shape[0] <= 256,
                 concat("[B, C, h, w] with C from the ", labels, " of labels to 256"));
    const std::vector<int>& ignore = contract.parsing->ignore;
    for (int c = labels; c < shape[0]; ++c)
      expect_shape("outputs.parsing", contract.parsing->tensor, std::find(ignore.begin(), ignore.end(), c) != ignore.end(),
                   concat("[B, ", labels, ", h, w], or ignore must name class ", c));
  }
  if (contract.landmarks && has(contract.landmarks->tensor)) {
    const Shape& shape = shapes_.at(contract.landmarks->tensor);
    const int columns = contract.landmarks->columns();
    expect_shape("outputs.landmarks", contract.landmarks->tensor, shape.size() == 2 && shape[1] == columns && shape[0] <= 4096,
                 concat("[B, K, ", columns, "]"));
  }
  if (contract.depth && has(contract.depth->tensor)) {
    const Shape& shape = shapes_.at(contract.depth->tensor);
    expect_shape("outputs.depth", contract.depth->tensor, shape.size() == 3 && shape[0] == 1, "[B, 1, h, w]");
  }
}

FaceNetwork::Step FaceNetwork::next_step(int faces) const {
  if (fixed_batch_ > 0) return {std::min(faces, fixed_batch_), fixed_batch_};
  if (faces >= max_batch_) return {max_batch_, max_batch_};
  int power = 1;
  while (2 * power <= faces) power *= 2;
  // On a CPU a row costs what it costs: 5 faces are 4 + 1. A GPU hardly notices a few rows more: 5 faces are one batch of 8.
  if (device_.is_cpu() || power == faces) return {power, power};
  return {faces, std::min(2 * power, max_batch_)};
}

// ---- FaceBatches ----

FaceBatches::FaceBatches(const FaceNetwork& network)
    : network_(&network), input_({network.capacity(), 3, network.size_.height, network.size_.width}, network.device()) {
  const int capacity = network.capacity();
  for (const auto& [name, shape] : network.shapes_) {
    const auto& host = network.on_host_;
    const Device device = std::find(host.begin(), host.end(), name) != host.end() ? Device{} : network.device();
    // Pages of rows that are never used are never touched.
    const Tensor whole = Tensor::empty(with_batch(capacity, shape), DType::f32, device, kPurpose);
    values_[name] = whole;
    for (int i = 0; i < capacity; ++i) rows_[name].push_back(whole.slice(i, i + 1).reshape(shape));
  }
}

FaceBatches::Bindings FaceBatches::bind(int begin, int end, bool single) {
  Bindings bindings;
  for (const FaceNetwork::Stage& stage : network_->stages_) {
    Binding binding = (single ? *stage.single : stage.session).binding();
    blame_bundle(stage.session.name(), [&] {
      for (const GraphPort& port : stage.session.inputs())
        binding.bind_input(port.name,
                           port.name == network_->input_ ? input_.rows(begin, end - begin) : values_.at(port.name).slice(begin, end));
      for (const std::string& output : stage.outputs) binding.bind_output(output, values_.at(output).slice(begin, end));
    });
    bindings.push_back(std::move(binding));
  }
  return bindings;
}

FaceBatches::Run& FaceBatches::run_of(int batch) {
  for (Run& run : runs_)
    if (run.batch == batch) return run;
  Run run{batch, {}, {}};
  const auto& stages = network_->stages_;
  const bool singles = std::all_of(stages.begin(), stages.end(), [](const auto& stage) { return stage.single.has_value(); });
  if (singles && network_->fixed_batch_ == 0 && batch >= kPart * num_threads())
    for (int row = 0; row < batch; row += kPart) run.parts.push_back(bind(row, std::min(row + kPart, batch), true));
  else run.whole = bind(0, batch, false);
  runs_.push_back(std::move(run));
  return runs_.back();
}

void FaceBatches::run(int batch) {
  Run& run = run_of(batch);
  const auto through = [this](Bindings& bindings) {
    const Stream stream{network_->device(), nullptr};
    for (std::size_t i = 0; i < bindings.size(); ++i) blame_bundle(network_->stages_[i].session.name(), [&] { bindings[i].run(stream); });
  };
  if (run.parts.empty()) through(run.whole);
  else parallel_for(static_cast<std::int64_t>(run.parts.size()), [&](std::int64_t i) { through(run.parts[static_cast<std::size_t>(i)]); });
}

}  // namespace forge_rt::faces
