#include "forge_rt/production/tar_writer.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <random>
#include <utility>

#include "core/platform.h"
#include "forge_rt/core/error.h"
#include "forge_rt/core/sha256.h"

namespace forge_rt {
namespace {

constexpr std::size_t kBlock = 512, kRecord = 20 * kBlock;       // a tar file is a number of whole records
constexpr std::uint64_t kMostBytes = (std::uint64_t{1} << 33) - 1;  // eleven octal digits
constexpr std::size_t kBuffer = std::size_t{1} << 20;
constexpr std::uint64_t kWriteBack = std::uint64_t{1} << 23;  // bytes between two hints to the disk
constexpr std::size_t kPrefix = 155, kName = 100;
constexpr char kZeros[kRecord] = {};

/// The fields of ustar, in the order of the file.
struct Header {
  char name[kName];
  char mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8];
  char type, linked_name[100];
  char magic[6], version[2];
  char user[32], group[32], device_major[8], device_minor[8];
  char prefix[kPrefix], padding[12];
};
static_assert(sizeof(Header) == kBlock);

std::size_t padding_of(std::uint64_t bytes, std::size_t unit) { return static_cast<std::size_t>((unit - bytes % unit) % unit); }

/// For messages: other bytes may be no text at all.
std::string printable(std::string_view name) {
  std::string out(name.substr(0, 300));
  std::replace_if(out.begin(), out.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return out;
}

void check_name(std::string_view name) {
  const auto require = [&](bool good, const char* why) {
    check_argument(good, "tar member name must be relative, printable ASCII with parts separated by '/', got '", printable(name), "': it ",
                   why);
  };
  require(!name.empty(), "is empty");
  require(name.front() != '/', "is absolute");
  require(std::all_of(name.begin(), name.end(), [](char c) { return c >= ' ' && c <= '~'; }), "has other characters");
  for (std::size_t at = 0; at <= name.size();) {
    const std::size_t end = std::min(name.find('/', at), name.size());
    const std::string_view part = name.substr(at, end - at);
    require(!part.empty() && part != "." && part != "..", "has a part that is empty, '.' or '..'");
    at = end + 1;
  }
}

/// Length of the part before the '/' that goes into the prefix field; 0 without one. The shortest that fits, as Python's tarfile.
std::size_t prefix_length(std::string_view name) {
  if (name.size() <= kName) return 0;
  const std::size_t slash = name.find('/', name.size() - kName - 1);
  check_argument(slash <= kPrefix,  // npos is larger
                 "tar member name must have at most 100 bytes, or a '/' that splits it ", "into at most 155 and 100, got ", name.size(),
                 " bytes: '", printable(name), "'");
  return slash;
}

Header make_header(std::string_view name, std::uint64_t bytes) {
  check_name(name);
  check(bytes <= kMostBytes, ErrorCode::unsupported, "a tar member must be smaller than 8 GiB, '", name, "' has ", bytes, " bytes");
  Header h = {};
  const std::size_t prefix = prefix_length(name);
  name.substr(0, prefix).copy(h.prefix, kPrefix);
  name.substr(prefix == 0 ? 0 : prefix + 1).copy(h.name, kName);
  std::memcpy(h.mode, "0000644", 8);
  std::memcpy(h.uid, "0000000", 8);
  std::memcpy(h.gid, "0000000", 8);
  std::snprintf(h.size, sizeof h.size, "%011llo", static_cast<unsigned long long>(bytes));
  std::memcpy(h.mtime, "00000000000", 12);
  h.type = '0';
  std::memcpy(h.magic, "ustar", 6);
  std::memcpy(h.version, "00", 2);
  std::memset(h.checksum, ' ', sizeof h.checksum);  // counted as spaces
  unsigned sum = 0;
  for (std::size_t i = 0; i < kBlock; ++i) sum += reinterpret_cast<const unsigned char*>(&h)[i];
  std::snprintf(h.checksum, sizeof h.checksum - 1, "%06o", sum);  // then NUL and the last space
  return h;
}

/// Never the same twice: not in this process, not in another one, not on another machine that shares the folder.
std::string unique_token() {
  static std::atomic<unsigned> counter{0};
  std::random_device random;
  char text[64];
  std::snprintf(text, sizeof text, "%lx-%x-%08x%08x", static_cast<unsigned long>(platform::process_id()), counter.fetch_add(1), random(),
                random());
  return text;
}

}  // namespace

struct TarWriter::State {
  enum class Stage { open, finished, aborted, failed };

  std::string path, part;
  platform::File file = platform::kNoFile;
  long owner = platform::process_id();
  Stage stage = Stage::open;
  std::string failure;  // why, when failed

  std::unique_ptr<char[]> buffer{new char[kBuffer]};
  std::size_t buffered = 0;
  std::uint64_t length = 0, written = 0, asked_back = 0;  // of the archive; handed to the system; handed to the disk
  std::uint64_t members = 0;
  bool hashing = false, sync = true;
  Sha256 hash;

  ~State() { discard(); }

