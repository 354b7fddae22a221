// The bytes of an archive, its offsets, what is refused, and what is left in the folder afterwards.
#include "forge_rt/production/tar_writer.h"

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <random>
#include <string>
#include <vector>

#if defined(__unix__)
#include <sys/wait.h>
#include <unistd.h>
#endif

#include "check.h"
#include "forge_rt/core/sha256.h"

using namespace forge_rt;
namespace fs = std::filesystem;

namespace {

/// A folder of its own, removed at the end.
class Folder {
 public:
  Folder() : path_(fs::temp_directory_path() / concat("forge_rt_tar_", std::random_device{}())) { fs::create_directory(path_); }
  ~Folder() { fs::remove_all(path_); }
  std::string file(const std::string& name) const { return (path_ / name).string(); }
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& entry : fs::directory_iterator(path_)) out.push_back(entry.path().filename().string());
    return out;
  }

 private:
  fs::path path_;
};

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

std::string pattern(std::size_t bytes) {
  std::string out(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) out[i] = static_cast<char>(i * 31 + i / 251);
  return out;
}

constexpr std::size_t kMiB = std::size_t{1} << 20;
const std::size_t kSizes[] = {0, 1, 511, 512, 513, kMiB - 512, kMiB - 1, kMiB, kMiB + 1, 3 * kMiB + 7};

TarSummary write_all_sizes(const std::string& path, bool hash = true) {
  TarWriter writer(path, hash);
  for (const std::size_t size : kSizes) writer.add(concat(size, ".bin"), pattern(size).data(), size);
  return writer.finish();
}

}  // namespace

TEST(header_fields) {
  const Folder folder;
  TarWriter writer(folder.file("a.tar"));
  CHECK(writer.path() == folder.file("a.tar"));
  CHECK(writer.add("00000000.json", "{}", 2) == 0);
  CHECK(writer.finish().members == 1);
  const std::string tar = read(folder.file("a.tar"));
  CHECK(tar.size() == 10240);
  const auto field = [&](std::size_t at, const std::string& text) { return tar.compare(at, text.size(), text) == 0; };
  CHECK(field(0, "00000000.json") && field(100, std::string("0000644\0", 8)) && field(108, std::string("0000000\0", 8)));
  CHECK(field(124, std::string("00000000002\0", 12)) && field(136, std::string("00000000000\0", 12)) && tar[156] == '0');
  CHECK(field(257, std::string("ustar\0"
                               "00",
                               8)));
  CHECK(field(265, std::string(247, '\0')));  // owner names, devices, prefix
  unsigned sum = 8 * ' ';
  for (std::size_t i = 0; i < 512; ++i) sum += i >= 148 && i < 156 ? 0 : static_cast<unsigned char>(tar[i]);
  CHECK(std::strtoul(tar.substr(148, 6).c_str(), nullptr, 8) == sum && tar[154] == '\0' && tar[155] == ' ');
  CHECK(field(512, "{}") && tar.find_first_not_of('\0', 514) == std::string::npos);
}

TEST(offsets_sizes_and_hash) {
  const Folder folder;
  TarWriter writer(folder.file("a.tar"));
  std::vector<std::uint64_t> offsets;
  for (const std::size_t size : kSizes) offsets.push_back(writer.add(concat(size, ".bin"), pattern(size).data(), size));
  const TarSummary summary = writer.finish();
  const std::string tar = read(folder.file("a.tar"));
  CHECK(summary.bytes == tar.size() && tar.size() % 10240 == 0 && summary.members == std::size(kSizes));
  CHECK(summary.sha256 == sha256_hex(tar.data(), tar.size()));
  for (std::size_t i = 0; i < std::size(kSizes); ++i) {
    CHECK(tar.compare(offsets[i], 100, concat(kSizes[i], ".bin") + std::string(100 - concat(kSizes[i], ".bin").size(), '\0')) == 0);
    CHECK(tar.compare(offsets[i] + 512, kSizes[i], pattern(kSizes[i])) == 0);
  }
  CHECK(write_all_sizes(folder.file("b.tar"), false).sha256.empty());
  CHECK(read(folder.file("b.tar")) == tar);
}

TEST(empty_archive) {
  const Folder folder;
  CHECK(TarWriter(folder.file("a.tar"), true, false).finish().bytes == 10240);
  CHECK(read(folder.file("a.tar")) == std::string(10240, '\0'));
}

