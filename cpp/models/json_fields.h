// Reading JSON configs with errors that name the path, what was expected, what came, and what to try.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"

namespace forge_rt::json_fields {

/// `camera.yaw_deg.uniform must be [low, high], got [30]; write two numbers`
[[noreturn]] void fail(std::string_view path, std::string_view expected, std::string_view got, std::string_view advice = {});

/// JSON text of a value, shortened for messages.
std::string show(const Json& value);

std::string join(const std::vector<std::string>& names);

/// `did you mean "yaw_deg"?` for a near miss or a prefix, else the list of valid names.
std::string suggest(std::string_view name, const std::vector<std::string>& valid);

/// Parses text; `what` names the document in the error.
Json parse(std::string_view text, const std::string& what);

// ---- one value: returned when it is what the name says ----

/// Throws unless `value` is an object that holds only `valid` keys.
void expect_object(const Json& value, const std::string& path, const std::vector<std::string>& valid);
/// Not empty.
std::string text(const Json& value, const std::string& path);
std::string choice(const Json& value, const std::string& path, const std::vector<std::string>& choices);
bool boolean(const Json& value, const std::string& path);
double number(const Json& value, const std::string& path);
int integer(const Json& value, const std::string& path, int low, int high);
/// A number in low..high.
template <class T = double>
T real(const Json& value, const std::string& path, double low, double high);
/// Array of `count` elements (any positive length for count 0).
const Json& array(const Json& value, const std::string& path, std::size_t count, const std::string& expected);
/// Array of N numbers in low..high.
template <class T, std::size_t N>
std::array<T, N> reals(const Json& value, const std::string& path, double low, double high, const std::string& expected);

// ---- members ----

/// Throws where there is none.
const Json& member(const Json& parent, const std::string& path, const char* name);

/// The members of one object, by name. Refers to the JSON it was made of.
class Fields {
 public:
  /// Throws unless `json` is an object.
  Fields(const Json& json, std::string path);

  std::string path(const char* name) const { return path_ + "." + name; }
  const Json& at(const char* name) const { return member(json_, path_, name); }
  /// Null where there is none.
  const Json* find(const char* name) const;
  /// There, and not null.
  bool given(const char* name) const;

  Fields object(const char* name) const { return {at(name), path(name)}; }
  std::string text(const char* name) const { return json_fields::text(at(name), path(name)); }
  std::string choice(const char* name, const std::vector<std::string>& choices) const {
    return json_fields::choice(at(name), path(name), choices);
  }
  bool boolean(const char* name) const { return json_fields::boolean(at(name), path(name)); }
  int integer(const char* name, int low, int high) const { return json_fields::integer(at(name), path(name), low, high); }
  template <class T = double>
  T real(const char* name, double low, double high) const {
    return json_fields::real<T>(at(name), path(name), low, high);
  }
  const Json& array(const char* name, std::size_t count, const std::string& expected) const {
    return json_fields::array(at(name), path(name), count, expected);
  }
  template <class T, std::size_t N>
  std::array<T, N> reals(const char* name, double low, double high, const std::string& expected) const {
    return json_fields::reals<T, N>(at(name), path(name), low, high, expected);
  }

  // Optional members keep the default.
  bool boolean_or(const char* name, bool otherwise) const { return find(name) == nullptr ? otherwise : boolean(name); }
  int integer_or(const char* name, int low, int high, int otherwise) const {
    return find(name) == nullptr ? otherwise : integer(name, low, high);
  }
  template <class T>
  T real_or(const char* name, double low, double high, T otherwise) const {
    return find(name) == nullptr ? otherwise : real<T>(name, low, high);
  }

 private:
  const Json& json_;
  std::string path_;
};

template <class T>
T real(const Json& value, const std::string& path, double low, double high) {
  const double found = number(value, path);
  if (!(found >= low && found <= high)) fail(path, concat("in ", low, "..", high), show(value));
  return static_cast<T>(found);
}

template <class T, std::size_t N>
std::array<T, N> reals(const Json& value, const std::string& path, double low, double high, const std::string& expected) {
  array(value, path, N, expected);
  std::array<T, N> out;
  for (std::size_t i = 0; i < N; ++i) out[i] = real<T>(value[i], path, low, high);
  return out;
}

}  // namespace forge_rt::json_fields
