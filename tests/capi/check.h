/* What the C tests share: one count of checks, and what frt_last_error() said when one failed. */
#ifndef FORGE_RT_TESTS_CAPI_CHECK_H
#define FORGE_RT_TESTS_CAPI_CHECK_H

#include <stdio.h>
#include <string.h>

#include "forge_rt/forge_rt.h"

static int passed = 0, failed = 0;

static void check(int good, const char* text, const char* file, int line) {
  if (good) {
    ++passed;
  } else {
    ++failed;
    fprintf(stderr, "%s:%d: %s (last error: %s)\n", file, line, text, frt_last_error());
  }
}
#define CHECK(condition) check((condition) != 0, #condition, __FILE__, __LINE__)

static int mentions(const char* word) { return strstr(frt_last_error(), word) != NULL; }

#endif
