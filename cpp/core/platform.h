// Everything that differs between operating systems; implemented in platform_posix.cpp and platform_windows.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <system_error>

namespace forge_rt::platform {

long process_id();
int usable_cores();  ///< respects the affinity mask
/// UTF-8; empty when it is not set.
std::string environment(const char* name);

// ---- paths: UTF-8 in every std::string of the library; a narrow path means the code page on Windows ----

/// Throws invalid_argument for text that is not UTF-8, where that matters.
std::filesystem::path native_path(const std::string& utf8);
inline std::string utf8_path(const std::filesystem::path& path) {
  const std::u8string text = path.u8string();
  return {text.begin(), text.end()};
}

// ---- files: paths are UTF-8, an empty error code is success ----

using File = std::intptr_t;
constexpr File kNoFile = -1;

/// Opens a new file for writing; std::errc::file_exists when there is one.
std::error_code create_file(const std::string& path, File& file);
/// Appends all bytes. After an error any number of them may have been written.
std::error_code write_all(File file, const void* data, std::size_t bytes);
/// Returns when the file's bytes are on the disk.
std::error_code sync_file(File file);
/// Starts writing this range to the disk and returns at once: less is left for sync_file. A hint, it cannot fail.
void start_write_back(File file, std::uint64_t offset, std::uint64_t bytes);
std::error_code close_file(File file);
/// `to` is replaced at once: readers see the old file or the new one.
std::error_code rename_file(const std::string& from, const std::string& to);
/// Returns when the names in the folder of `path` are on the disk.
std::error_code sync_folder_of(const std::string& path);
std::error_code remove_file(const std::string& path);
/// The disk or a quota is exhausted.
bool out_of_space(const std::error_code& error);

// ---- shared libraries: loaded for good, nothing unloads them ----

/// Null when it does not load; `reason` is then the loader's sentence. A bare name is looked up where the loader looks.
void* load_library(const std::string& path, std::string& reason);
/// Null when the library does not have it.
void* find_symbol(void* library, const char* name);
/// Path of the loaded library that holds `symbol`; empty when the system does not tell.
std::string library_of(const void* symbol);

}  // namespace forge_rt::platform
