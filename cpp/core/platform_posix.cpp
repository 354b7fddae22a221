#include <dlfcn.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "platform.h"

namespace forge_rt::platform {

long process_id() { return static_cast<long>(getpid()); }

int usable_cores() {
#if defined(__linux__)
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return CPU_COUNT(&set);
#endif
  return static_cast<int>(std::thread::hardware_concurrency());
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::filesystem::path native_path(const std::string& utf8) { return utf8; }

// ---- files ----

namespace {

std::error_code last_error() { return {errno, std::system_category()}; }

/// Repeats a call that a signal interrupted.
template <class Call>
auto uninterrupted(const Call& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

}  // namespace

std::error_code create_file(const std::string& path, File& file) {
  const int descriptor = uninterrupted([&] { return open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666); });
  if (descriptor < 0) return last_error();
  file = descriptor;
  return {};
}

std::error_code write_all(File file, const void* data, std::size_t bytes) {
  const auto* from = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = uninterrupted([&] { return write(static_cast<int>(file), from, bytes); });
    if (written < 0) return last_error();
    from += written;  // less than asked for: a signal, a limit, or a nearly full disk; the next call tells
    bytes -= static_cast<std::size_t>(written);
  }
  return {};
}

std::error_code sync_file(File file) {
  return uninterrupted([&] { return fsync(static_cast<int>(file)); }) < 0 ? last_error() : std::error_code();
}

void start_write_back(File file, std::uint64_t offset, std::uint64_t bytes) {
#if defined(__linux__)
  (void)sync_file_range(static_cast<int>(file), static_cast<off64_t>(offset), static_cast<off64_t>(bytes), SYNC_FILE_RANGE_WRITE);
#else
  (void)file, (void)offset, (void)bytes;
#endif
}

std::error_code close_file(File file) {
  // never repeated: after EINTR the descriptor is closed already, and another thread may own its number
  return close(static_cast<int>(file)) < 0 && errno != EINTR ? last_error() : std::error_code();
}

std::error_code rename_file(const std::string& from, const std::string& to) {
  return std::rename(from.c_str(), to.c_str()) < 0 ? last_error() : std::error_code();
}

std::error_code sync_folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int descriptor = uninterrupted([&] { return open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (descriptor < 0) return errno == EACCES ? std::error_code() : last_error();  // a folder to write to, not to read: nothing more to do
  std::error_code error = sync_file(descriptor);
  if (error.value() == EINVAL || error.value() == ENOTSUP) error.clear();  // file systems that do not offer it
  const std::error_code ignored = close_file(descriptor);  // nothing was written to it
  static_cast<void>(ignored);
  return error;
}

std::error_code remove_file(const std::string& path) { return unlink(path.c_str()) < 0 ? last_error() : std::error_code(); }

bool out_of_space(const std::error_code& error) { return error.value() == ENOSPC || error.value() == EDQUOT; }

// ---- shared libraries ----

void* load_library(const std::string& path, std::string& reason) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* said = dlerror();
    reason = said != nullptr ? said : "the loader gave no reason";
  }
  return library;
}

void* find_symbol(void* library, const char* name) { return dlsym(library, name); }

std::string library_of(const void* symbol) {
  Dl_info info{};
  return dladdr(symbol, &info) != 0 && info.dli_fname != nullptr ? info.dli_fname : "";
}

}  // namespace forge_rt::platform
