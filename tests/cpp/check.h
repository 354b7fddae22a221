// The whole test framework: TEST(name) { CHECK(...); } and one executable per file. No dependency to fetch.
#pragma once

#include <cmath>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "forge_rt/core/error.h"

namespace forge_rt::testing {

struct Case {
  const char* name;
  void (*body)();
};
inline std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}
struct Registered {
  Registered(const char* name, void (*body)()) { cases().push_back({name, body}); }
};

inline int& failures() {  // of the running case
  static int count = 0;
  return count;
}
inline bool& skipped() {  // the running case; its body says why, and returns
  static bool flag = false;
  return flag;
}
inline void report(const char* file, int line, const std::string& text) {
  ++failures();
  std::fprintf(stderr, "%s:%d: %s\n", file, line, text.c_str());
}

/// Runs the cases whose names contain the first argument (all without one). Last line: `N passed, N failed`, and `N skipped` if any.
/// 77, which ctest shows as skipped, when no case could run.
inline int run(int argc, char** argv) {
  int passed = 0, failed = 0, left_out = 0;
  for (const Case& c : cases()) {
    if (argc > 1 && std::string(c.name).find(argv[1]) == std::string::npos) continue;
    failures() = 0;
    skipped() = false;
    try {
      c.body();
    } catch (const std::exception& error) {
      report(c.name, 0, concat("unexpected exception: ", error.what()));
    }
    const bool left = skipped() && failures() == 0;
    ++(failures() > 0 ? failed : left ? left_out : passed);
    std::printf("%s %s\n", failures() > 0 ? "FAIL" : left ? "skip" : "ok  ", c.name);
  }
  std::printf("%d passed, %d failed", passed, failed);
  if (left_out > 0) std::printf(", %d skipped", left_out);
  std::printf("\n");
  if (failed == 0 && passed == 0 && left_out > 0) return 77;
  return failed == 0 && passed > 0 ? 0 : 1;
}

}  // namespace forge_rt::testing

#define TEST(name)                                                                    \
  static void test_##name();                                                          \
  static const ::forge_rt::testing::Registered registered_##name(#name, test_##name); \
  static void test_##name()

#define CHECK(condition)                                                                        \
  do {                                                                                          \
    if (!(condition)) ::forge_rt::testing::report(__FILE__, __LINE__, "CHECK(" #condition ")"); \
  } while (false)

/// |a - b| <= tolerance; NaN is never near.
#define CHECK_NEAR(a, b, tolerance)                                                                                                   \
  do {                                                                                                                                \
    const double check_a = (a), check_b = (b);                                                                                        \
    if (!(std::abs(check_a - check_b) <= (tolerance)))                                                                                \
      ::forge_rt::testing::report(__FILE__, __LINE__, ::forge_rt::concat("CHECK_NEAR(" #a ", " #b "): ", check_a, " and ", check_b)); \
  } while (false)

/// `expression` throws forge_rt::Error with ErrorCode::code.
#define CHECK_THROWS(expression, expected_code)                                                                                    \
  do {                                                                                                                             \
    try {                                                                                                                          \
      (void)(expression);                                                                                                          \
      ::forge_rt::testing::report(__FILE__, __LINE__, "no exception from " #expression);                                           \
    } catch (const ::forge_rt::Error& check_error) {                                                                               \
      if (check_error.code() != ::forge_rt::ErrorCode::expected_code)                                                              \
        ::forge_rt::testing::report(                                                                                               \
            __FILE__, __LINE__,                                                                                                    \
            ::forge_rt::concat(#expression " threw ", ::forge_rt::error_code_name(check_error.code()), ": ", check_error.what())); \
    }                                                                                                                              \
  } while (false)
