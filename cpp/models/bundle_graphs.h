// What every model with graphs in its bundle does with them.
#pragma once

#include <map>
#include <string>

#include "forge_rt/core/error.h"

namespace forge_rt {

/// What a graph refuses although the contract promises it is the bundle's fault, at load and at any later run.
template <class Call>
auto blame_bundle(const std::string& graph, const Call& call) {
  try {
    return call();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::invalid_argument) throw;
    throw Error(ErrorCode::corrupt_file, concat(graph, " does not fit the bundle's contract: ", error.what()));
  }
}

/// The variant of `precision`, or for "auto" fp32, or the only one there is. Throws unsupported with what there is.
template <class File>
std::string choose_precision(const std::map<std::string, File>& variants, const std::string& precision, const std::string& bundle) {
  if (precision != "auto") {
    std::string names;
    for (const auto& [name, file] : variants) names += (names.empty() ? "" : ", ") + name;
    check(variants.count(precision) != 0, ErrorCode::unsupported, bundle, " has no variant '", precision, "'; it has: ", names);
    return precision;
  }
  return variants.count("fp32") != 0 ? "fp32" : variants.begin()->first;
}

}  // namespace forge_rt
