#include "forge_rt/models/bundle.h"

#include <filesystem>

#include "core/json.h"
#include "forge_rt/core/safetensors.h"
#include "forge_rt/core/sha256.h"

namespace forge_rt {

Bundle Bundle::open(const std::string& folder) {
  const std::filesystem::path root(folder);
  std::error_code code;
  check(std::filesystem::is_directory(root, code), ErrorCode::not_found, "no bundle at ", folder, "; expected a folder with bundle.json");
  const Tensor text = read_file((root / "bundle.json").string());
  Bundle bundle;
  bundle.folder_ = folder;
  bundle.manifest_.assign(reinterpret_cast<const char*>(text.raw()), text.bytes());
  bundle.hash_ = sha256_hex(text.raw(), text.bytes());
  const std::string source = (root / "bundle.json").string();
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
    const Tensor contents = read_file((root / name).string());
    const std::string found = sha256_hex(contents.raw(), contents.bytes());
    check(found == entry["sha256"].get<std::string>(), ErrorCode::corrupt_file, (root / name).string(),
          " does not match its hash in bundle.json (expected ", entry["sha256"].get<std::string>().substr(0, 12), "…, found ",
          found.substr(0, 12), "…); it was edited or damaged: install the bundle again");
    bundle.files_.emplace(name, contents);
  }
  return bundle;
}

std::map<std::string, Tensor> Bundle::tensors(const std::string& file) const {
  const auto found = files_.find(file);
  check(found != files_.end(), ErrorCode::corrupt_file, folder_, " has no file ", file);
  return parse_safetensors(found->second, folder_ + "/" + file);
}

}  // namespace forge_rt
