// Reads safetensors files (https://github.com/huggingface/safetensors): named arrays, no code.
#pragma once

#include <map>
#include <string>

#include "forge_rt/core/tensor.h"

namespace forge_rt {

/// Whole contents of a file. Throws not_found or io, naming the path.
FORGE_RT_API Tensor read_file(const std::string& path);

/// All tensors of safetensors bytes (a uint8 CPU tensor, as read_file returns), as read-only views of it where aligned.
/// `source` names the bytes in errors. Throws corrupt_file for anything that is not a valid file: overlapping or missing ranges, sizes that
/// do not fit, unknown dtypes.
FORGE_RT_API std::map<std::string, Tensor> parse_safetensors(const Tensor& bytes, const std::string& source);

}  // namespace forge_rt
