// bundle.json of models that are graphs: reading it, and the files of the bundle that it names.
#pragma once

#include "forge_rt/models/bundle.h"
#include "models/json_fields.h"

namespace forge_rt {

/// What `read(json)` makes of bundle.json. What is wrong in a file is the file's fault, not the caller's: throws corrupt_file.
template <class Read>
auto read_manifest(const Bundle& bundle, const Read& read) {
  const std::string source = bundle.path() + "/bundle.json";
  const Json json = parse_json(bundle.manifest(), source);
  try {
    return read(json);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::invalid_argument) throw;
    throw Error(ErrorCode::corrupt_file, concat(source, ": ", error.what()));
  } catch (const nlohmann::json::exception& error) {  // text that is not UTF-8, and the like
    throw Error(ErrorCode::corrupt_file, concat(source, ": ", error.what()));
  }
}

/// The member "file": one of the bundle's.
inline std::string read_file_name(const json_fields::Fields& fields, const Bundle& bundle) {
  const std::string file = fields.text("file");
  if (bundle.files().count(file) == 0) json_fields::fail(fields.path("file"), "one of the bundle's files", json_fields::show(file));
  return file;
}

/// Calls `read(precision, fields)` for each precision of `variants`.
template <class Read>
void for_each_variant(const Json& variants, const std::string& path, const Read& read) {
  if (!variants.is_object() || variants.empty())
    json_fields::fail(path, "an object with a precision, such as fp32", json_fields::show(variants));
  for (const auto& [precision, variant] : variants.items()) read(precision, json_fields::Fields(variant, path + "." + precision));
}

}  // namespace forge_rt
