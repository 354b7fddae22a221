#define NOMINMAX
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include <algorithm>

#include "forge_rt/core/error.h"
#include "platform.h"

namespace forge_rt::platform {

long process_id() { return static_cast<long>(GetCurrentProcessId()); }

int usable_cores() {
  SYSTEM_INFO info;
  GetSystemInfo(&info);
  return static_cast<int>(info.dwNumberOfProcessors);
}

namespace {

std::error_code last_error() { return {static_cast<int>(GetLastError()), std::system_category()}; }
std::error_code success_or_error(BOOL success) { return success ? std::error_code() : last_error(); }
HANDLE handle(File file) { return reinterpret_cast<HANDLE>(file); }

std::wstring wide(const std::string& utf8) {
  const int bytes = static_cast<int>(utf8.size());
  std::wstring out(static_cast<std::size_t>(MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, utf8.data(), bytes, nullptr, 0)), L'\0');
  MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, utf8.data(), bytes, out.data(), static_cast<int>(out.size()));
  return out;
}

std::string utf8(const wchar_t* text, int length) {
  std::string out(static_cast<std::size_t>(WideCharToMultiByte(CP_UTF8, 0, text, length, nullptr, 0, nullptr, nullptr)), '\0');
  WideCharToMultiByte(CP_UTF8, 0, text, length, out.data(), static_cast<int>(out.size()), nullptr, nullptr);
  return out;
}

}  // namespace

std::string environment(const char* name) {
  // not getenv: it answers in the code page, and does not see what C# sets in its own process
  const std::wstring key = wide(name);
  std::wstring value;
  DWORD length = GetEnvironmentVariableW(key.c_str(), nullptr, 0);
  while (length > value.size()) {  // a size with its zero while it does not fit, without it then
    value.resize(length);
    length = GetEnvironmentVariableW(key.c_str(), value.data(), length);
  }
  return utf8(value.data(), static_cast<int>(length));
}

std::filesystem::path native_path(const std::string& utf8) {
  std::wstring path = wide(utf8);
  check_argument(!path.empty() || utf8.empty(), "a path must be UTF-8, got bytes that are not; arguments of main() are in the code page");
  return path;
}

// ---- files ----

std::error_code create_file(const std::string& path, File& file) {
  const HANDLE opened = CreateFileW(wide(path).c_str(), GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_DELETE, nullptr, CREATE_NEW,
                                    FILE_ATTRIBUTE_NORMAL, nullptr);
  if (opened == INVALID_HANDLE_VALUE) return last_error();
  file = reinterpret_cast<File>(opened);
  return {};
}

std::error_code write_all(File file, const void* data, std::size_t bytes) {
  constexpr std::size_t kMostAtOnce = std::size_t{1} << 30;  // WriteFile counts in 32 bits
  const auto* from = static_cast<const char*>(data);
  while (bytes > 0) {
    DWORD written = 0;
    if (!WriteFile(handle(file), from, static_cast<DWORD>(std::min(bytes, kMostAtOnce)), &written, nullptr)) return last_error();
    from += written;
    bytes -= written;
  }
  return {};
}

std::error_code sync_file(File file) { return success_or_error(FlushFileBuffers(handle(file))); }

void start_write_back(File, std::uint64_t, std::uint64_t) {}

std::error_code close_file(File file) { return success_or_error(CloseHandle(handle(file))); }

std::error_code rename_file(const std::string& from, const std::string& to) {
  return success_or_error(MoveFileExW(wide(from).c_str(), wide(to).c_str(), MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH));
}

std::error_code sync_folder_of(const std::string&) { return {}; }  // MOVEFILE_WRITE_THROUGH did it

std::error_code remove_file(const std::string& path) { return success_or_error(DeleteFileW(wide(path).c_str())); }

bool out_of_space(const std::error_code& error) {
  constexpr int kDiskQuotaExceeded = 1295;  // ERROR_DISK_QUOTA_EXCEEDED, which mingw-w64 lacks
  return error.value() == ERROR_DISK_FULL || error.value() == ERROR_HANDLE_DISK_FULL || error.value() == kDiskQuotaExceeded;
}

// ---- shared libraries ----

void* load_library(const std::string& path, std::string& reason) {
  // with a folder in front, what the library needs is looked for beside it; that takes a full path with backslashes
  const bool bare = path.find_first_of("/\\") == std::string::npos;
  std::filesystem::path file = wide(path);
  std::error_code failure;
  if (!bare) file = std::filesystem::absolute(file, failure).make_preferred();
  const HMODULE library = LoadLibraryExW(file.c_str(), nullptr, bare ? 0 : LOAD_WITH_ALTERED_SEARCH_PATH);
  if (library == nullptr) reason = last_error().message();
  return reinterpret_cast<void*>(library);
}

void* find_symbol(void* library, const char* name) {
  return reinterpret_cast<void*>(GetProcAddress(reinterpret_cast<HMODULE>(library), name));
}

std::string library_of(const void* symbol) {
  HMODULE library = nullptr;
  if (!GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
                          static_cast<const wchar_t*>(symbol), &library))
    return "";
  wchar_t path[MAX_PATH];
  const DWORD length = GetModuleFileNameW(library, path, MAX_PATH);
  return length > 0 && length < MAX_PATH ? utf8(path, static_cast<int>(length)) : "";
}

}  // namespace forge_rt::platform
