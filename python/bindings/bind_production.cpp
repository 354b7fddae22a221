// Archives and hashes of data sets.
#include <pybind11/stl/filesystem.h>

#include <mutex>
#include <optional>

#include "bindings.h"
#include "forge_rt/core/sha256.h"
#include "forge_rt/production/tar_writer.h"

namespace forge_rt::python {
namespace {

/// The memory of a bytes-like object, held while the GIL is not. Made and destroyed with the GIL.
class HeldBuffer {
 public:
  explicit HeldBuffer(const py::handle& object) {
    if (PyObject_GetBuffer(object.ptr(), &view_, PyBUF_SIMPLE) != 0) throw py::error_already_set();
  }
  HeldBuffer(HeldBuffer&& other) noexcept : view_(std::exchange(other.view_, Py_buffer{})) {}
  HeldBuffer& operator=(HeldBuffer&&) = delete;
  ~HeldBuffer() { PyBuffer_Release(&view_); }

  const void* data() const { return view_.buf; }
  std::size_t size() const { return static_cast<std::size_t>(view_.len); }

 private:
  Py_buffer view_{};
};

/// Python threads may share a writer by mistake: they wait for each other.
class LockedTarWriter {
 public:
  LockedTarWriter(std::string path, bool hash, bool sync) : writer_(std::move(path), hash, sync) {}

  template <class Use>
  auto with(const Use& use) {
    const py::gil_scoped_release release;
    const std::lock_guard<std::mutex> lock(mutex_);
    return use(writer_);
  }

 private:
  std::mutex mutex_;
  TarWriter writer_;
};

std::string utf8(const std::filesystem::path& path) {
  const std::u8string text = path.u8string();
  return {text.begin(), text.end()};
}

using Members = std::vector<std::pair<std::string, py::buffer>>;

}  // namespace

void bind_production(py::module_& module) {
  py::class_<LockedTarWriter>(module, "TarWriter",
                              "Writes a tar archive (ustar) that appears under its name complete or not at all. The bytes depend on names "
                              "and data alone. As a context manager: aborts unless finished.")
      .def(py::init([](const std::filesystem::path& path, bool hash, bool sync) {
             return std::make_unique<LockedTarWriter>(utf8(path), hash, sync);
           }),
           py::arg("path"), py::arg("hash") = true, py::arg("sync") = true, "`sync`: finish() waits until the archive is on the disk.")
      .def(
          "add",
          [](LockedTarWriter& self, const std::string& name, const py::buffer& data) {
            const HeldBuffer held(data);
            return self.with([&](TarWriter& writer) { return writer.add(name, held.data(), held.size()); });
          },
          py::arg("name"), py::arg("data"), "Appends a member; returns the offset of its header. The data is 512 bytes after it.")
      .def(
          "add_many",
          [](LockedTarWriter& self, const Members& members) {
            std::vector<HeldBuffer> held;
            held.reserve(members.size());
            for (const auto& member : members) held.emplace_back(member.second);
            return self.with([&](TarWriter& writer) {
              std::vector<std::uint64_t> offsets;
              offsets.reserve(members.size());
              for (std::size_t i = 0; i < members.size(); ++i)
                offsets.push_back(writer.add(members[i].first, held[i].data(), held[i].size()));
              return offsets;
            });
          },
          py::arg("members"), "`add` for each (name, data), in order. After an error the members before the wrong one are in the archive.")
      .def(
          "finish",
          [](LockedTarWriter& self) {
            const TarSummary s = self.with([](TarWriter& writer) { return writer.finish(); });
            return py::make_tuple(s.bytes, s.members, s.sha256);
          },
          "Puts the archive in place, durably: (bytes, members, sha256); sha256 is '' without `hash`.")
      .def(
          "abort", [](LockedTarWriter& self) { self.with([](TarWriter& writer) { writer.abort(); }); },
          "Leaves nothing. Harmless after finish().")
      .def("__enter__", [](py::object self) { return self; })
      .def("__exit__", [](LockedTarWriter& self, const py::object&, const py::object&, const py::object&) {
        self.with([](TarWriter& writer) { writer.abort(); });
      });

  module.def(
      "sha256",
      [](const py::buffer& data) {
        const HeldBuffer held(data);
        const py::gil_scoped_release release;
        return sha256_hex(held.data(), held.size());
      },
      py::arg("data"), "64 lower-case digits.");
}

}  // namespace forge_rt::python
