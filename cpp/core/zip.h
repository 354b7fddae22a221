// Reads zip archives whose entries are stored, not compressed: bundles in one file.
#pragma once

#include <map>
#include <string>

#include "forge_rt/core/tensor.h"

namespace forge_rt {

/// Do these bytes begin as a zip archive does?
bool looks_like_zip(const Tensor& bytes);

/// Entry name → contents, as views of `bytes` (a uint8 CPU tensor). Folders are left out. `source` names the archive in errors.
/// Checks every offset, size and CRC-32 before a byte is handed out. Throws corrupt_file for anything that is damaged, names a file twice or
/// outside the archive; unsupported for compressed, encrypted, split and zip64 archives.
std::map<std::string, Tensor> read_zip(const Tensor& bytes, const std::string& source);

}  // namespace forge_rt