  void check_open(const char* action) const {
    check_argument(owner == platform::process_id(), "cannot ", action, " ", path,
                   ": its writer belongs to another process; open one in each");
    check(stage != Stage::failed, ErrorCode::io, "cannot ", action, " ", path, ": writing it failed before (", failure, ")");
    check_argument(stage == Stage::open, "cannot ", action, " ", path, ": it was ", stage == Stage::finished ? "finished" : "aborted",
                   " before");
  }

  /// Removes the part file; a forked child leaves its parent's alone.
  void discard() noexcept {
    std::error_code ignored;  // the file is thrown away
    if (file != platform::kNoFile) ignored = platform::close_file(std::exchange(file, platform::kNoFile));
    if (stage == Stage::open) {
      if (owner == platform::process_id()) ignored = platform::remove_file(part);
      stage = Stage::aborted;
    }
    buffer.reset();
  }

  [[noreturn]] void fail(const char* action, const std::error_code& error) {
    failure = error.message();
    std::string advice;
    if (platform::out_of_space(error))
      advice = concat("; at least ", length, " bytes are needed: free some space or choose another folder, then run again");
    else if (error == std::errc::file_too_large)
      advice = concat("; at least ", length, " bytes are needed: make smaller archives or raise the limit on file sizes (ulimit -f)");
    else if (error == std::errc::no_such_file_or_directory)
      advice = "; its part file was removed while it was written: run again, and do not clean the folder meanwhile";
    else if (error == std::errc::is_a_directory) advice = "; remove the folder of that name";
    discard();
    stage = Stage::failed;
    throw Error(ErrorCode::io, concat("cannot ", action, " ", path, ": ", failure, advice));
  }

  void write(const void* data, std::size_t bytes) {
    if (const std::error_code error = platform::write_all(file, data, bytes)) fail("write", error);
    written += bytes;
    if (sync && written - asked_back >= kWriteBack) {
      platform::start_write_back(file, asked_back, written - asked_back);
      asked_back = written;
    }
  }

  void flush() {
    write(buffer.get(), buffered);
    buffered = 0;
  }

  /// Every write but the last begins and ends at a multiple of kBuffer: the page cache then takes large pages, which saves a third of the time.
  void append(const void* data, std::size_t bytes) {
    const auto* from = static_cast<const char*>(data);
    length += bytes;
    if (hashing) hash.update(from, bytes);
    while (bytes > 0) {
      const bool direct = buffered == 0 && bytes >= kBuffer;
      const std::size_t take = direct ? bytes / kBuffer * kBuffer : std::min(bytes, kBuffer - buffered);
      if (direct) {
        write(from, take);
      } else {
        std::memcpy(buffer.get() + buffered, from, take);
        buffered += take;
        if (buffered == kBuffer) flush();
      }
      from += take;
      bytes -= take;
    }
  }
};

TarWriter::TarWriter(std::string path, bool hash, bool sync) : state_(new State) {
  check_argument(!path.empty(), "path of a tar archive must not be empty");
  state_->path = std::move(path);
  state_->hashing = hash;
  state_->sync = sync;
  std::error_code error;
  do {
    state_->part = concat(state_->path, ".", unique_token(), ".part");
    error = platform::create_file(state_->part, state_->file);
  } while (error == std::errc::file_exists);
  if (error) {
    state_->stage = State::Stage::failed;  // nothing to remove
    throw Error(ErrorCode::io,
                concat("cannot create ", state_->part, ": ", error.message(), "; choose a folder that exists and that you may write to"));
  }
}

TarWriter::~TarWriter() = default;
TarWriter::TarWriter(TarWriter&&) noexcept = default;
TarWriter& TarWriter::operator=(TarWriter&&) noexcept = default;

std::uint64_t TarWriter::add(std::string_view name, const void* data, std::size_t bytes) {
  State& s = *state_;
  s.check_open("add to");
  const Header header = make_header(name, bytes);
  check_argument(data != nullptr || bytes == 0, "data of tar member '", name, "' must not be null");
  const std::uint64_t offset = s.length;
  s.append(&header, sizeof header);
  s.append(data, bytes);
  s.append(kZeros, padding_of(bytes, kBlock));
  ++s.members;
  return offset;
}

TarSummary TarWriter::finish() {
  State& s = *state_;
  s.check_open("finish");
  const std::size_t end = 2 * kBlock;  // two blocks of zeros, then up to a whole record
  s.append(kZeros, end);
  s.append(kZeros, padding_of(s.length, kRecord));
  s.flush();
  if (s.sync)
    if (const std::error_code error = platform::sync_file(s.file)) s.fail("write", error);
  if (const std::error_code error = platform::close_file(std::exchange(s.file, platform::kNoFile))) s.fail("write", error);
  if (const std::error_code error = platform::rename_file(s.part, s.path)) s.fail("put in place", error);
  s.stage = State::Stage::finished;  // from here on there is no part file
  s.buffer.reset();
  if (s.sync)
    if (const std::error_code error = platform::sync_folder_of(s.path)) s.fail("make durable the name of", error);
  return {s.length, s.members, s.hashing ? s.hash.hex() : ""};
}

void TarWriter::abort() noexcept {
  if (state_) state_->discard();
}

const std::string& TarWriter::path() const noexcept { return state_->path; }

}  // namespace forge_rt