TEST(names) {
  const Folder folder;
  TarWriter writer(folder.file("a.tar"));
  const std::string longest = std::string(155, 'p') + "/" + std::string(100, 'n');
  CHECK(writer.add(std::string(100, 'x'), "", 0) == 0);
  CHECK(writer.add(longest, "", 0) == 512);
  CHECK(writer.add("folder/a b.jpg", nullptr, 0) == 1024);
  for (const std::string& wrong : {std::string(), std::string("/a"), std::string("a/"), std::string("a//b"), std::string("../a"),
                                   std::string("a/.."), std::string("./a"), std::string("."), std::string("a\nb"), std::string("a\0b", 3),
                                   std::string("\xc3\xa9"), std::string(101, 'x'), "p" + longest, longest + "n"})
    CHECK_THROWS(writer.add(wrong, "", 0), invalid_argument);
  CHECK_THROWS(writer.add("a", nullptr, 1), invalid_argument);
  CHECK_THROWS(writer.add("a", "", std::size_t{1} << 33), unsupported);
  CHECK(writer.finish().members == 3);  // it stayed usable
  const std::string tar = read(folder.file("a.tar"));
  CHECK(tar.compare(512, 100, std::string(100, 'n')) == 0 && tar.compare(512 + 345, 155, std::string(155, 'p')) == 0);
}

TEST(nothing_is_left) {
  const Folder folder;
  write(folder.file("a.tar"), "before");
  { TarWriter dropped(folder.file("a.tar")); }
  TarWriter aborted(folder.file("a.tar"));
  aborted.add("x", pattern(3 * kMiB).data(), 3 * kMiB);
  CHECK(folder.names().size() == 2);
  aborted.abort();
  aborted.abort();
  CHECK_THROWS(aborted.add("y", "", 0), invalid_argument);
  CHECK_THROWS(aborted.finish(), invalid_argument);
  CHECK(folder.names() == std::vector<std::string>{"a.tar"} && read(folder.file("a.tar")) == "before");
}

TEST(finish_replaces) {
  const Folder folder;
  write(folder.file("a.tar"), "before");
  TarWriter writer(folder.file("a.tar")), twin(folder.file("a.tar"));  // both at once
  writer.add("x", "1", 1);
  twin.add("x", "1", 1);
  const TarSummary summary = writer.finish();
  CHECK(twin.finish().sha256 == summary.sha256);
  CHECK_THROWS(writer.finish(), invalid_argument);
  CHECK_THROWS(writer.add("y", "", 0), invalid_argument);
  writer.abort();  // does not undo
  const std::string tar = read(folder.file("a.tar"));
  CHECK(folder.names() == std::vector<std::string>{"a.tar"} && sha256_hex(tar.data(), tar.size()) == summary.sha256);
}

TEST(moved_writer) {
  const Folder folder;
  std::optional<TarWriter> other;
  {
    TarWriter writer(folder.file("a.tar"));
    writer.add("x", "1", 1);
    other.emplace(std::move(writer));
  }
  CHECK(other->finish().members == 1);
  TarWriter assigned(folder.file("b.tar"));
  assigned = TarWriter(folder.file("c.tar"));  // removes the part file of b
  CHECK(folder.names().size() == 2);
}

TEST(refused_folders) {
  const Folder folder;
  CHECK_THROWS(TarWriter(folder.file("missing/a.tar")), io);
  CHECK_THROWS(TarWriter(""), invalid_argument);
  fs::create_directory(folder.file("a.tar"));
  TarWriter writer(folder.file("a.tar"));
  CHECK_THROWS(writer.finish(), io);
  CHECK_THROWS(writer.finish(), io);  // still the same reason
  CHECK(folder.names() == std::vector<std::string>{"a.tar"});
}

#if defined(__unix__)
TEST(part_file_removed_by_others) {
  const Folder folder;
  TarWriter writer(folder.file("a.tar"));
  fs::remove(folder.file(folder.names().at(0)));
  CHECK_THROWS(writer.finish(), io);
  CHECK(folder.names().empty());
}

TEST(forked_child_leaves_the_file_alone) {
  const Folder folder;
  std::optional<TarWriter> writer(folder.file("a.tar"));
  writer->add("x", "1", 1);
  const pid_t child = fork();
  if (child == 0) {
    bool refused = false;
    try {
      writer->add("y", "2", 1);
    } catch (const Error& error) {
      refused = error.code() == ErrorCode::invalid_argument;
    }
    writer.reset();
    _exit(refused ? 0 : 1);
  }
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  CHECK(writer->finish().members == 1);
}
#endif
