// A model on disk: a folder `name.forge` with bundle.json and the files it names (design: docs/design/bundles.md).
#pragma once

#include <map>
#include <string>

#include "forge_rt/core/tensor.h"

namespace forge_rt {

class FORGE_RT_API Bundle {
 public:
  /// Opens a folder, checks the format version and the size and SHA-256 of every file. Throws not_found, corrupt_file or unsupported.
  static Bundle open(const std::string& folder);

  const std::string& folder() const { return folder_; }
  const std::string& family() const { return family_; }    ///< "head", …
  const std::string& manifest() const { return manifest_; } ///< bundle.json as text
  const std::string& hash() const {
    return hash_;
  }         ///< SHA-256 of bundle.json, which names the hashes of all files: the model hash of records
  /// Tensors of a safetensors file of the bundle.
  std::map<std::string, Tensor> tensors(const std::string& file) const;

 private:
  std::string folder_, family_, manifest_, hash_;
  std::map<std::string, Tensor> files_;  // contents, as they were when the hashes were checked
};

}  // namespace forge_rt
