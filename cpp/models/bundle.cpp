#include "forge_rt/models/bundle.h"

#include <filesystem>

#include "core/json.h"
#include "core/platform.h"
#include "core/zip.h"
#include "forge_rt/core/safetensors.h"
#include "forge_rt/core/sha256.h"

namespace forge_rt {
namespace {

constexpr const char* kManifest = "bundle.json";

/// Where the files come from: a folder, or a zip archive with the files at its top or in its only folder.
class Source {
 public:
  explicit Source(const std::string& path) : path_(path) {
    std::error_code code;
    const std::filesystem::path native = platform::native_path(path);
    if (std::filesystem::is_directory(native, code)) return;
    check(std::filesystem::is_regular_file(native, code), ErrorCode::not_found, "no bundle at ", path,
          "; expected a folder with bundle.json, or a zip archive of one");
    const Tensor bytes = read_file(path);
    check(looks_like_zip(bytes), ErrorCode::corrupt_file, path, " is neither a bundle folder nor a zip archive of one");
    archive_ = read_zip(bytes, path);
    is_archive_ = true;
    if (archive_.count(kManifest) == 0 && !archive_.empty())
      prefix_ = archive_.begin()->first.substr(0, archive_.begin()->first.find('/') + 1);
  }

  std::string name(const std::string& file) const {
    return platform::utf8_path(platform::native_path(path_) / platform::native_path(file));
  }
  Tensor read(const std::string& file) const {
    if (!is_archive_) return read_file(name(file));
    const auto found = archive_.find(prefix_ + file);
    check(found != archive_.end(), ErrorCode::not_found, "no file ", file, " in ", path_);
    return found->second;
  }

 private:
  std::string path_, prefix_;
  std::map<std::string, Tensor> archive_;
  bool is_archive_ = false;
};

}  // namespace

Bundle Bundle::open(const std::string& path) {
  const Source files(path);
  const Tensor text = files.read(kManifest);
  Bundle bundle;
  bundle.path_ = path;
  bundle.manifest_.assign(reinterpret_cast<const char*>(text.raw()), text.bytes());
  bundle.hash_ = sha256_hex(text.raw(), text.bytes());
  const std::string source = files.name(kManifest);
  const Json json = parse_json(bundle.manifest_, source);
  check(json.is_object() && json.contains("format_version") && json["format_version"].is_number_integer() && json.contains("family") &&
            json["family"].is_string() && json.contains("files") && json["files"].is_object(),
        ErrorCode::corrupt_file, source, " lacks format_version, family or files");
  check(json["format_version"].get<int>() == 1, ErrorCode::unsupported, source, " has format version ", json["format_version"].get<int>(),
        ", this forge_rt reads 1; update forge_rt");
  bundle.family_ = json["family"].get<std::string>();
  for (const auto& [name, entry] : json["files"].items()) {
    check(name.find('/') == std::string::npos && name.find('\\') == std::string::npos && name != "..", ErrorCode::corrupt_file, source,
          " names a file outside its folder: ", name);
    check(entry.is_object() && entry.contains("sha256") && entry["sha256"].is_string(), ErrorCode::corrupt_file, source,
          " has no SHA-256 for ", name);
    const Tensor contents = files.read(name);
    const std::string found = sha256_hex(contents.raw(), contents.bytes());
    check(found == entry["sha256"].get<std::string>(), ErrorCode::corrupt_file, files.name(name),
          " does not match its hash in bundle.json (expected ", entry["sha256"].get<std::string>().substr(0, 12), "…, found ",
          found.substr(0, 12), "…); it was edited or damaged: install the bundle again");
    bundle.files_.emplace(name, contents);
  }
  return bundle;
}

const Tensor& Bundle::file(const std::string& name) const {
  const auto found = files_.find(name);
  check(found != files_.end(), ErrorCode::corrupt_file, path_, " has no file ", name);
  return found->second;
}

std::map<std::string, Tensor> Bundle::tensors(const std::string& name) const { return parse_safetensors(file(name), path_ + "/" + name); }

}  // namespace forge_rt
