// A model on disk: a folder `name.forge`, or a zip archive of one, with bundle.json and the files it names (design: docs/design/bundles.md).
#pragma once

#include <map>
#include <string>

#include "forge_rt/core/tensor.h"

namespace forge_rt {

class FORGE_RT_API Bundle {
 public:
  /// Opens a folder or an uncompressed zip archive; checks the format version and the SHA-256 of every file. Throws not_found, corrupt_file
  /// or unsupported.
  static Bundle open(const std::string& path);

  const std::string& path() const { return path_; }
  const std::string& family() const { return family_; }  ///< "head", …
  const std::string& manifest() const { return manifest_; }  ///< bundle.json as text
  /// SHA-256 of bundle.json, which names the hashes of all files: the model hash of records.
  const std::string& hash() const { return hash_; }
  /// The files that bundle.json names: their bytes as they were when the hashes were checked.
  const std::map<std::string, Tensor>& files() const { return files_; }
  const Tensor& file(const std::string& name) const;  ///< throws corrupt_file when there is none
  /// Tensors of a safetensors file of the bundle.
  std::map<std::string, Tensor> tensors(const std::string& file) const;

 private:
  std::string path_, family_, manifest_, hash_;
  std::map<std::string, Tensor> files_;
};

}  // namespace forge_rt
