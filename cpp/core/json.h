// JSON for the library's own files. Internal: public headers never show it.
#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "forge_rt/core/error.h"

namespace forge_rt {

using Json = nlohmann::ordered_json;

/// How deep our files may nest. What walks a document calls itself, so a file must not choose how deep the stack gets.
constexpr int kMostJsonLevels = 64;

/// Opened brackets at their most, those in texts left out.
inline int json_levels(const std::string& text) {
  int level = 0, most = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '\\') ++i;
    else if (c == '"') quoted = !quoted;
    else if (!quoted && (c == '[' || c == '{')) most = std::max(most, ++level);
    else if (!quoted && (c == ']' || c == '}')) --level;
  }
  return most;
}

/// Throws corrupt_file with the position of the first mistake.
inline Json parse_json(const std::string& text, const std::string& source) {
  check(text.rfind("\xEF\xBB\xBF", 0) != 0, ErrorCode::corrupt_file, source, " is not valid JSON (it starts with a byte-order mark)");
  check(json_levels(text) <= kMostJsonLevels, ErrorCode::corrupt_file, source, " nests deeper than ", kMostJsonLevels, " levels");
  try {
    return Json::parse(text);
  } catch (const nlohmann::json::parse_error& error) {
    throw Error(ErrorCode::corrupt_file, concat(source, " is not valid JSON (byte ", error.byte, ")"));
  } catch (const nlohmann::json::out_of_range& error) {  // 1e400
    const std::string_view what = error.what();
    throw Error(ErrorCode::corrupt_file, concat(source, " is not valid JSON: ", what.substr(what.find("] ") + 2)));
  }
}

}  // namespace forge_rt
