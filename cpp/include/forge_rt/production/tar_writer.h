// Writes the tar archives of data sets: the bytes depend on names and data alone, and the file appears complete or not at all.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "forge_rt/export.h"

namespace forge_rt {

struct TarSummary {
  std::uint64_t bytes = 0;    ///< size of the archive, a multiple of 10240
  std::uint64_t members = 0;
  std::string sha256;         ///< of the archive, 64 lower-case digits; empty without `hash`
};

/// Writes POSIX.1-1988 ustar (mode 0644, owner 0, time 0) to `path.TOKEN.part` in the same folder; `finish` makes it durable and
/// renames it to `path`. Without `finish` nothing is left, save after a kill: then the part file, which nobody reads.
///
/// Problem: a crash, a full disk or a second worker must never leave half an archive under the final name.
/// Idea:    the part file's name is unique (process, counter, random number), so two writers of one path do not meet; the later
///          rename wins, and as the bytes are the same it does not matter which.
///
/// One thread at a time. A forked child must not use its parent's writer: its calls throw and its destructor keeps the file.
class FORGE_RT_API TarWriter {
 public:
  /// Throws io when the part file cannot be made.
  ///   hash  finish() reports the SHA-256 of the archive
  ///   sync  finish() waits for the disk; without, a finished archive survives the end of the process, not that of the machine
  explicit TarWriter(std::string path, bool hash = true, bool sync = true);
  ~TarWriter();  ///< aborts
  TarWriter(TarWriter&& other) noexcept;
  TarWriter& operator=(TarWriter&& other) noexcept;

  /// Appends a member and returns the offset of its header; the data is 512 bytes after it. `data` is not kept.
  ///   name   printable ASCII, relative, parts separated by '/', none of them empty, '.' or '..'. Up to 100 bytes, or 256 when
  ///          one '/' splits it into at most 155 + 100. Two members of one name are not noticed.
  ///   bytes  below 8 GiB, the most that ustar can say
  /// Throws invalid_argument or unsupported for these: the writer stays usable. Throws io when the system refuses to write:
  /// the part file is removed, and every later call throws.
  std::uint64_t add(std::string_view name, const void* data, std::size_t bytes);

  /// Ends the archive, waits until it is on the disk, renames it to `path` (an existing file is replaced in one step) and waits
  /// until the name is on the disk too. Throws as `add` does; a file that was there stays untouched then. The writer is spent.
  TarSummary finish();

  /// Removes the part file. Quiet, any number of times, also after finish(), which it does not undo.
  void abort() noexcept;

  const std::string& path() const noexcept;  ///< of the finished archive

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace forge_rt
