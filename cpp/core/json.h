// JSON for the library's own files. Internal: public headers never show it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "forge_rt/core/error.h"

namespace forge_rt {

using Json = nlohmann::ordered_json;

/// Throws corrupt_file with the position of the first mistake.
inline Json parse_json(const std::string& text, const std::string& source) {
  try {
    return Json::parse(text);
  } catch (const nlohmann::json::parse_error& error) {
    throw Error(ErrorCode::corrupt_file, concat(source, " is not valid JSON (byte ", error.byte, ")"));
  }
}

}  // namespace forge_rt
