#include "models/json_fields.h"

#include <algorithm>

namespace forge_rt::json_fields {
namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, change});
    }
  }
  return row.back();
}

}  // namespace

void fail(std::string_view path, std::string_view expected, std::string_view got, std::string_view advice) {
  throw Error(ErrorCode::invalid_argument, concat(path, " must be ", expected, ", got ", got, advice.empty() ? "" : "; ", advice));
}

std::string show(const Json& value) {
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > 80) text = text.substr(0, 77) + "...";
  return text;
}

std::string join(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

std::string suggest(std::string_view name, const std::vector<std::string>& valid) {
  const std::string* best = nullptr;
  std::size_t best_distance = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const std::string& candidate : valid) {
    const bool extends = name.size() >= 3 && (candidate.starts_with(name) || name.starts_with(candidate));
    const std::size_t distance = extends ? 0 : edit_distance(name, candidate);
    if (distance < best_distance) {
      best = &candidate;
      best_distance = distance;
    }
  }
  return best != nullptr ? concat("did you mean \"", *best, "\"?") : "valid names: " + join(valid);
}

Json parse(std::string_view text, const std::string& what) {
  try {
    return Json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    throw Error(ErrorCode::invalid_argument, concat(what, " is not valid JSON: ", error.what()));
  }
}

void expect_object(const Json& value, const std::string& path, const std::vector<std::string>& valid) {
  if (!value.is_object()) fail(path, "an object", show(value), "keys: " + join(valid));
  for (const auto& [key, ignored] : value.items())
    if (std::find(valid.begin(), valid.end(), key) == valid.end())
      throw Error(ErrorCode::invalid_argument, concat(path, ".", key, " is not a known key; ", suggest(key, valid)));
}

std::string text(const Json& value, const std::string& path) {
  if (!value.is_string() || value.get_ref<const std::string&>().empty()) fail(path, "a text", show(value));
  return value.get<std::string>();
}

std::string choice(const Json& value, const std::string& path, const std::vector<std::string>& choices) {
  const std::string chosen = text(value, path);
  if (std::find(choices.begin(), choices.end(), chosen) == choices.end())
    fail(path, "one of " + join(choices), show(value), suggest(chosen, choices));
  return chosen;
}

bool boolean(const Json& value, const std::string& path) {
  if (!value.is_boolean()) fail(path, "true or false", show(value));
  return value.get<bool>();
}

double number(const Json& value, const std::string& path) {
  if (!value.is_number()) {
    fail(path, "a number", show(value), value.is_string() ? "remove the quotes (YAML reads 1e-3 as text: write 1.0e-3)" : "");
  }
  return value.get<double>();
}

int integer(const Json& value, const std::string& path, int low, int high) {
  const std::string expected = concat("an integer in [", low, ", ", high, "]");
  if (!value.is_number_integer()) fail(path, expected, show(value));
  const bool huge = value.is_number_unsigned() && value.get<std::uint64_t>() > std::uint64_t{0x7FFFFFFF};
  if (huge || value.get<std::int64_t>() < low || value.get<std::int64_t>() > high) fail(path, expected, show(value));
  return value.get<int>();
}

const Json& array(const Json& value, const std::string& path, std::size_t count, const std::string& expected) {
  if (!value.is_array() || value.empty() || (count > 0 && value.size() != count)) fail(path, expected, show(value));
  return value;
}

const Json& member(const Json& parent, const std::string& path, const char* name) {
  if (!parent.is_object()) fail(path, "an object", show(parent));
  const auto found = parent.find(name);
  if (found == parent.end()) fail(path + "." + name, "there", "nothing");
  return *found;
}

Fields::Fields(const Json& json, std::string path) : json_(json), path_(std::move(path)) {
  if (!json_.is_object()) fail(path_, "an object", show(json_));
}

const Json* Fields::find(const char* name) const {
  const auto found = json_.find(name);
  return found == json_.end() ? nullptr : &*found;
}

bool Fields::given(const char* name) const {
  const Json* found = find(name);
  return found != nullptr && !found->is_null();
}

}  // namespace forge_rt::json_fields
